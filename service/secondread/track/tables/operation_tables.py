"""Tables of the running node: processes, associations, refusals, alarms."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from secondread.accept.ledger import RefusalKind
from secondread.reasons import Reason
from secondread.track.tables.base import AeText, Base, Dismissible, EnumText, Leased, Uid
from secondread.track.values import Severity


class AlarmRow(Dismissible, Base):
    """Something that a person has to look at, until it is cleared."""

    __tablename__ = "alarms"
    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        Index(None, "cleared_at"),
        Index(None, "subject"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    """What is wrong, as a short name: ``delivery-overdue``."""
    subject: Mapped[str] = mapped_column(String(120))
    """With what: a study UID, a destination, a process."""
    severity: Mapped[Severity] = mapped_column(EnumText(Severity))
    detail: Mapped[str] = mapped_column(Text)
    """For people; no patient data."""
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]


class RefusalRow(Dismissible, Base):
    """What was refused, counted; one row for all refusals that are alike."""

    __tablename__ = "refusals"
    __table_args__ = (
        UniqueConstraint(
            "what",
            "reason",
            "calling_ae_title",
            "called_ae_title",
            "address",
            "sop_class_uid",
            "transfer_syntax",
            # Fits the 63 characters that PostgreSQL allows a name.
            name="uq_refusals_alike",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RefusalKind] = mapped_column("what", EnumText(RefusalKind, 32))
    reason: Mapped[Reason] = mapped_column(EnumText(Reason))
    calling_ae_title: Mapped[str] = mapped_column(AeText)
    called_ae_title: Mapped[str] = mapped_column(AeText)
    address: Mapped[str] = mapped_column(String(64))
    sop_class_uid: Mapped[str] = mapped_column(Uid)
    transfer_syntax: Mapped[str] = mapped_column(Uid)
    count: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class ArrivalCheckRow(Leased, Base):
    """The comparison of an archive's list of mammography studies with what has arrived."""

    __tablename__ = "arrival_checks"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Name of the archive."""
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    """Since the last comparison."""
    checked_at: Mapped[datetime | None]
    """When the last comparison was made."""
    listed: Mapped[int | None]
    """How many studies it listed then."""
    unreadable: Mapped[int | None]
    """How many of its answers said nothing."""
    last_error: Mapped[str | None] = mapped_column(Text)
    """Why the latest attempt failed, if it did."""


class MissingStudyRow(Base):
    """A mammography study that an archive lists and that never arrived; nothing of a patient."""

    __tablename__ = "missing_studies"
    __table_args__ = (Index(None, "source", "study_date"),)

    study_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    source: Mapped[str] = mapped_column(String(40))
    """Name of the archive that listed it first."""
    study_date: Mapped[date]
    first_listed_at: Mapped[datetime]
    last_listed_at: Mapped[datetime]
    ignored_at: Mapped[datetime | None]
    """When a person had it not count."""
    ignored_by: Mapped[str | None] = mapped_column(String(80))
    ignore_reason: Mapped[str | None] = mapped_column(Text)


class OpenAssociationRow(Base):
    """An association that is open now."""

    __tablename__ = "open_associations"
    __table_args__ = (Index(None, "receiver"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    receiver: Mapped[str] = mapped_column(String(80))
    """Name of the process that holds it."""
    peer: Mapped[str] = mapped_column(AeText)
    address: Mapped[str] = mapped_column(String(64))
    opened_at: Mapped[datetime]


class AssociationStudyRow(Base):
    """A study that an open association has delivered to."""

    __tablename__ = "association_studies"
    __table_args__ = (Index(None, "study_uid"),)

    association: Mapped[str] = mapped_column(
        ForeignKey("open_associations.id", ondelete="CASCADE"), primary_key=True
    )
    study_uid: Mapped[str] = mapped_column(Uid, primary_key=True)


class ProcessRow(Base):
    """A process of the node, and when its last heartbeat was."""

    __tablename__ = "processes"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
