"""A C-STORE request as it comes from pynetdicom, whoever opened the association it comes over."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from secondread.accept.archive import Archive
from secondread.accept.intake import Intake, ReceivedInstance, StoreStatus
from secondread.accept.ledger import Ledger, PeerAssociation
from secondread.accept.refusals import Caller, RefusalLog
from secondread.clock import Clock

StoreHandler = Callable[[Event], int]
"""Takes pynetdicom's event of a C-STORE request, and returns the status to answer."""


def read_store_request(
    event: Event, association: PeerAssociation, caller: Caller, *, on_request: bool
) -> ReceivedInstance | None:
    """Return what a request delivers, its data set in the spool; None where there is none."""
    request = event.request
    # pynetdicom hands over requests without a data set, and of other kinds, too.
    if not isinstance(request, C_STORE) or request._dataset_file is None:
        return None
    return ReceivedInstance(
        spool_path=Path(request._dataset_file.name),
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        abstract_syntax=str(event.context.abstract_syntax),
        transfer_syntax=str(event.context.transfer_syntax),
        association=association,
        caller=caller,
        was_requested=on_request,
    )


class RetrievalReceiver:
    """Takes what peers deliver over associations that this node opened (C-GET).

    The instances go the way of all others: Success is answered when file and record are durable.
    The process has to be configured for it, see `entity.configure_process`.

    Parameters
    ----------
    archive, ledger
        Where instances go.
    clock
        The present instant.
    minimum_free_bytes
        With less free space than this, everything is answered A700.
    ae_title
        This node's.
    """

    def __init__(
        self,
        archive: Archive,
        ledger: Ledger,
        clock: Clock,
        minimum_free_bytes: int,
        ae_title: str,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ae_title = ae_title
        self._refusals = RefusalLog()
        self._intake = Intake(archive, ledger, self._refusals, clock, minimum_free_bytes)

    @contextmanager
    def receive_from(self, ae_title: str, host: str) -> Iterator[StoreHandler]:
        """Give what answers the requests of one association with a peer.

        Raises
        ------
        TransientError
            The ledger cannot be told; nothing may be asked for then.
        """
        peer = PeerAssociation(f"own-{secrets.token_hex(8)}", ae_title, host, self._clock())
        caller = Caller(ae_title, self._ae_title, host)

        def on_store(event: Event) -> int:
            delivery = read_store_request(event, peer, caller, on_request=True)
            return (
                StoreStatus.CANNOT_UNDERSTAND if delivery is None else self._intake.store(delivery)
            )

        self._ledger.record_association_start(peer)
        try:
            yield on_store
        finally:
            self._ledger.record_association_end(peer.association_id, self._clock())
            self._refusals.flush(self._ledger.record_refusals)
