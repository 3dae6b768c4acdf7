"""The TCP side of the SCP, with limits that pynetdicom's server does not set on a hostile client.

pynetdicom 3.0 waits for connections without a timeout of their own, and does the TLS handshake in
the thread that accepts. Here every accepted socket has a timeout, the handshake happens in the
connection's own thread, and the number of connections is limited before there is a thread.
"""

import socket
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from socketserver import BaseServer
from typing import Any, cast

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from secondread import log
from secondread.accept.upper_layer import BoundedDimse, PeerSocket, StreamingDul
from secondread.errors import SettingsError
from secondread.settings import TlsSettings

_log = log.get_logger(__name__)

_LISTEN_BACKLOG = 128


class PeerConnection(RequestHandler):
    """One connection, from its first byte to its last, in a thread of its own."""

    server: "ReceiveServer"

    def setup(self) -> None:
        """Do the TLS handshake, where there is one."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()

    def handle(self) -> None:
        """Serve the association, and report its end, however it ended."""
        association = self._create_association()
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        association.start()
        association.join()
        self.server.on_closed(association)

    def finish(self) -> None:
        """Close the connection, unless it is closed."""
        self.server.shutdown_request(self.request)

    def _create_association(self) -> Association:
        association = super()._create_association()
        association.dul = StreamingDul(association, self.server.limits.has_room)
        association.dimse = BoundedDimse(association)
        # Set again, because these setters pass them on to the timers of the provider.
        association.acse_timeout = self.ae.acse_timeout
        association.network_timeout = self.ae.network_timeout
        peer = PeerSocket(association, client_socket=self.request)
        peer.set_patience(self.server.limits.opening_seconds)
        association.set_socket(peer)
        return association


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What connections may use up."""

    opening_seconds: float
    """How long a connection may take for its handshake, and for its request."""
    connections: int
    """Open at the same time; further ones are closed at once."""
    has_room: Callable[[], bool]
    """Whether there is room on the disk for more of a data set."""


class ReceiveServer(ThreadedAssociationServer):
    """An association server that no single connection can hold up.

    Parameters
    ----------
    ae
        Title, contexts and timeouts.
    address
        Host and port to listen on; port 0 takes a free one.
    handlers
        pynetdicom event handlers.
    limits
        What connections may use up.
    on_closed
        Called once for each association, when its threads have ended.
    tls
        When given, connections start with a TLS handshake.
    """

    request_queue_size = _LISTEN_BACKLOG
    daemon_threads = True

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        handlers: list[evt.EventHandlerType],
        limits: ConnectionLimits,
        on_closed: Callable[[Association], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits
        self.on_closed = on_closed
        self._free_connections = threading.BoundedSemaphore(limits.connections)
        super().__init__(
            ae, address, ae.ae_title, ae.supported_contexts, tls, handlers, PeerConnection
        )

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        return int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection without waiting for anything."""
        connection, address = cast(socket.socket, self.socket).accept()
        connection.settimeout(self.limits.opening_seconds)
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401  (socketserver's)
        """Whether there is room for another connection; it then counts as open."""
        has_room = self._free_connections.acquire(blocking=False)
        if not has_room:
            _log.warning("connection_refused", address=client_address[0], reason="too many")
        return has_room

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve one connection, and make room when it is over."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free_connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Log why a connection failed before it was an association, as in the handshake."""
        error = sys.exc_info()[1]
        _log.warning(
            "connection_failed", address=client_address[0], error=f"{type(error).__name__}: {error}"
        )

    def shutdown(self) -> None:
        """Stop accepting; associations that are open go on."""
        BaseServer.shutdown(self)
        self.server_close()


MINIMUM_TLS_VERSION = ssl.TLSVersion.TLSv1_2
"""The oldest version of TLS that is spoken, as server and as client."""


def create_server_tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context of a TLS server; with `trusted`, peers must show a certificate.

    Raises
    ------
    SettingsError
        A file cannot be read, or holds no certificate or key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = MINIMUM_TLS_VERSION
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.trusted is not None:
            context.load_verify_locations(settings.trusted)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise SettingsError(f"receive.tls: {error}") from error
    return context
