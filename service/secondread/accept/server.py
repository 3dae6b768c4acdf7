"""The TCP side of the SCP, with limits that pynetdicom's server does not set on a hostile client.

pynetdicom 3.0 waits for connections without a timeout of their own, does the TLS handshake in the
thread that accepts, and copies all contexts for every connection before it knows who calls. Here
every accepted socket has a timeout, handshake and request have the connection's own thread, and an
association is made for those alone that are let in.
"""

import socket
import ssl
import sys
import time
from dataclasses import dataclass
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any, Final, Protocol

from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AddressInformation

from secondread import log
from secondread.accept.admission import AssociationRejection
from secondread.accept.association_request import Offer, RequestError, RequestHead
from secondread.accept.connection import break_off
from secondread.accept.opening import UNKNOWN_VERSION, Opening
from secondread.accept.places import WaitingRoom
from secondread.accept.refusal_counts import Caller
from secondread.accept.served_association import ServedAssociation, ServiceWiring
from secondread.tls import ReloadingContext, explain_failure

_log = log.get_logger(__name__)

_LISTEN_BACKLOG: Final = 128
_PAUSE_SECONDS: Final = 0.1
"""After a connection that could not be accepted, for example for want of a file descriptor: it
stays in the queue, and trying at once would only take up the processor."""


class Door(Protocol):
    """Who is let in; called from the threads of connections."""

    def admit(self, caller: Caller) -> AssociationRejection | None:
        """Let a caller in, or return how its request is rejected."""

    def note_no_request(self, address: str, error: str) -> None:
        """Note that what came from an address was no request for an association."""

    def note_failed_handshake(self, address: str, error: str) -> None:
        """Note that a TLS handshake failed with an address."""

    def note_broken_request(self, caller: Caller, error: str) -> None:
        """Note that a caller did not make a whole request, or one of another protocol."""

    def note_end(self, association: ServedAssociation) -> None:
        """Note that an association has ended, however it did; called once for each."""

    def leave(self, caller: Caller) -> None:
        """Note that a caller who was let in is gone; called last."""


class PeerConnection(BaseRequestHandler):
    """One connection, from its first byte to its last, in a thread of its own."""

    server: "ReceiveServer"

    def handle(self) -> None:
        """Read who calls, and serve those that are let in."""
        if not self._is_encrypted_as_it_should():
            return
        opening = Opening(self.request, self.server.wiring.opening_seconds)
        door, address = self.server.wiring.door, str(self.client_address[0])
        try:
            head = opening.read_head()
        except RequestError as error:
            door.note_no_request(address, str(error))
            opening.abort()
            return
        if head is None:
            return
        caller = Caller(head.calling_ae_title, head.called_ae_title, address)
        if not head.is_version_1:
            door.note_broken_request(caller, "another version of the protocol")
            opening.reject(UNKNOWN_VERSION)
            return
        rejection = door.admit(caller)
        if rejection is not None:
            opening.reject(rejection)
            return
        self.server.leave_waiting_room(self.request)
        try:
            self._serve(opening, head, caller)
        finally:
            door.leave(caller)

    def _is_encrypted_as_it_should(self) -> bool:
        """Do the TLS handshake, where there is one; its time is the connection's own timeout."""
        if not isinstance(self.request, ssl.SSLSocket):
            return True
        try:
            self.request.do_handshake()
        except OSError as error:
            has_gone = isinstance(error, ssl.SSLEOFError | ConnectionError)
            address, words = str(self.client_address[0]), explain_failure(error)
            if has_gone:
                # As a load balancer does that looks whether the port is open.
                _log.info("tls_handshake_ended", address=address, error=words)
            else:
                self.server.wiring.door.note_failed_handshake(address, words)
            return False
        return True

    def _serve(self, opening: Opening, head: RequestHead, caller: Caller) -> None:
        wiring = self.server.wiring
        try:
            request = opening.read_request(head, wiring.offer)
        except RequestError as error:
            wiring.door.note_broken_request(caller, str(error))
            opening.abort()
            return
        self._serve_association(request)

    def _serve_association(self, request: A_ASSOCIATE) -> None:
        wiring = self.server.wiring
        association = ServedAssociation(
            wiring.service, self.request, wiring.opening_seconds, request
        )
        try:
            association.serve()
        finally:
            wiring.door.note_end(association)
            association.dispose()


@dataclass(frozen=True, slots=True)
class ServerWiring:
    """What a server needs to serve its connections."""

    door: Door
    service: ServiceWiring
    offer: Offer
    """What the contexts of the service offer together."""
    opening_seconds: float
    """How long a connection may take for its handshake, and for its request."""
    waiting: int
    """How many connections may be open that have not asked for an association yet."""


class ReceiveServer(ThreadingMixIn, TCPServer):
    """A server that no single connection can hold up.

    Parameters
    ----------
    address
        Host and port to listen on; port 0 takes a free one.
    wiring
        What connections are served with.
    tls
        When given, connections start with a TLS handshake, each with its newest context.

    Raises
    ------
    OSError
        The port cannot be listened on.
    """

    request_queue_size = _LISTEN_BACKLOG
    allow_reuse_address = True
    daemon_threads = True
    """A request that hangs in the database must not keep the process from ending."""

    def __init__(
        self, address: tuple[str, int], wiring: ServerWiring, tls: ReloadingContext | None = None
    ) -> None:
        self.wiring = wiring
        self._tls = tls
        self._waiting_room = WaitingRoom[socket.socket](wiring.waiting)
        resolved = AddressInformation.from_tuple(address)
        self.address_family = resolved.address_family
        super().__init__(resolved.as_tuple[:2], PeerConnection)

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        return int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection without waiting for anything."""
        try:
            connection, address = self.socket.accept()
        except OSError as error:
            _log.error("connection_not_accepted", error=error.strerror)
            time.sleep(_PAUSE_SECONDS)
            raise
        connection.settimeout(self.wiring.opening_seconds)
        if self._tls is None:
            return connection, address
        return self._prepare_handshake(connection, self._tls.context, address[0]), address

    def _prepare_handshake(
        self, connection: socket.socket, context: ssl.SSLContext, address: str
    ) -> ssl.SSLSocket:
        """Wrap a connection, without a handshake; whatever fails is this connection's failure."""
        try:
            connection.getpeername()  # of one that is reset, a wrapped socket would stay unclosed
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError, MemoryError) as error:
            connection.close()
            _log.info("tls_handshake_ended", address=address, error=type(error).__name__)
            raise OSError("no TLS on this connection") from error

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401  (socketserver's)
        """Give a connection a seat in the waiting room; whoever is in its way has to leave."""
        displaced = self._waiting_room.enter(request, client_address[0])
        if displaced is not None:
            _log.warning("connection_displaced", reason="too many wait")
            break_off(displaced)
        return True

    def leave_waiting_room(self, connection: socket.socket) -> None:
        """Free the seat of a connection that has become an association."""
        self._waiting_room.leave(connection)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        """Close a connection, and free its seat, however far it came."""
        self._waiting_room.leave(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Log why a connection failed before it was an association, as in the handshake."""
        error = sys.exc_info()[1]
        # An error of a connection has no word of the peer in it.
        text = f": {error}" if isinstance(error, OSError) else ""
        _log.warning(
            "connection_failed", address=client_address[0], error=f"{type(error).__name__}{text}"
        )

    def shutdown(self) -> None:
        """Stop accepting; associations that are open go on."""
        super().shutdown()
        self.server_close()
