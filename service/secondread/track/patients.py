"""Who a patient is: a row for each ID and issuer, the only place where an identity stands.

Two IDs of one woman are merged by a person: one row then points to the other, and what either
had belongs to that one. Files keep the ID that they came with.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from secondread.assemble.due import DueRules
from secondread.assemble.mammogram import PatientKey
from secondread.errors import InputError
from secondread.log import get_logger
from secondread.track.database import Database, insert_if_new
from secondread.track.prior_choice import FetchRules, revise_if_priors_gained
from secondread.track.tables import LesionRow, PatientMergeRow, PatientRow, StudyRow, TreatmentRow
from secondread.track.treatment_changes import are_alike, revise_for_treatment

log = get_logger(__name__)


def ensure_patient(session: Session, key: PatientKey) -> PatientRow:
    """Return a patient's row, made if need be; of a merged one that of whom it is."""
    columns = {"patient_id": key.patient_id, "issuer": key.issuer}
    known = look_up_patient(session, key)
    if known is None:
        insert_if_new(session, PatientRow, columns)
        known = session.scalars(select(PatientRow).filter_by(**columns)).one()
    return known


def look_up_patient(session: Session, key: PatientKey) -> PatientRow | None:
    """Return a patient's row, of a merged one that of whom it is; None if there is none."""
    row = _row(session, key)
    if row is None or row.merged_into is None:
        return row
    return session.get_one(PatientRow, row.merged_into)


def _row(session: Session, key: PatientKey) -> PatientRow | None:
    columns = {"patient_id": key.patient_id, "issuer": key.issuer}
    return session.scalars(select(PatientRow).filter_by(**columns)).one_or_none()


class PatientSummary(NamedTuple):
    """One ID of a patient."""

    key: PatientKey
    merged_into: PatientKey | None
    studies: int
    treatments: int


class MergeResult(NamedTuple):
    """What changed hands."""

    studies: int
    treatments: int
    due_studies: tuple[str, ...]
    """Studies that became due for a revision by it."""


class Patients:
    """The patients of the tracker.

    Parameters
    ----------
    database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_patients(self, limit: int) -> list[PatientSummary]:
        """Return patients by ID, merged ones among them; at most so many."""
        head = aliased(PatientRow)
        studies = select(func.count()).where(StudyRow.patient == PatientRow.id).scalar_subquery()
        done = select(func.count()).where(TreatmentRow.patient == PatientRow.id).scalar_subquery()
        statement = (
            select(PatientRow, head, studies, done)
            .outerjoin(head, PatientRow.merged_into == head.id)
            .order_by(PatientRow.patient_id, PatientRow.issuer)
            .limit(limit)
        )
        with self._database.begin_read() as session:
            return [
                PatientSummary(_key(one), _key(other) if other else None, images, treatments)
                for one, other, images, treatments in session.execute(statement)
            ]

    def find_canonical_key(self, key: PatientKey) -> PatientKey:
        """Return the key of whom an ID is; the key itself where nobody merged it."""
        with self._database.begin_read() as session:
            known = look_up_patient(session, key)
            return key if known is None else _key(known)

    def merge_patients(
        self,
        merged: PatientKey,
        into: PatientKey,
        by: str,
        now: datetime,
        revisions: DueRules,
        fetching: FetchRules,
    ) -> MergeResult:
        """Make two IDs one patient: studies, treatments and lesions of the first go to the second.

        Images under the first ID that come later are the second's as well. Recent studies whose
        treatments or priors change by it become due for a revision.

        Raises
        ------
        InputError
            One of them is not known, the first is merged already, or both are one patient.
        """
        with self._database.begin_write() as session:
            one, head = _to_merge(session, merged, into)
            before = {entry.id for entry in _treatments(session, one.id)}
            moved = session.execute(
                update(StudyRow)
                .where(StudyRow.patient == one.id)
                .values(patient=head.id)
                .returning(StudyRow.study_uid)
            ).all()
            _move_treatments(session, one.id, head.id)
            session.execute(
                update(LesionRow).where(LesionRow.patient == one.id).values(patient=head.id)
            )
            session.execute(
                update(PatientRow)
                .where(PatientRow.merged_into == one.id)
                .values(merged_into=head.id)
            )
            one.merged_into = head.id
            session.add(
                PatientMergeRow(
                    merged=one.id,
                    into=head.id,
                    studies=len(moved),
                    treatments=len(before),
                    merged_at=now,
                    merged_by=by,
                )
            )
            session.flush()
            due = _revise(session, head.id, now, revisions, fetching)
        log.info("patients_merged", studies=len(moved), treatments=len(before), by=by)
        return MergeResult(len(moved), len(before), tuple(due))


def _key(row: PatientRow) -> PatientKey:
    return PatientKey(row.patient_id, row.issuer)


def _to_merge(
    session: Session, merged: PatientKey, into: PatientKey
) -> tuple[PatientRow, PatientRow]:
    # What is quoted here would be an identity in an error's text.
    one, head = _row(session, merged), look_up_patient(session, into)
    if one is None or head is None:
        which = "first" if one is None else "second"
        raise InputError(f"the {which} patient is not known; see: secondread patients list")
    if one.merged_into is not None:
        raise InputError("the first patient is merged already; see: secondread patients list")
    if one.id == head.id:
        raise InputError("both are one patient already")
    for row in sorted((one, head), key=lambda patient: patient.id):
        session.refresh(row, with_for_update=True)
    return one, head


def _treatments(session: Session, patient: int) -> list[TreatmentRow]:
    return list(session.scalars(select(TreatmentRow).where(TreatmentRow.patient == patient)))


def _move_treatments(session: Session, merged: int, head: int) -> None:
    """Hand treatments over; one that both have is kept once."""
    known = _treatments(session, head)
    for row in _treatments(session, merged):
        if any(are_alike(row, other) for other in known):
            session.delete(row)
        else:
            row.patient = head


def _revise(
    session: Session, patient: int, now: datetime, revisions: DueRules, fetching: FetchRules
) -> list[str]:
    begun = session.scalars(
        select(TreatmentRow.started_on).where(TreatmentRow.patient == patient)
    ).all()
    due = set()
    for started_on in begun:
        due.update(revise_for_treatment(session, patient, started_on, now, revisions))
    studies = session.scalars(
        select(StudyRow)
        .where(StudyRow.patient == patient)
        .order_by(StudyRow.study_date, StudyRow.study_uid)
        .with_for_update()
    ).all()
    due.update(s.study_uid for s in studies if revise_if_priors_gained(session, s, fetching, now))
    return sorted(due)
