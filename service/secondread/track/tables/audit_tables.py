"""The table of the audit trail: the one that may name patients beside what was done and by whom."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from secondread.track.tables.base import Base


class AuditMessageRow(Base):
    """A message of the audit trail, never changed; removed for its age."""

    __tablename__ = "audit_messages"
    __table_args__ = (Index(None, "at"), Index(None, "process", "is_sent"))

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    user: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64))
    process: Mapped[str] = mapped_column(String(80))
    """The process that recorded it, and sends it on."""
    message: Mapped[str] = mapped_column(Text)
    """XML after PS3.15 A.5."""
    is_sent: Mapped[bool]
    """Whether the syslog server has been sent it, or there is none."""
