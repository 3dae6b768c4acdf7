"""What makes a study that was read due again: priors that come or change, and treatments."""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.due import DueRules
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.track.prior_choice import FetchRules, choose_revision_priors, list_images
from secondread.track.states import Cause, StudyEvent, StudyState, step_study
from secondread.track.study_rows import collect_inputs, find_revision
from secondread.track.tables import StudyRow

log = get_logger(__name__)


def revise_if_priors_gained(
    session: Session, study: StudyRow, rules: FetchRules, now: datetime
) -> bool:
    """Make a study due again if its priors have images that its reading did not have.

    The study's row is locked. A study that is not read yet will have them; one whose reading is
    older than the late window is left as it is.
    """
    if study.state not in {StudyState.REPORTED, StudyState.READING} or study.quiet_due_at:
        return False
    if not _is_recent(study, now, rules.due):
        return False
    compared = list_images(find_revision(session, study.study_uid, study.revision).priors)
    if list_images(choose_revision_priors(session, study, rules)) <= compared:
        return False
    _make_due(study, Cause.LATE_PRIOR, rules.due.find_revision_time(now))
    log.info("prior_came_late", study_uid=study.study_uid, revision=study.revision)
    return True


def revise_later_studies(
    session: Session, prior: StudyRow, rules: FetchRules, now: datetime
) -> None:
    """Do the same for the patient's later studies, where a prior came without being asked for."""
    for study in _lock_later_studies(session, prior):
        revise_if_priors_gained(session, study, rules, now)


def revise_compared_studies(
    session: Session,
    prior: StudyRow,
    lost: Collection[tuple[str, ...]],
    rules: DueRules,
    now: datetime,
) -> None:
    """Make the patient's later studies due again that were compared with images that are lost.

    Parameters
    ----------
    prior
        Whose images they were; its row is locked.
    lost
        SOP Instance UID and SHA-256 of each: withdrawn, or replaced by another content.
    rules
        How long to wait for what else comes, and how old a report may be to be revised.
    """
    for study in _lock_later_studies(session, prior):
        compared = list_images(find_revision(session, study.study_uid, study.revision).priors)
        is_recent = _is_recent(study, now, rules)
        if study.quiet_due_at or not is_recent or compared.isdisjoint(lost):
            continue
        _make_due(study, Cause.PRIOR_CHANGED, rules.find_revision_time(now))
        log.info("prior_changed", study_uid=study.study_uid, revision=study.revision)


def revise_for_treatment(
    session: Session, patient: int, started_on: date | None, now: datetime, rules: DueRules
) -> list[str]:
    """Make a patient's recent studies due again that a treatment concerns; return them.

    Those are the studies on or after its day that were reported within the late window, those
    that are being read, and recent ones that the intake rule holds back for want of a treatment.
    What waits to be read anyway is left as it is.
    """
    studies = session.scalars(
        select(StudyRow)
        .where(
            StudyRow.patient == patient,
            StudyRow.state.in_((StudyState.REPORTED, StudyState.READING, StudyState.HELD)),
            StudyRow.quiet_due_at.is_(None),
        )
        .order_by(StudyRow.study_date, StudyRow.study_uid)
        .with_for_update()
    ).all()
    due = []
    for study in studies:
        is_earlier = started_on and study.study_date and study.study_date < started_on
        if is_earlier or not _is_recent(study, now, rules):
            continue
        if study.revision and not collect_inputs(session, study.study_uid):
            continue  # it was read and has no image left: only its report can stand
        study.hold_reason = None
        _make_due(study, Cause.TREATMENT_CHANGED, rules.find_revision_time(now))
        due.append(study.study_uid)
        log.info("treatment_changed", study_uid=study.study_uid, revision=study.revision)
    return due


def _is_recent(study: StudyRow, now: datetime, rules: DueRules) -> bool:
    """Whether a study that was read, or that is held for want of a treatment, is still revised."""
    if study.state is StudyState.READING:
        return True
    if study.state is StudyState.HELD:
        waits_for_treatment = study.hold_reason is Reason.NOT_TREATED
        return waits_for_treatment and rules.is_recent(study.last_arrived_at, now)
    return rules.is_recent(study.reported_at, now)


def _make_due(study: StudyRow, cause: Cause, due_at: datetime) -> None:
    study.state = step_study(study.state, StudyEvent.REQUESTED)
    study.quiet_due_at = due_at
    if study.revision:
        study.next_cause = study.next_cause or cause


def _lock_later_studies(session: Session, prior: StudyRow) -> list[StudyRow]:
    """Return the same patient's later studies that are read or being read."""
    if prior.patient is None or prior.study_date is None:
        return []
    later = (
        select(StudyRow)
        .where(
            StudyRow.patient == prior.patient,
            StudyRow.study_date > prior.study_date,
            StudyRow.state.in_((StudyState.REPORTED, StudyState.READING)),
        )
        .order_by(StudyRow.study_date, StudyRow.study_uid)
        .with_for_update()
    )
    return list(session.scalars(later))
