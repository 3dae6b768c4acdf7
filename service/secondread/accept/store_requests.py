"""C-STORE requests as they come from pynetdicom, over associations that either side opened."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from secondread.accept.intake import Intake, ReceivedInstance, StoreStatus
from secondread.accept.ledger import PeerAssociation
from secondread.accept.refusal_counts import Caller
from secondread.accept.spool_file import SpoolFile
from secondread.accept.transfers import TransferCount

StoreHandler = Callable[[Event], int]
"""Answers pynetdicom's event of a C-STORE request with a status."""


def read_store_request(
    event: Event,
    association: PeerAssociation,
    caller: Caller,
    transfers: TransferCount,
    *,
    was_requested: bool,
) -> ReceivedInstance | None:
    """Return the instance of a request, its data set in the spool; None without a data set."""
    request = event.request
    # pynetdicom hands over requests without a data set, and of other kinds, too.
    if not isinstance(request, C_STORE) or request._dataset_file is None:
        return None
    file: object = request._dataset_file
    return ReceivedInstance(
        spool_path=Path(request._dataset_file.name),
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        abstract_syntax=str(event.context.abstract_syntax),
        transfer_syntax=str(event.context.transfer_syntax),
        association=association,
        caller=caller,
        was_requested=was_requested,
        transfers=transfers,
        sha256=file.sha256 if isinstance(file, SpoolFile) else None,
    )


@dataclass(frozen=True, slots=True)
class RetrievalReceiver:
    """Receives instances over associations that this node opened (C-GET).

    As for all others, Success is answered when file and record are durable. The process has to be
    configured for it, see `application_entity.configure_process`.
    """

    intake: Intake
    ae_title: str
    """This node's."""

    @contextmanager
    def receive_from(self, ae_title: str, host: str) -> Iterator[StoreHandler]:
        """Yield what answers the C-STORE requests of one association with a peer.

        Raises
        ------
        TransientError
            The ledger is away; nothing may be requested then.
        """
        ledger, clock = self.intake.ledger, self.intake.clock
        peer = PeerAssociation(f"own-{secrets.token_hex(8)}", ae_title, host, clock())
        caller, transfers = Caller(ae_title, self.ae_title, host), TransferCount()

        def on_store(event: Event) -> int:
            instance = read_store_request(event, peer, caller, transfers, was_requested=True)
            if instance is None:
                return StoreStatus.CANNOT_UNDERSTAND
            return self.intake.store(instance)

        ledger.record_association_start(peer)
        try:
            yield on_store
        finally:
            ended = transfers.list_transfers(peer)
            ledger.record_association_end(peer.association_id, clock(), ended)
            self.intake.refusals.flush(ledger.record_refusals)
