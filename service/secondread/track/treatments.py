"""What is known of a patient's treatments."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.mammogram import PatientKey
from secondread.errors import InputError
from secondread.track.database import Database
from secondread.track.patients import find_patient, known_patient
from secondread.track.tables import Patient, Study, Treatment
from secondread.track.treatment_changes import (
    RevisionRules,
    note_change,
    revise_for_treatment,
)
from secondread.track.values import TreatmentEntry

_NODE = "node"
_DEFAULT_RULES = RevisionRules()


class KnownTreatment(NamedTuple):
    """A treatment, whose it is, and the number by which it can be removed."""

    number: int
    patient: PatientKey
    treatment: TreatmentEntry
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

    def add(
        self,
        patient: PatientKey,
        treatment: TreatmentEntry,
        now: datetime,
        by: str = _NODE,
        rules: RevisionRules = _DEFAULT_RULES,
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
        with self._database.writing() as session:
            row = find_patient(session, patient)
            session.refresh(row, with_for_update=True)
            if treatment in _of(session, row.id):
                return False
            added = Treatment(
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
            note_change(session, added, now, by, added=True)
            session.flush()
            revise_for_treatment(session, row.id, treatment.started_on, now, rules)
            return True

    def remove(
        self, number: int, now: datetime, by: str, rules: RevisionRules = _DEFAULT_RULES
    ) -> None:
        """Strike a treatment out, by its number; recent studies that it concerned become due.

        Raises
        ------
        InputError
            There is no treatment of that number.
        """
        with self._database.writing() as session:
            row = session.get(Treatment, number, with_for_update=True)
            if row is None:
                raise InputError(f"there is no treatment {number}")
            note_change(session, row, now, by, added=False)
            session.delete(row)
            session.flush()
            revise_for_treatment(session, row.patient, row.started_on, now, rules)

    def list_treatments(
        self, limit: int, patient: PatientKey | None = None
    ) -> list[KnownTreatment]:
        """Return treatments by patient, earliest first; at most so many."""
        statement = (
            select(Treatment, Patient)
            .join(Patient, Treatment.patient == Patient.id)
            .order_by(
                Patient.patient_id, Patient.issuer, Treatment.started_on.nulls_first(), Treatment.id
            )
            .limit(limit)
        )
        with self._database.reading() as session:
            if patient is not None:
                known = known_patient(session, patient)
                statement = statement.where(Treatment.patient == (known.id if known else None))
            return [
                KnownTreatment(
                    row.id, PatientKey(whose.patient_id, whose.issuer), _entry(row), row.recorded_at
                )
                for row, whose in session.execute(statement)
            ]

    def of_study(self, study_uid: str) -> list[TreatmentEntry]:
        """Return what is known of the treatments of a study's patient, earliest first."""
        with self._database.reading() as session:
            patient = session.scalar(select(Study.patient).where(Study.study_uid == study_uid))
            return [] if patient is None else _of(session, patient)

    def studies_of(self, patient: PatientKey) -> list[str]:
        """Return the studies of a patient, latest first, to ask for new readings of them."""
        with self._database.reading() as session:
            known = known_patient(session, patient)
            if known is None:
                return []
            statement = (
                select(Study.study_uid)
                .where(Study.patient == known.id)
                .order_by(Study.study_date.desc().nulls_last(), Study.study_uid)
            )
            return list(session.scalars(statement))


def _of(session: Session, patient: int) -> list[TreatmentEntry]:
    rows = session.scalars(
        select(Treatment)
        .where(Treatment.patient == patient)
        .order_by(Treatment.started_on.nulls_first(), Treatment.id)
    )
    return [_entry(row) for row in rows]


def _entry(row: Treatment) -> TreatmentEntry:
    return TreatmentEntry(
        side=row.side,
        procedure=row.procedure,
        started_on=row.started_on,
        ended_on=row.ended_on,
        site=row.site,
        source=row.source,
    )
