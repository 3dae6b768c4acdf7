"""The audit trail in SQL: added to, sent on in order, and removed for its age."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from secondread.audit import AuditEvent
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.tables import AuditMessageRow, ProcessRow, SeenSettingsRow, from_row


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

    def add(self, events: Sequence[AuditEvent]) -> None:
        """Record events that changed nothing in the database.

        Raises
        ------
        TransientError
            The database did not answer; nothing is recorded.
        """
        with self._database.begin_write() as session:
            for event in events:
                add_audit_event(session, event)

    def list_newest(self, most: int) -> list[AuditMessage]:
        """Return the newest messages, the last one first."""
        return self._list(select(AuditMessageRow).order_by(AuditMessageRow.id.desc()).limit(most))

    def adopt(self, sender: str, alive_since: datetime) -> int:
        """Take over what nobody will send: of commands, and of processes that are gone.

        Parameters
        ----------
        sender
            The process that sends it from now on. Of two that ask at once, each row is one's.
        alive_since
            Processes that have not shown since that they live are gone.
        """
        alive = select(ProcessRow.name).where(ProcessRow.beat_at >= alive_since)
        abandoned = update(AuditMessageRow).where(
            AuditMessageRow.is_sent.is_(False),
            AuditMessageRow.sender != sender,
            AuditMessageRow.sender.not_in(alive),
        )
        with self._database.begin_write() as session:
            taken = session.execute(abandoned.values(sender=sender).returning(AuditMessageRow.id))
            return len(taken.all())

    def list_unsent(self, sender: str, most: int) -> list[AuditMessage]:
        """Return messages that a process has to send to the syslog server, in order."""
        unsent = AuditMessageRow.is_sent.is_(False), AuditMessageRow.sender == sender
        return self._list(
            select(AuditMessageRow).where(*unsent).order_by(AuditMessageRow.id).limit(most)
        )

    def mark_sent(self, ids: Sequence[int]) -> None:
        """Note that messages have been sent."""
        with self._database.begin_write() as session:
            sent = update(AuditMessageRow).where(AuditMessageRow.id.in_(ids))
            session.execute(sent.values(is_sent=True))

    def remove_before(self, limit: datetime) -> int:
        """Remove messages that are older than an instant; return how many were never sent."""
        old = AuditMessageRow.at < limit
        unsent = select(func.count()).where(old, AuditMessageRow.is_sent.is_(False))
        with self._database.begin_write() as session:
            missed = session.scalar(unsent) or 0
            session.execute(delete(AuditMessageRow).where(old))
        return missed

    def exchange_settings(
        self, place: str, document: Mapping[str, str], now: datetime
    ) -> Mapping[str, str] | None:
        """Note the settings that a process was started with; return those before it.

        Returns
        -------
        mapping or None
            None where they are the first ones of this place.
        """
        values = {"place": place, "document": dict(document), "seen_at": now}
        with self._database.begin_write() as session:
            if insert_if_new(session, SeenSettingsRow, values):
                return None
            row = session.get_one(SeenSettingsRow, place, with_for_update=True)
            before = row.document
            if before != document:
                row.document, row.seen_at = dict(document), now
            return before

    def _list(self, query: object) -> list[AuditMessage]:
        with self._database.begin_read() as session:
            rows = session.scalars(query)  # type: ignore[call-overload]
            return [from_row(AuditMessage, row) for row in rows]
