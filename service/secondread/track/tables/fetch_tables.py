"""The table of what archives are asked for: queries for priors, and the priors wanted of them."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from secondread.reasons import Reason
from secondread.send.fetch_queue import FetchKind
from secondread.track.states import FetchState
from secondread.track.tables.base import Base, EnumText, Uid


class FetchRequestRow(Base):
    """One question to one archive: which priors it has for a study, or for one of them."""

    __tablename__ = "prior_requests"
    __table_args__ = (
        UniqueConstraint("study_uid", "source", "prior_study_uid"),
        Index(None, "source", "state", "due_at"),
        Index(None, "prior_study_uid"),
        Index(None, "settles_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(Uid, ForeignKey("studies.study_uid"))
    """The study that is to be compared."""
    source: Mapped[str] = mapped_column(String(40))
    """Name of the archive in the settings."""
    errand: Mapped[FetchKind] = mapped_column(EnumText(FetchKind))
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
    claim: Mapped[str | None] = mapped_column(String(64))
    """Names the claim that holds the lease: an answer under another name is an old worker's."""
    leased_by: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
