"""An association as requestor, and in clear words why it could not be had.

pynetdicom says "aborted" for a refused connection, a failed TLS handshake, a peer that hangs up
and a peer that is silent. `Call` distinguishes them by the events of the connection, so that a
person who sets up a destination reads what to change.
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from secondread.accept.upper_layer import BoundedDimse
from secondread.errors import PeerError, SettingsError
from secondread.send.outbox import (
    STOPPING,
    AnswerKind,
    Callee,
    Cancelled,
    PeerCheck,
    never_cancelled,
)
from secondread.tls import explain_failure, get_client_context

# Given a path, send_c_store then sends the file's bytes as they are and in pieces.
_config.STORE_SEND_CHUNKED_DATASET = True
# The standard handlers print data sets.
_config.LOG_HANDLER_LEVEL = "none"
# So do these two, whatever the level: and what cannot be printed is then lost.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

_PROBE_SECONDS = 3.0
"""The longest that a second connection takes, made only to learn why the first failed."""

_END_SECONDS = 2.0
"""How long pynetdicom's thread may take to end with its association."""

_LOOK_SECONDS = 0.1
"""How often a call asks whether it is cancelled."""

LAST_SECONDS = 2.0
"""How long a cancelled call may go on: a healthy peer answers meanwhile what it was asked."""

_MAXIMUM_PDU_BYTES = 131072
"""The size of the pieces in which a C-GET's objects arrive; the fastest that was measured."""


class CallError(PeerError):
    """The association could not be had, or ended early.

    Parameters
    ----------
    kind
        What went wrong, coded.
    detail
        The same in words, and what to check.
    """

    def __init__(self, kind: AnswerKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


@dataclass(slots=True)
class _Trace:
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


class Call:
    """An established association, and how it ends as far as it is seen."""

    def __init__(self, association: Association, trace: _Trace, timeout_seconds: float) -> None:
        self.association = association
        self._trace = trace
        self._timeout_seconds = timeout_seconds

    def break_off(self) -> None:
        """Break the connection: for a peer that does not come to an end.

        May be called where `Association.abort` would wait for the thread that calls it.
        """
        self._trace.break_off()

    @property
    def is_stopped(self) -> bool:
        """Whether it was broken off because this node was to stop."""
        return self._trace.stopped

    def serves(self, sop_class_uid: str) -> bool:
        """Whether the peer accepted a SOP class, in any transfer syntax."""
        return bool(self.list_syntaxes(sop_class_uid))

    def list_syntaxes(self, sop_class_uid: str) -> tuple[UID, ...]:
        """Return the transfer syntaxes in which the peer takes instances of a SOP class."""
        return tuple(
            accepted.transfer_syntax[0]
            for accepted in self.association.accepted_contexts
            if accepted.abstract_syntax == sop_class_uid
        )

    def explain_loss(self) -> CallError:
        """Return why no answer came on the association."""
        if self._trace.stopped:
            return CallError(AnswerKind.STOPPED, STOPPING)
        if self._trace.peer_aborted:
            return CallError(AnswerKind.BROKEN, "the peer aborted the association")
        if self._trace.peer_closed:
            return CallError(AnswerKind.BROKEN, "the connection broke")
        if self._trace.garbage:
            return CallError(AnswerKind.BROKEN, "the peer answered against the protocol")
        return CallError(AnswerKind.NO_ANSWER, f"no answer within {self._timeout_seconds:g} s")


@contextmanager
def open_association(
    callee: Callee,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[EventHandlerType] = (),
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    cancelled: Cancelled = never_cancelled,
) -> Iterator[Call]:
    """Open an association with the given presentation contexts, and release it at the end.

    Once `cancelled` says so, it is broken off within seconds, whatever it waits for: the
    connection, the handshake, the peer's acceptance, an answer, or the release. A peer that accepts
    none of the contexts gives a `CallError` of kind ``CONTEXT_REFUSED``. `handlers` are
    pynetdicom's, for requests that the peer makes over the association, and `roles` name the SOP
    classes whose SCP this node then is (PS3.7 D.3.3.4).

    Raises
    ------
    CallError
        The association could not be had, and nothing was sent; or the call was cancelled before
        (``STOPPED``).
    """
    trace = _Trace(callee.timeout_seconds, takes_instances=bool(roles))
    with _end_when_cancelled(trace, cancelled):
        assoc = _request(callee, calling_ae_title, contexts, handlers, roles, trace)
        if not assoc.is_established:
            if trace.stopped:
                raise CallError(AnswerKind.STOPPED, STOPPING)
            raise _explain_failure(assoc, callee, calling_ae_title, trace)
        try:
            yield Call(assoc, trace, callee.timeout_seconds)
        finally:
            # pynetdicom would wait for the answer of a peer that has just left.
            if not trace.has_ended:
                assoc.release()  # does nothing when it ended otherwise
            _discard_unfinished(assoc)


@contextmanager
def _end_when_cancelled(trace: _Trace, cancelled: Cancelled) -> Iterator[None]:
    """Break a call off when it is cancelled; close its sockets at the end of the block.

    pynetdicom waits in many places and none of them can be woken, but by the end of its connection.
    """
    has_ended = threading.Event()

    def watch() -> None:
        while not cancelled():
            if has_ended.wait(_LOOK_SECONDS):
                return
        has_ended.wait(LAST_SECONDS)
        # Again and again: a socket that is connected only now would be missed otherwise.
        while not has_ended.wait(_LOOK_SECONDS):
            trace.stopped = True
            trace.break_off()

    watcher = threading.Thread(target=watch, name="call-watch", daemon=True)
    if cancelled is not never_cancelled:
        watcher.start()
    try:
        yield
    finally:
        has_ended.set()
        if watcher.is_alive():
            watcher.join()
        trace.close_sockets()


def _discard_unfinished(assoc: Association) -> None:
    """Remove the half instance that a C-GET left in the spool where it ended in its middle."""
    if isinstance(assoc.dimse, BoundedDimse):
        assoc.dul.join(_END_SECONDS)
        assoc.dimse.discard_unfinished()


def check_support(
    callee: Callee,
    calling_ae_title: str,
    context: PresentationContext,
    service: str,
    remedy: str,
) -> PeerCheck:
    """Ask a peer whether it accepts a presentation context, without a request.

    `service` names what the context is for, and `remedy` what a person does where it is refused.
    """
    try:
        with open_association(callee, calling_ae_title, [context]):
            return PeerCheck(ok=True, kind=None, detail=f"accepts {service}")
    except CallError as error:
        is_refused = error.kind is AnswerKind.CONTEXT_REFUSED
        detail = f"does not accept {service}: {remedy}" if is_refused else error.detail
        return PeerCheck(ok=False, kind=error.kind, detail=detail)


def _request(
    callee: Callee,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[EventHandlerType],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation],
    trace: _Trace,
) -> Association:
    entity = AE(ae_title=calling_ae_title)
    entity.connection_timeout = callee.timeout_seconds
    entity.acse_timeout = callee.timeout_seconds
    entity.dimse_timeout = callee.timeout_seconds
    # Silence is measured per answer, see `scu`; this limit would break off a slow link.
    entity.network_timeout = None
    try:
        caller = None if callee.tls is None else _TlsCaller(callee, trace.sockets)
        return entity.associate(
            callee.host,
            callee.port,
            contexts=list(contexts),
            ae_title=callee.ae_title,
            max_pdu=_MAXIMUM_PDU_BYTES,
            ext_neg=list(roles),
            tls_args=None if caller is None else (cast(ssl.SSLContext, caller), caller.server_name),
            evt_handlers=[*trace.handlers(), *handlers],
        )
    except socket.gaierror as error:
        raise CallError(
            AnswerKind.UNREACHABLE, f"the host name {callee.host} is not known: {error.strerror}"
        ) from error


class _TlsCaller:
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


def _explain_failure(
    assoc: Association, callee: Callee, calling_ae_title: str, trace: _Trace
) -> CallError:
    where = f"{callee.host}:{callee.port}"
    if not trace.opened:
        return _explain_unreachable(callee)
    if assoc.is_rejected:
        return _explain_rejection(assoc, callee, calling_ae_title)
    if assoc.acceptor.primitive is not None and assoc.rejected_contexts:
        return CallError(AnswerKind.CONTEXT_REFUSED, "the peer accepts none of the SOP classes")
    if trace.garbage:
        return CallError(
            AnswerKind.BROKEN, f"{where} does not speak plain DICOM: another service, or TLS only"
        )
    if trace.peer_aborted:
        return CallError(AnswerKind.BROKEN, f"{where} aborted instead of answering")
    if trace.peer_closed and callee.tls is not None:
        return _explain_refused_certificate(callee)
    if trace.peer_closed:
        return CallError(
            AnswerKind.BROKEN,
            f"{where} hung up without an answer: no DICOM service, TLS only, or a node that "
            "drops callers it does not know",
        )
    return CallError(
        AnswerKind.NO_ANSWER,
        f"{where} took the connection and gave no answer within {callee.timeout_seconds:g} s",
    )


def _explain_rejection(assoc: Association, callee: Callee, calling_ae_title: str) -> CallError:
    answer = assoc.acceptor.primitive
    codes = (0, 0) if answer is None else (answer.result_source or 0, answer.diagnostic or 0)
    # PS3.8 Table 9-21: source 1 is the service user, 2 ACSE, 3 presentation.
    reason = {
        (1, 1): "no reason given",
        (1, 2): "application context not supported",
        (1, 3): f"it does not know the calling AE title {calling_ae_title}: enter it there",
        (1, 7): f"it is not called {callee.ae_title}: correct ae_title of the destination",
        (2, 1): "no reason given by its ACSE",
        (2, 2): "protocol version not supported",
        (3, 1): "it is congested for the moment",
        (3, 2): "it has no association left",
    }.get(codes, f"source {codes[0]}, reason {codes[1]}")
    return CallError(AnswerKind.REJECTED, f"the peer rejected the association: {reason}")


def _explain_unreachable(callee: Callee) -> CallError:
    """Connect once more, to get the error that pynetdicom keeps to itself."""
    where = f"{callee.host}:{callee.port}"
    limit = min(callee.timeout_seconds, _PROBE_SECONDS)
    try:
        with socket.create_connection((callee.host, callee.port), timeout=limit) as plain:
            if callee.tls is None:
                return CallError(AnswerKind.UNREACHABLE, f"{where} could not be reached")
            return _explain_handshake(callee, plain)
    except ConnectionRefusedError:
        words = f"{where} refused the connection: nothing listens there"
        return CallError(AnswerKind.UNREACHABLE, words)
    except TimeoutError:
        words = f"{where} gave no sign: wrong address, switched off, or a firewall"
        return CallError(AnswerKind.UNREACHABLE, words)
    except OSError as error:
        words = f"{where} cannot be reached: {error.strerror or error}"
        return CallError(AnswerKind.UNREACHABLE, words)


def _explain_handshake(callee: Callee, plain: socket.socket) -> CallError:
    """Shake hands once more over a fresh connection, to see what goes wrong."""
    where = f"{callee.host}:{callee.port}"
    try:
        with _TlsCaller(callee, []).wrap_socket(plain):
            return CallError(AnswerKind.TLS, f"{where} broke off the TLS handshake")
    except OSError as error:
        words = f"no TLS connection with {where}: {explain_failure(error)}"
        return CallError(AnswerKind.TLS, words)


def _explain_refused_certificate(callee: Callee) -> CallError:
    """Connect once more, and read the alert of a peer that hung up after the handshake.

    In TLS 1.3 a server judges the client's certificate when the client takes the handshake for
    done (RFC 8446 2).
    """
    where = f"{callee.host}:{callee.port}"
    limit = min(callee.timeout_seconds, _PROBE_SECONDS)
    try:
        with (
            socket.create_connection((callee.host, callee.port), timeout=limit) as plain,
            _TlsCaller(callee, []).wrap_socket(plain) as encrypted,
        ):
            encrypted.recv(1)
    except ssl.SSLEOFError:
        pass
    except ssl.SSLError as error:
        words = f"no TLS connection with {where}: {explain_failure(error)}"
        return CallError(AnswerKind.TLS, words)
    except OSError:
        pass
    return CallError(
        AnswerKind.BROKEN,
        f"{where} hung up without an answer: no DICOM service, or a node that drops callers it "
        "does not know",
    )
