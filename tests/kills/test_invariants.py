"""What the harness holds against a node finds broken promises, and nothing else."""

import importlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from secondread.engine import Result
from secondread.errors import LeaseLostError
from secondread.track import reading_runs, results
from secondread.workflow.fenced_run import FencedRuns
from tests.kills import invariants
from tests.kills.invariants import SentImage
from tests.kills.plants import PLANTS
from tests.kills.points import HARNESS, WRAPPED, Points, Step, find_kind, read_trace
from tests.worlds.node_world import NodeWorld, run_step

RUN = ("1.2.3", 1)


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    made = NodeWorld(tmp_path)
    made.deliver_exam()
    made.claim()
    return made


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this process's own steps, as long as the test runs."""
    here = Points(tmp_path, "work")
    for wrapped in WRAPPED:
        if wrapped.point in {"begin-run", "record-reading", "commit"}:
            owner_path, _, name = wrapped.attribute.rpartition(".")
            owner = getattr(importlib.import_module(wrapped.module), owner_path)
            monkeypatch.setattr(owner, name, here.wrap(wrapped, getattr(owner, name)))
    return tmp_path


def read_until_overtaken(world: NodeWorld) -> None:
    """Have a worker record its results when another has read the study meanwhile."""

    def overtaken(name: str, step: Callable[..., Result], *arguments: object) -> Result:
        if name == "record":
            FencedRuns(world.tools, "w1").read(run_step, *RUN)
        return step(*arguments)

    with suppress(LeaseLostError):
        FencedRuns(world.tools, "w0").read(overtaken, *RUN)


def test_a_lease_without_fence_is_found(
    world: NodeWorld, points: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reading_runs, results):
        monkeypatch.setattr(module, "check_run", lambda *_: None)
    read_until_overtaken(world)

    (fault,) = invariants.find_fence_faults(read_trace(points)[0])
    assert fault == "run 1 of 1.2.3 recorded results when run 2 had begun"


def test_a_worker_that_was_overtaken_and_writes_nothing_is_no_fault(
    world: NodeWorld, points: Path
) -> None:
    read_until_overtaken(world)

    steps = read_trace(points)[0]
    assert sum(step.point == "record-reading" for step in steps) == 2  # before and after: once
    assert invariants.find_fence_faults(steps) == []


def find_result_faults(world: NodeWorld) -> list[str]:
    inputs = world.node.tracker.studies.list_inputs(*RUN)
    images = [SentImage("1.2.3", item.sop_instance_uid, item.sha256) for item in inputs]
    with world.node.tracker.database.begin_read() as session:
        return invariants.find_result_faults(session, images)


@pytest.mark.parametrize("is_planted", [False, True])
def test_results_without_a_key_are_found_when_their_step_is_repeated(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch, *, is_planted: bool
) -> None:
    if is_planted:
        monkeypatch.setattr(results.Results, "record_reading", results.Results.record_reading)
        PLANTS["results-without-key"]["secondread.track.results"](results)
    # The worker was killed when its results were recorded, and before the engine knew.
    for worker in ("w0", "w0"):
        FencedRuns(world.tools, worker).read(run_step, *RUN)

    faults = find_result_faults(world)
    assert bool(faults) == is_planted
    assert all("revision 1 has 2 objects" in fault for fault in faults)


def test_a_study_that_is_not_read_is_found(world: NodeWorld) -> None:
    assert any("it is reading, not reported" in fault for fault in find_result_faults(world))


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("python -m secondread work --name w0", "work"),
        ("python -W ignore -m secondread.detect.child {}", "child"),
        ("python -m tests.worlds.light_worker folder w0", "work"),
        ("python -m pytest", ""),
    ],
)
def test_a_process_of_a_node_is_recognized_by_its_command(command: str, kind: str) -> None:
    assert find_kind(command.split()) == kind


def sends(*events: str) -> list[Step]:
    kinds = {"sent": ("work", "send-objects>send-object", "before", "1.2.9")}
    kinds |= {"killed": (HARNESS, "kill", "before", "work")}
    kinds |= {"failed": ("work", "record-failed", "after", "")}
    return [Step(at, 1, 1, *kinds[event]) for at, event in enumerate(events)]


@pytest.mark.parametrize(
    ("events", "is_fault"),
    [
        (("sent",), False),
        (("sent", "sent"), True),
        (("sent", "killed", "sent"), False),
        (("killed", "sent", "sent"), True),
        (("sent", "failed", "sent"), False),
        (("sent", "killed", "sent", "sent"), True),
    ],
)
def test_a_result_that_is_sent_twice_is_found_unless_something_was_killed(
    events: tuple[str, ...], *, is_fault: bool
) -> None:
    assert bool(invariants.find_sent_faults(sends(*events))) == is_fault
