"""A worker's main thread and its heartbeat: what ends them, and what does not."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from secondread.app.heartbeat import Heartbeat
from secondread.app.vital import THREAD_LOST_EXIT, VitalThreads
from secondread.app.work import _run_until_stopped
from secondread.errors import TransientError
from tests.worlds.node_world import NodeWorld

ALL_RUN = VitalThreads({"heartbeat": lambda: True})


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class BriefEvent(threading.Event):
    """An event for whose pauses nobody waits."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(min(timeout or 0.0, 0.01))


def test_a_worker_goes_on_through_an_outage_until_it_is_asked_to_stop() -> None:
    stop, steps = BriefEvent(), iter([TransientError("away"), OSError(28, "full"), None])
    taken: list[BaseException | None] = []

    def step() -> None:
        taken.append(next(steps))
        if taken[-1] is None:
            stop.set()
        else:
            raise taken[-1]

    assert _run_until_stopped(step, 0.0, stop, ALL_RUN) == 0
    assert len(taken) == 3


def test_a_worker_whose_main_thread_meets_a_fault_of_ours_ends_with_a_status() -> None:
    def step() -> None:
        raise ValueError

    assert _run_until_stopped(step, 0.0, BriefEvent(), ALL_RUN) == 1


def test_a_worker_that_lost_a_thread_ends_with_a_status_of_its_own() -> None:
    vital = VitalThreads({"heartbeat": lambda: False})

    assert _run_until_stopped(lambda: None, 0.0, BriefEvent(), vital) == THREAD_LOST_EXIT


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    made = NodeWorld(tmp_path)
    work = made.settings.work.model_copy(update={"heartbeat_seconds": 0.02})
    object.__setattr__(made.node, "settings", made.settings.model_copy(update={"work": work}))
    return made


def list_names(world: NodeWorld) -> list[str]:
    return [process.name for process in world.node.tracker.node_queries.list_processes()]


def test_a_heartbeat_goes_on_after_its_process_was_taken_for_dead(world: NodeWorld) -> None:
    with Heartbeat(world.node, "w0", "work") as heartbeat:
        for _ in range(3):
            world.node.tracker.processes.remove_process("w0")
            until(lambda: list_names(world) == ["w0"])
        assert heartbeat.is_alive

    assert list_names(world) == []


@pytest.mark.parametrize("error", [TransientError("away"), KeyError("of ours")])
def test_a_heartbeat_outlives_whatever_goes_wrong(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    processes = world.node.tracker.processes
    failures: list[Exception] = []

    def fail(*_: object) -> bool:
        failures.append(error)
        raise error

    with Heartbeat(world.node, "w0", "work") as heartbeat:
        with monkeypatch.context() as patch:
            patch.setattr(processes, "record_heartbeat", fail)
            until(lambda: len(failures) >= 3)
        processes.remove_process("w0")
        until(lambda: list_names(world) == ["w0"])
        assert heartbeat.is_alive
