"""The declarative base, and the column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import JSON, DateTime, Dialect, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints: every one has a name, so that a migration can drop it on SQLite too."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, in UTC on the way in and on the way out; naive values are refused.

    PostgreSQL stores ``timestamptz``; SQLite stores text of fixed width, whose order is the order
    of the instants because all are in UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant without a time zone cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


EnumT = TypeVar("EnumT", bound=StrEnum)


class EnumText(TypeDecorator[EnumT], Generic[EnumT]):
    """A member of a `StrEnum`, stored as its value, which is readable in any SQL tool.

    There is no CHECK constraint: a new member must not need a migration, or an old worker could
    not run on the new schema.
    """

    impl = String(40)
    cache_ok = True

    def __init__(self, enum: type[EnumT]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: EnumT | None, dialect: Dialect) -> str | None:
        """Return the member's value; a string that is none raises `ValueError`."""
        return None if value is None else str(self.enum(value).value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> EnumT | None:
        """Return the member."""
        return None if value is None else self.enum(value)


Document = JSON().with_variant(JSONB(), "postgresql")
"""A JSON value."""

Uid = String(64)
"""A DICOM UID: at most 64 characters (PS3.5 9.1)."""

Digest = String(64)
"""A SHA-256 in hexadecimal."""

AeText = String(64)
"""What a peer calls itself; longer than an AE title may be, because peers send anything."""


class Base(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    # Not `dict[str, Any]` in each column: one word, one storage type.
    type_annotation_map = {  # noqa: RUF012  (declared by SQLAlchemy as an instance-like ClassVar)
        datetime: UtcDateTime,
        dict[str, Any]: Document,
        list[str]: Document,
    }
