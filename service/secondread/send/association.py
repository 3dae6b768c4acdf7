"""An association as requestor: it ends in time, and what ended it is said in clear words."""

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import gaierror
from typing import cast

from pydicom.uid import UID
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from secondread.accept.upper_layer import BoundedDimse
from secondread.errors import SecondreadError, describe_without_quoting
from secondread.log import get_logger
from secondread.send.call_error import CallError
from secondread.send.call_failures import explain_failed_call
from secondread.send.call_trace import CallTrace, TlsCaller
from secondread.send.outbox import (
    STOPPING,
    AnswerKind,
    Callee,
    Cancelled,
    PeerCheck,
    never_cancelled,
)

log = get_logger(__name__)

# Given a path, send_c_store then sends the file's bytes as they are and in pieces.
_config.STORE_SEND_CHUNKED_DATASET = True
# The standard handlers print data sets.
_config.LOG_HANDLER_LEVEL = "none"
# So do these two, whatever the level: and what cannot be printed is then lost.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

_END_SECONDS = 2.0
"""How long pynetdicom's thread may take to end with its association."""

_LOOK_SECONDS = 0.1
"""How often a call asks whether it is cancelled."""

LAST_SECONDS = 2.0
"""How long a cancelled call may go on: a healthy peer answers meanwhile what it was asked."""

_MAXIMUM_PDU_BYTES = 131072
"""The size of the pieces in which a C-GET's objects arrive; the fastest that was measured."""


class Call:
    """An established association, and how it ends as far as it is seen."""

    def __init__(self, association: Association, trace: CallTrace, timeout_seconds: float) -> None:
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
        The association could not be had, and nothing was sent; the call was cancelled before
        (``STOPPED``); or whatever else than a `SecondreadError` was raised in the block, as
        ``BROKEN``.
    """
    trace = CallTrace(callee.timeout_seconds, takes_instances=bool(roles))
    with _end_when_cancelled(trace, cancelled):
        assoc = _request(callee, calling_ae_title, contexts, handlers, roles, trace)
        if not assoc.is_established:
            if trace.stopped:
                raise CallError(AnswerKind.STOPPED, STOPPING)
            raise explain_failed_call(assoc, callee, calling_ae_title, trace)
        try:
            yield Call(assoc, trace, callee.timeout_seconds)
        except SecondreadError:
            raise
        except Exception as error:
            # A stranger's answer may lead anywhere in the code that reads it. That ends the call,
            # with its reason, and not the worker, which would meet it again for ever.
            log.exception("call_failed", peer=callee.ae_title)
            fault = describe_without_quoting(error)
            raise CallError(
                AnswerKind.BROKEN, f"the peer's answer could not be used: {fault}"
            ) from error
        finally:
            # pynetdicom would wait for the answer of a peer that has just left.
            if not trace.has_ended:
                assoc.release()  # does nothing when it ended otherwise
            _discard_unfinished(assoc)


@contextmanager
def _end_when_cancelled(trace: CallTrace, cancelled: Cancelled) -> Iterator[None]:
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
    trace: CallTrace,
) -> Association:
    entity = AE(ae_title=calling_ae_title)
    entity.connection_timeout = callee.timeout_seconds
    entity.acse_timeout = callee.timeout_seconds
    entity.dimse_timeout = callee.timeout_seconds
    # Silence is measured per answer, see `scu`; this limit would break off a slow link.
    entity.network_timeout = None
    try:
        caller = None if callee.tls is None else TlsCaller(callee, trace.sockets)
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
    except gaierror as error:
        raise CallError(
            AnswerKind.UNREACHABLE, f"the host name {callee.host} is not known: {error.strerror}"
        ) from error
