"""From due to claimed: which study is read next, by whom, and from what."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from secondread import metrics
from secondread.assemble.viewset import StudyViews
from secondread.audit import AuditEvent, AuditKind
from secondread.clock import Clock
from secondread.errors import InputError, TransitionError
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.track.audit_rows import add_audit_event
from secondread.track.clock_jumps import has_long_waits, shorten_waits
from secondread.track.database import TrackerPart
from secondread.track.fetch_rows import renew_requests
from secondread.track.identities import load_known_identities, report_doubt
from secondread.track.operations import STUDY_STUCK, raise_alarm_in
from secondread.track.prior_choice import (
    FETCH_NOTHING,
    FetchRules,
    choose_doubtful,
    choose_revision_priors,
    read_revision_priors,
)
from secondread.track.reading_basis import digest_basis
from secondread.track.reading_queue import select_due
from secondread.track.revision_triggers import revise_later_studies
from secondread.track.states import Cause, RevisionState, StudyEvent, StudyState, step_study
from secondread.track.study_patient import collect_set_aside
from secondread.track.study_rows import (
    collect_revision_inputs,
    find_latest_finished,
    find_revision,
    find_views,
    is_due,
    is_under_way,
    load_inputs,
)
from secondread.track.tables import RevisionRow, StudyRow, TreatmentRow, from_row
from secondread.track.values import (
    ClaimedRevision,
    DueStudy,
    InputInstance,
    RevisionPriors,
    Severity,
)

log = get_logger(__name__)

_LEFT_TO_PEOPLE = {StudyState.HELD, StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS}


class Digests(NamedTuple):
    """What a reading is made with."""

    settings: str
    model: str


class Studies(TrackerPart):
    """The studies of the tracker, up to the moment that their results are recorded."""

    def has_due(self, now: datetime) -> bool:
        """Whether any study waits for a worker."""
        with self._database.begin_read() as session:
            return bool(session.scalar(exists().where(is_due(now)).select()))

    def find_next_due(self, now: datetime) -> datetime | None:
        """Return when the next study is due by time alone; None if none will be."""
        times = (StudyRow.quiet_due_at, StudyRow.settle_due_at)
        earliest = [select(func.min(time)).where(time > now).scalar_subquery() for time in times]
        with self._database.begin_read() as session:
            found = session.execute(select(*earliest)).one()
        return min((time for time in found if time is not None), default=None)

    def list_due(self, now: datetime, limit: int) -> list[DueStudy]:
        """Return studies that wait for a worker: requested ones, fresh ones, then the backlog.

        Within each of these, peers take turns; see `track.reading_queue`.
        """
        due = select_due(now, limit)
        statement = (
            select(StudyRow, _is_treated())
            .join(due, due.c.study_uid == StudyRow.study_uid)
            .order_by(due.c.place)
        )
        with self._database.begin_read() as session:
            return [
                from_row(DueStudy, study, treated=True if is_treated else None)
                for study, is_treated in session.execute(statement)
            ]

    def list_unread(self, limit: int) -> list[DueStudy]:
        """Return studies that still come in and were never read, those that are due next first."""
        waits = StudyRow.state.in_((StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS))
        statement = (
            select(StudyRow, _is_treated())
            .where(waits, StudyRow.revision == 0)
            .order_by(func.coalesce(StudyRow.settle_due_at, StudyRow.quiet_due_at))
            .limit(limit)
        )
        with self._database.begin_read() as session:
            return [
                from_row(DueStudy, study, treated=True if is_treated else None)
                for study, is_treated in session.execute(statement)
            ]

    def claim_study(
        self,
        study_uid: str,
        worker: str,
        digests: Digests,
        now: datetime,
        rules: FetchRules = FETCH_NOTHING,
        unread: Collection[str] = (),
    ) -> ClaimedRevision | None:
        """Claim a due study, as its next revision; None if it is not due (any more).

        Of several workers that try, one succeeds. What the revision is made from is fixed here:
        its images, and the priors that are there by now. Where the last revision depended on the
        same, none is made and its report stands, unless a person asked for the reading.

        Parameters
        ----------
        study_uid, worker
            What to claim, and by whom.
        digests
            What it will be read with.
        now, rules
            The present instant, and which priors count.
        unread
            UIDs of images that will not be read: see `reading_basis.digest_basis`.
        """
        with self._database.begin_write() as session:
            due = select(StudyRow).where(StudyRow.study_uid == study_uid, is_due(now))
            study = session.scalars(due.with_for_update()).one_or_none()
            if study is None:
                return None
            finished = find_latest_finished(session, study_uid)
            inputs = collect_revision_inputs(session, study_uid, finished)
            priors = choose_revision_priors(session, study, rules)
            doubtful = choose_doubtful(session, study, rules)
            if doubtful or load_known_identities(session, study.patient).shared_ids:
                report_doubt(session, study, now)
            basis = digest_basis(session, study, inputs, priors, unread)
            if _stands(study, finished, basis):
                _keep_report(study)
                return None
            study.state = step_study(study.state, StudyEvent.CLAIMED)
            study.revision += 1
            revision = RevisionRow(
                study_uid=study_uid,
                number=study.revision,
                cause=study.next_cause or Cause.FIRST,
                inputs=inputs,
                set_aside=collect_set_aside(session, study_uid),
                priors=priors,
                doubtful=doubtful,
                basis_digest=basis,
                settings_digest=digests.settings,
                model_digest=digests.model,
                state=RevisionState.STARTED,
                predecessor=None if finished is None else finished.number,
                requested_by=study.requested_by,
                worker=worker,
                content_at=now,
                due_at=_find_due_time(study, now),
                started_at=now,
            )
            session.add(revision)
            study.quiet_due_at = study.settle_due_at = None
            study.next_cause = study.requested_by = None
            session.flush()
            return from_row(ClaimedRevision, revision)

    def hold_study(
        self, study_uid: str, reason: Reason, now: datetime, rules: FetchRules = FETCH_NOTHING
    ) -> bool:
        """Hold a due study back, as the intake rule says; return whether it is held.

        A study that a person asked for is never held, nor one whose reading has begun. Later
        studies of the patient that were read without it become due again.
        """
        with self._database.begin_write() as session:
            held_back = or_(is_due(now), StudyRow.state == StudyState.HELD)
            study = session.scalars(
                select(StudyRow)
                .where(StudyRow.study_uid == study_uid, ~StudyRow.exempt, held_back)
                .with_for_update()
            ).one_or_none()
            if study is None:
                return False
            study.state = step_study(study.state, StudyEvent.HELD_BACK)
            study.hold_reason = reason
            study.quiet_due_at = study.settle_due_at = None
            session.flush()
            revise_later_studies(session, study, rules, now)
            return True

    def request_reading(
        self, study_uid: str, by: str, now: datetime, cause: Cause = Cause.REQUESTED
    ) -> bool:
        """Make a study due at once, whatever became of it before; return whether it will be read.

        While it is being read, the next revision becomes due. Only a person (`Cause.REQUESTED`)
        frees a study that the intake rule holds back, or hurries one that waits already; other
        causes leave both as they are. One that waits for its priors is then read without them;
        otherwise archives are asked anew for what they refused or did not have.

        Raises
        ------
        InputError
            There is no such study, or it has no images.
        """
        with self._database.begin_write() as session:
            study = _lock_study(session, study_uid)
            in_person = cause is Cause.REQUESTED
            if study.state is StudyState.WITHOUT_IMAGES:
                if in_person:
                    raise InputError(f"study {study_uid} has no image that could be read")
                return False
            if not in_person and study.state in _LEFT_TO_PEOPLE:
                return study.state is not StudyState.HELD
            if in_person:
                renew_requests(session, study, now)
            study.state = step_study(study.state, StudyEvent.REQUESTED)
            study.quiet_due_at = now
            study.next_cause = cause
            study.requested_by = by
            if in_person:
                study.exempt = True
                study.hold_reason = None
                _note_request(session, study_uid, by, now)
        log.info("reading_requested", study_uid=study_uid, by=by, cause=cause.value)
        return True

    def give_up(self, study_uid: str, number: int, error: str, now: datetime) -> None:
        """Record that the workflow of a revision failed for good, and raise an alarm.

        Parameters
        ----------
        study_uid, number
            The revision.
        error
            What happened, for people; no patient data.
        now
            The present instant.

        Raises
        ------
        TransitionError
            The revision has results.
        """
        with self._database.begin_write() as session:
            study = _lock_study(session, study_uid)
            revision = find_revision(session, study_uid, number, lock=True)
            if revision.state is RevisionState.GAVE_UP:
                return
            if revision.state is RevisionState.FINISHED:
                raise TransitionError(f"revision {number} of {study_uid} has results")
            revision.state, revision.error, revision.finished_at = RevisionState.GAVE_UP, error, now
            study.state = step_study(study.state, StudyEvent.GAVE_UP)
            study.recall()
            raise_alarm_in(session, STUDY_STUCK, study_uid, error, now, Severity.CRITICAL)
            if study.quiet_due_at is not None:
                study.state = step_study(study.state, StudyEvent.INSTANCE_ARRIVED)

    def shorten_waits(self, clock: Clock, rules: FetchRules) -> int:
        """See `clock_jumps.shorten_waits`; for how many studies.

        The clock is asked when the database has let this in: studies that come while it waits for
        that have to wait as long as others.
        """
        with self._database.begin_read() as session:
            if not has_long_waits(session, rules, clock()):
                return 0
        with self._database.begin_write() as session:
            return shorten_waits(session, rules, clock())

    def list_unfinished(self, now: datetime, grace_seconds: float) -> list[ClaimedRevision]:
        """Return revisions that were claimed a while ago and have no results yet.

        A worker may have died between its claim and the start of the workflow. Starting it again
        does no harm to one that runs: its id derives from the study and the number of the revision
        (`engine.derive_workflow_id`), and the engine runs one workflow of an id.
        """
        statement = (
            select(RevisionRow)
            .where(
                is_under_way(),
                or_(
                    RevisionRow.started_at <= now - timedelta(seconds=grace_seconds),
                    RevisionRow.started_at > now,  # the clock was set back
                ),
            )
            .order_by(RevisionRow.started_at)
        )
        with self._database.begin_read() as session:
            return [from_row(ClaimedRevision, revision) for revision in session.scalars(statement)]

    def get_claimed(self, study_uid: str, number: int) -> ClaimedRevision:
        """Return a revision as it was claimed.

        Raises
        ------
        InputError
            There is no such revision.
        """
        with self._database.begin_read() as session:
            return from_row(ClaimedRevision, find_revision(session, study_uid, number))

    def list_current_inputs(self, study_uid: str) -> list[InputInstance]:
        """Return the instances that a revision would be made from now."""
        with self._database.begin_read() as session:
            finished = find_latest_finished(session, study_uid)
            inputs = collect_revision_inputs(session, study_uid, finished)
            return load_inputs(session, study_uid, inputs)

    def list_inputs(self, study_uid: str, number: int) -> list[InputInstance]:
        """Return the instances that a revision is made from, as they were when it was claimed."""
        with self._database.begin_read() as session:
            revision = find_revision(session, study_uid, number)
            return load_inputs(session, study_uid, revision.inputs)

    def list_set_aside(self, study_uid: str, number: int) -> list[InputInstance]:
        """Return the images of other patients that were there when a revision was claimed."""
        with self._database.begin_read() as session:
            revision = find_revision(session, study_uid, number)
            return load_inputs(session, study_uid, revision.set_aside)

    def get_priors(self, study_uid: str, number: int) -> RevisionPriors:
        """Return the priors that a revision is made with, as they were when it was claimed."""
        with self._database.begin_read() as session:
            return read_revision_priors(session, study_uid, number)

    def find_views(self, study_uid: str) -> StudyViews:
        """Return the views of a study, and what the views to be expected follow from."""
        with self._database.begin_read() as session:
            return find_views(session, session.get_one(StudyRow, study_uid))


def _is_treated() -> ColumnElement[bool]:
    """Return the condition that a treatment of the patient before the study is on record."""
    return exists().where(
        TreatmentRow.patient == StudyRow.patient,
        or_(
            TreatmentRow.started_on.is_(None),
            StudyRow.study_date.is_(None),
            TreatmentRow.started_on <= StudyRow.study_date,
        ),
    )


def _find_due_time(study: StudyRow, now: datetime) -> datetime | None:
    """Return when a study that is due became so."""
    times = (study.settle_due_at, study.quiet_due_at)
    return min((at for at in times if at is not None and at <= now), default=None)


def _note_request(session: Session, study_uid: str, by: str, now: datetime) -> None:
    words = "asked for the study to be read again"
    event = AuditEvent(AuditKind.READING_ASKED, now, by, study_uid=study_uid, words=words)
    add_audit_event(session, event)


def _stands(study: StudyRow, finished: RevisionRow | None, basis: str) -> bool:
    """Whether a due study's report is what another reading would end in.

    One whose latest reading was given up has no such report, and a person may want it read anew.
    """
    is_latest = finished is not None and finished.number == study.revision
    in_person = study.next_cause is Cause.REQUESTED
    return is_latest and not in_person and finished is not None and finished.basis_digest == basis


def _keep_report(study: StudyRow) -> None:
    cause = study.next_cause or Cause.LATE_INSTANCE
    study.state = step_study(study.state, StudyEvent.NOTHING_CHANGED)
    study.quiet_due_at = study.settle_due_at = None
    study.next_cause = study.requested_by = None
    metrics.REVISIONS_SPARED.labels(cause.value).inc()
    log.info(
        "revision_spared", study_uid=study.study_uid, revision=study.revision, cause=cause.value
    )


def _lock_study(session: Session, study_uid: str) -> StudyRow:
    study = session.get(StudyRow, study_uid, with_for_update=True)
    if study is None:
        raise InputError(f"there is no study {study_uid}")
    return study
