from itertools import count

import pytest

from secondread.watch.attempts import (
    FAILURES_OF_ALL,
    FORGET_AFTER_SECONDS,
    FREE_FAILURES,
    LONGEST_PAUSE_SECONDS,
    MOST_ADDRESSES,
    Attempts,
)

HERE = "192.0.2.7"


def fail(attempts: Attempts, number: int, address: str = HERE, start: float = 1000.0) -> float:
    """Fail so often, each time after the pause; return the instant after the last."""
    now = start
    for _ in range(number):
        while (wait := attempts.begin(address, now)) > 0:
            now += wait
    return now


def test_pauses_begin_after_some_failures_and_grow_up_to_a_minute() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES)
    pauses = []
    for _ in range(8):
        pauses.append(attempts.begin(HERE, now))
        now += pauses[-1]
        assert attempts.begin(HERE, now) == 0
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_an_attempt_during_the_pause_is_not_made_and_does_not_prolong_it() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES)
    assert [attempts.begin(HERE, now + 0.5) for _ in range(20)] == [0.5] * 20
    assert attempts.begin(HERE, now + 1) == 0


def test_many_attempts_at_the_same_moment_are_counted_before_any_is_answered() -> None:
    attempts = Attempts()
    waits = [attempts.begin(HERE, 1000.0) for _ in range(50)]
    assert waits.count(0) == FREE_FAILURES


def test_success_and_time_both_wipe_the_slate() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES + 3)
    attempts.succeed(HERE, now)
    assert attempts.begin(HERE, now) == 0
    now = fail(attempts, FREE_FAILURES + 8, start=now)
    assert attempts.begin(HERE, now) > 0
    assert attempts.begin(HERE, now + FORGET_AFTER_SECONDS + 1) == 0


def test_addresses_do_not_pay_for_each_other_but_those_of_one_subscriber_do() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES)
    assert attempts.begin(HERE, now) > 0
    assert attempts.begin("192.0.2.8", now) == 0
    for last in range(FREE_FAILURES):
        assert attempts.begin(f"2001:db8::{last:x}", now) == 0
    assert attempts.begin("2001:db8::ffff", now) > 0


def test_a_crowd_is_slowed_down_and_who_got_in_lately_is_not() -> None:
    attempts = Attempts()
    assert attempts.begin(HERE, 1000.0) == 0
    attempts.succeed(HERE, 1000.0)
    strangers = (f"10.{n // 65536}.{n // 256 % 256}.{n % 256}" for n in count())
    for _ in range(FAILURES_OF_ALL):
        assert attempts.begin(next(strangers), 1000.0) == 0
    assert attempts.begin(next(strangers), 1000.0) > 0
    assert attempts.begin(HERE, 1000.0) == 0
    assert attempts.begin(next(strangers), 1000.0 + 10) == 0


def test_the_memory_is_bounded() -> None:
    attempts = Attempts()
    for n in range(2 * MOST_ADDRESSES):
        attempts.begin(f"10.0.{n // 256}.{n % 256}", 1000.0 * n)
    assert len(attempts._records) == MOST_ADDRESSES


@pytest.mark.parametrize("address", ["", "no address", "testclient"])
def test_callers_without_an_address_are_one(address: str) -> None:
    attempts = Attempts()
    fail(attempts, FREE_FAILURES, "unix socket")
    assert attempts.begin(address, 1000.0) > 0
