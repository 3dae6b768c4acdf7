"""Patients as the command line names them."""

import getpass

from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind
from secondread.clock import utc_now
from secondread.track.tracker import Tracker

PATIENT_HELP = "Patient ID, or ID^^^ISSUER where images name its issuer."


def format_patient(key: PatientKey) -> str:
    """Return a patient as `treatment_file.parse_patient` reads it."""
    return f"{key.patient_id}^^^{key.issuer}".removesuffix("^^^")


def record_patients_listed(tracker: Tracker, words: str) -> None:
    """Write into the audit trail that somebody had patient IDs listed, as a search of the pages."""
    user, now = getpass.getuser()[:80], utc_now()
    tracker.audit_messages.add([AuditEvent(AuditKind.SEARCHED, now, user, query=words.encode())])
