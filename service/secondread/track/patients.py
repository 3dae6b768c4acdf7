"""Who a patient is: a row for each ID and issuer, the only place where an identity stands."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.mammogram import PatientKey
from secondread.track.database import insert_new
from secondread.track.tables import Patient


def find_patient(session: Session, key: PatientKey) -> Patient:
    """Return a patient's row, made if need be."""
    columns = {"patient_id": key.patient_id, "issuer": key.issuer}
    find = select(Patient).filter_by(**columns)
    known = session.scalars(find).one_or_none()
    if known is None:
        insert_new(session, Patient, columns)
        known = session.scalars(find).one()
    return known
