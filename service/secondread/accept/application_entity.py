"""The node as pynetdicom's application entity, and the settings it has per process."""

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pynetdicom import AE, _config
from pynetdicom.presentation import PresentationContext

from secondread.accept.sop_classes import SOP_CLASSES, InstanceUse, find_use, list_transfer_syntaxes
from secondread.settings import Settings

WAITING_CONNECTIONS: Final = 64
"""Connections that may be open beside the associations, before they ask for one."""


def build_application_entity(settings: Settings) -> AE:
    """Return the receiver's application entity: title, contexts, time limits."""
    receive = settings.receive
    ae = AE(settings.node.ae_title)
    for row in SOP_CLASSES:
        # A peer that reports opens the association as SCP of the service, and proposes that role
        # (PS3.7 D.3.3.4), or takes it for granted.
        roles = (True, True) if row.use is InstanceUse.REPORTS else (None, None)
        ae.add_supported_context(
            row.uid, [syntax.uid for syntax in list_transfer_syntaxes(row.syntax_list)], *roles
        )
    ae.maximum_pdu_size = receive.maximum_pdu_bytes
    ae.acse_timeout = receive.acse_seconds
    ae.network_timeout = receive.network_seconds
    return ae


def select_report_contexts(contexts: Iterable[PresentationContext]) -> list[PresentationContext]:
    """Return the contexts over which a peer can only report on storage commitments."""
    return [cx for cx in contexts if find_use(str(cx.abstract_syntax)) is InstanceUse.REPORTS]


@contextmanager
def configure_process(spool: Path | None = None) -> Iterator[None]:
    """Set what pynetdicom and pydicom only offer as settings of the whole process.

    The handlers that log each PDU are off, and so are pydicom's warnings, because they quote values
    of the data set.

    Parameters
    ----------
    spool
        Where data sets go as they arrive, instead of to memory, over associations that this node
        opened itself. Those of peers have files of their own.
    """
    logger = logging.getLogger("pydicom")
    folder, level = tempfile.tempdir, logger.level
    chunked, handlers = _config.STORE_RECV_CHUNKED_DATASET, _config.LOG_HANDLER_LEVEL
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        logger.setLevel(logging.CRITICAL)
        _config.LOG_HANDLER_LEVEL = "none"
        if spool is not None:
            tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET = str(spool), True
        try:
            yield
        finally:
            logger.setLevel(level)
            tempfile.tempdir = folder
            _config.STORE_RECV_CHUNKED_DATASET = chunked
            _config.LOG_HANDLER_LEVEL = handlers
