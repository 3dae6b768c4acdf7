"""Tables of the devices that made the exams, and of how their exams were read."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from secondread.track.tables.base import Base, Digest


class DeviceRow(Base):
    """A kind of mammography unit, by maker and model."""

    __tablename__ = "devices"
    __table_args__ = (UniqueConstraint("manufacturer", "model"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    manufacturer: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)


class DeviceReadingRow(Base):
    """The first reading of an exam that a device made."""

    __tablename__ = "device_readings"
    __table_args__ = (
        UniqueConstraint("revision"),
        # The latest of a device that one model scored.
        Index(None, "device", "model_digest", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[int] = mapped_column(ForeignKey("devices.id"))
    revision: Mapped[int] = mapped_column(ForeignKey("revisions.id"))
    model_digest: Mapped[str] = mapped_column(Digest)
    """The detector's."""
    exam_score: Mapped[float]
    """0-100."""
    shown: Mapped[int]
    """Findings that it showed; what several images show counts once."""
    read_at: Mapped[datetime]
