"""The fetching of priors as rows with due times: the send stage's `FetchQueue`, in SQL.

Nothing waits in a process. A study that is complete gets a row for each archive to query; the
answer makes rows for the priors that are wanted, and the images that come are checked when they
have settled. The study's row is locked before any of its requests' rows.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import IdentityMatch
from secondread.followup.priors import EarlierStudy
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.send.fetch_queue import (
    FetchFault,
    FetchKind,
    FetchRequest,
    OfferedStudy,
    StatedIdentity,
)
from secondread.track.database import Database
from secondread.track.fetch_rows import (
    add_query,
    add_retrieval,
    ask_again,
    fail,
    find_unasked_priors,
    finish,
    give_back,
)
from secondread.track.identities import (
    judge_studies,
    load_identities,
    load_known_identities,
)
from secondread.track.operations import PRIOR_FOREIGN, raise_alarm_in
from secondread.track.prior_choice import FetchRules, find_held_studies
from secondread.track.reading_queue import order_requests
from secondread.track.revision_triggers import revise_if_priors_gained
from secondread.track.states import (
    AWAITED,
    FetchEvent,
    FetchState,
    StudyEvent,
    StudyState,
    step_fetch,
    step_study,
)
from secondread.track.study_rows import collect_inputs, find_scope_views, is_due
from secondread.track.tables import (
    FetchRequestRow,
    PatientRow,
    StudyRow,
    draw_claim,
    from_row,
)

log = get_logger(__name__)

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
        """Have a due study wait for its priors; return whether it does.

        The first time, requests to its archives are written. A study that has waited for as long
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
                for source in self._rules.sources:
                    add_query(session, study_uid, source, now + self._rules.give_up, now)
                study.priors_due_at = now + self._rules.wait
                log.info("priors_asked_for", study_uid=study_uid, sources=self._rules.sources)
            if study.state is StudyState.ASSEMBLING and study.priors_due_at > now:
                if _is_awaiting(session, study_uid):
                    study.state = step_study(study.state, StudyEvent.PRIORS_AWAITED)
                    study.quiet_due_at, study.settle_due_at = study.priors_due_at, None
                    return True
                study.priors_due_at = now
            return False

    def claim_request(
        self, source: str, worker: str, now: datetime, lease_seconds: float
    ) -> FetchRequest | None:
        """Claim the next request to an archive that is due; None when there is none.

        The peers whose studies it is for take turns. One whose lease ran out is taken again, and
        at once what the worker itself holds: it asks a source in one thread, which has left it.
        """
        with self._database.begin_write() as session:
            ready = select(FetchRequestRow).where(
                FetchRequestRow.source == source, _is_ready(worker, now)
            )
            row = session.scalars(
                order_requests(ready, source, now)
                .limit(1)
                .with_for_update(of=FetchRequestRow, skip_locked=True)
            ).one_or_none()
            if row is None:
                return None
            if row.state is FetchState.UNDER_WAY:
                row.state = step_fetch(row.state, FetchEvent.LEASE_EXPIRED)
            row.state = step_fetch(row.state, FetchEvent.CLAIMED)
            row.attempts += 1
            row.claimed_at = now
            row.lease(draw_claim(), worker, now + timedelta(seconds=lease_seconds))
            return _make_request(session, row)

    def record_answer(
        self, request: FetchRequest, wanted: Sequence[OfferedStudy], now: datetime
    ) -> None:
        """Record the answer to a query: what is to be fetched, if anything."""
        with self._database.begin_write() as session:
            study, row = _lock_claimed(session, request)
            if row is None:
                return
            finish(row, FetchEvent.SUCCEEDED, None, now)
            for offered in wanted:
                add_retrieval(session, row, offered, now)
            session.flush()
            # What another archive was to send when this one was asked may be refused by now.
            ask_again(session, row, (held.study_uid for held in request.held_studies), now)
            _settle(session, study, now)

    def record_retrieved(
        self, request: FetchRequest, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that an archive has answered that it sent what was asked for.

        Where nothing came all the same, it is asked again.
        """
        with self._database.begin_write() as session:
            study, row = _lock_claimed(session, request)
            if row is None:
                return
            if not self._check_prior(session, study, row, now):
                words = "the archive says that it sent the study, and no image of it came"
                fault = FetchFault(Reason.PRIOR_NOT_RECEIVED, words, refused=False)
                fail(session, row, fault, now, ask_again_at)
            _settle(session, study, now)

    def record_failed(
        self, request: FetchRequest, fault: FetchFault, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that a request came to nothing, and when it is due again."""
        with self._database.begin_write() as session:
            study, row = _lock_claimed(session, request)
            if row is None:
                return
            fail(session, row, fault, now, ask_again_at)
            _settle(session, study, now)

    def give_back(self, request: FetchRequest) -> None:
        """Leave a request for later as if it had not been claimed: the node stops."""
        with self._database.begin_write() as session:
            _, row = _lock_claimed(session, request)
            if row is not None:
                give_back(row)

    def check_arrivals(self, now: datetime) -> int:
        """Check priors whose images have come and settled; return how many there were."""
        has_settled = (
            FetchRequestRow.settles_at <= now,
            FetchRequestRow.state != FetchState.UNDER_WAY,
        )
        with self._database.begin_read() as session:
            waiting = session.execute(
                select(FetchRequestRow.id, FetchRequestRow.study_uid).where(*has_settled)
            ).all()
        for number, study_uid in waiting:
            with self._database.begin_write() as session:
                study = session.get_one(StudyRow, study_uid, with_for_update=True)
                row = session.scalars(
                    select(FetchRequestRow)
                    .where(FetchRequestRow.id == number, *has_settled)
                    .with_for_update()
                ).one_or_none()
                if row is not None:
                    self._check_prior(session, study, row, now)
                    _settle(session, study, now)
        return len(waiting)

    def _check_prior(
        self, session: Session, study: StudyRow, row: FetchRequestRow, now: datetime
    ) -> bool:
        """Judge what the node holds of a wanted prior; return whether it holds anything."""
        row.settles_at = None
        prior = session.get(StudyRow, row.prior_study_uid)
        if prior is None or not collect_inputs(session, prior.study_uid):
            return False
        reason = _explain_unusable(session, study, prior)
        if reason is None:
            finish(row, FetchEvent.SUCCEEDED, None, now)
            session.flush()
            revise_if_priors_gained(session, study, self._rules, now)
            return True
        finish(row, FetchEvent.UNUSABLE, reason, now)
        if reason is Reason.PRIOR_FOREIGN:
            text = f"{row.source} sent it as a prior of a study of another patient; it is not used"
            raise_alarm_in(session, PRIOR_FOREIGN, prior.study_uid, text, now)
        return True


def _is_ready(worker: str, now: datetime) -> ColumnElement[bool]:
    is_ready = or_(
        and_(FetchRequestRow.state.in_(_CLAIMABLE), FetchRequestRow.due_at <= now),
        and_(
            FetchRequestRow.state == FetchState.UNDER_WAY,
            FetchRequestRow.can_be_claimed(worker, now),
        ),
    )
    # Said once more, so that the index on states is used: most requests are done.
    return and_(FetchRequestRow.state.in_((*_CLAIMABLE, FetchState.UNDER_WAY)), is_ready)


def _is_awaiting(session: Session, study_uid: str) -> bool:
    waits = exists().where(
        FetchRequestRow.study_uid == study_uid, FetchRequestRow.state.in_(AWAITED)
    )
    return bool(session.scalar(waits.select()))


def _make_request(session: Session, row: FetchRequestRow) -> FetchRequest | None:
    study = session.get_one(StudyRow, row.study_uid)
    patient = None if study.patient is None else session.get_one(PatientRow, study.patient)
    if patient is None or study.study_date is None or row.claim is None:
        return None  # never asked for; kept from being asked for by `await_priors`
    held = {earlier.study_uid: earlier for earlier in find_held_studies(session, study)}
    requested = select(FetchRequestRow).where(
        FetchRequestRow.study_uid == row.study_uid, FetchRequestRow.kind == FetchKind.RETRIEVE
    )
    unasked = find_unasked_priors(session, row.study_uid, row.source)
    for other in session.scalars(requested):
        if other.prior_study_uid not in unasked:
            earlier = EarlierStudy(other.prior_study_uid, other.prior_study_date, None)
            held.setdefault(other.prior_study_uid, earlier)
    return FetchRequest(
        id=row.id,
        claim=row.claim,
        kind=row.kind,
        study_uid=row.study_uid,
        study_date=study.study_date,
        views=find_scope_views(session, row.study_uid),
        patient=from_row(PatientKey, patient),
        prior_study_uid=row.prior_study_uid,
        series=tuple(row.series),
        held_studies=tuple(held.values()),
        attempt=row.attempts,
        identity=_describe_identity(session, study),
    )


def _describe_identity(session: Session, study: StudyRow) -> StatedIdentity:
    known = load_known_identities(session, study.patient)
    claims = load_identities(session, [study.study_uid])[study.study_uid]
    return StatedIdentity(claims, known.shared_ids, known.confirmed)


def _lock_claimed(
    session: Session, request: FetchRequest
) -> tuple[StudyRow, FetchRequestRow | None]:
    """Return a request's rows; no row of its own where another worker has claimed it since."""
    study = session.get_one(StudyRow, request.study_uid, with_for_update=True)
    row = session.scalars(
        select(FetchRequestRow)
        .where(FetchRequestRow.id == request.id, FetchRequestRow.claim == request.claim)
        .with_for_update()
    ).one_or_none()
    return study, row


def _settle(session: Session, study: StudyRow, now: datetime) -> None:
    """Let a study that waits for priors be read, once there are none left to wait for."""
    session.flush()
    if study.state is StudyState.AWAITING_PRIORS and not _is_awaiting(session, study.study_uid):
        study.state = step_study(study.state, StudyEvent.PRIORS_SETTLED)
        study.quiet_due_at = study.priors_due_at = now


def _explain_unusable(session: Session, study: StudyRow, prior: StudyRow) -> Reason | None:
    if prior.patient != study.patient:
        return Reason.PRIOR_FOREIGN
    if judge_studies(session, study, [prior])[prior.study_uid] is IdentityMatch.IN_DOUBT:
        return Reason.IDENTITY_IN_DOUBT
    shared = find_scope_views(session, prior.study_uid) & find_scope_views(session, study.study_uid)
    return None if shared else Reason.PRIOR_OUT_OF_SCOPE
