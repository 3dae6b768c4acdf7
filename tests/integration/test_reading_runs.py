"""Which run of a reading may write, and what counts as a reading's own fault."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from secondread.engine import Result, RunStep
from secondread.errors import InputError, LeaseLostError
from secondread.reasons import Outcome
from secondread.track.operations import READING_BROKE, RESULT_NOT_MADE
from secondread.track.reading_runs import READING_HELD_UP
from secondread.track.states import StudyState
from secondread.track.study_rows import find_revision
from secondread.workflow.fenced_run import FencedRuns
from secondread.workflow.steps import MOST_DEATHS, MOST_FAULTS
from tests.worlds.node_world import CrashError, NodeWorld, run_step


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    made = NodeWorld(tmp_path)
    made.deliver_exam()
    made.claim()
    return made


class Death(BaseException):
    """The end of a worker, which nothing in it notices."""


class Worker:
    """A worker that dies in one step, however often it is asked to read."""

    def __init__(self, world: NodeWorld) -> None:
        self._world = world
        self._runs = FencedRuns(world.tools, "w0")
        self._tracker = world.node.tracker
        self._finished: dict[str, object] = {}

    def die_in(self, step: str, *, by_fault: bool) -> None:
        """Run the reading up to a step, and die there."""
        self._live(self._runs.read, step)
        if by_fault:
            self._tracker.runs.record_fault("w0")

    def die_over_failure(self) -> None:
        self._live(self._runs.fail, "record failure")
        self._tracker.runs.record_fault("w0")

    def _live(self, workflow: Callable[[RunStep, str, int], None], last: str) -> None:
        def run(name: str, step: Callable[..., Result], *arguments: object) -> Result:
            if name == last:
                run_number = self._number()
                self._tracker.runs.begin_step("1.2.3", 1, run_number, name, self._world.now)
                raise Death
            return self._run_once(name, step, *arguments)

        with pytest.raises(Death):
            workflow(run, "1.2.3", 1)

    def _run_once(self, name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name not in self._finished:
            self._finished[name] = step(*arguments)
        return cast(Result, self._finished[name])

    def _number(self) -> int:
        with self._tracker.database.begin_read() as session:
            return find_revision(session, "1.2.3", 1).run

    def read(self) -> None:
        self._runs.read(self._run_once, "1.2.3", 1)

    def fail(self) -> None:
        self._runs.fail(self._run_once, "1.2.3", 1)


def list_alarms(world: NodeWorld) -> list[str]:
    return [alarm.kind for alarm in world.node.tracker.node_queries.list_alarms()]


def outcome(world: NodeWorld) -> tuple[StudyState, Outcome | None]:
    return world.get_outcome()[:2]


def test_a_reading_that_crashes_its_worker_three_times_in_one_step_is_given_up(
    world: NodeWorld,
) -> None:
    worker = Worker(world)
    for _ in range(MOST_FAULTS):
        worker.die_in("record", by_fault=True)

    with pytest.raises(InputError, match="died 3 times"):
        worker.read()
    worker.fail()

    assert outcome(world) == (StudyState.REPORTED, Outcome.FAILED)
    assert world.list_objects(1)
    assert list_alarms(world) == [READING_BROKE]

    world.node.tracker.studies.request_reading("1.2.3", "somebody", world.now)
    world.read_due()
    assert outcome(world) == (StudyState.REPORTED, Outcome.NO_FINDINGS)
    assert list_alarms(world) == []


def test_one_that_goes_further_in_between_is_not(world: NodeWorld) -> None:
    worker = Worker(world)
    for step in ("plan", "plan", "plan priors", "plan priors", "record", "record"):
        worker.die_in(step, by_fault=True)

    worker.read()

    assert outcome(world) == (StudyState.REPORTED, Outcome.NO_FINDINGS)


def test_kills_from_outside_are_no_readings_fault(world: NodeWorld) -> None:
    worker = Worker(world)
    for _ in range(MOST_DEATHS - 1):
        worker.die_in("record", by_fault=False)

    worker.read()

    assert outcome(world) == (StudyState.REPORTED, Outcome.NO_FINDINGS)


def test_what_kills_its_worker_for_ever_ends_all_the_same(world: NodeWorld) -> None:
    worker = Worker(world)
    for _ in range(MOST_DEATHS):
        worker.die_in("record", by_fault=False)

    with pytest.raises(InputError, match="died 10 times"):
        worker.read()


def test_a_worker_that_is_asked_to_stop_dies_of_nothing(world: NodeWorld) -> None:
    worker = Worker(world)
    for _ in range(MOST_DEATHS + 5):
        worker.die_in("record", by_fault=False)
        world.node.tracker.runs.release_steps("w0")

    worker.read()

    assert outcome(world) == (StudyState.REPORTED, Outcome.NO_FINDINGS)


def test_a_failed_result_that_crashes_its_worker_is_recorded_without_being_made(
    world: NodeWorld,
) -> None:
    worker = Worker(world)
    for _ in range(MOST_FAULTS):
        worker.die_over_failure()

    worker.fail()

    assert outcome(world) == (StudyState.REPORTED, Outcome.FAILED)
    assert world.list_objects(1) == ()
    assert list_alarms(world) == [RESULT_NOT_MADE]


def test_only_the_latest_run_can_go_on(world: NodeWorld) -> None:
    overtakes: list[str] = []

    def overtaken(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name == "record":
            overtakes.append(name)
            FencedRuns(world.tools, "w1").read(run_step, "1.2.3", 1)
        return step(*arguments)

    with pytest.raises(LeaseLostError):
        FencedRuns(world.tools, "w0").read(overtaken, "1.2.3", 1)

    assert overtakes == ["record"]
    assert outcome(world) == (StudyState.REPORTED, Outcome.NO_FINDINGS)


def test_a_step_that_raises_is_not_one_that_its_worker_died_in(world: NodeWorld) -> None:
    def breaking(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name == "record":
            raise CrashError
        return step(*arguments)

    with pytest.raises(CrashError):
        FencedRuns(world.tools, "w0").read(breaking, "1.2.3", 1)

    assert world.node.tracker.runs.begin_run("1.2.3", 1, "w0").deaths == 0


def test_a_reading_that_waits_raises_an_alarm_with_the_reason_until_it_goes_on(
    world: NodeWorld,
) -> None:
    runs, node = world.node.tracker.runs, world.node.tracker.node_queries
    number = runs.begin_run("1.2.3", 1, "w0").number
    runs.begin_step("1.2.3", 1, number, "plan", world.now)
    since = world.now
    runs.hold_up("1.2.3", 1, "the disk is full", since, world.now + timedelta(seconds=60))
    assert (runs.count_held_up(), node.list_alarms()) == (1, [])

    runs.hold_up("1.2.3", 1, "the disk is full", since, world.now + timedelta(seconds=180))
    (alarm,) = node.list_alarms()
    assert alarm.kind == READING_HELD_UP
    assert "the disk is full" in alarm.detail

    runs.begin_step("1.2.3", 1, number, "plan", world.now)
    assert runs.count_held_up() == 1
    runs.begin_step("1.2.3", 1, number, "record", world.now)
    assert (runs.count_held_up(), node.list_alarms()) == (0, [])
