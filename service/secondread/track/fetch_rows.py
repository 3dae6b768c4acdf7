"""The rows of what archives are asked for: how they are made, and what an answer does to one.

Where one archive will not send a prior, the others are asked for it. An archive is asked for a
prior only while no other is: none is sent twice. Once all that were asked have refused, or were
given up, those that were not asked for it yet are queried again: as often as the others are.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.send.fetch_queue import FetchFault, FetchKind, OfferedStudy
from secondread.track.database import insert_if_new
from secondread.track.states import FetchEvent, FetchState, StudyState, step_fetch
from secondread.track.tables import FetchRequestRow, StudyRow

log = get_logger(__name__)

_LONGEST_DETAIL = 500

_UNAVAILABLE = (FetchState.REFUSED, FetchState.GAVE_UP)
"""The states of a prior that its archive does not send, at least for now."""


# Built once: it is asked for each instance that arrives.
_WAS_REQUESTED = (
    exists()
    .where(FetchRequestRow.prior_study_uid == bindparam("uid"), FetchRequestRow.attempts > 0)
    .select()
)


def was_requested(session: Session, study_uid: str) -> bool:
    """Whether an archive was ever asked to send a study."""
    return bool(session.scalar(_WAS_REQUESTED, {"uid": study_uid}))


def note_arrival(session: Session, study_uid: str, settles_at: datetime) -> None:
    """Note that an image of a wanted study came, and when to check what there is."""
    session.execute(
        update(FetchRequestRow)
        .where(FetchRequestRow.prior_study_uid == study_uid)
        .values(settles_at=settles_at)
    )


def renew_requests(session: Session, study: StudyRow, now: datetime) -> None:
    """Carry out what a person's request for a reading means for its priors.

    A study that waits for them waits no longer; for one that was read, archives are asked anew.
    """
    if study.state in {StudyState.ASSEMBLING, StudyState.READING}:
        return
    if study.state is StudyState.AWAITING_PRIORS:
        study.priors_due_at = now
        return
    study.priors_due_at = None
    is_answered_query = and_(
        FetchRequestRow.state == FetchState.DONE, FetchRequestRow.kind == FetchKind.QUERY
    )
    for row in session.scalars(
        select(FetchRequestRow).where(
            FetchRequestRow.study_uid == study.study_uid,
            or_(FetchRequestRow.state.in_(_UNAVAILABLE), is_answered_query),
        )
    ).all():
        row.state = step_fetch(row.state, FetchEvent.RENEWED)
        row.gives_up_at = now + (row.gives_up_at - row.created_at)
        row.created_at = row.due_at = now


def add_query(
    session: Session, study_uid: str, source: str, gives_up_at: datetime, now: datetime
) -> None:
    """Have an archive asked which priors it has for a study."""
    values = {"source": source, "kind": FetchKind.QUERY, "prior_study_uid": ""}
    _insert(session, study_uid, {**values, "gives_up_at": gives_up_at}, now)


def add_retrieval(
    session: Session, query: FetchRequestRow, offered: OfferedStudy, now: datetime
) -> None:
    """Have a prior retrieved, unless another archive is asked for it, and may send it."""
    is_requested = exists().where(
        FetchRequestRow.study_uid == query.study_uid,
        FetchRequestRow.prior_study_uid == offered.study.study_uid,
        or_(FetchRequestRow.source == query.source, FetchRequestRow.state.not_in(_UNAVAILABLE)),
    )
    if session.scalar(is_requested.select()):
        return
    values = {
        "source": query.source,
        "kind": FetchKind.RETRIEVE,
        "prior_study_uid": offered.study.study_uid,
        "prior_study_date": offered.study.study_date,
        "series": list(offered.series),
        "gives_up_at": query.gives_up_at,
    }
    if offered.is_doubtful:
        # Told with the reading, and not asked for: another woman's images are none of ours.
        reason = Reason.IDENTITY_IN_DOUBT
        values |= {"state": FetchState.UNUSABLE, "reason": reason, "finished_at": now}
    _insert(session, query.study_uid, values, now)


def forget_doubtful_offers(session: Session, patient: int) -> None:
    """Delete what was offered and not asked for, so that the next answer may be retrieved."""
    of_patient = select(StudyRow.study_uid).where(StudyRow.patient == patient)
    session.execute(
        delete(FetchRequestRow).where(
            FetchRequestRow.study_uid.in_(of_patient),
            FetchRequestRow.state == FetchState.UNUSABLE,
            FetchRequestRow.reason == Reason.IDENTITY_IN_DOUBT,
            FetchRequestRow.attempts == 0,
        )
    )


def _insert(session: Session, study_uid: str, values: Mapping[str, object], now: datetime) -> None:
    defaults: dict[str, object] = {
        "study_uid": study_uid,
        "state": FetchState.WANTED,
        "created_at": now,
        "due_at": now,
    }
    insert_if_new(session, FetchRequestRow, {**defaults, **values})


def finish(row: FetchRequestRow, event: FetchEvent, reason: Reason | None, now: datetime) -> None:
    """Record that a request succeeded, or that what came cannot be used and why."""
    row.state = step_fetch(row.state, event)
    row.reason, row.detail, row.finished_at = reason, None, now
    row.release()


def give_back(row: FetchRequestRow) -> None:
    """End the lease of a request whose worker stops, or is gone: that was no attempt."""
    row.state = step_fetch(row.state, FetchEvent.LEASE_EXPIRED)
    row.attempts -= 1
    row.release()


def fail(
    session: Session, row: FetchRequestRow, fault: FetchFault, now: datetime, ask_again_at: datetime
) -> None:
    """Record that a request came to nothing; other archives may then be asked for the prior."""
    event = FetchEvent.REFUSED if fault.refused else FetchEvent.FAILED
    if ask_again_at >= row.gives_up_at:
        event, row.finished_at = FetchEvent.GAVE_UP, now
    row.state = step_fetch(row.state, event)
    row.reason, row.detail = fault.reason, fault.detail[:_LONGEST_DETAIL]
    row.due_at = ask_again_at
    row.release()
    if row.kind is FetchKind.RETRIEVE and row.state in _UNAVAILABLE:
        session.flush()
        others = _list_requests(
            session, row.study_uid, FetchKind.QUERY, FetchRequestRow.source != row.source
        )
        for query in others:
            ask_again(session, query, {row.prior_study_uid}, now)


def ask_again(
    session: Session, query: FetchRequestRow, priors: Iterable[str], now: datetime
) -> None:
    """Renew an answered query that did not offer a prior because it was to come from elsewhere.

    Parameters
    ----------
    query
        Its row, locked with its study's.
    priors
        Study Instance UIDs of priors that were kept out of the answer.
    now
        When it is due.
    """
    unasked = find_unasked_priors(session, query.study_uid, query.source)
    if query.state is FetchState.DONE and unasked.intersection(priors):
        query.state = step_fetch(query.state, FetchEvent.RENEWED)
        query.due_at = now
        log.info("prior_asked_elsewhere", study_uid=query.study_uid, source=query.source)


def find_unasked_priors(session: Session, study_uid: str, source: str) -> frozenset[str]:
    """Return the priors of a study that others do not send and that a source was not asked for.

    As Study Instance UIDs.
    """
    rows = _list_requests(session, study_uid, FetchKind.RETRIEVE)
    all_priors = {row.prior_study_uid for row in rows}
    may_come = {row.prior_study_uid for row in rows if row.state not in _UNAVAILABLE}
    asked_here = {row.prior_study_uid for row in rows if row.source == source}
    return frozenset(all_priors - may_come - asked_here)


def _list_requests(
    session: Session, study_uid: str, kind: FetchKind, *conditions: ColumnElement[bool]
) -> list[FetchRequestRow]:
    rows = select(FetchRequestRow).where(
        FetchRequestRow.study_uid == study_uid, FetchRequestRow.kind == kind, *conditions
    )
    return list(session.scalars(rows))
