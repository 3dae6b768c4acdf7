"""Column types and the meaning of driver errors, without a database."""

import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from secondread.errors import InputError, SecondreadError, StorageFullError, TransientError
from secondread.track.database import translate_driver_errors
from secondread.track.states import StudyState
from secondread.track.tables.base import EnumText, UtcDateTime

DIALECT = sqlite.dialect()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        UtcDateTime().process_bind_param(NOON.replace(tzinfo=None), DIALECT)


def test_an_instant_of_another_zone_is_stored_in_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=-5)))
    bound = UtcDateTime().process_bind_param(there, DIALECT)
    assert bound is not None
    assert (bound.hour, bound.utcoffset()) == (12, timedelta(0))


def test_a_naive_value_from_the_driver_becomes_utc() -> None:
    read = UtcDateTime().process_result_value(NOON.replace(tzinfo=None), DIALECT)
    assert read == NOON


def test_a_word_that_is_no_member_is_not_stored() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        EnumText(StudyState).process_bind_param("nonsense", DIALECT)  # type: ignore[arg-type]


def locked() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("database is locked")


def full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return error


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OperationalError("SELECT 1", {}, locked()), TransientError),
        (OperationalError("SELECT 1", {}, full()), StorageFullError),
        (PoolTimeoutError(), TransientError),
        (DataError("INSERT", {}, Exception("value too long")), InputError),
        (
            IntegrityError("INSERT", {}, Exception("gone"), connection_invalidated=True),
            TransientError,
        ),
    ],
)
def test_a_drivers_error_says_what_happens_next(
    raised: Exception, expected: type[SecondreadError]
) -> None:
    with pytest.raises(expected) as caught, translate_driver_errors():
        raise raised
    assert type(caught.value) is expected


def test_the_message_does_not_repeat_a_rows_values() -> None:
    error = DataError("INSERT", {"patient_id": "P1"}, Exception("too long: P1"))
    with pytest.raises(InputError) as caught, translate_driver_errors():
        raise error
    assert "P1" not in str(caught.value)


def test_a_broken_constraint_is_our_bug_and_stays_what_it_is() -> None:
    with pytest.raises(IntegrityError), translate_driver_errors():
        raise IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed"))
