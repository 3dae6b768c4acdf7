"""Results that a person has sent again: what it does to deliveries and to proofs that are owed."""

from datetime import timedelta

import pytest

from secondread.accept.commitment import CommitmentReport
from secondread.errors import InputError
from secondread.send.outbox import AnswerKind, DeliveryBatch, StoreAnswer
from secondread.settings import DestinationMode
from secondread.track.resending import Resent
from secondread.track.states import DeliveryState
from tests.worlds.track_world import STUDY, World

PROFILE = "default"


@pytest.fixture
def world(world: World) -> World:
    """A study that was read while its destination was in shadow, which is live by now."""
    world.destination("pacs", DestinationMode.SHADOW, PROFILE)
    world.send_study()
    world.read_study()
    world.tracker.destinations.set_mode("pacs", DestinationMode.LIVE, "ada", world.now)
    return world


def resend(world: World, destination: str = "pacs", profile: str = PROFILE) -> Resent:
    return world.tracker.resending.resend(STUDY, destination, profile, "ada", world.now)


def claim(world: World) -> DeliveryBatch:
    batch = world.tracker.deliveries.claim_batch("pacs", "worker-0", world.now, 60)
    assert batch is not None
    return batch


def state(world: World) -> DeliveryState:
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    return detail.outbox_objects[0].deliveries[0].state


def test_what_is_being_sent_at_this_moment_is_left_alone(world: World) -> None:
    assert resend(world) == Resent(1, objects=1, under_way=0)
    claim(world)
    assert resend(world) == Resent(1, objects=0, under_way=1)
    assert state(world) is DeliveryState.SENDING
    # Its worker is gone when its lease is over.
    world.later(61)
    assert resend(world).objects == 1
    assert state(world) is DeliveryState.PENDING


def test_a_report_about_the_earlier_sending_does_not_stand_for_the_one_that_was_asked_for(
    world: World,
) -> None:
    proofs, later = world.tracker.proofs, world.now + timedelta(seconds=300)
    resend(world)
    batch = claim(world)
    (uid,) = (item.sop_instance_uid for item in batch.objects)
    answer = StoreAnswer(uid, AnswerKind.STORED, 0, "")
    world.tracker.deliveries.record_stored(batch, [answer], world.now)
    owed = proofs.claim_batch("pacs", "worker-0", world.now, 60)
    assert owed is not None
    proofs.record_request(owed, "1.2.99", world.now, later)

    resend(world)
    proofs.record_report(CommitmentReport("1.2.99", frozenset({uid}), {}), world.now)

    assert state(world) is DeliveryState.PENDING


def test_a_destination_that_came_later_gets_what_was_made_for_its_profile(world: World) -> None:
    modes = dict.fromkeys(("viewer", "other"), DestinationMode.LIVE)
    world.tracker.destinations.seed_modes(modes, world.now)
    assert resend(world, "viewer").objects == 1
    with pytest.raises(InputError, match="has nothing of what other gets by its profile"):
        resend(world, "other", "another")
