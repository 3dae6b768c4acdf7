"""What is known of a patient's treatments."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.due import DueRules
from secondread.assemble.mammogram import PatientKey
from secondread.errors import InputError
from secondread.track.database import Database
from secondread.track.patients import ensure_patient, look_up_patient
from secondread.track.tables import PatientRow, StudyRow, TreatmentRow
from secondread.track.treatment_changes import (
    record_change,
    revise_for_treatment,
)
from secondread.track.values import TreatmentRecord

_NODE = "node"
_DEFAULT_RULES = DueRules()


class TreatmentSummary(NamedTuple):
    """A treatment, whose it is, and the number by which it can be removed."""

    number: int
    patient: PatientKey
    treatment: TreatmentRecord
    recorded_at: datetime


class Treatments:
    """The treatments of all patients.

    Parameters
    ----------
    database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_treatment(
        self,
        patient: PatientKey,
        treatment: TreatmentRecord,
        now: datetime,
        by: str = _NODE,
        rules: DueRules = _DEFAULT_RULES,
    ) -> bool:
        """Write a treatment down; say whether it was not known.

        The patient need not have a study yet. Recent studies that it concerns become due.

        Parameters
        ----------
        patient, treatment
            Whose, and what.
        now, by
            When it is written down, and by whom.
        rules
            Which studies become due again, and when.
        """
        with self._database.begin_write() as session:
            row = ensure_patient(session, patient)
            session.refresh(row, with_for_update=True)
            if treatment in _of(session, row.id):
                return False
            added = TreatmentRow(
                patient=row.id,
                side=treatment.side,
                procedure=treatment.procedure,
                started_on=treatment.started_on,
                ended_on=treatment.ended_on,
                site=treatment.site,
                source=treatment.source,
                recorded_at=now,
            )
            session.add(added)
            record_change(session, added, now, by, added=True)
            session.flush()
            revise_for_treatment(session, row.id, treatment.started_on, now, rules)
            return True

    def remove_treatment(
        self, number: int, now: datetime, by: str, rules: DueRules = _DEFAULT_RULES
    ) -> None:
        """Strike a treatment out, by its number; recent studies that it concerned become due.

        Raises
        ------
        InputError
            There is no treatment of that number.
        """
        with self._database.begin_write() as session:
            row = session.get(TreatmentRow, number, with_for_update=True)
            if row is None:
                raise InputError(f"there is no treatment {number}")
            record_change(session, row, now, by, added=False)
            session.delete(row)
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
                known = look_up_patient(session, patient)
                statement = statement.where(TreatmentRow.patient == (known.id if known else None))
            return [
                TreatmentSummary(
                    row.id, PatientKey(whose.patient_id, whose.issuer), _entry(row), row.recorded_at
                )
                for row, whose in session.execute(statement)
            ]

    def list_for_study(self, study_uid: str) -> list[TreatmentRecord]:
        """Return what is known of the treatments of a study's patient, earliest first."""
        with self._database.begin_read() as session:
            patient = session.scalar(
                select(StudyRow.patient).where(StudyRow.study_uid == study_uid)
            )
            return [] if patient is None else _of(session, patient)

    def list_studies(self, patient: PatientKey) -> list[str]:
        """Return the studies of a patient, latest first, to ask for new readings of them."""
        with self._database.begin_read() as session:
            known = look_up_patient(session, patient)
            if known is None:
                return []
            statement = (
                select(StudyRow.study_uid)
                .where(StudyRow.patient == known.id)
                .order_by(StudyRow.study_date.desc().nulls_last(), StudyRow.study_uid)
            )
            return list(session.scalars(statement))


def _of(session: Session, patient: int) -> list[TreatmentRecord]:
    rows = session.scalars(
        select(TreatmentRow)
        .where(TreatmentRow.patient == patient)
        .order_by(TreatmentRow.started_on.nulls_first(), TreatmentRow.id)
    )
    return [_entry(row) for row in rows]


def _entry(row: TreatmentRow) -> TreatmentRecord:
    return TreatmentRecord(
        side=row.side,
        procedure=row.procedure,
        started_on=row.started_on,
        ended_on=row.ended_on,
        site=row.site,
        source=row.source,
    )
