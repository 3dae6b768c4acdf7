"""The declarative base, the column types, and how a row becomes a value and a value a row.

The column types mean the same on SQLite and PostgreSQL.
"""

import secrets
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    Dialect,
    Index,
    MetaData,
    String,
    Text,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from secondread.reasons import Reason

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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

    impl = String
    cache_ok = True

    def __init__(self, enum: type[EnumT], length: int = 40) -> None:
        super().__init__(length)
        self.enum, self.length = enum, length

    def process_bind_param(self, value: EnumT | None, dialect: Dialect) -> str | None:
        """Return the member's value; another string raises `ValueError`."""
        return None if value is None else str(self.enum(value).value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> EnumT | None:
        """Return the member."""
        return None if value is None else self.enum(value)


Document = JSON().with_variant(JSONB(), "postgresql")
"""A JSON value."""


class ReasonList(TypeDecorator[tuple[Reason, ...]]):
    """Reasons, stored as a JSON list of their codes."""

    impl = Document
    cache_ok = True

    def process_bind_param(self, value: Sequence[Reason] | None, dialect: Dialect) -> Any:  # noqa: ANN401  (JSON)
        """Return the codes."""
        return None if value is None else [reason.value for reason in value]

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Reason, ...] | None:  # noqa: ANN401
        """Return the reasons."""
        return None if value is None else tuple(Reason(code) for code in value)


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
        tuple[Reason, ...]: ReasonList,
        dict[str, Any]: Document,
        list[str]: Document,
    }


def draw_claim() -> str:
    """Return a name for a claim that no other claim ever has."""
    return secrets.token_hex(16)


def index_some(name: str, *columns: str, where: str) -> Index:
    """Return an index of the rows that meet a condition, in SQL that both databases read.

    A query uses it only if it has the same condition, its values written out and not bound.
    """
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


class Leased:
    """The columns of a row that a worker takes on for a limited time."""

    claim: Mapped[str | None] = mapped_column(String(64))
    """Names the claim that holds the lease: an answer under another name is an old worker's."""
    leased_by: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[datetime | None]

    def lease(self, claim: str, worker: str, until: datetime) -> None:
        """Give the row to a worker."""
        self.claim, self.leased_by, self.lease_until = claim, worker, until

    def release(self) -> None:
        """End the lease."""
        self.claim = self.leased_by = self.lease_until = None

    @classmethod
    def can_be_claimed(cls, worker: str, now: datetime) -> ColumnElement[bool]:
        """Whether no lease keeps a worker from a row: its own ones do not.

        A worker has one thread for each queue; when that asks for more, it has left what it held:
        it was killed and started again, say, or could not write down what came of it.
        """
        return or_(cls.lease_until.is_(None), cls.lease_until <= now, cls.leased_by == worker)


class Dismissible:
    """The columns of a row that a person may have done with, for a reason."""

    dismissed_at: Mapped[datetime | None]
    dismissed_by: Mapped[str | None] = mapped_column(String(80))
    dismiss_reason: Mapped[str | None] = mapped_column(Text)
    """In that person's words."""

    def dismiss(self, by: str, reason: str, now: datetime) -> None:
        """Have it call for nobody's attention any more."""
        self.dismissed_at, self.dismissed_by, self.dismiss_reason = now, by, reason

    def recall(self) -> None:
        """Have it call for attention again."""
        self.dismissed_at = self.dismissed_by = self.dismiss_reason = None


ValueT = TypeVar("ValueT", bound="DataclassInstance")


def from_row(kind: type[ValueT], row: Base, **others: object) -> ValueT:
    """Return a value: its fields are the row's columns of the same names, and the others given.

    Raises
    ------
    AttributeError
        The row has no such column, and the field is not given.
    """
    names = (field.name for field in fields(kind) if field.name not in others)
    return kind(**{name: getattr(row, name) for name in names}, **others)


def as_columns(value: "DataclassInstance", *left_out: str) -> dict[str, Any]:
    """Return the fields of a value by name, as the columns of a row; some may be left out."""
    return {
        field.name: getattr(value, field.name)
        for field in fields(value)
        if field.name not in left_out
    }
