"""Rows of treatments: written down, struck out, and the revisions that this makes due."""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.due import DueRules
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.track.revisions import collect_inputs
from secondread.track.states import Cause, StudyEvent, StudyState, step_study
from secondread.track.tables import StudyRow, TreatmentChangeRow, TreatmentRow

log = get_logger(__name__)


def are_alike(a: TreatmentRow, b: TreatmentRow) -> bool:
    """Whether two rows say the same."""
    return _said(a) == _said(b)


def _said(row: TreatmentRow) -> tuple[object, ...]:
    return row.side, row.procedure, row.started_on, row.ended_on, row.site, row.source


def record_change(
    session: Session, row: TreatmentRow, now: datetime, by: str, *, added: bool
) -> None:
    """Write the audit row of a treatment that was added or is about to be removed."""
    session.add(
        TreatmentChangeRow(
            patient=row.patient,
            added=added,
            side=row.side,
            procedure=row.procedure,
            started_on=row.started_on,
            ended_on=row.ended_on,
            site=row.site,
            changed_at=now,
            changed_by=by,
        )
    )


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
        if is_earlier or not _is_recent(study, now, rules) or _is_empty(session, study):
            continue
        study.state = step_study(study.state, StudyEvent.REQUESTED)
        study.hold_reason = None
        study.quiet_due_at = rules.find_revision_time(now)
        if study.revision:
            study.next_cause = study.next_cause or Cause.TREATMENT_CHANGED
        due.append(study.study_uid)
        log.info("treatment_changed", study_uid=study.study_uid, revision=study.revision)
    return due


def _is_empty(session: Session, study: StudyRow) -> bool:
    """Whether a study was read and has no image left, so that only its report can stand."""
    return study.revision > 0 and not collect_inputs(session, study.study_uid)


def _is_recent(study: StudyRow, now: datetime, rules: DueRules) -> bool:
    if study.state is StudyState.READING:
        return True
    if study.state is StudyState.HELD:
        waits = study.hold_reason is Reason.NOT_TREATED
        return waits and rules.is_recent(study.last_arrived_at, now)
    return rules.is_recent(study.reported_at, now)
