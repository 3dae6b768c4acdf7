"""Which report a revision says that it replaces: by what its destinations were sent before."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest

from secondread.report.readback.cad_reader import read_cad_report
from secondread.send.outbox import AnswerKind, DeliveryBatch, StoreAnswer
from secondread.settings import DestinationMode, ObjectKind, ProfileSettings
from secondread.workflow.steps import ReadingSteps
from tests.worlds.builders import detection, header
from tests.worlds.node_world import CLUSTER, NodeWorld

REFUSED, STORED = (AnswerKind.STATUS, 0xA900), (AnswerKind.STORED, 0)


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    made = NodeWorld(tmp_path)
    uid = made.deliver_exam()[2]
    made.answers[uid] = detection(uid, *CLUSTER)
    return made


def read_again(world: NodeWorld) -> None:
    """Read the study once more, because of a late image."""
    second = world.now.second + world.now.minute * 60
    world.deliver(header(AcquisitionTime=f"{100000 + second}"))
    world.read_due()


def send(world: NodeWorld, answer: tuple[AnswerKind, int], destination: str = "pacs") -> None:
    """Let a destination answer everything that is due."""
    deliveries = world.node.tracker.deliveries
    batch = deliveries.claim_batch(destination, "w0", world.now, 60)
    assert isinstance(batch, DeliveryBatch)
    answers = [StoreAnswer(item.sop_instance_uid, *answer, "answer") for item in batch.objects]
    if answer is STORED:
        deliveries.record_delivered(batch, answers, world.now)
    else:
        later = world.now + timedelta(hours=1)
        deliveries.record_failed(batch, answers, world.now, later)


def set_destinations(world: NodeWorld, **profiles: ProfileSettings) -> None:
    """Change which destinations there are from now on; new ones are live."""
    modes = dict.fromkeys(profiles, DestinationMode.LIVE)
    world.node.tracker.destinations.seed_modes(modes, world.now)
    world.tools = replace(
        world.tools,
        profiles={profile.key: profile for profile in profiles.values()},
        destinations={name: profile.key for name, profile in profiles.items()},
    )
    world.steps = ReadingSteps(world.tools)


def find_replaced(world: NodeWorld, revision: int) -> list[int]:
    """Return the revisions whose CAD SR a revision's CAD SR replaces; captures agree."""
    numbers = {
        entry.sop_instance_uid: number
        for number in range(1, revision)
        for entry in world.list_objects(number)
    }
    replaced = [numbers[uid] for uid in read_cad_report(world.read_cad_sr(revision)).replaces]
    captures = [e for e in world.list_objects(revision) if e.kind is ObjectKind.CAPTURE]
    assert captures
    for entry in captures:
        capture = pydicom.dcmread(world.node.archive.resolve_path(entry.path))
        assert ("replaces" in capture.ImageComments) is bool(replaced)
    return replaced


def test_a_destination_that_got_a_report_or_has_it_under_way_is_told_that_it_is_replaced(
    world: NodeWorld,
) -> None:
    world.read_due()
    read_again(world)
    assert find_replaced(world, 2) == [1]
    send(world, STORED)
    read_again(world)
    assert find_replaced(world, 3) == [2]


def test_a_destination_that_refused_a_report_is_not_told_that_it_is_replaced(
    world: NodeWorld,
) -> None:
    world.read_due()
    send(world, REFUSED)
    read_again(world)
    assert find_replaced(world, 2) == []
    send(world, STORED)
    read_again(world)
    assert find_replaced(world, 3) == [2]


def test_what_came_before_a_refused_report_is_replaced_by_what_comes_after_it(
    world: NodeWorld,
) -> None:
    world.read_due()
    send(world, STORED)
    read_again(world)
    send(world, REFUSED)
    read_again(world)
    assert find_replaced(world, 3) == [1]


def test_what_was_read_in_shadow_is_not_replaced_at_the_destination(world: NodeWorld) -> None:
    destinations = world.node.tracker.destinations
    destinations.set_mode("pacs", DestinationMode.SHADOW, "someone", world.now)
    world.read_due()
    destinations.set_mode("pacs", DestinationMode.LIVE, "someone", world.now)
    read_again(world)
    assert find_replaced(world, 2) == []


def test_a_destination_in_shadow_has_no_say_in_what_the_others_are_told(world: NodeWorld) -> None:
    shared = world.settings.destinations[0].profile
    set_destinations(world, pacs=shared, trial=shared)
    destinations = world.node.tracker.destinations
    destinations.set_mode("trial", DestinationMode.SHADOW, "someone", world.now)
    world.read_due()
    read_again(world)
    assert find_replaced(world, 2) == [1]


def test_a_destination_that_is_added_is_not_told_of_a_report_that_it_never_got(
    world: NodeWorld,
) -> None:
    world.read_due()
    shared = world.settings.destinations[0].profile
    set_destinations(world, pacs=shared, archive=shared)
    read_again(world)
    assert find_replaced(world, 2) == []
    read_again(world)
    assert find_replaced(world, 3) == [2]


def test_a_destination_whose_profile_changed_is_told_what_it_got_under_the_other(
    world: NodeWorld,
) -> None:
    world.read_due()
    set_destinations(world, pacs=ProfileSettings(series_description="Zweitbefund"))
    read_again(world)
    assert find_replaced(world, 2) == [1]
