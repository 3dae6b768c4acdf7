"""A peer that falls silent in the middle of a call, in a phase that a test chooses."""

import socket
import threading
from contextlib import ExitStack
from enum import StrEnum
from types import TracebackType

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.events import Event
from pynetdicom.pdu import A_RELEASE_RQ

_CLASSES = (
    "1.2.840.10008.1.1",  # Verification
    "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image Storage
    "1.2.840.10008.5.1.4.1.1.88.50",  # Mammography CAD SR Storage
    "1.2.840.10008.5.1.4.1.2.2.1",  # Study Root Query/Retrieve - FIND
    "1.2.840.10008.5.1.4.1.2.2.2",  # - MOVE
    "1.2.840.10008.5.1.4.1.2.2.3",  # - GET
)


class Phase(StrEnum):
    """Where a peer falls silent."""

    CONNECT = "connect"
    """It does not answer the connection, as behind a firewall that drops it."""
    GREETING = "greeting"
    """It takes the connection and never answers: the association, or a TLS handshake before it."""
    REQUEST = "request"
    """It accepts the association and never answers a request."""
    RELEASE = "release"
    """It answers the request and never the release."""


class SilentPeer:
    """Listens on a port of its own while its `with` block runs.

    Parameters
    ----------
    phase
        Where it falls silent.
    """

    def __init__(self, phase: Phase) -> None:
        self.phase = phase
        self._ends = threading.Event()
        self._stack = ExitStack()
        self.port = 0
        self.reached = threading.Event()
        """Set when it is silent, and its caller waits; never in phase ``CONNECT``."""

    def __enter__(self) -> "SilentPeer":
        if self.phase in {Phase.CONNECT, Phase.GREETING}:
            self._listen(full=self.phase is Phase.CONNECT)
        else:
            self._serve()
        self._stack.callback(self._ends.set)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _listen(self, *, full: bool) -> None:
        listener = self._stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        # Linux drops further requests for a connection once the queue is full.
        listener.listen(0 if full else 8)
        self.port = listener.getsockname()[1]
        if full:
            for _ in range(2):
                filler = self._stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", self.port))
            return
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        self._stack.callback(listener.shutdown, socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        try:
            while True:
                connection, _ = listener.accept()
                self._stack.enter_context(connection)
                connection.recv(1)
                self.reached.set()
        except OSError:
            return

    def _serve(self) -> None:
        entity = AE(ae_title="PACS")
        for sop_class in _CLASSES:
            entity.add_supported_context(sop_class, ALL_TRANSFER_SYNTAXES)
        requests = (evt.EVT_C_STORE, evt.EVT_C_ECHO, evt.EVT_N_ACTION)
        queries = (evt.EVT_C_FIND, evt.EVT_C_MOVE, evt.EVT_C_GET)
        server = entity.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[
                *((kind, self._answer) for kind in requests),
                *((kind, self._answer_in_parts) for kind in queries),
                (evt.EVT_PDU_RECV, self._on_received),
            ],
        )
        assert server is not None
        assert server.socket is not None
        self.port = server.socket.getsockname()[1]
        self._stack.callback(server.shutdown)

    def _answer(self, event: Event) -> int:
        self._fall_silent_in(Phase.REQUEST)
        return 0x0000

    def _answer_in_parts(self, event: Event) -> object:
        self._fall_silent_in(Phase.REQUEST)
        yield 0x0000, None

    def _on_received(self, event: Event) -> None:
        if isinstance(event.pdu, A_RELEASE_RQ):
            self._fall_silent_in(Phase.RELEASE)

    def speak(self) -> None:
        """End the silence."""
        self._ends.set()

    def _fall_silent_in(self, phase: Phase) -> None:
        if phase is self.phase:
            self.reached.set()
            self._ends.wait(60)
