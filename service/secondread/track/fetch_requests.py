"""The fetching of priors as rows with due times: the send stage's `FetchQueue`, in SQL.

Nothing waits in a process. A study that is complete gets a row for each archive to query; the
answer makes rows for the priors that are wanted, and the images that come are looked at when they
have settled. The study's row is locked before any of its requests' rows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from secondread.assemble.mammogram import PatientKey
from secondread.followup.priors import EarlierStudy
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.send.fetch_queue import FetchFault, FetchKind, FetchRequest, OfferedStudy
from secondread.track import alarms
from secondread.track.assembly import find_scope_views, is_due
from secondread.track.database import Database, insert_if_new
from secondread.track.other_archives import NOT_TO_BE_HAD, ask_again, ask_others, left_to_ask
from secondread.track.prior_choice import FetchRules, find_held_studies, revise_if_priors_gained
from secondread.track.revisions import collect_inputs
from secondread.track.states import (
    AWAITED,
    FetchEvent,
    FetchState,
    StudyEvent,
    StudyState,
    step_fetch,
    step_study,
)
from secondread.track.tables import FetchRequestRow, PatientRow, StudyRow

log = get_logger(__name__)

_LONGEST_DETAIL = 500
_CLAIMABLE = (FetchState.WANTED, FetchState.REFUSED)


class FetchRequests:
    """What archives are asked for, and what came of it.

    Parameters
    ----------
    database
        Where it is written.
    rules
        Which priors count, and how long a study waits for them.
    """

    def __init__(self, database: Database, rules: FetchRules) -> None:
        self._database = database
        self._rules = rules

    def await_priors(self, study_uid: str, now: datetime) -> bool:
        """Have a due study wait for its priors; say whether it does.

        The first time its archives are put up to be asked. A study that has waited for as long
        as it may, or that has nothing to wait for, is read.
        """
        if not self._rules.sources:
            return False
        with self._database.begin_write() as session:
            due = select(StudyRow).where(StudyRow.study_uid == study_uid, is_due(now))
            study = session.scalars(due.with_for_update()).one_or_none()
            if study is None:
                return True  # somebody else has taken it, or it is not due any more
            if study.patient is None or study.study_date is None:
                return False
            if study.priors_due_at is None:
                self._start(session, study, now)
            until = study.priors_due_at
            if study.state is StudyState.ASSEMBLING and until is not None and until > now:
                if _is_awaiting(session, study_uid):
                    study.state = step_study(study.state, StudyEvent.PRIORS_AWAITED)
                    study.quiet_due_at, study.settle_due_at = until, None
                    return True
                study.priors_due_at = now
            return False

    def claim_request(
        self, source: str, worker: str, now: datetime, lease_seconds: float
    ) -> FetchRequest | None:
        """Take the next question to a source that is due; None when there is none.

        One whose lease ran out is taken again.
        """
        with self._database.begin_write() as session:
            row = session.scalars(
                select(FetchRequestRow)
                .where(FetchRequestRow.source == source, _is_ready(now))
                .order_by(FetchRequestRow.due_at, FetchRequestRow.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return None
            if row.state is FetchState.UNDER_WAY:
                row.state = step_fetch(row.state, FetchEvent.LEASE_EXPIRED)
            row.state = step_fetch(row.state, FetchEvent.CLAIMED)
            row.attempts += 1
            row.claim, row.leased_by = f"{row.id}:{row.attempts}", worker
            row.lease_until = now + timedelta(seconds=lease_seconds)
            return _errand(session, row)

    def record_answer(
        self, errand: FetchRequest, wanted: Sequence[OfferedStudy], now: datetime
    ) -> None:
        """Record the answer to a query: what is to be fetched, if anything."""
        with self._database.begin_write() as session:
            study, row = _claimed(session, errand)
            if row is None:
                return
            _succeed(row, now)
            for offered in wanted:
                _want(session, row, offered, now)
            session.flush()
            # What another archive was to send when this one was asked may be refused by now.
            ask_again(session, row, (one.study_uid for one in errand.held_studies), now)
            session.flush()
            _settle(session, study, now)

    def record_retrieved(self, errand: FetchRequest, now: datetime, ask_again_at: datetime) -> None:
        """Record that an archive says that it has sent what was asked for.

        Where nothing came all the same, it is asked again.
        """
        with self._database.begin_write() as session:
            study, row = _claimed(session, errand)
            if row is None:
                return
            if not self._look(session, study, row, now):
                words = "the archive says that it sent the study, and no image of it came"
                fault = FetchFault(Reason.PRIOR_NOT_RECEIVED, words, refused=False)
                _fail(row, fault, now, ask_again_at)
                ask_others(session, row, now)
            session.flush()
            _settle(session, study, now)

    def record_failed(
        self, errand: FetchRequest, fault: FetchFault, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that an errand came to nothing, and when it is due again."""
        with self._database.begin_write() as session:
            study, row = _claimed(session, errand)
            if row is None:
                return
            _fail(row, fault, now, ask_again_at)
            ask_others(session, row, now)
            session.flush()
            _settle(session, study, now)

    def check_arrivals(self, now: datetime) -> int:
        """Look at priors whose images have come and settled; return how many there were."""
        ready = (
            FetchRequestRow.settles_at <= now,
            FetchRequestRow.state != FetchState.UNDER_WAY,
        )
        with self._database.begin_read() as session:
            waiting = session.execute(
                select(FetchRequestRow.id, FetchRequestRow.study_uid).where(*ready)
            ).all()
        for number, study_uid in waiting:
            with self._database.begin_write() as session:
                study = session.get_one(StudyRow, study_uid, with_for_update=True)
                row = session.scalars(
                    select(FetchRequestRow)
                    .where(FetchRequestRow.id == number, *ready)
                    .with_for_update()
                ).one_or_none()
                if row is not None:
                    self._look(session, study, row, now)
                    session.flush()
                    _settle(session, study, now)
        return len(waiting)

    def _start(self, session: Session, study: StudyRow, now: datetime) -> None:
        for source in self._rules.sources:
            values = {
                "source": source,
                "errand": FetchKind.QUERY,
                "prior_study_uid": "",
                "gives_up_at": now + self._rules.give_up,
            }
            _insert(session, study.study_uid, values, now)
        study.priors_due_at = now + self._rules.wait
        log.info("priors_asked_for", study_uid=study.study_uid, sources=self._rules.sources)

    def _look(self, session: Session, study: StudyRow, row: FetchRequestRow, now: datetime) -> bool:
        """Judge what the node holds of a wanted prior; say whether it holds anything."""
        row.settles_at = None
        prior = session.get(StudyRow, row.prior_study_uid)
        if prior is None or not collect_inputs(session, prior.study_uid):
            return False
        reason = _why_unusable(session, study, prior)
        if reason is None:
            _succeed(row, now)
            session.flush()
            revise_if_priors_gained(session, study, self._rules, now)
            return True
        row.state = step_fetch(row.state, FetchEvent.UNUSABLE)
        row.reason, row.detail, row.finished_at = reason, None, now
        _release(row)
        if reason is Reason.PRIOR_FOREIGN:
            text = f"{row.source} sent it as a prior of a study of another patient; it is not used"
            alarms.raise_alarm_in(session, alarms.PRIOR_FOREIGN, prior.study_uid, text, now)
        return True


def was_requested(session: Session, study_uid: str) -> bool:
    """Whether an archive was ever asked to send a study."""
    asked = (
        exists()
        .where(FetchRequestRow.prior_study_uid == study_uid, FetchRequestRow.attempts > 0)
        .select()
    )
    return bool(session.scalar(asked))


def note_arrival(session: Session, study_uid: str, settles_at: datetime) -> None:
    """Note that an image of a wanted study came, and when to look at what there is."""
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
    again = or_(
        FetchRequestRow.state.in_((FetchState.REFUSED, FetchState.GAVE_UP)),
        and_(FetchRequestRow.state == FetchState.DONE, FetchRequestRow.errand == FetchKind.QUERY),
    )
    rows = session.scalars(
        select(FetchRequestRow).where(FetchRequestRow.study_uid == study.study_uid, again)
    )
    for row in rows.all():
        row.state = step_fetch(row.state, FetchEvent.RENEWED)
        row.gives_up_at = now + (row.gives_up_at - row.created_at)
        row.created_at = row.due_at = now


def _is_ready(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(FetchRequestRow.state.in_(_CLAIMABLE), FetchRequestRow.due_at <= now),
        and_(FetchRequestRow.state == FetchState.UNDER_WAY, FetchRequestRow.lease_until <= now),
    )


def _is_awaiting(session: Session, study_uid: str) -> bool:
    waits = exists().where(
        FetchRequestRow.study_uid == study_uid, FetchRequestRow.state.in_(AWAITED)
    )
    return bool(session.scalar(waits.select()))


def _errand(session: Session, row: FetchRequestRow) -> FetchRequest | None:
    study = session.get_one(StudyRow, row.study_uid)
    patient = None if study.patient is None else session.get_one(PatientRow, study.patient)
    if patient is None or study.study_date is None or row.claim is None:
        return None  # never asked for; kept from being asked for by `await_priors`
    asked = session.scalars(
        select(FetchRequestRow).where(
            FetchRequestRow.study_uid == row.study_uid, FetchRequestRow.errand == FetchKind.RETRIEVE
        )
    )
    known = {one.study_uid: one for one in find_held_studies(session, study)}
    left = left_to_ask(session, row.study_uid, row.source)
    for one in (one for one in asked if one.prior_study_uid not in left):
        earlier = EarlierStudy(one.prior_study_uid, one.prior_study_date, None)
        known.setdefault(one.prior_study_uid, earlier)
    return FetchRequest(
        id=row.id,
        claim=row.claim,
        kind=row.errand,
        study_uid=row.study_uid,
        study_date=study.study_date,
        views=find_scope_views(session, row.study_uid),
        patient=PatientKey(patient.patient_id, patient.issuer),
        prior_study_uid=row.prior_study_uid,
        series=tuple(row.series),
        held_studies=tuple(known.values()),
        attempt=row.attempts,
    )


def _claimed(session: Session, errand: FetchRequest) -> tuple[StudyRow, FetchRequestRow | None]:
    """Return an errand's rows, locked; no request where another worker has claimed it since."""
    study = session.get_one(StudyRow, errand.study_uid, with_for_update=True)
    row = session.scalars(
        select(FetchRequestRow)
        .where(FetchRequestRow.id == errand.id, FetchRequestRow.claim == errand.claim)
        .with_for_update()
    ).one_or_none()
    return study, row


def _want(session: Session, query: FetchRequestRow, offered: OfferedStudy, now: datetime) -> None:
    """Put a prior up to be retrieved, unless another archive is asked for it, and may send it."""
    known = exists().where(
        FetchRequestRow.study_uid == query.study_uid,
        FetchRequestRow.prior_study_uid == offered.study.study_uid,
        or_(FetchRequestRow.source == query.source, FetchRequestRow.state.not_in(NOT_TO_BE_HAD)),
    )
    if session.scalar(known.select()):
        return
    values = {
        "source": query.source,
        "errand": FetchKind.RETRIEVE,
        "prior_study_uid": offered.study.study_uid,
        "prior_study_date": offered.study.study_date,
        "series": list(offered.series),
        "gives_up_at": query.gives_up_at,
    }
    _insert(session, query.study_uid, values, now)


def _insert(session: Session, study_uid: str, values: Mapping[str, object], now: datetime) -> None:
    usual: dict[str, object] = {
        "study_uid": study_uid,
        "series": [],
        "state": FetchState.WANTED,
        "attempts": 0,
        "created_at": now,
        "due_at": now,
    }
    insert_if_new(session, FetchRequestRow, {**usual, **values})


def _succeed(row: FetchRequestRow, now: datetime) -> None:
    row.state = step_fetch(row.state, FetchEvent.SUCCEEDED)
    row.reason = row.detail = None
    row.finished_at = now
    _release(row)


def _fail(row: FetchRequestRow, fault: FetchFault, now: datetime, ask_again_at: datetime) -> None:
    event = FetchEvent.REFUSED if fault.refused else FetchEvent.FAILED
    if ask_again_at >= row.gives_up_at:
        event, row.finished_at = FetchEvent.GAVE_UP, now
    row.state = step_fetch(row.state, event)
    row.reason, row.detail = fault.reason, fault.detail[:_LONGEST_DETAIL]
    row.due_at = ask_again_at
    _release(row)


def _release(row: FetchRequestRow) -> None:
    row.claim = row.leased_by = row.lease_until = None


def _settle(session: Session, study: StudyRow, now: datetime) -> None:
    """Let a study be read that waits for priors, once none is to be waited for any more."""
    if study.state is StudyState.AWAITING_PRIORS and not _is_awaiting(session, study.study_uid):
        study.state = step_study(study.state, StudyEvent.PRIORS_SETTLED)
        study.quiet_due_at = study.priors_due_at = now


def _why_unusable(session: Session, study: StudyRow, prior: StudyRow) -> Reason | None:
    mixed = alarms.is_raised(session, alarms.PATIENT_MISMATCH, prior.study_uid)
    if mixed or prior.patient != study.patient:
        return Reason.PRIOR_FOREIGN
    shared = find_scope_views(session, prior.study_uid) & find_scope_views(session, study.study_uid)
    return None if shared else Reason.PRIOR_OUT_OF_SCOPE
