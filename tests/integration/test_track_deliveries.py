"""Deliveries: modes, leases, answers, and that nothing is dropped."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from secondread.errors import InputError
from secondread.send.delivery import DeliveryQueue
from secondread.send.outbox import AnswerKind, DeliveryBatch, StoreAnswer
from secondread.send.overdue import Backlog
from secondread.settings import DestinationMode, Proof
from secondread.track.states import DeliveryState
from secondread.track.summaries import DeliverySummary
from secondread.track.tables import DestinationChangeRow
from tests.worlds.track_world import STUDY, World, outbox_entry, reading


def read(world: World, study: str = STUDY, objects: int = 2, profile: str = "default") -> None:
    world.send_study(study=study)
    world.later(20)
    claimed = world.claimed(study)
    entries = [outbox_entry(study, 1, profile, index) for index in range(objects)]
    world.record(reading(claimed, entries=entries))


def claim(
    world: World, destination: str = "pacs", worker: str = "worker-0"
) -> DeliveryBatch | None:
    queue: DeliveryQueue = world.tracker.deliveries
    return queue.claim_batch(destination, worker, world.now, lease_seconds=60)


def claimed(world: World, destination: str = "pacs", worker: str = "worker-0") -> DeliveryBatch:
    batch = claim(world, destination, worker)
    assert batch is not None
    return batch


def answers(batch: DeliveryBatch, kind: AnswerKind = AnswerKind.STORED) -> Sequence[StoreAnswer]:
    status = 0x0000 if kind.is_stored else 0xA700
    return [StoreAnswer(item.sop_instance_uid, kind, status, "words") for item in batch.objects]


def deliver(world: World, batch: DeliveryBatch) -> None:
    world.tracker.deliveries.record_delivered(batch, answers(batch), world.now)


def fail(world: World, batch: DeliveryBatch, at: datetime) -> None:
    missed = answers(batch, AnswerKind.STATUS)
    world.tracker.deliveries.record_failed(batch, missed, world.now, at)


def deliveries(world: World, study: str = STUDY) -> list[DeliverySummary]:
    detail = world.tracker.study_queries.find_detail(study)
    assert detail is not None
    return [delivery for item in detail.outbox_objects for delivery in item.deliveries]


def states(world: World, study: str = STUDY) -> set[DeliveryState]:
    return {delivery.state for delivery in deliveries(world, study)}


def test_a_live_destination_gets_the_objects_of_one_study_together(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    read(world, "1.2.3.4")
    batch = claimed(world)
    assert (batch.study_uid, len(batch.objects), batch.attempt) == (STUDY, 2, 1)
    assert batch.objects[0].path.parts[-4:] == ("outbox", STUDY, "1", "default-0.dcm")
    assert claimed(world, worker="worker-1").study_uid == "1.2.3.4"
    assert claim(world, worker="worker-2") is None


def test_each_destination_gets_the_objects_of_its_profile(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE, "default")
    world.destination("viewer", DestinationMode.LIVE, "srt")
    read(world, profile="srt")
    assert claim(world, "pacs") is None
    assert len(claimed(world, "viewer").objects) == 2


def test_what_is_proven_is_delivered(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    deliver(world, claimed(world))
    rows = deliveries(world)
    assert states(world) == {DeliveryState.DELIVERED}
    assert {(row.proof, row.delivered_at, row.last_status) for row in rows} == {
        (Proof.STORE_STATUS, world.now, 0)
    }
    assert world.tracker.deliveries.find_backlog("pacs") is None


def test_what_failed_is_due_again_at_the_given_time(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    fail(world, claimed(world), world.now + timedelta(seconds=5))
    assert claim(world) is None
    delivery = deliveries(world)[0]
    assert (delivery.state, delivery.last_status, delivery.last_error) == (
        DeliveryState.PENDING,
        0xA700,
        "failure-status: words",
    )
    world.later(5)
    assert claimed(world).attempt == 2


def test_objects_of_one_batch_may_fare_differently(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    batch = claimed(world)
    stored, missed = answers(batch)[:1], answers(batch, AnswerKind.STATUS)[1:]
    world.tracker.deliveries.record_delivered(batch, stored, world.now)
    world.tracker.deliveries.record_failed(batch, missed, world.now, world.now)
    again = claimed(world)
    assert [item.sop_instance_uid for item in again.objects] == [missed[0].sop_instance_uid]


def test_a_duplicate_is_kept_as_unproven_and_never_sent_again(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    batch = claimed(world)
    told = [
        StoreAnswer(item.sop_instance_uid, AnswerKind.DUPLICATE, 0x0111, "")
        for item in batch.objects
    ]
    world.tracker.deliveries.record_duplicates(batch, told, world.now)
    assert states(world) == {DeliveryState.DUPLICATE}
    assert {(d.proof, d.delivered_at, d.last_status) for d in deliveries(world)} == {
        (None, None, 0x0111)
    }
    world.later(1e6)
    assert claim(world) is None
    # The first answer was only slow.
    deliver(world, batch)
    assert states(world) == {DeliveryState.DELIVERED}


def test_a_thousand_failures_drop_nothing(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world, objects=1)
    for attempt in range(1, 51):
        batch = claimed(world)
        assert batch.attempt == attempt
        fail(world, batch, world.later(1))
    deliver(world, claimed(world))
    assert states(world) == {DeliveryState.DELIVERED}


def test_a_lease_that_ran_out_is_taken_over(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    first = claimed(world)
    world.later(59)
    assert claim(world, worker="worker-1") is None
    world.later(1)
    second = claimed(world, worker="worker-1")
    assert second.objects == first.objects
    assert (second.attempt, second.claim != first.claim) == (2, True)


def test_an_old_workers_failure_does_not_touch_the_new_lease(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    first = claimed(world)
    world.later(60)
    second = claimed(world, worker="worker-1")
    fail(world, first, world.now)
    assert states(world) == {DeliveryState.SENDING}
    deliver(world, second)
    assert states(world) == {DeliveryState.DELIVERED}


def test_an_old_workers_success_counts_and_is_recorded_once(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    first = claimed(world)
    world.later(60)
    second = claimed(world, worker="worker-1")
    deliver(world, first)
    delivered_at = world.now
    world.later(1)
    deliver(world, second)
    fail(world, second, world.now)
    assert {row.delivered_at for row in deliveries(world)} == {delivered_at}
    assert states(world) == {DeliveryState.DELIVERED}


def test_what_is_read_in_shadow_never_leaves_and_what_is_read_live_does(world: World) -> None:
    world.destination("pacs", DestinationMode.SHADOW)
    read(world)
    assert claim(world) is None
    world.tracker.destinations.set_mode("pacs", DestinationMode.LIVE, "admin", world.now)
    assert claim(world) is None
    read(world, "1.2.3.4")
    assert claimed(world).study_uid == "1.2.3.4"
    assert states(world) == {DeliveryState.SHADOW}


def test_a_paused_destination_gets_everything_when_it_is_live_again(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    world.tracker.destinations.set_mode("pacs", DestinationMode.PAUSED, "admin", world.now)
    read(world, "1.2.3.4")
    assert claim(world) is None
    assert world.tracker.deliveries.find_backlog("pacs") is None
    world.tracker.destinations.set_mode("pacs", DestinationMode.LIVE, "admin", world.now)
    batches = [claimed(world, worker=name) for name in ("worker-0", "worker-1")]
    assert {batch.study_uid for batch in batches} == {STUDY, "1.2.3.4"}


def test_it_is_known_since_when_results_wait_how_many_and_why(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    read(world)
    made_at = world.now
    fail(world, claimed(world), world.later(500))
    read(world, "1.2.3.4")
    backlog = world.tracker.deliveries.find_backlog("pacs")
    assert backlog == Backlog(made_at, 4, 2, ("failure-status: words",))
    assert backlog.describe() == (
        f"since {made_at:%Y-%m-%d %H:%M} UTC, 4 objects of 2 studies: failure-status: words"
    )


def test_the_settings_seed_a_mode_once_and_the_database_rules_after(world: World) -> None:
    world.tracker.destinations.seed_modes({"pacs": DestinationMode.SHADOW}, world.now)
    assert world.tracker.destinations.set_mode(
        "pacs", DestinationMode.LIVE, "admin", world.later(1)
    )
    world.tracker.destinations.seed_modes({"pacs": DestinationMode.SHADOW}, world.later(1))
    modes = {row.name: row.mode for row in world.tracker.node_queries.list_destinations()}
    assert modes == {"pacs": DestinationMode.LIVE}


def test_every_change_of_a_mode_is_written_down_with_who_did_it(world: World) -> None:
    destinations = world.tracker.destinations
    destinations.seed_modes({"pacs": DestinationMode.SHADOW}, world.now)
    assert destinations.set_mode("pacs", DestinationMode.LIVE, "admin", world.later(1))
    assert not destinations.set_mode("pacs", DestinationMode.LIVE, "admin", world.later(1))
    with world.tracker.database.begin_read() as session:
        rows = session.scalars(select(DestinationChangeRow).order_by(DestinationChangeRow.id))
        assert [(row.destination, row.old_mode, row.new_mode, row.changed_by) for row in rows] == [
            ("pacs", None, DestinationMode.SHADOW, "settings"),
            ("pacs", DestinationMode.SHADOW, DestinationMode.LIVE, "admin"),
        ]


def test_an_unknown_destination_is_refused(world: World) -> None:
    with pytest.raises(InputError, match="nowhere"):
        world.tracker.destinations.set_mode("nowhere", DestinationMode.LIVE, "admin", world.now)
    assert claim(world, "nowhere") is None


def test_what_waits_for_a_destination_is_counted(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    world.destination("quiet", DestinationMode.SHADOW)
    read(world)
    made_at = world.now
    read(world, "1.2.3.4")
    deliver(world, claimed(world))
    fail(world, claimed(world), world.later(1))
    pacs, quiet = world.tracker.node_queries.list_destinations()
    assert pacs.counts == {
        DeliveryState.PENDING: 2,
        DeliveryState.SENDING: 0,
        DeliveryState.STORED: 0,
        DeliveryState.DELIVERED: 2,
        DeliveryState.DUPLICATE: 0,
        DeliveryState.SHADOW: 0,
    }
    assert pacs.oldest_waiting_at is not None
    assert pacs.oldest_waiting_at > made_at
    assert pacs.reasons == ("failure-status: words",)
    assert (quiet.mode, quiet.counts[DeliveryState.SHADOW]) == (DestinationMode.SHADOW, 4)
    assert quiet.oldest_waiting_at is None
