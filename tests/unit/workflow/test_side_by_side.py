"""Jobs that run side by side, and functions that remember their calls."""

import threading
from functools import partial

import pytest

from secondread.workflow.remembered import Remembered
from secondread.workflow.side_by_side import SideBySide, run_all


def meet(barrier: threading.Barrier, name: str) -> str:
    barrier.wait(10)
    return name


def fail(message: str) -> str:
    raise ValueError(message)


def test_jobs_that_were_begun_run_beside_the_one_that_is_waited_for() -> None:
    both, jobs = threading.Barrier(2), SideBySide[str](2)
    jobs.begin("a", partial(meet, both, "a"))
    jobs.begin("b", partial(meet, both, "b"))

    assert jobs.finish("b", partial(fail, "not again")) == "b"
    assert jobs.finish("a", partial(fail, "not again")) == "a"
    jobs.close()


def test_a_job_that_failed_fails_its_own_wait_and_runs_anew_at_the_next() -> None:
    jobs = SideBySide[str](2)
    jobs.begin("a", partial(fail, "the disk is full"))
    jobs.begin("b", lambda: "b")

    with pytest.raises(ValueError, match="full"):
        jobs.finish("a", lambda: "a")
    assert jobs.finish("b", partial(fail, "not again")) == "b"
    assert jobs.finish("a", lambda: "a") == "a"
    jobs.close()


def test_what_has_not_begun_when_they_are_closed_never_runs() -> None:
    begun, release, ran = threading.Event(), threading.Event(), list[str]()
    jobs = SideBySide[None](1)

    def hold() -> None:
        begun.set()
        release.wait(10)
        ran.append("a")

    jobs.begin("a", hold)
    jobs.begin("b", lambda: ran.append("b"))
    assert begun.wait(10)
    threading.Timer(0.05, release.set).start()
    jobs.close()

    assert ran == ["a"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_answers_come_in_the_order_of_the_jobs(at_once: int) -> None:
    assert run_all([partial(str, n) for n in range(5)], at_once) == ["0", "1", "2", "3", "4"]
    with pytest.raises(ValueError, match="first"):
        run_all([partial(fail, "first"), partial(fail, "second")], at_once)


def test_a_function_is_called_once_for_equal_arguments() -> None:
    calls: list[tuple[list[int], int]] = []

    def add(values: list[int], more: int = 0) -> int:
        calls.append((values, more))
        return sum(values) + more

    remembered = Remembered(add)

    assert [remembered([1, 2]), remembered([1, 2]), remembered([1, 2], more=1)] == [3, 3, 4]
    assert calls == [([1, 2], 0), ([1, 2], 1)]
    for number in range(20):
        remembered([number])
    assert remembered([1, 2]) == 3
    assert calls[-1] == ([1, 2], 0)
