"""Who waits for a commit notices it, of whichever connection, and nothing else."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from secondread.track.commit_marks import CommitMarks, PatientEvent
from secondread.track.migrate import upgrade_database
from secondread.track.tracker import Tracker


def test_a_mark_that_cannot_be_read_is_never_the_same_twice(tmp_path: Path) -> None:
    marks = CommitMarks(f"sqlite:///{tmp_path}/missing/tracker.sqlite", fresh_seconds=0)

    assert marks.read() != marks.read()


def test_a_database_that_is_back_has_a_mark_again(tmp_path: Path) -> None:
    folder = tmp_path / "late"
    marks = CommitMarks(f"sqlite:///{folder}/tracker.sqlite", fresh_seconds=0)
    before = marks.read()
    folder.mkdir()

    assert marks.read() == marks.read() != before


def test_threads_share_a_mark_for_a_moment(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tracker.sqlite"
    upgrade_database(url)
    tracker, marks = Tracker(url, tmp_path), CommitMarks(url, fresh_seconds=3600)
    before = marks.read()
    tracker.get_installation_id()

    assert marks.read() == before


class Waits(threading.Event):
    """Notes how long it is waited for, and does not wait; it is set after so many waits."""

    def __init__(self, set_after: int = 10_000) -> None:
        super().__init__()
        self.timeouts: list[float | None] = []
        self.set_after = set_after

    def wait(self, timeout: float | None = None) -> bool:
        self.timeouts.append(timeout)
        return len(self.timeouts) >= self.set_after


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [100.0]
    monkeypatch.setattr("secondread.track.commit_marks.time.monotonic", lambda: now[0])

    def set_clock(seconds: float) -> None:
        now[0] = seconds

    return set_clock


def test_a_short_wait_ends_with_a_commit_or_after_the_longest_time(
    clock: Callable[[float], None],
) -> None:
    marks = iter("aaaaabb")
    nudge = Waits()
    patient = PatientEvent(threading.Event(), lambda: next(marks), nudge)

    assert not patient.wait(0.1)
    assert not patient.wait(0.1)
    assert nudge.timeouts == [0.1] * 6

    def read_mark() -> str:
        clock(100 + PatientEvent.LONGEST_SECONDS)
        return "b"

    patient = PatientEvent(threading.Event(), read_mark, nudge)
    patient.wait(0.1)
    clock(100)
    patient.wait(0.1)
    assert len(nudge.timeouts) == 8


def test_for_some_time_after_a_nudge_short_waits_are_as_asked_for_and_then_long(
    clock: Callable[[float], None],
) -> None:
    nudge = Waits(set_after=1)
    patient = PatientEvent(threading.Event(), lambda: "a", nudge)

    patient.wait(0.1)
    nudge.set_after = 10_000
    for _ in range(3):
        patient.wait(0.1)
    assert len(nudge.timeouts) == 4

    clock(100 + PatientEvent.LIVELY_SECONDS)
    nudge.set_after = 50
    patient.wait(0.1)
    assert len(nudge.timeouts) == 50


def test_a_nudge_ends_one_short_wait_at_once() -> None:
    nudge = threading.Event()
    nudge.set()

    assert not PatientEvent(threading.Event(), lambda: "a", nudge).wait(0.4)
    assert not nudge.is_set()


def test_a_wait_says_when_its_thread_is_to_stop() -> None:
    stop = threading.Event()
    patient = PatientEvent(stop, lambda: "a", threading.Event())
    stop.set()

    assert patient.wait(0.01)
    assert patient.wait(30.0)
    assert patient.wait(0.0)


def test_long_waits_are_stretched_once_there_was_a_short_one() -> None:
    stop, nudge = Waits(), Waits()
    patient = PatientEvent(stop, object, nudge)

    for timeout in (1.0, 0.1, 1.0):
        patient.wait(timeout)
    PatientEvent(stop, object, nudge, stretches_at_once=True).wait(1.0)

    assert stop.timeouts == [1.0, PatientEvent.STRETCH, PatientEvent.STRETCH]
    assert nudge.timeouts == [0.1]


def test_a_wait_for_no_time_is_a_question_alone() -> None:
    stop, nudge = Waits(), Waits()

    assert not PatientEvent(stop, lambda: "a", nudge).wait(0.0)
    assert not stop.timeouts + nudge.timeouts
