"""What is seen on the connection of a call, and its sockets, which have to be closed."""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field

from pynetdicom import evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import A_ABORT_RQ

from secondread.accept.upper_layer import BoundedDimse
from secondread.errors import SettingsError
from secondread.send.call_error import CallError
from secondread.send.outbox import AnswerKind, Callee
from secondread.tls import get_client_context


@dataclass(slots=True)
class CallTrace:
    """What was seen on the connection; written by pynetdicom's thread, read after it."""

    timeout_seconds: float
    takes_instances: bool = False
    """Whether the peer stores over this association (C-GET)."""
    sockets: list[socket.socket] = field(default_factory=list)
    opened: bool = False
    we_aborted: bool = False
    peer_aborted: bool = False
    peer_closed: bool = False
    garbage: bool = False
    stopped: bool = False
    """Whether this node broke the connection off because it was to stop."""

    def handlers(self) -> list[EventHandlerType]:
        """Return what pynetdicom is to call, so that the connection is seen."""
        return [
            (evt.EVT_ACSE_SENT, self._on_request),
            (evt.EVT_CONN_OPEN, self._on_open),
            (evt.EVT_CONN_CLOSE, self._on_close),
            (evt.EVT_PDU_RECV, self._on_received),
            (evt.EVT_PDU_SENT, self._on_sent),
        ]

    @property
    def has_ended(self) -> bool:
        """Whether the connection was seen to end without a release."""
        return self.peer_aborted or self.peer_closed or self.garbage

    def close_sockets(self) -> None:
        """Close what pynetdicom leaves open when the peer was never there, or left first."""
        for opened in self.sockets:
            opened.close()

    def break_off(self) -> None:
        """Shut the connection down, from any thread; whoever waits for it wakes."""
        for opened in tuple(self.sockets):
            with suppress(OSError):
                # Also where it is encrypted: an `SSLSocket` would forget its session first, while
                # another thread uses it. This wakes whoever waits for it, to connect included.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def _on_request(self, event: Event) -> None:
        if self.takes_instances:
            # What a peer stores over it is put together within a bound of memory.
            event.assoc.dimse = BoundedDimse(event.assoc)
        opened = _get_socket(event)
        if opened is not None:
            self.sockets.append(opened)

    def _on_open(self, event: Event) -> None:
        self.opened = True
        opened = _get_socket(event)
        if opened is not None:
            # pynetdicom leaves the socket without a limit, and a peer that stops in the middle
            # of a PDU, or stops reading, would hold this thread for ever.
            opened.settimeout(self.timeout_seconds)

    def _on_close(self, _: Event) -> None:
        if not (self.we_aborted or self.peer_aborted):
            self.peer_closed = True

    def _on_received(self, event: Event) -> None:
        if isinstance(event.pdu, A_ABORT_RQ):
            self.peer_aborted = True

    def _on_sent(self, event: Event) -> None:
        if isinstance(event.pdu, A_ABORT_RQ):
            self.we_aborted = True
            # Source 2, the service provider: sent by the state machine at an unknown PDU.
            self.garbage = event.pdu.source == 2


def _get_socket(event: Event) -> socket.socket | None:
    wrapper = event.assoc.dul.socket
    return None if wrapper is None else wrapper.socket


class TlsCaller:
    """Makes the TLS side of connections to one peer, and keeps them, so that they can be closed.

    pynetdicom takes it as the context, of which it only calls `wrap_socket`.

    Parameters
    ----------
    callee
        Whose `tls` says how it is called.
    wrapped
        Gets the sockets that were wrapped.

    Raises
    ------
    CallError
        A certificate file cannot be read.
    """

    def __init__(self, callee: Callee, wrapped: list[socket.socket]) -> None:
        if callee.tls is None:
            raise ValueError("the callee has no TLS settings")
        self.server_name = callee.tls.server_name or callee.host
        self._wrapped = wrapped
        try:
            self._context = get_client_context(callee.tls)
        except SettingsError as error:
            raise CallError(
                AnswerKind.TLS, f"this node's certificate files cannot be used: {error}"
            ) from error

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> ssl.SSLSocket:
        """Wrap a socket, as `ssl.SSLContext` does."""
        wrapped = self._context.wrap_socket(
            sock, server_side=server_side, server_hostname=server_hostname or self.server_name
        )
        self._wrapped.append(wrapped)
        return wrapped
