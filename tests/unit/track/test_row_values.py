"""How a row becomes a value, and a value the columns of a row."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from secondread.track.tables import AlarmRow, as_columns, from_row
from secondread.track.values import Severity

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Value:
    kind: str
    severity: Severity
    raised_at: datetime
    age_seconds: float = 0.0


ROW = AlarmRow(
    kind="study-stuck",
    subject="1.2.3",
    severity=Severity.CRITICAL,
    detail="",
    raised_at=NOW,
    cleared_at=None,
)


def test_a_value_has_the_columns_of_its_fields_names_and_what_is_given_beside_them() -> None:
    value = from_row(Value, ROW, age_seconds=5.0)
    assert value == Value("study-stuck", Severity.CRITICAL, NOW, 5.0)


def test_a_field_that_is_neither_a_column_nor_given_is_an_error_even_with_a_default() -> None:
    with pytest.raises(AttributeError, match="age_seconds"):
        from_row(Value, ROW)


def test_the_columns_of_a_value_are_its_fields_but_those_left_out() -> None:
    value = Value("study-stuck", Severity.CRITICAL, NOW)
    assert as_columns(value, "age_seconds") == {
        "kind": "study-stuck",
        "severity": Severity.CRITICAL,
        "raised_at": NOW,
    }
