"""The audit trail in SQL: added to, sent on in order, and removed for its age."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update

from secondread.audit import AuditEvent
from secondread.track.database import TrackerPart
from secondread.track.tables import AuditMessageRow, PatientRow, StudyRow, from_row

WriteMessage = Callable[[AuditEvent, str], str]
"""Writes the message of an event, given the ID of its study's patient."""


@dataclass(frozen=True, slots=True)
class AuditMessage:
    """A recorded message."""

    id: int
    at: datetime
    kind: str
    user: str
    address: str
    study_uid: str
    process: str
    message: str
    is_sent: bool


class AuditMessages(TrackerPart):
    """The messages of the audit trail."""

    def add(
        self, process: str, events: Sequence[AuditEvent], write: WriteMessage, *, is_sent: bool
    ) -> None:
        """Record events of a process, with the patients of their studies.

        Raises
        ------
        TransientError
            The database did not answer; nothing is recorded.
        """
        uids = {event.study_uid for event in events}
        patients = select(StudyRow.study_uid, PatientRow.patient_id).join(
            PatientRow, StudyRow.patient == PatientRow.id
        )
        with self._database.begin_write() as session:
            found = session.execute(patients.where(StudyRow.study_uid.in_(uids)))
            by_study = {str(uid): str(patient) for uid, patient in found}
            session.add_all(
                AuditMessageRow(
                    at=event.at,
                    kind=event.kind.name.lower().replace("_", "-"),
                    user=event.user[:80],
                    address=event.address[:64],
                    study_uid=event.study_uid[:64],
                    process=process,
                    message=write(event, by_study.get(event.study_uid, "")),
                    is_sent=is_sent,
                )
                for event in events
            )

    def list_newest(self, most: int) -> list[AuditMessage]:
        """Return the newest messages, the last one first."""
        return self._list(select(AuditMessageRow).order_by(AuditMessageRow.id.desc()).limit(most))

    def list_unsent(self, process: str, most: int) -> list[AuditMessage]:
        """Return messages of a process that the syslog server has not been sent, in order."""
        unsent = AuditMessageRow.process == process, AuditMessageRow.is_sent.is_(False)
        return self._list(
            select(AuditMessageRow).where(*unsent).order_by(AuditMessageRow.id).limit(most)
        )

    def mark_sent(self, ids: Sequence[int]) -> None:
        """Note that messages have been sent."""
        with self._database.begin_write() as session:
            sent = update(AuditMessageRow).where(AuditMessageRow.id.in_(ids))
            session.execute(sent.values(is_sent=True))

    def remove_before(self, limit: datetime) -> None:
        """Remove messages that are older than an instant, sent or not."""
        with self._database.begin_write() as session:
            session.execute(delete(AuditMessageRow).where(AuditMessageRow.at < limit))

    def _list(self, query: object) -> list[AuditMessage]:
        with self._database.begin_read() as session:
            rows = session.scalars(query)  # type: ignore[call-overload]
            return [from_row(AuditMessage, row) for row in rows]
