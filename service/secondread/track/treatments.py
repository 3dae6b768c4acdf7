"""What is known of a patient's treatments."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.mammogram import PatientKey
from secondread.track.database import Database
from secondread.track.patients import find_patient
from secondread.track.tables import Patient, Study, Treatment
from secondread.track.values import TreatmentEntry


class Treatments:
    """The treatments of all patients.

    Parameters
    ----------
    database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, patient: PatientKey, treatment: TreatmentEntry, now: datetime) -> bool:
        """Write a treatment down; say whether it was not known.

        The patient need not have a study yet.
        """
        with self._database.writing() as session:
            row = find_patient(session, patient)
            session.refresh(row, with_for_update=True)
            if treatment in _of(session, row.id):
                return False
            session.add(
                Treatment(
                    patient=row.id,
                    side=treatment.side,
                    procedure=treatment.procedure,
                    started_on=treatment.started_on,
                    ended_on=treatment.ended_on,
                    site=treatment.site,
                    source=treatment.source,
                    recorded_at=now,
                )
            )
            return True

    def of_study(self, study_uid: str) -> list[TreatmentEntry]:
        """Return what is known of the treatments of a study's patient, earliest first."""
        with self._database.reading() as session:
            patient = session.scalar(select(Study.patient).where(Study.study_uid == study_uid))
            return [] if patient is None else _of(session, patient)

    def studies_of(self, patient: PatientKey) -> list[str]:
        """Return the studies of a patient, latest first, to ask for new readings of them."""
        statement = (
            select(Study.study_uid)
            .join(Patient, Study.patient == Patient.id)
            .filter(Patient.patient_id == patient.patient_id, Patient.issuer == patient.issuer)
            .order_by(Study.study_date.desc().nulls_last(), Study.study_uid)
        )
        with self._database.reading() as session:
            return list(session.scalars(statement))


def _of(session: Session, patient: int) -> list[TreatmentEntry]:
    rows = session.scalars(
        select(Treatment)
        .where(Treatment.patient == patient)
        .order_by(Treatment.started_on.nulls_first(), Treatment.id)
    )
    return [
        TreatmentEntry(
            side=row.side,
            procedure=row.procedure,
            started_on=row.started_on,
            ended_on=row.ended_on,
            site=row.site,
            source=row.source,
        )
        for row in rows
    ]
