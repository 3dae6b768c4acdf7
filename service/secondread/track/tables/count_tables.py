"""The table of counts: how many studies, deliveries and requests there are in each state."""

from enum import StrEnum

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from secondread.track.tables.base import Base, EnumText


class Counted(StrEnum):
    """What is counted in each state."""

    STUDIES = "studies"
    """By outcome, empty where there is none."""
    DELIVERIES = "deliveries"
    """By destination."""
    WARNED_DELIVERIES = "warned_deliveries"
    """Those that were stored with a warning, in no state, by destination."""
    FETCH_REQUESTS = "prior_requests"
    """By source."""


class CountChangeRow(Base):
    """A change of a count; a count is the sum of its changes.

    Triggers of the database add them to the transaction that makes them true. No row is ever
    changed, so that transactions do not wait for each other; `Counts.fold` replaces many by their
    sum.
    """

    __tablename__ = "count_changes"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    counted: Mapped[Counted] = mapped_column(EnumText(Counted))
    state: Mapped[str] = mapped_column(String(40))
    label: Mapped[str] = mapped_column(String(40))
    """What else it is counted by: see `Counted`."""
    change: Mapped[int]
