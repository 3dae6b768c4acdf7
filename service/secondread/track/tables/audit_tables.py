"""The table of the audit trail: the one that may name patients beside what was done and by whom."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from secondread.track.tables.base import Base, Document


class AuditMessageRow(Base):
    """A message of the audit trail, never changed; removed for its age."""

    __tablename__ = "audit_messages"
    __table_args__ = (
        Index(None, "at"),
        Index(None, "is_sent", "sender"),
        Index(None, "study_uid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    user: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64))
    process: Mapped[str] = mapped_column(String(80))
    """The process that recorded it."""
    sender: Mapped[str] = mapped_column(String(80))
    """The process that sends it on; empty where nobody has taken that over yet."""
    message: Mapped[str] = mapped_column(Text)
    """XML after PS3.15 A.5."""
    is_sent: Mapped[bool]
    """Whether the syslog server has been sent it, or there is none."""


class SeenSettingsRow(Base):
    """The settings that the processes of one machine and data folder were last started with."""

    __tablename__ = "seen_settings"

    place: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Digest of machine and data folder."""
    document: Mapped[dict[str, str]] = mapped_column(Document)
    """Each setting by its key, without passwords."""
    seen_at: Mapped[datetime]
