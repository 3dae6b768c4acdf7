"""Tables of what leaves, and of what archives are asked for: priors, and where they stand."""

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from secondread.reasons import Reason
from secondread.send.fetch_queue import FetchKind
from secondread.settings import DestinationMode, ObjectKind, Proof
from secondread.track.states import (
    UNDELIVERED,
    CommitmentState,
    DeliveryState,
    FetchState,
)
from secondread.track.tables.base import Base, Digest, EnumText, Leased, Uid, index_some

IS_UNDELIVERED = f"state IN ({', '.join(repr(state.value) for state in UNDELIVERED)})"
"""The condition of indexes that hold what is still owed; `is_undelivered` is it in queries."""


class DestinationRow(Base):
    """A destination's mode; its address and profile are in the settings."""

    __tablename__ = "destinations"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    mode: Mapped[DestinationMode] = mapped_column(EnumText(DestinationMode))
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(80))


class DestinationChangeRow(Base):
    """The audit trail of a destination's mode."""

    __tablename__ = "destination_changes"
    __table_args__ = (Index(None, "destination"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    destination: Mapped[str] = mapped_column(ForeignKey("destinations.name"))
    old_mode: Mapped[DestinationMode | None] = mapped_column(EnumText(DestinationMode))
    """None where the settings seeded it."""
    new_mode: Mapped[DestinationMode] = mapped_column(EnumText(DestinationMode))
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(80))


class OutboxObjectRow(Base):
    """One result object: written once, and from then on only these bytes are sent."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("revision", "profile", "kind", "index"),
        Index(None, "study_uid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    revision: Mapped[int] = mapped_column(ForeignKey("revisions.id"))
    profile: Mapped[str] = mapped_column(String(80))
    kind: Mapped[ObjectKind] = mapped_column(EnumText(ObjectKind))
    index: Mapped[int]
    """Position among the objects of this kind, from 0."""
    sop_class_uid: Mapped[str] = mapped_column(Uid)
    series_uid: Mapped[str] = mapped_column(Uid)
    sop_instance_uid: Mapped[str] = mapped_column(Uid, unique=True)
    source_uid: Mapped[str | None] = mapped_column(Uid)
    """The image it is drawn on; None when it is about the study."""
    path: Mapped[str] = mapped_column(Text)
    """Relative to the outbox folder."""
    sha256: Mapped[str] = mapped_column(Digest)
    """Of the whole file."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    written_at: Mapped[datetime]


class DeliveryRow(Leased, Base):
    """One object on its way to one destination."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("outbox", "destination"),
        index_some("ix_deliveries_leased_by", "leased_by", where="leased_by IS NOT NULL"),
        Index(None, "destination", "state", "due_at"),
        Index(None, "claim"),
        index_some(
            "ix_deliveries_delivered",
            "destination",
            "delivered_at",
            where="delivered_at IS NOT NULL",
        ),
        # Of each destination: the oldest that waits, and that waits for its proof, and the errors.
        index_some("ix_deliveries_waiting", "destination", "created_at", where=IS_UNDELIVERED),
        index_some(
            "ix_deliveries_unproven",
            "destination",
            "first_stored_at",
            where=f"first_stored_at IS NOT NULL AND {IS_UNDELIVERED}",
        ),
        index_some(
            "ix_deliveries_failed",
            "destination",
            "due_at",
            where=f"last_error IS NOT NULL AND {IS_UNDELIVERED}",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    outbox: Mapped[int] = mapped_column(ForeignKey("outbox.id"))
    destination: Mapped[str] = mapped_column(ForeignKey("destinations.name"))
    state: Mapped[DeliveryState] = mapped_column(EnumText(DeliveryState))
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    last_status: Mapped[int | None]
    """DIMSE status of the latest answer; None where there was none."""
    last_error: Mapped[str | None] = mapped_column(Text)
    delivered_at: Mapped[datetime | None]
    proof: Mapped[Proof | None] = mapped_column(EnumText(Proof))
    first_stored_at: Mapped[datetime | None]
    """When the destination first answered that it stored it, where another proof is asked for."""
    stored_at: Mapped[datetime | None]
    """When it last answered so."""
    proof_asked: Mapped[int] = mapped_column(default=0)
    """How often the proof was asked for since then."""
    proof_refused: Mapped[int] = mapped_column(default=0)
    """How often the destination answered that it does not hold what it had stored."""


class CommitmentRow(Base):
    """One storage commitment transaction (PS3.4 J): asked once, answered whenever."""

    __tablename__ = "commitments"
    __table_args__ = (Index(None, "destination", "state", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_uid: Mapped[str] = mapped_column(Uid, unique=True)
    destination: Mapped[str] = mapped_column(ForeignKey("destinations.name"))
    state: Mapped[CommitmentState] = mapped_column(EnumText(CommitmentState))
    requested_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """When another one is asked for, if there was no report."""
    reported_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why the request was not taken."""


class CommitmentItemRow(Base):
    """One object that a transaction asks about."""

    __tablename__ = "commitment_items"
    __table_args__ = (Index(None, "delivery"),)

    commitment: Mapped[int] = mapped_column(ForeignKey("commitments.id"), primary_key=True)
    delivery: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    committed: Mapped[bool | None]
    """Whether the report commits it; None before the report, and where it omits the object."""
    failure_reason: Mapped[int | None]
    """Failure Reason (0008,1197) of an object that was refused."""


class FetchRequestRow(Leased, Base):
    """One question to one archive: which priors it has for a study, or for one of them."""

    __tablename__ = "prior_requests"
    __table_args__ = (
        UniqueConstraint("study_uid", "source", "prior_study_uid"),
        index_some("ix_prior_requests_leased_by", "leased_by", where="leased_by IS NOT NULL"),
        Index(None, "source", "state", "due_at"),
        Index(None, "source", "claimed_at"),
        Index(None, "prior_study_uid"),
        Index(None, "settles_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    """The study that is to be compared."""
    source: Mapped[str] = mapped_column(String(40))
    """Name of the archive in the settings."""
    kind: Mapped[FetchKind] = mapped_column("errand", EnumText(FetchKind))
    prior_study_uid: Mapped[str] = mapped_column(Uid)
    """The study that is wanted; empty for a query. It need not be in `studies` yet."""
    prior_study_date: Mapped[date | None]
    series: Mapped[list[str]] = mapped_column(default=list)
    """The series that are wanted of it; empty: all."""
    state: Mapped[FetchState] = mapped_column(EnumText(FetchState))
    reason: Mapped[Reason | None] = mapped_column(EnumText(Reason))
    """Why there is nothing yet, or nothing to use."""
    detail: Mapped[str | None] = mapped_column(Text)
    """The same in words, for a page: it may quote the archive."""
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """When it is asked next."""
    gives_up_at: Mapped[datetime]
    settles_at: Mapped[datetime | None]
    """When the images that came of it are looked at; each that comes moves it."""
    claimed_at: Mapped[datetime | None]
    """When it was last claimed, which tells whose turn it is."""
    finished_at: Mapped[datetime | None]
