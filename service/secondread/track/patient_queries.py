"""What a page shows of a patient, by a number that says nothing of who it is."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart
from secondread.track.patients import look_up_patient
from secondread.track.states import StudyState
from secondread.track.tables import (
    PatientIdentityRow,
    PatientRow,
    StudyRow,
    TreatmentRow,
    from_row,
)
from secondread.track.treatments import TreatmentSummary
from secondread.track.values import TreatmentRecord

_MOST_STUDIES = 200


@dataclass(frozen=True, slots=True)
class PatientStudy:
    """One exam of a patient."""

    study_uid: str
    study_date: date | None
    state: StudyState


@dataclass(frozen=True, slots=True)
class PatientDetail:
    """A patient's exams and treatments, without who it is."""

    number: int
    ids: int
    """How many IDs are this patient's: its own, and those that were merged into it."""
    studies: tuple[PatientStudy, ...]
    """The latest first."""
    treatments: tuple[TreatmentSummary, ...]


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who a patient is: what the node hides until somebody asks."""

    keys: tuple[PatientKey, ...]
    """Its own ID first, then those that were merged into it."""
    persons: tuple[tuple[str, str], ...]
    """Each name that images state, with the first and last possible birth date."""


class PatientQueries(TrackerPart):
    """Questions about one patient."""

    def find_detail(self, number: int) -> PatientDetail | None:
        """Return a patient's exams and treatments; of a merged ID, those of its patient."""
        with self._database.begin_read() as session:
            patient = _find_head(session, number)
            if patient is None:
                return None
            studies = session.scalars(
                select(StudyRow)
                .where(StudyRow.patient == patient.id)
                .order_by(StudyRow.study_date.desc())
                .limit(_MOST_STUDIES)
            )
            treatments = session.scalars(
                select(TreatmentRow)
                .where(TreatmentRow.patient == patient.id)
                .order_by(TreatmentRow.started_on.nulls_first(), TreatmentRow.id)
            )
            key = from_row(PatientKey, patient)
            return PatientDetail(
                number=patient.id,
                ids=len(_list_ids(session, patient)),
                studies=tuple(from_row(PatientStudy, study) for study in studies),
                treatments=tuple(
                    TreatmentSummary(row.id, key, from_row(TreatmentRecord, row), row.recorded_at)
                    for row in treatments
                ),
            )

    def find_number(self, key: PatientKey) -> int | None:
        """Return the number of the patient whose ID this is; None if it is unknown."""
        with self._database.begin_read() as session:
            patient = look_up_patient(session, key)
            return None if patient is None else patient.id

    def get_key(self, number: int) -> PatientKey:
        """Return the ID of a patient.

        Raises
        ------
        InputError
            There is no such patient.
        """
        with self._database.begin_read() as session:
            return from_row(PatientKey, _get_head(session, number))

    def show_identity(self, number: int, by: str, address: str, now: datetime) -> PatientIdentity:
        """Return who a patient is, and record who asked.

        Raises
        ------
        InputError
            There is no such patient.
        """
        with self._database.begin_write() as session:
            patient = _get_head(session, number)
            rows = _list_ids(session, patient)
            persons = session.scalars(
                select(PatientIdentityRow)
                .where(PatientIdentityRow.patient.in_([row.id for row in rows]))
                .order_by(PatientIdentityRow.id)
            )
            event = AuditEvent(
                AuditKind.PATIENT_SHOWN,
                now,
                by,
                address,
                patient_id=patient.patient_id,
                words="asked a page who it is",
            )
            add_audit_event(session, event)
            return PatientIdentity(
                tuple(from_row(PatientKey, row) for row in rows),
                # A header that states nothing of a person is nobody.
                tuple((row.name, row.born) for row in persons if row.name or row.born),
            )


def _find_head(session: Session, number: int) -> PatientRow | None:
    row = session.get(PatientRow, number)
    if row is None or row.merged_into is None:
        return row
    return session.get_one(PatientRow, row.merged_into)


def _get_head(session: Session, number: int) -> PatientRow:
    patient = _find_head(session, number)
    if patient is None:
        raise InputError(f"there is no patient {number}")
    return patient


def _list_ids(session: Session, patient: PatientRow) -> list[PatientRow]:
    """Return the rows of a patient's IDs, its own first."""
    is_of = or_(PatientRow.id == patient.id, PatientRow.merged_into == patient.id)
    rows = session.scalars(select(PatientRow).where(is_of).order_by(PatientRow.id)).all()
    return sorted(rows, key=lambda row: row.id != patient.id)
