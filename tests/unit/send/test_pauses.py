"""Pauses between attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread.send.pauses import FIRST_PAUSE_SECONDS, compute_pause


def test_pauses_double_until_the_maximum() -> None:
    assert [compute_pause(attempt, 100.0) for attempt in range(1, 8)] == [
        5,
        10,
        20,
        40,
        80,
        100,
        100,
    ]


@given(attempt=st.integers(1, 10**9), maximum=st.floats(0.01, 86400))
def test_no_pause_is_longer_than_the_maximum_nor_than_the_one_after_it(
    attempt: int, maximum: float
) -> None:
    here, after = compute_pause(attempt, maximum), compute_pause(attempt + 1, maximum)
    assert 0 < here <= after <= maximum


def test_a_maximum_below_the_first_pause_holds_from_the_start() -> None:
    assert compute_pause(1, 0.5) == 0.5 < FIRST_PAUSE_SECONDS


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        compute_pause(0, 60)
