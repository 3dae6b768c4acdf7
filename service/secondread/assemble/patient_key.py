"""The key of a patient, for everything that knows patients and reads no header."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PatientKey:
    """What identifies a patient: Patient ID together with its issuer, never the ID alone."""

    patient_id: str
    issuer: str
