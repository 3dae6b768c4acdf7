"""C-FIND as SCU: whether a destination shows what it stored (PS3.4 C, Study Root)."""

import time
import uuid
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode
from pynetdicom.presentation import build_context

from secondread.element_values import decode_values
from secondread.send.association import Call, open_association
from secondread.send.call_error import CallError
from secondread.send.outbox import AnswerKind, AwaitedInstance, Callee, Cancelled, PeerCheck

STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
"""Study Root Query/Retrieve Information Model - FIND."""

FIND_CONTEXT = build_context(STUDY_ROOT_FIND, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])

_MOST_MATCHES = 100
"""A query for one instance has one match; an association with endless matches is aborted."""

_MOST_SECONDS = 300.0


def find_instances(
    callee: Callee,
    calling_ae_title: str,
    study_uid: str,
    instances: Sequence[AwaitedInstance],
    cancelled: Cancelled,
) -> frozenset[str]:
    """Ask a peer which instances of a study it shows.

    Each is asked for by its own three UIDs, with single value matching, which is the one way of
    asking at the level of instances that every peer has to know (PS3.4 C.4.1.2.1).

    Parameters
    ----------
    callee
        Who is asked.
    calling_ae_title
        The AE title to call with.
    study_uid
        Their Study Instance UID.
    instances
        What is looked for.
    cancelled
        Asked between two instances, and while the peer is waited for; the rest then counts as not
        seen.

    Returns
    -------
    frozenset of str
        SOP Instance UIDs of those that it shows.

    Raises
    ------
    CallError
        The peer was not reached, or did not answer a query as it should.
    """
    seen: set[str] = set()
    with open_association(callee, calling_ae_title, [FIND_CONTEXT], cancelled=cancelled) as call:
        for instance in instances:
            if cancelled():
                break
            if _shows(call, study_uid, instance):
                seen.add(instance.sop_instance_uid)
    return frozenset(seen)


def check_query_support(
    callee: Callee, calling_ae_title: str, remedy: str = "choose another proof, or query_ae_title"
) -> PeerCheck:
    """Ask a peer whether it answers Study Root queries of this node, by one that nothing matches.

    Many accept the association of anybody, and answer only those that they know. `remedy` is what a
    person does where it does not accept queries at all.
    """
    nothing = make_identifier("STUDY", StudyInstanceUID=make_unknown_uid())
    try:
        with open_association(callee, calling_ae_title, [FIND_CONTEXT]) as call:
            collect_matches(call, nothing, _MOST_MATCHES, callee.timeout_seconds)
    except CallError as error:
        match error.kind:
            case AnswerKind.CONTEXT_REFUSED:
                detail = f"does not accept Study Root queries: {remedy}"
            case AnswerKind.STATUS | AnswerKind.BROKEN:
                words = f"it may have to know {calling_ae_title}, and allow it to query"
                detail = f"{error.detail}: {words}"
            case _:
                detail = error.detail
        return PeerCheck(ok=False, kind=error.kind, detail=detail)
    return PeerCheck(ok=True, kind=None, detail="answers Study Root queries")


def make_unknown_uid() -> str:
    """Return a UID that nothing bears."""
    return f"2.25.{uuid.uuid4().int}"


def collect_matches(call: Call, identifier: Dataset, most: int, seconds: float) -> list[Dataset]:
    """Return all that a peer answers to a query.

    Parameters
    ----------
    call
        An association with Study Root queries.
    identifier
        The keys.
    most
        A peer that gives as many answers or more has its association aborted.
    seconds
        How long the answers may take altogether.

    Raises
    ------
    CallError
        The peer did not answer, answered a failure, or did not come to an end.
    """
    found_matches: list[Dataset] = []
    status: int | None = None
    answers, deadline = 0, time.monotonic() + seconds
    is_endless = False
    try:
        # To its end, whatever comes: pynetdicom's reactor stands still until then.
        for answer, match in call.association.send_c_find(identifier, STUDY_ROOT_FIND):
            status = int(answer.Status) if "Status" in answer else None
            if match is not None:
                # At once, and tolerantly: later, pydicom might raise anything, and quote values.
                decode_values(match)
                found_matches.append(match)
            answers += 1
            if not is_endless and (answers >= most or time.monotonic() > deadline):
                is_endless = True
                call.association.abort()
    except (RuntimeError, ValueError) as error:  # the association ended since the last answer
        raise call.explain_loss() from error
    if is_endless:
        raise CallError(AnswerKind.BROKEN, "the peer answers a query without end")
    if status is None:
        raise call.explain_loss()
    if status != 0x0000:
        raise CallError(AnswerKind.STATUS, f"the query was answered 0x{status:04X}")
    return found_matches


def make_identifier(level: str, **keys: object) -> Dataset:
    """Return the identifier of a query or retrieval at a level, with keys by their keywords."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def encode_identifier(identifier: Dataset) -> bytes:
    """Return an identifier in Implicit VR Little Endian, as the audit trail has it."""
    return encode(identifier, is_implicit_vr=True, is_little_endian=True) or b""


def _shows(call: Call, study_uid: str, instance: AwaitedInstance) -> bool:
    identifier = make_identifier(
        "IMAGE",
        StudyInstanceUID=study_uid,
        SeriesInstanceUID=instance.series_uid,
        SOPInstanceUID=instance.sop_instance_uid,
    )
    # Some peers ignore the keys that they do not know, and return more than was asked.
    answers = collect_matches(call, identifier, _MOST_MATCHES, _MOST_SECONDS)
    return any(match.get("SOPInstanceUID") == instance.sop_instance_uid for match in answers)
