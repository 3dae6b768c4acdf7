"""Why a call could not be had, in words that say what to change.

pynetdicom says "aborted" for a refused connection, a failed TLS handshake, a peer that hangs up
and a peer that is silent. The events of the connection distinguish them.
"""

import socket
import ssl

from pynetdicom.association import Association

from secondread.send.call_error import CallError
from secondread.send.call_trace import CallTrace, TlsCaller
from secondread.send.outbox import AnswerKind, Callee
from secondread.tls import explain_failure

_PROBE_SECONDS = 3.0
"""The longest that a second connection takes, made only to learn why the first failed."""


def explain_failed_call(
    assoc: Association, callee: Callee, calling_ae_title: str, trace: CallTrace
) -> CallError:
    """Return why an association could not be had.

    Where the connection's events leave it open, the peer is connected once more, for some seconds.

    Parameters
    ----------
    assoc
        It was asked for, and is not established.
    callee, calling_ae_title
        Who was called, and by whom.
    trace
        What was seen on the connection.
    """
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
        with TlsCaller(callee, []).wrap_socket(plain):
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
            TlsCaller(callee, []).wrap_socket(plain) as encrypted,
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
