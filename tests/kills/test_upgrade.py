"""A node is killed in the middle of its readings, and started again as a newer version."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from secondread.reasons import Outcome
from secondread.track.database import Database
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import until
from tests.kills.newer_version import WEIGHED, make_newer_version, prefer
from tests.kills.points import Plan, Step, make_environment, read_trace, set_plan
from tests.kills.world import World, cut_images
from tests.worlds.worker_processes import Workers

pytestmark = pytest.mark.acceptance

KILL_AFTER_FIRST_IMAGE = Plan("work", "run-step detect", "after", 1, ())


def list_weighed(database: Database) -> set[str]:
    with database.begin_read() as session:
        return set(session.scalars(text(f"SELECT study_uid FROM {WEIGHED}")))


def list_run_steps(steps: Sequence[Step], before: set[int]) -> list[str]:
    """Return the steps of readings that were finished since, by processes that were not there."""
    return [
        s.point.removeprefix("run-step ")
        for s in steps
        if s.phase == "after"
        and s.pid not in before
        and s.point.startswith("run-step ")
        and ">" not in s.point
    ]


def test_a_reading_goes_on_by_the_steps_that_it_was_begun_with(tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    steps.mkdir()
    url, environment = f"sqlite:///{tmp_path / 'tracker.sqlite'}", make_environment(steps)
    workers = Workers(tmp_path, url, 3600, environment)
    try:
        workers.deliver("1.2.7", images=2)
        set_plan(steps, KILL_AFTER_FIRST_IMAGE)
        workers.start("w0")
        until(lambda: workers.running["w0"].poll() is not None, "the kill", 400)
        old = {workers.running["w0"].pid}
        workers.deliver("1.2.8", images=2)

        workers.environment = prefer(make_newer_version(tmp_path / "newer"), environment)
        workers.start("w0")
        until(lambda: workers.list_outcomes().keys() == {"1.2.7", "1.2.8"}, "both results", 400)
        until(lambda: list_run_steps(read_trace(steps)[0], old).count("tidy") == 2, "the end", 400)

        assert set(workers.list_outcomes().values()) == {Outcome.NO_FINDINGS}
        assert [revision.run for revision in workers.list_revisions()] == [2, 1]
        done = list_run_steps(read_trace(steps)[0], old)
        assert (done.count("detect"), done.count("look at"), done.count("weigh")) == (2, 2, 1)
        assert list_weighed(workers.world.node.tracker.database) == {"1.2.8"}
    finally:
        workers.end_all()


@pytest.mark.peer("Orthanc", "storescu", "echoscu")
@pytest.mark.skipif("SOAK_SEED" not in os.environ, reason="a whole node: `make soak` runs it")
def test_a_whole_node_ends_what_its_older_version_had_begun(
    tmp_path: Path, pair_exam: ExamFiles
) -> None:
    world = World(tmp_path, cut_images(pair_exam.current, tmp_path / "images"))
    node = world.node
    try:
        world.start()
        world.pacs.kill()
        waiting = world.begin_study()
        until(
            lambda: node.detail(waiting) is not None and bool(node.outbox(waiting)), "results", 200
        )
        set_plan(node.steps, KILL_AFTER_FIRST_IMAGE._replace(victims=node.find("serve")))
        begun, arrived = world.begin_study(), world.begin_study()
        until((node.steps / "fired").exists, "the kill of the supervisor", 400)
        until(lambda: not node.processes(), "the end of its processes", 400)
        old = {step.pid for step in read_trace(node.steps)[0]}

        node.environment = prefer(make_newer_version(tmp_path / "newer"), node.environment)
        node.start()
        world.pacs.start()
        newest = world.begin_study()
        for study in (waiting, begun, arrived, newest):
            assert world.await_study(study) == []

        assert world.find_faults(world.studies) == []
        done = list_run_steps(read_trace(node.steps)[0], old)
        assert done.count("detect") >= 1
        assert newest in list_weighed(node.database) <= {newest, arrived, begun}
        assert world.find_leftovers() == []
    finally:
        world.close()
