"""Images are read before their study is due, once, and the study's reading uses what was found."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from secondread.detect.child import DetectorLimitError
from secondread.detect.marks import Detection
from secondread.errors import TransientError
from secondread.reasons import Outcome, Reason
from secondread.workflow.order import run_reading
from secondread.workflow.read_ahead import ImageAhead, ReadAhead, ReadAheadThreads
from secondread.workflow.revision_reader import ReadingTools
from secondread.workflow.steps import ReadingSteps
from tests.worlds.builders import detection, header
from tests.worlds.node_world import CLUSTER, NodeWorld, run_step


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


def open_ahead(tools: ReadingTools, *, is_wanted: bool = True) -> ReadAhead:
    return ReadAhead(tools, lambda _: is_wanted, object)


def take_all(ahead: ReadAhead) -> Iterator[ImageAhead]:
    while (image := ahead.take()) is not None:
        yield image


def read_all(tools: ReadingTools) -> int:
    ahead = open_ahead(tools)
    images = list(take_all(ahead))
    for image in images:
        ahead.read(image)
    return len(images)


def test_what_was_read_ahead_is_not_read_again(world: NodeWorld) -> None:
    uids = world.deliver_exam()
    world.answers[uids[2]] = detection(uids[2], *CLUSTER)

    assert read_all(world.tools) == 4
    assert len(world.detected_paths) == 4
    world.read_due()

    assert len(world.detected_paths) == 4
    assert not world.displayed_paths
    assert world.get_outcome()[1] is Outcome.FINDINGS
    assert not list(world.tools.work_dir.iterdir())


def test_each_image_is_read_ahead_when_it_has_come_and_by_one_worker(world: NodeWorld) -> None:
    one, other = open_ahead(world.tools), open_ahead(world.tools)
    for number in (1, 2):
        world.deliver(header())
        (image,), (same,) = take_all(one), take_all(other)
        assert image == same
        one.read(image)
        other.read(same)

        assert len(world.detected_paths) == number
    assert list(take_all(one)) == []


def test_a_study_that_was_read_and_one_that_will_not_be_are_left_alone(world: NodeWorld) -> None:
    world.deliver_exam()
    assert open_ahead(world.tools, is_wanted=False).take() is None
    world.read_due()
    world.deliver(header(AcquisitionTime="111111"))

    assert open_ahead(world.tools).take() is None


def test_what_a_reading_would_leave_out_is_not_read_ahead(world: NodeWorld) -> None:
    world.deliver(header(SOPClassUID=DigitalMammographyXRayImageStorageForProcessing))
    assert open_ahead(world.tools).take() is None
    world.deliver(header())
    for path in (world.node.archive.root / "instances").rglob("*.dcm"):
        path.unlink()

    assert open_ahead(world.tools).take() is None


def test_what_another_model_has_read_ahead_is_read_again(world: NodeWorld) -> None:
    world.deliver_exam()
    read_all(replace(world.tools, settings_digest="1" * 64))
    world.read_due()

    assert len(world.detected_paths) == 8
    assert world.get_outcome()[1] is Outcome.NO_FINDINGS


def test_an_image_that_kills_the_detector_ahead_has_all_its_attempts_left(
    world: NodeWorld,
) -> None:
    for uid in world.deliver_exam():
        world.answers[uid] = DetectorLimitError(Reason.MEMORY_LIMIT, "an allocation failed")
    ahead = open_ahead(world.tools)
    image = ahead.take()
    assert image is not None
    with pytest.raises(DetectorLimitError):
        ahead.read(image)
    world.detected_paths.clear()
    world.read_due()

    assert world.get_outcome()[1] is Outcome.FAILED
    assert world.detected_paths.count(image.path) == world.tools.attempts


class HeldDetector:
    """A detector that answers once it is released."""

    def __init__(self, world: NodeWorld) -> None:
        self.world, self.begun, self.release = world, threading.Event(), threading.Event()

    def detect(self, path: Path, display_to: Path, overrides: frozenset[str]) -> Detection:
        self.begun.set()
        assert self.release.wait(10)
        return self.world.detect(path, display_to, overrides)

    def write_display(self, path: Path, display_to: Path) -> None:
        raise TransientError("not needed")

    def score_places(self, path: Path, points: object) -> None:
        return None


def test_a_reading_waits_for_the_image_that_is_being_read_ahead(world: NodeWorld) -> None:
    world.deliver(header())
    detector = HeldDetector(world)
    tools = replace(world.tools, detector=detector)
    with ReadAheadThreads(open_ahead(tools), lambda: True, 0.01, 1):
        assert detector.begun.wait(10)
        claimed = world.claim()
        threading.Timer(0.1, detector.release.set).start()
        with closing(ReadingSteps(tools)) as steps:
            run_reading(steps, run_step, claimed.study_uid, claimed.number)

    assert len(world.detected_paths) == 1
    assert world.get_outcome()[1] is Outcome.NO_FINDINGS


def test_nothing_is_read_ahead_while_no_detector_is_free(world: NodeWorld) -> None:
    world.deliver(header())
    asked, ahead = threading.Semaphore(0), open_ahead(world.tools)

    def is_free() -> bool:
        asked.release()
        return False

    with ReadAheadThreads(ahead, is_free, 0.01, 1):
        for _ in range(2):
            assert asked.acquire(timeout=10)

    assert not world.detected_paths
    assert ahead.take() is not None
