"""Patients as the command line names them."""

from secondread.assemble.patient_key import PatientKey

PATIENT_HELP = "Patient ID, or ID^^^ISSUER where images name its issuer."


def format_patient(key: PatientKey) -> str:
    """Return a patient as `treatment_file.parse_patient` reads it."""
    return f"{key.patient_id}^^^{key.issuer}".removesuffix("^^^")
