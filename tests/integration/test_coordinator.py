"""What a worker does with studies that are due, were never started, broke, or were left behind."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from secondread.accept.dispositions import Disposition
from secondread.app.coordinator import CLAIMS_PER_WORKER, PROCESS_KIND, SWEEP_SECONDS, Coordinator
from secondread.engine import Engine, WorkflowProgress
from secondread.errors import LeaseLostError
from secondread.reasons import Outcome, Reason
from secondread.track.change_rights import Sender
from secondread.track.states import StudyState
from secondread.track.values import ProcessIdentity
from secondread.workflow.order import FAIL, READ
from secondread.workflow.revision_reader import name_folder
from secondread.workflow.steps import ReadingSteps
from tests.worlds.builders import header
from tests.worlds.node_world import START, NodeWorld


class FakeEngine(Engine):
    """Remembers what was submitted, and returns the progress that a test sets."""

    def __init__(self) -> None:
        self.submitted: list[tuple[str, str, int]] = []
        self.known: dict[str, WorkflowProgress] = {}
        self.taken_over: list[str] = []
        self.gone_on = 0

    def submit(self, workflow: str, study_uid: str, revision: int) -> None:
        self.submitted.append((workflow, study_uid, revision))

    def check_progress(self, workflow: str, study_uid: str, revision: int) -> WorkflowProgress:
        return self.known.get(workflow, WorkflowProgress.UNKNOWN)

    def take_over(self, executor_ids: Sequence[str]) -> int:
        self.taken_over += executor_ids
        return len(executor_ids)

    def go_on(self) -> int:
        self.gone_on += 1
        return 0


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def coordinator(world: NodeWorld, engine: FakeEngine) -> Coordinator:
    def count_seconds() -> float:
        return world.now.timestamp()

    return Coordinator(world.node, engine, "w0", "m", lambda: world.now, count_seconds)


def later(world: NodeWorld, seconds: float) -> datetime:
    world.now += timedelta(seconds=seconds)
    return world.now


def state(world: NodeWorld) -> StudyState:
    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    return detail.summary.state


def test_a_complete_exam_is_started_after_the_settle_time_and_not_before(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    worker = coordinator(world, engine)

    later(world, 15)
    worker.step()
    assert engine.submitted == []
    later(world, 10)
    worker.step()
    worker.step()

    assert engine.submitted == [(READ, "1.2.3", 1)]


def test_an_incomplete_exam_waits_for_the_quiet_time(world: NodeWorld, engine: FakeEngine) -> None:
    world.deliver(header())
    worker = coordinator(world, engine)

    later(world, 100)
    worker.step()
    assert engine.submitted == []
    later(world, 30)
    worker.step()

    assert engine.submitted == [(READ, "1.2.3", 1)]


def test_an_old_study_is_held_as_a_prior_until_a_person_asks_for_it(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver(header(StudyDate="20240101"))
    worker = coordinator(world, engine)

    later(world, 200)
    worker.step()
    assert (state(world), engine.submitted) == (StudyState.HELD, [])
    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.summary.hold_reason is Reason.PRIOR_ONLY_BY_AGE

    world.node.tracker.studies.request_reading("1.2.3", "somebody", world.now)
    worker.step()
    assert engine.submitted == [(READ, "1.2.3", 1)]


def test_only_a_few_studies_are_claimed_ahead_so_that_fresh_ones_can_overtake(
    world: NodeWorld, engine: FakeEngine
) -> None:
    for number in range(CLAIMS_PER_WORKER + 3):
        world.deliver(header(StudyInstanceUID=f"1.2.{number}"))
    worker = coordinator(world, engine)

    later(world, 200)
    for _ in range(3):
        worker.step()

    assert len(engine.submitted) == CLAIMS_PER_WORKER


def test_a_peer_that_pushes_many_studies_takes_no_second_place_before_another(
    world: NodeWorld, engine: FakeEngine
) -> None:
    for number in range(8):
        world.deliver(header(StudyInstanceUID=f"1.2.{9 - number}.1"), sender=Sender("BULK", "::1"))
        world.now += timedelta(seconds=1)
    world.deliver(header(), sender=Sender("SMALL", "::1"))
    worker = coordinator(world, engine)

    later(world, 200)
    worker.step()

    assert engine.submitted == [(READ, "1.2.9.1", 1), (READ, "1.2.3", 1)]


def test_with_every_place_taken_studies_are_still_held_back_within_a_sweep(
    world: NodeWorld, engine: FakeEngine
) -> None:
    for number in range(CLAIMS_PER_WORKER):
        world.deliver(header(StudyInstanceUID=f"1.2.9.{number}"))
    worker = coordinator(world, engine)
    later(world, 200)
    worker.step()
    world.deliver(header(StudyDate="20240101"))
    later(world, 200)
    worker.step()
    assert state(world) is StudyState.HELD


def test_a_reading_that_was_claimed_and_never_started_is_started(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    world.claim()  # and the worker died here
    worker = coordinator(world, engine)

    later(world, SWEEP_SECONDS + 1)
    worker.step()

    assert engine.submitted == [(READ, "1.2.3", 1)]


def test_a_reading_that_broke_gets_its_failed_result_and_then_a_person(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    world.claim()
    worker = coordinator(world, engine)
    engine.known[READ] = WorkflowProgress.BROKEN

    later(world, SWEEP_SECONDS + 1)
    worker.step()
    assert engine.submitted == [(FAIL, "1.2.3", 1)]

    engine.known[FAIL] = WorkflowProgress.BROKEN
    later(world, SWEEP_SECONDS + 1)
    worker.step()
    assert state(world) is StudyState.STUCK
    assert [alarm.subject for alarm in world.node.tracker.node_queries.list_alarms()] == ["1.2.3"]


def beat(world: NodeWorld, *workers: str) -> None:
    for name in workers:
        identity = ProcessIdentity(name, "web" if name == "web" else PROCESS_KIND, "host", 1, "0")
        world.node.tracker.processes.record_heartbeat(identity, world.now)


def watch(world: NodeWorld, worker: Coordinator, seconds: int, *beating: str) -> None:
    for _ in range(0, seconds, 6):
        later(world, 6)
        beat(world, *beating)
        worker.step()


def test_a_worker_that_fell_silent_is_taken_over_once_and_others_are_left_alone(
    world: NodeWorld, engine: FakeEngine
) -> None:
    beat(world, "w0", "w1", "w2", "web")
    worker = coordinator(world, engine)

    watch(world, worker, 60, "w0", "w2")

    assert engine.taken_over == ["w1"]
    assert [p.name for p in world.node.tracker.node_queries.list_processes()] == [
        *("w0", "w2", "web")
    ]


def test_a_worker_is_taken_over_well_within_a_minute(world: NodeWorld, engine: FakeEngine) -> None:
    beat(world, "w1")
    worker = coordinator(world, engine)
    worker.step()

    watch(world, worker, 30)

    assert engine.taken_over == ["w1"]


def test_a_worker_whose_clock_is_wrong_is_left_alone_as_long_as_it_beats(
    world: NodeWorld, engine: FakeEngine
) -> None:
    worker = coordinator(world, engine)
    for second in range(120):
        later(world, 1)
        identity = ProcessIdentity("w1", PROCESS_KIND, "host", 1, "0")
        its_time = world.now - timedelta(hours=3)
        world.node.tracker.processes.record_heartbeat(identity, its_time)
        if second % 5 == 0:
            worker.step()

    assert engine.taken_over == []


def test_nobody_is_taken_over_for_an_outage_that_kept_all_from_beating(
    world: NodeWorld, engine: FakeEngine
) -> None:
    beat(world, "w1")
    worker = coordinator(world, engine)
    worker.step()

    later(world, 300)  # no database: neither beats nor looks
    worker.step()
    watch(world, worker, 60, "w1")

    assert engine.taken_over == []


def test_whoever_is_taken_over_can_record_nothing_any_more(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    claimed = world.claim()
    run = world.node.tracker.runs.begin_run(claimed.study_uid, claimed.number, "w1")
    steps = ReadingSteps(world.tools, run)
    beat(world, "w1")

    watch(world, coordinator(world, engine), 60)

    assert engine.taken_over == ["w1"]
    with pytest.raises(LeaseLostError):
        steps.record(claimed.study_uid, claimed.number, [])
    assert state(world) is StudyState.READING
    next_run = world.node.tracker.runs.begin_run(claimed.study_uid, claimed.number, "w0")
    ReadingSteps(world.tools, next_run).record(claimed.study_uid, claimed.number, [])
    assert state(world) is StudyState.REPORTED


def test_a_study_waits_no_longer_when_the_clock_is_set_back(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    count = iter(range(0, 10_000, 6)).__next__
    worker = Coordinator(world.node, engine, "w0", "m", lambda: world.now, count)
    later(world, -3600)
    worker.step()
    later(world, 25)
    worker.step()

    assert engine.submitted == [(READ, "1.2.3", 1)]


def test_a_study_that_comes_while_a_sweep_takes_long_waits_no_less_than_others(
    world: NodeWorld, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_long() -> int:
        later(world, 60)
        world.deliver(header())
        return 0

    monkeypatch.setattr(engine, "go_on", take_long)
    worker = coordinator(world, engine)
    worker.step()
    monkeypatch.undo()

    later(world, 100)
    worker.step()
    assert engine.submitted == []
    later(world, 30)
    worker.step()
    assert engine.submitted == [(READ, "1.2.3", 1)]


def test_folders_that_lost_readings_left_are_removed_and_those_under_way_are_not(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    claimed = world.claim()
    work = world.settings.work_dir
    for name in (name_folder(claimed.study_uid, claimed.number), "0" * 32):
        (work / name).mkdir(parents=True)
        os.utime(work / name, (START.timestamp(), START.timestamp()))
    worker = coordinator(world, engine)

    later(world, 3000)
    worker.step()

    assert [path.name for path in work.iterdir()] == [name_folder("1.2.3", 1)]


def test_results_that_wait_for_a_destination_no_longer_in_the_settings_raise_an_alarm(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    world.read_due()
    settings = world.settings.model_copy(update={"destinations": ()})
    node = replace(world.node, settings=settings)

    Coordinator(node, engine, "w0", "m", lambda: world.now).step()
    assert [alarm.subject for alarm in node.tracker.node_queries.list_alarms()] == ["pacs"]

    Coordinator(world.node, engine, "w0", "m", lambda: world.now).step()
    assert node.tracker.node_queries.list_alarms() == []


def test_what_is_not_analysed_is_removed_for_its_age_with_its_file(
    world: NodeWorld, engine: FakeEngine
) -> None:
    world.deliver_exam()
    world.deliver(header(SOPClassUID=SecondaryCaptureImageStorage), Disposition.NOT_ANALYSED)
    worker = coordinator(world, engine)
    later(world, 29 * 86400)
    worker.step()
    assert len(list(world.node.archive.list_instance_paths())) == 5
    later(world, 2 * 86400)
    worker.step()
    assert len(list(world.node.archive.list_instance_paths())) == 4
    detail = world.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert (len(detail.images), detail.other_objects) == (4, ())


def test_a_finished_reading_is_left_alone(world: NodeWorld, engine: FakeEngine) -> None:
    world.deliver_exam()
    world.read_due()
    worker = coordinator(world, engine)

    later(world, 1000)
    worker.step()

    assert engine.submitted == []
    assert world.get_outcome()[1] is Outcome.NO_FINDINGS
