"""An association that a peer opened, served in the thread of its connection."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AddressInformation

from secondread import log
from secondread.accept.peer_socket import PeerSocket
from secondread.accept.upper_layer import BoundedDimse, OpenSpoolFile, StreamingDul
from secondread.errors import describe_without_quoting

_log = log.get_logger(__name__)

_REQUESTED: Final = "Sta3"
"""A request has come and waits for its answer (PS3.8 table 9-3)."""


@dataclass(frozen=True, slots=True)
class ServiceWiring:
    """What every association of a receiver is served with."""

    ae: AE
    """Title, contexts and time limits."""
    handlers: Sequence[tuple[evt.EventType, Callable[[evt.Event], Any]]]
    """pynetdicom's event handlers."""
    has_room: Callable[[], bool]
    """Whether there is room on the disk for more of a data set."""
    open_spool_file: OpenSpoolFile
    """Makes the file that a data set goes to as it arrives."""


class ServedAssociation(Association):
    """Does in one thread what pynetdicom does in two that look for work every millisecond.

    It overrides private methods of pynetdicom 3.0, whose code for negotiating, and for serving a
    request, stays in use.

    Parameters
    ----------
    wiring
        What it is served with.
    connection
        Open, and read up to the end of the request.
    patience
        How long in seconds the peer may take to accept the answer to its request.
    request
        What was read.
    """

    dul: StreamingDul
    dimse: BoundedDimse

    def __init__(
        self,
        wiring: ServiceWiring,
        connection: socket.socket,
        patience: float,
        request: A_ASSOCIATE,
    ) -> None:
        super().__init__(wiring.ae, "acceptor")
        self.dul = StreamingDul(self, wiring.has_room)
        self.dimse = BoundedDimse(self, wiring.open_spool_file)
        # Set again, because these setters pass them on to the timers of the provider.
        self.acse_timeout = wiring.ae.acse_timeout
        self.network_timeout = wiring.ae.network_timeout
        self._take_connection(connection, patience)
        self._take_request(wiring, request)

    def serve(self) -> None:
        """Serve the association until its connection is closed."""
        self.dul.restart_idle_timer()
        self._react()
        while not self.dul.has_ended:
            self.dul.wait()
            if self.dul.peer.is_asked_to_end:
                self.abort()
            self.dul.process_next()
            self._react()

    def dispose(self) -> None:
        """Take apart what refers to one another, when all is over.

        It is then freed at once. The collector comes by too seldom for what a crowd leaves behind.
        """
        dul = self.dul
        for user in (self.dimse, dul.peer):
            vars(user)["_assoc"] = None
        for part in (self.acse, self.requestor, self.acceptor, dul.state_machine, dul, self):
            vars(part).clear()

    def kill(self) -> None:
        """Note that no more requests are served; `serve` returns when the connection is closed."""
        self._kill = True
        self.is_established = False

    def _abort_blocking(self, block: bool = True) -> None:
        """Have an A-ABORT sent next, without waiting for it."""
        if not self._sent_abort and not self.is_released and not self.is_aborted:
            self._sent_abort = True
            self.acse.send_abort(0x00)
            self.dul.restart_idle_timer()  # the peer may take its time to close, too

    def _take_connection(self, connection: socket.socket, patience: float) -> None:
        peer = PeerSocket(self, client_socket=connection)
        peer.set_patience(patience)
        self.set_socket(peer)
        self.acceptor.address_info = AddressInformation.from_tuple(connection.getsockname())
        self.requestor.address_info = AddressInformation.from_tuple(connection.getpeername())

    def _take_request(self, wiring: ServiceWiring, request: A_ASSOCIATE) -> None:
        self.acceptor.maximum_length = wiring.ae.maximum_pdu_size
        self.acceptor.ae_title = wiring.ae.ae_title
        self.acceptor.implementation_class_uid = wiring.ae.implementation_class_uid
        self.acceptor.implementation_version_name = wiring.ae.implementation_version_name
        # Shared by all associations: negotiation reads them and makes contexts of its own.
        self.acceptor.supported_contexts = wiring.ae.supported_contexts
        for event, handler in wiring.handlers:
            self.bind(event, handler)
        # The connection and its request were read before there was a state machine (events 5, 6).
        self.dul.event_queue.get_nowait()
        self.dul.state_machine.transition(_REQUESTED)
        self.dul.to_user_queue.put(request)

    def _react(self) -> None:
        """Do what the last event of the upper layer asks for."""
        try:
            if self.requestor.primitive is None:
                self._answer_request()
            elif self.is_established:
                self._serve_established()
            elif self.dul.idle_timer_expired():
                self.dul.break_off("still open when all was over")
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends this association only)
            _log.error("association_failed", error=describe_without_quoting(error))
            self.abort()

    def _answer_request(self) -> None:
        self.requestor.primitive = cast(A_ASSOCIATE, self.dul.receive_pdu(wait=False))
        evt.trigger(self, evt.EVT_REQUESTED, {})
        if not self.is_aborted and not self.is_rejected:
            self.acse.negotiate_association()
        # What this side took, in the database above all, is no silence of the peer.
        self.dul.restart_idle_timer()

    def _serve_established(self) -> None:
        context_id, request = self.dimse.get_msg(block=False)
        if request is not None:
            try:
                self._serve_request(request, cast(int, context_id))
            finally:
                self.dimse.discard_unfinished()
                self.dul.restart_idle_timer()
        elif self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
        elif self.acse.is_aborted():
            self.is_aborted, self.is_established = True, False
        elif self.dul.idle_timer_expired():
            _log.info("association_silent", seconds=self.network_timeout)
            self.abort()
