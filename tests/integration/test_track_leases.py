"""Leases: they end with the worker that holds them, and what it still says changes nothing."""

import pytest

from secondread.send.outbox import AnswerKind, StoreAnswer
from secondread.settings import DestinationMode
from secondread.track.states import DeliveryState
from tests.integration.test_track_deliveries import claim, claimed, deliveries, fail, read
from tests.worlds.track_world import World


@pytest.fixture
def live(world: World) -> World:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    return world


def test_what_a_lost_worker_was_sending_is_due_at_once_and_was_no_attempt(live: World) -> None:
    claimed(live, worker="worker-1")
    assert claim(live) is None
    assert live.tracker.leases.end_all("worker-1") == 2
    assert claimed(live).attempt == 1


def test_the_leases_of_others_stay(live: World) -> None:
    claimed(live, worker="worker-1")
    assert live.tracker.leases.end_all("worker-2") == 0
    assert claim(live) is None


def test_a_worker_that_is_started_again_takes_up_what_it_held(live: World) -> None:
    first = claimed(live)
    second = claimed(live)
    assert second.objects == first.objects
    assert second.claim != first.claim


def test_a_worker_that_wakes_after_its_lease_was_ended_fails_nothing(live: World) -> None:
    old = claimed(live, worker="worker-1")
    live.tracker.leases.end_all("worker-1")
    claimed(live)
    fail(live, old, live.later(1000))
    assert {way.state for way in deliveries(live)} == {DeliveryState.SENDING}


def test_what_the_stop_of_the_node_left_unanswered_keeps_its_count_and_its_reason(
    live: World,
) -> None:
    fail(live, claimed(live), live.now)
    batch = claimed(live)
    stopped = [
        StoreAnswer(item.sop_instance_uid, AnswerKind.STOPPED, None, "the node was stopping")
        for item in batch.objects
    ]
    live.tracker.deliveries.record_failed(batch, stopped, live.now, live.later(60))
    assert {(way.state, way.attempts, way.last_status) for way in deliveries(live)} == {
        (DeliveryState.PENDING, 1, 0xA700)
    }
    assert all("words" in (way.last_error or "") for way in deliveries(live))
