"""C-STORE and C-ECHO as SCU: one association for a study's objects.

Every SOP class is proposed in two presentation contexts, one with the transfer syntax of the
stored file and one with Implicit VR Little Endian, which every peer has to know (PS3.5 10.1). Where
the first is accepted, the file's data set goes over the wire byte for byte; where only the second
is, with the same values in the other encoding. A file whose digest is not the recorded one is not
sent.
"""

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom.presentation import PresentationContext, build_context

from secondread.errors import DataSetError
from secondread.send.association import Call, open_association
from secondread.send.call_error import CallError
from secondread.send.outbox import (
    DUPLICATE_STATUS,
    STOPPING,
    WARNING_STATUSES,
    AnswerKind,
    Callee,
    Cancelled,
    OutboxObject,
    PeerCheck,
    StoreAnswer,
    answer_all,
    describe_status,
    never_cancelled,
)
from secondread.send.transcoding import write_implicit_vr

VERIFICATION = "1.2.840.10008.1.1"

# Sending takes time before any answer can be due: what a slow line to another site carries.
_SLOWEST_BYTES_PER_SECOND = 64 * 1024


@dataclass(frozen=True, slots=True)
class _CheckedObject:
    """An object whose file is what was recorded, and the transfer syntax of it."""

    item: OutboxObject
    transfer_syntax: UID
    size: int


def propose_contexts(classes: Iterable[tuple[str, UID]]) -> list[PresentationContext]:
    """Return the presentation contexts for SOP classes, each with the syntax of stored files.

    Two for a class, or one where the files are in Implicit VR Little Endian themselves. This node
    writes four classes; an association has room for 128 contexts (PS3.8 7.1.1.13).
    """
    pairs = dict.fromkeys(
        (sop_class, proposed)
        for sop_class, stored in classes
        for proposed in (stored, ImplicitVRLittleEndian)
    )
    return [build_context(sop_class, syntax) for sop_class, syntax in pairs]


def choose_syntax(accepted: Collection[UID], stored: UID) -> UID | None:
    """Return the transfer syntax to send in: that of the stored file where it is accepted.

    None where neither it nor Implicit VR Little Endian is.
    """
    return next((syntax for syntax in (stored, ImplicitVRLittleEndian) if syntax in accepted), None)


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
        Asked between two objects, and while the peer is waited for; what was not answered is
        then ``STOPPED``.

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
        transfer_syntax = UID(meta.TransferSyntaxUID)
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
    contexts = propose_contexts(
        (checked.item.sop_class_uid, checked.transfer_syntax) for checked in to_send
    )
    try:
        with open_association(destination, calling_ae_title, contexts, cancelled=cancelled) as call:
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
            yield StoreAnswer(uid, lost.kind, None, lost.detail)
        elif cancelled():
            yield StoreAnswer(uid, AnswerKind.STOPPED, None, STOPPING)
        else:
            try:
                yield _send_object(call, timeout_seconds, checked)
            except CallError as error:
                lost = error
                yield StoreAnswer(uid, error.kind, None, error.detail)


def _send_object(call: Call, timeout_seconds: float, checked: _CheckedObject) -> StoreAnswer:
    item, stored = checked.item, checked.transfer_syntax
    syntax = choose_syntax(call.list_syntaxes(item.sop_class_uid), stored)
    if syntax is None:
        return _answer_context_refused(checked)
    call.association.dimse_timeout = timeout_seconds + checked.size / _SLOWEST_BYTES_PER_SECOND
    if syntax == stored:
        return _send_file(call, item, item.path)
    with tempfile.NamedTemporaryFile(prefix="secondread-", suffix=".dcm") as file:
        try:
            write_implicit_vr(item.path, file)
            file.flush()
        except DataSetError as error:
            return _answer_unreadable(item, f"no Implicit VR Little Endian: {error}")
        except OSError as error:
            return _answer_unreadable(item, f"no room to convert it in: {error.strerror}")
        return _send_file(call, item, Path(file.name))


def _send_file(call: Call, item: OutboxObject, path: Path) -> StoreAnswer:
    try:
        answer = call.association.send_c_store(path)
    except RuntimeError as error:  # the association ended since the last answer
        raise call.explain_loss() from error
    if "Status" not in answer:
        raise call.explain_loss()
    return StoreAnswer(item.sop_instance_uid, *_interpret_status(int(answer.Status)))


def _interpret_status(status: int) -> tuple[AnswerKind, int, str]:
    """Return kind, status and words for a C-STORE status (PS3.4 B.2.3, PS3.7 C).

    The peer's Error Comment (0000,0902) is left out: it may quote the patient.
    """
    if status == 0x0000:
        return AnswerKind.STORED, status, "stored"
    words = f"status 0x{status:04X}, {describe_status(status)}"
    if status == DUPLICATE_STATUS:
        return AnswerKind.DUPLICATE, status, f"the peer has it already: {words}"
    if status in WARNING_STATUSES:
        return AnswerKind.STORED_WITH_WARNING, status, f"stored with a warning: {words}"
    return AnswerKind.STATUS, status, f"the peer did not store it: {words}"


def _answer_context_refused(checked: _CheckedObject) -> StoreAnswer:
    syntaxes = dict.fromkeys((checked.transfer_syntax, ImplicitVRLittleEndian))
    names = " or ".join(syntax.name for syntax in syntaxes)
    words = f"the peer does not accept {UID(checked.item.sop_class_uid).name} in {names}"
    return StoreAnswer(checked.item.sop_instance_uid, AnswerKind.CONTEXT_REFUSED, None, words)


def check_storage_support(
    peer: Callee, calling_ae_title: str, classes: Mapping[str, str], stored: UID
) -> PeerCheck:
    """Ask a peer in which transfer syntaxes it takes results, without sending any.

    Parameters
    ----------
    peer, calling_ae_title
        Who is asked, and by whom.
    classes
        What would be sent: SOP Class UIDs, each with its name in the settings.
    stored
        Transfer syntax of the stored files.

    Returns
    -------
    PeerCheck
        It fails where one of the classes is refused.
    """
    contexts = propose_contexts((sop_class, stored) for sop_class in classes)
    try:
        with open_association(peer, calling_ae_title, contexts) as call:
            accepted = {uid: choose_syntax(call.list_syntaxes(uid), stored) for uid in classes}
    except CallError as error:
        if error.kind is not AnswerKind.CONTEXT_REFUSED:
            return PeerCheck(ok=False, kind=error.kind, detail=error.detail)
        accepted = dict.fromkeys(classes)
    refused = [classes[uid] for uid, syntax in accepted.items() if syntax is None]
    words = _describe_acceptance(accepted, stored)
    if not refused:
        return PeerCheck(ok=True, kind=None, detail=words)
    remedy = f"have it accept them, or take {', '.join(refused)} out of the profile's objects"
    return PeerCheck(ok=False, kind=AnswerKind.CONTEXT_REFUSED, detail=f"{words}: {remedy}")


def _describe_acceptance(accepted: Mapping[str, UID | None], stored: UID) -> str:
    """Return in words which classes are accepted in which transfer syntax, and which in none."""
    parts = []
    for syntax in dict.fromkeys((stored, ImplicitVRLittleEndian, None)):
        names = [UID(uid).name for uid, chosen in accepted.items() if chosen == syntax]
        if not names:
            continue
        if syntax is None:
            parts.append(f"does not accept {' and '.join(names)}")
        else:
            converted = "" if syntax == stored else " only, and is sent them converted"
            parts.append(f"accepts {' and '.join(names)} in {syntax.name}{converted}")
    return "; ".join(parts)


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
