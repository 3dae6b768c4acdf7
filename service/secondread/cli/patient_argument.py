"""Patients as the command line names them."""

from secondread.assemble.patient_key import PatientKey
from secondread.followup.treatment_file import parse_patient_key

PATIENT_HELP = "Patient ID, or ID^^^ISSUER where images name its issuer."


def format_patient(key: PatientKey) -> str:
    """Return a patient as `parse_patient` reads it."""
    return f"{key.patient_id}^^^{key.issuer}".removesuffix("^^^")


def parse_patient(text: str) -> PatientKey:
    """Return the patient that a person names as ``ID`` or ``ID^^^ISSUER``, as HL7 writes it.

    Raises
    ------
    InputError
        There is no ID in it.
    """
    patient_id, _, issuer = text.partition("^^^")
    return parse_patient_key(patient_id.strip(), issuer.strip())
