"""C-FIND as SCU: whether a destination shows what it has stored (PS3.4 C, Study Root)."""

import time
from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.presentation import build_context

from secondread.send.association import Call, CallError, open_association
from secondread.send.outbox import AnswerKind, AwaitedInstance, Callee, PeerCheck

STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
"""Study Root Query/Retrieve Information Model - FIND."""

FIND_CONTEXT = build_context(STUDY_ROOT_FIND, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])

_MOST_MATCHES = 100
"""A query for one instance has one match; a peer that goes on and on is left."""

_MOST_SECONDS = 300.0


def find_instances(
    callee: Callee,
    calling_ae_title: str,
    study_uid: str,
    objects: Sequence[AwaitedInstance],
    *,
    cancelled: Callable[[], bool],
) -> frozenset[str]:
    """Ask a peer which objects of a study it shows.

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
    objects
        What is looked for.
    cancelled
        Asked between two objects; the rest then counts as not seen.

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
    with open_association(callee, calling_ae_title, [FIND_CONTEXT]) as call:
        for item in objects:
            if cancelled():
                break
            if _shows(call, study_uid, item):
                seen.add(item.sop_instance_uid)
    return frozenset(seen)


def check_query_support(
    callee: Callee, calling_ae_title: str, instead: str = "choose another proof, or query_ae_title"
) -> PeerCheck:
    """Ask a peer whether it accepts Study Root queries, without a query.

    `instead` is what to do where it does not, in words.
    """
    try:
        with open_association(callee, calling_ae_title, [FIND_CONTEXT]):
            return PeerCheck(ok=True, kind=None, detail="accepts Study Root queries")
    except CallError as error:
        detail = error.detail
        if error.kind is AnswerKind.CONTEXT_REFUSED:
            detail = f"does not accept Study Root queries: {instead}"
        return PeerCheck(ok=False, kind=error.kind, detail=detail)


def collect_matches(call: Call, identifier: Dataset, most: int, seconds: float) -> list[Dataset]:
    """Return what a peer answers to a query, to its end.

    Parameters
    ----------
    call
        An association with Study Root queries.
    identifier
        The keys.
    most
        A peer that gives as many matches or more is left.
    seconds
        How long the answers may take altogether.

    Raises
    ------
    CallError
        The peer did not answer, answered a failure, or did not come to an end.
    """
    found: list[Dataset] = []
    status: int | None = None
    answers, deadline = 0, time.monotonic() + seconds
    is_endless = False
    try:
        # To its end, whatever comes: pynetdicom's reactor stands still until then.
        for answer, match in call.association.send_c_find(identifier, STUDY_ROOT_FIND):
            status = int(answer.Status) if "Status" in answer else None
            if match is not None:
                found.append(match)
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
    return found


def _shows(call: Call, study_uid: str, item: AwaitedInstance) -> bool:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = study_uid
    identifier.SeriesInstanceUID = item.series_uid
    identifier.SOPInstanceUID = item.sop_instance_uid
    # Some peers ignore the keys that they do not know, and return more than was asked.
    answers = collect_matches(call, identifier, _MOST_MATCHES, _MOST_SECONDS)
    return any(match.get("SOPInstanceUID") == item.sop_instance_uid for match in answers)
