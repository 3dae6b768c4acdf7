"""C-STORE and C-ECHO as SCU: one association for a study's objects, their files sent as they are.

The data set of each file goes over the wire byte for byte, in the file's own transfer syntax; a
file whose digest is not the recorded one is not sent.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID
from pynetdicom.presentation import PresentationContext, build_context

from secondread.send.association import Call, CallError, open_association
from secondread.send.outbox import (
    AnswerKind,
    Callee,
    Cancelled,
    OutboxObject,
    PeerCheck,
    StoreAnswer,
    answer_all,
)

VERIFICATION = "1.2.840.10008.1.1"

# PS3.4 Table B.2-1: all three mean that the instance is stored.
WARNING_STATUSES = frozenset({0xB000, 0xB006, 0xB007})

# Sending takes time before any answer can be due: what a slow line to another site carries.
_SLOWEST_BYTES_PER_SECOND = 64 * 1024


def never_cancelled() -> bool:
    """Return False: nobody asks to stop."""
    return False


@dataclass(frozen=True, slots=True)
class _CheckedObject:
    """An object whose file is what was recorded, and the context that it needs."""

    item: OutboxObject
    transfer_syntax: str
    size: int

    @property
    def context(self) -> PresentationContext:
        return build_context(self.item.sop_class_uid, self.transfer_syntax)


def store_objects(
    destination: Callee,
    calling_ae_title: str,
    objects: Sequence[OutboxObject],
    cancelled: Cancelled = never_cancelled,
) -> tuple[StoreAnswer, ...]:
    """Send objects over one association.

    Parameters
    ----------
    destination
        Who is called.
    calling_ae_title
        The AE title to call with.
    objects
        What is sent, in this order.
    cancelled
        Asked between two objects; the rest is then answered ``STOPPED``.

    Returns
    -------
    tuple of StoreAnswer
        One for each object, in their order. Nothing that a peer, the network or the outbox
        does raises: it is an answer.
    """
    answers: dict[str, StoreAnswer] = {}
    to_send: list[_CheckedObject] = []
    for item in objects:
        checked = _check(item)
        if isinstance(checked, StoreAnswer):
            answers[item.sop_instance_uid] = checked
        else:
            to_send.append(checked)
    if to_send:
        sent = _send(destination, calling_ae_title, to_send, cancelled)
        answers.update((answer.sop_instance_uid, answer) for answer in sent)
    return tuple(answers[item.sop_instance_uid] for item in objects)


def _check(item: OutboxObject) -> _CheckedObject | StoreAnswer:
    try:
        with item.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        meta = read_file_meta_info(item.path)
        transfer_syntax = str(meta.TransferSyntaxUID)
    except OSError as error:
        return _answer_unreadable(item, f"the file cannot be read: {error.strerror}")
    except (InvalidDicomError, AttributeError):
        return _answer_unreadable(item, "the file has no DICOM file meta information")
    if digest != item.digest:
        return _answer_unreadable(
            item, "the file is not the one that was recorded (SHA-256 differs)"
        )
    return _CheckedObject(item, transfer_syntax, size)


def _answer_unreadable(item: OutboxObject, words: str) -> StoreAnswer:
    return StoreAnswer(item.sop_instance_uid, AnswerKind.UNREADABLE, None, words)


def _send(
    destination: Callee,
    calling_ae_title: str,
    to_send: Sequence[_CheckedObject],
    cancelled: Cancelled,
) -> tuple[StoreAnswer, ...]:
    contexts = {
        (checked.item.sop_class_uid, checked.transfer_syntax): checked.context
        for checked in to_send
    }
    try:
        with open_association(destination, calling_ae_title, list(contexts.values())) as call:
            return tuple(_send_each(call, destination.timeout_seconds, to_send, cancelled))
    except CallError as error:
        if error.kind is AnswerKind.CONTEXT_REFUSED:
            return tuple(_answer_context_refused(checked) for checked in to_send)
        return answer_all([checked.item for checked in to_send], error.kind, error.detail)


def _send_each(
    call: Call,
    timeout_seconds: float,
    to_send: Sequence[_CheckedObject],
    cancelled: Cancelled,
) -> Iterator[StoreAnswer]:
    lost: CallError | None = None
    for checked in to_send:
        uid = checked.item.sop_instance_uid
        if lost is not None:
            yield StoreAnswer(uid, lost.kind, None, f"not sent: {lost.detail}")
        elif cancelled():
            yield StoreAnswer(uid, AnswerKind.STOPPED, None, "not sent: the node is stopping")
        elif not call.accepts(checked.context):
            yield _answer_context_refused(checked)
        else:
            try:
                yield _send_object(call, timeout_seconds, checked)
            except CallError as error:
                lost = error
                yield StoreAnswer(uid, error.kind, None, error.detail)


def _send_object(call: Call, timeout_seconds: float, checked: _CheckedObject) -> StoreAnswer:
    call.association.dimse_timeout = timeout_seconds + checked.size / _SLOWEST_BYTES_PER_SECOND
    try:
        answer = call.association.send_c_store(checked.item.path)
    except RuntimeError as error:  # the association ended since the last answer
        raise call.explain_loss() from error
    if "Status" not in answer:
        raise call.explain_loss()
    status = int(answer.Status)
    comment = str(answer.get("ErrorComment", "") or "")
    return StoreAnswer(checked.item.sop_instance_uid, *_interpret_status(status, comment))


def _interpret_status(status: int, comment: str) -> tuple[AnswerKind, int, str]:
    """Return kind, status and words for a C-STORE status (PS3.4 B.2.3, PS3.7 C)."""
    if status == 0x0000:
        return AnswerKind.STORED, status, "stored"
    words = f"status 0x{status:04X}, {_describe_status(status)}"
    if comment:
        words += f' ("{_make_printable(comment)}")'
    if status in WARNING_STATUSES:
        return AnswerKind.STORED_WITH_WARNING, status, f"stored with a warning: {words}"
    return AnswerKind.STATUS, status, f"the peer did not store it: {words}"


def _make_printable(comment: str) -> str:
    # Error Comment (0000,0902) is at most 64 characters (PS3.7 C); a peer may send anything.
    return "".join(c if c.isprintable() else "?" for c in comment[:64])


def _describe_status(status: int) -> str:
    if status >> 8 == 0xA7:
        return "out of resources"
    if status >> 8 == 0xA9:
        return "data set does not match SOP class"
    if status >> 12 == 0xC:
        return "cannot understand"
    return {
        0x0110: "processing failure",
        0x0111: "duplicate SOP instance",
        0x0117: "invalid SOP instance",
        0x0122: "SOP class not supported",
        0x0124: "not authorised",
        0xB000: "coercion of data elements",
        0xB006: "elements discarded",
        0xB007: "data set does not match SOP class",
    }.get(status, "a status of its own")


def _answer_context_refused(checked: _CheckedObject) -> StoreAnswer:
    names = f"{UID(checked.item.sop_class_uid).name} in {UID(checked.transfer_syntax).name}"
    words = f"the peer does not accept {names}"
    return StoreAnswer(checked.item.sop_instance_uid, AnswerKind.CONTEXT_REFUSED, None, words)


def send_echo(peer: Callee, calling_ae_title: str) -> PeerCheck:
    """Ask a peer whether it answers (C-ECHO), and return in clear words why not."""
    try:
        with open_association(peer, calling_ae_title, [build_context(VERIFICATION)]) as call:
            answer = call.association.send_c_echo()
            if "Status" not in answer:
                raise call.explain_loss()
    except CallError as error:
        return PeerCheck(ok=False, kind=error.kind, detail=error.detail)
    status = int(answer.Status)
    if status != 0x0000:
        return PeerCheck(ok=False, kind=AnswerKind.STATUS, detail=f"C-ECHO answered 0x{status:04X}")
    return PeerCheck(ok=True, kind=None, detail="answers")
