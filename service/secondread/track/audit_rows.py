"""Events of the audit trail, recorded in the transaction of what they are about.

So neither is there without the other: what was changed is on record, and what is on record was
changed.
"""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from secondread.audit import AuditEvent, Journal
from secondread.track.database import JOURNAL
from secondread.track.tables import AuditMessageRow, PatientRow, StudyRow


def add_audit_event(session: Session, event: AuditEvent) -> None:
    """Record an event in the caller's transaction, unless the settings want no audit trail."""
    journal: Journal | None = session.info.get(JOURNAL)
    if journal is None:
        return
    patient_id = "" if event.patient_id else _find_patient_id(session, event.study_uid)
    session.add(
        AuditMessageRow(
            at=event.at,
            kind=event.kind.value,
            user=event.user[:80],
            address=event.address[:64],
            study_uid=event.study_uid[:64],
            process=journal.process,
            sender=journal.sender,
            message=journal.write(event, patient_id),
            is_sent=journal.is_sent,
        )
    )


# Built once: it is asked for each study that an association brings something of.
_PATIENT_ID = (
    select(PatientRow.patient_id)
    .join(StudyRow, StudyRow.patient == PatientRow.id)
    .where(StudyRow.study_uid == bindparam("study_uid"))
)


def _find_patient_id(session: Session, study_uid: str) -> str:
    return (session.scalar(_PATIENT_ID, {"study_uid": study_uid}) or "") if study_uid else ""
