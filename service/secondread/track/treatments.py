"""The record of patients' treatments."""

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.due import DueRules
from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.findings.treatment import Treatment
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart
from secondread.track.identities import load_known_identities
from secondread.track.patients import ensure_patient, look_up_patient
from secondread.track.revision_triggers import revise_for_treatment
from secondread.track.tables import (
    PatientRow,
    StudyRow,
    TreatmentChangeRow,
    TreatmentRow,
    as_columns,
    from_row,
)
from secondread.track.values import TreatmentRecord

_NODE = "node"
_DEFAULT_RULES = DueRules()


def encode_treatment(treatment: Treatment) -> TreatmentRecord:
    """Return what the tracker keeps of a treatment whose side is known.

    Raises
    ------
    InputError
        It is unknown which breast it was.
    """
    if treatment.laterality is None:
        raise InputError("a treatment is recorded for one breast")
    return TreatmentRecord(
        side=treatment.laterality.letter,
        procedure=treatment.procedure.value,
        started_on=treatment.started_on,
        ended_on=treatment.ended_on,
        site="" if treatment.site is None else treatment.site.words,
        source=treatment.source.value,
    )


class TreatmentSummary(NamedTuple):
    """A treatment, its patient, and the number by which it can be removed."""

    number: int
    patient: PatientKey
    treatment: TreatmentRecord
    recorded_at: datetime


class Treatments(TrackerPart):
    """The treatments of all patients."""

    def add_treatment(
        self,
        patient: PatientKey,
        treatment: TreatmentRecord,
        now: datetime,
        by: str = _NODE,
        rules: DueRules = _DEFAULT_RULES,
    ) -> bool:
        """Record a treatment; return whether it was new.

        The patient need not have a study yet. Recent studies that it concerns become due.

        Parameters
        ----------
        patient, treatment
            Whose, and what.
        now, by
            When it is recorded, and by whom.
        rules
            Which studies become due again, and when.
        """
        with self._database.begin_write() as session:
            row = ensure_patient(session, patient)
            session.refresh(row, with_for_update=True)
            if treatment in _list_records(session, row.id):
                return False
            added = TreatmentRow(patient=row.id, recorded_at=now, **as_columns(treatment))
            session.add(added)
            _record_change(session, added, now, by, added=True)
            session.flush()
            revise_for_treatment(session, row.id, treatment.started_on, now, rules)
            return True

    def remove_treatment(
        self, number: int, now: datetime, by: str, rules: DueRules = _DEFAULT_RULES
    ) -> None:
        """Remove a treatment, by its number; recent studies that it concerned become due.

        Raises
        ------
        InputError
            There is no treatment of that number.
        """
        with self._database.begin_write() as session:
            row = _lock_treatment(session, number)
            _record_change(session, row, now, by, added=False)
            session.delete(row)
            session.flush()
            revise_for_treatment(session, row.patient, row.started_on, now, rules)

    def end_treatment(
        self,
        number: int,
        ended_on: date,
        now: datetime,
        by: str,
        rules: DueRules = _DEFAULT_RULES,
    ) -> None:
        """Record the last day of a treatment; recent studies that it concerns become due.

        The audit table has it as struck out and recorded anew.

        Raises
        ------
        InputError
            There is no treatment of that number, or the day is before its first.
        """
        with self._database.begin_write() as session:
            row = _lock_treatment(session, number)
            if row.started_on is not None and ended_on < row.started_on:
                raise InputError("ended_on is before started_on")
            if row.ended_on == ended_on:
                return
            _record_change(session, row, now, by, added=False)
            row.ended_on = ended_on
            _record_change(session, row, now, by, added=True)
            session.flush()
            revise_for_treatment(session, row.patient, row.started_on, now, rules)

    def list_treatments(
        self, limit: int, patient: PatientKey | None = None
    ) -> list[TreatmentSummary]:
        """Return treatments by patient, earliest first; at most so many."""
        statement = (
            select(TreatmentRow, PatientRow)
            .join(PatientRow, TreatmentRow.patient == PatientRow.id)
            .order_by(
                PatientRow.patient_id,
                PatientRow.issuer,
                TreatmentRow.started_on.nulls_first(),
                TreatmentRow.id,
            )
            .limit(limit)
        )
        with self._database.begin_read() as session:
            if patient is not None:
                owner = look_up_patient(session, patient)
                statement = statement.where(TreatmentRow.patient == (owner.id if owner else None))
            return [
                TreatmentSummary(
                    number=row.id,
                    patient=from_row(PatientKey, owner),
                    treatment=from_row(TreatmentRecord, row),
                    recorded_at=row.recorded_at,
                )
                for row, owner in session.execute(statement)
            ]

    def list_for_study(self, study_uid: str) -> list[TreatmentRecord]:
        """Return the recorded treatments of a study's patient, earliest first.

        None of an ID that several people share: the record has no more than the ID.
        """
        with self._database.begin_read() as session:
            patient = session.scalar(
                select(StudyRow.patient).where(StudyRow.study_uid == study_uid)
            )
            if patient is None or load_known_identities(session, patient).shared_ids:
                return []
            return _list_records(session, patient)


def _lock_treatment(session: Session, number: int) -> TreatmentRow:
    row = session.get(TreatmentRow, number, with_for_update=True)
    if row is None:
        raise InputError(f"there is no treatment {number}")
    return row


def _list_records(session: Session, patient: int) -> list[TreatmentRecord]:
    rows = session.scalars(
        select(TreatmentRow)
        .where(TreatmentRow.patient == patient)
        .order_by(TreatmentRow.started_on.nulls_first(), TreatmentRow.id)
    )
    return [from_row(TreatmentRecord, row) for row in rows]


def _record_change(
    session: Session, row: TreatmentRow, now: datetime, by: str, *, added: bool
) -> None:
    """Add the audit row of a treatment that was added or is about to be removed."""
    patient = session.get_one(PatientRow, row.patient)
    event = AuditEvent(
        AuditKind.PATIENT_CHANGED,
        now,
        by,
        patient_id=patient.patient_id,
        words="a treatment was recorded" if added else "a treatment was struck out",
    )
    add_audit_event(session, event)
    session.add(
        TreatmentChangeRow(
            patient=row.patient,
            added=added,
            changed_at=now,
            changed_by=by,
            **as_columns(from_row(TreatmentRecord, row), "source"),
        )
    )
