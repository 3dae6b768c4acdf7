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
    """Fail so often, each time after the pause; return the instant of the last."""
    now = start
    for _ in range(number):
        now += attempts.compute_wait(address, now)
        attempts.fail(address, now)
    return now


def test_pauses_begin_after_some_failures_and_grow_up_to_a_minute() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES)
    pauses = []
    for _ in range(8):
        pauses.append(attempts.compute_wait(HERE, now))
        now = fail(attempts, 1, start=now)
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_asking_during_the_pause_does_not_prolong_it() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES)
    assert [attempts.compute_wait(HERE, now + 0.5) for _ in range(20)] == [0.5] * 20
    assert attempts.compute_wait(HERE, now + 1) == 0


def test_success_and_time_both_wipe_the_slate() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES + 3)
    attempts.succeed(HERE, now)
    assert attempts.compute_wait(HERE, now) == 0
    now = fail(attempts, FREE_FAILURES + 8, start=now)
    assert attempts.compute_wait(HERE, now) > 0
    assert attempts.compute_wait(HERE, now + FORGET_AFTER_SECONDS + 1) == 0


def test_addresses_do_not_pay_for_each_other_but_those_of_one_subscriber_do() -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES)
    assert attempts.compute_wait(HERE, now) > 0
    assert attempts.compute_wait("192.0.2.8", now) == 0
    for last in range(FREE_FAILURES):
        attempts.fail(f"2001:db8::{last:x}", now)
    assert attempts.compute_wait("2001:db8::ffff", now) > 0
    assert attempts.compute_wait("2001:db8:0:1::1", now) == 0


def test_a_crowd_is_slowed_down_and_who_got_in_lately_is_not() -> None:
    attempts = Attempts()
    attempts.succeed(HERE, 1000.0)
    strangers = (f"10.0.{n // 256}.{n % 256}" for n in count())
    for _ in range(FAILURES_OF_ALL):
        assert attempts.compute_wait("192.0.2.9", 1000.0) == 0
        attempts.fail(next(strangers), 1000.0)
    assert attempts.compute_wait("192.0.2.9", 1000.0) > 0
    assert attempts.compute_wait(HERE, 1000.0) == 0
    assert attempts.compute_wait("192.0.2.9", 1000.0 + 10) == 0


def test_the_memory_is_bounded() -> None:
    attempts = Attempts()
    for n in range(2 * MOST_ADDRESSES):
        attempts.fail(f"10.0.{n // 256}.{n % 256}", 1000.0 * n)
    assert len(attempts._records) == MOST_ADDRESSES


@pytest.mark.parametrize("address", ["", "no address", "testclient"])
def test_callers_without_an_address_are_one(address: str) -> None:
    attempts = Attempts()
    now = fail(attempts, FREE_FAILURES, "unix socket")
    assert attempts.compute_wait(address, now) > 0
