"""Proofs of delivery: claimed, asked for, reported, refused, late, repeated, on both databases."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from secondread.accept.commitment import (
    CommitmentLedger,
    CommitmentOutcome,
    CommitmentReport,
    CommitmentResult,
)
from secondread.send.outbox import AnswerKind, DeliveryBatch, ProofBatch, StoreAnswer
from secondread.send.proof import ProofQueue
from secondread.settings import DestinationMode, Proof
from secondread.track.states import DeliveryState
from secondread.track.summaries import DeliverySummary
from secondread.track.tracker import Tracker
from tests.worlds.track_world import STUDY, World, outbox_entry, reading

WAIT = timedelta(seconds=300)


def store(world: World, objects: int = 3, status: int = 0x0000) -> list[str]:
    """Store what is due at the destination; return its SOP Instance UIDs."""
    batch = world.tracker.deliveries.claim_batch("pacs", "worker-0", world.now, 60)
    assert batch is not None
    assert len(batch.objects) == objects
    uids = [item.sop_instance_uid for item in batch.objects]
    answers = [StoreAnswer(uid, AnswerKind.STORED, status, "") for uid in uids]
    world.tracker.deliveries.record_stored(batch, answers, world.now)
    return uids


def unproven_since(world: World) -> datetime | None:
    backlog = world.tracker.proofs.find_unproven_backlog("pacs")
    return None if backlog is None else backlog.since


@pytest.fixture
def stored(world: World) -> list[str]:
    """Three objects of one study that a live destination stored."""
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(20)
    entries = [outbox_entry(STUDY, 1, "default", index) for index in range(3)]
    world.record(reading(world.claimed(), entries=entries))
    return store(world)


def claim(world: World, worker: str = "worker-0") -> ProofBatch | None:
    queue: ProofQueue = world.tracker.proofs
    return queue.claim_batch("pacs", worker, world.now, lease_seconds=60)


def ask(world: World, transaction: str) -> ProofBatch:
    unproven = claim(world)
    assert unproven is not None
    world.tracker.proofs.record_request(unproven, transaction, world.now, world.now + WAIT)
    return unproven


def report(
    world: World,
    transaction: str,
    committed: Sequence[str] = (),
    refused: Sequence[str] = (),
    reason: int = 0x0112,
) -> CommitmentResult:
    ledger: CommitmentLedger = world.tracker.proofs
    values = CommitmentReport(transaction, frozenset(committed), dict.fromkeys(refused, reason))
    return ledger.record_report(values, world.now)


def delivery(world: World, uid: str) -> DeliverySummary:
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    (row,) = [
        row
        for item in detail.outbox_objects
        for row in item.deliveries
        if item.sop_instance_uid == uid
    ]
    return row


def states(world: World, uids: Sequence[str]) -> list[str]:
    return [delivery(world, uid).state.value for uid in uids]


def test_what_is_stored_waits_for_its_proof_and_is_still_owed(
    world: World, stored: list[str]
) -> None:
    assert states(world, stored) == ["stored"] * 3
    assert delivery(world, stored[0]).delivered_at is None
    assert world.tracker.deliveries.find_backlog("pacs") is None
    assert unproven_since(world) == world.now
    (pacs,) = world.tracker.node_queries.list_destinations()
    assert pacs.counts[DeliveryState.STORED] == 3
    assert pacs.oldest_unproven_at == world.now
    detail = world.tracker.study_queries.find_detail(STUDY)
    assert detail is not None
    assert detail.summary.waiting_deliveries == 3


def test_the_proof_is_asked_for_at_once_and_by_one_worker(world: World, stored: list[str]) -> None:
    unproven = claim(world)
    assert unproven is not None
    assert [item.sop_instance_uid for item in unproven.instances] == stored
    assert (unproven.study_uid, unproven.attempt) == (STUDY, 1)
    assert claim(world, "worker-1") is None


def test_a_claim_that_ran_out_is_taken_over(world: World, stored: list[str]) -> None:
    first = claim(world)
    world.later(60)
    second = claim(world, "worker-1")
    assert first is not None
    assert second is not None
    assert second.instances == first.instances
    world.tracker.proofs.postpone(first, "too late", world.later(1))
    assert claim(world) is None


def test_a_report_of_all_delivers_all(world: World, stored: list[str]) -> None:
    ask(world, "2.25.1")
    world.later(2)
    assert report(world, "2.25.1", stored) == CommitmentResult(
        CommitmentOutcome.RECORDED, "pacs", committed=3
    )
    row = delivery(world, stored[0])
    assert (row.state, row.proof, row.delivered_at, row.proof_asked) == (
        DeliveryState.DELIVERED,
        Proof.COMMITMENT,
        world.now,
        1,
    )
    assert states(world, stored) == ["delivered"] * 3
    assert world.tracker.proofs.find_unproven_backlog("pacs") is None
    world.later(301)
    assert claim(world) is None


def test_what_is_refused_is_sent_again_with_the_reason_and_the_rest_is_delivered(
    world: World, stored: list[str]
) -> None:
    ask(world, "2.25.1")
    settlement = report(world, "2.25.1", stored[:2], stored[2:], 0x0119)
    assert (settlement.committed, settlement.refused) == (2, 1)
    assert states(world, stored) == ["delivered", "delivered", "pending"]
    lost = delivery(world, stored[2])
    assert lost.proof_refused == 1
    assert lost.last_error == "storage commitment refused: 0x0119, class / instance conflict"
    assert world.tracker.deliveries.claim_batch("pacs", "worker-0", world.now, 60) is None
    world.later(5)
    assert store(world, objects=1) == [stored[2]]
    again = claim(world)
    assert again is not None
    assert [item.times_asked for item in again.instances] == [0]


def test_an_object_that_is_refused_again_and_again_is_sent_at_growing_pauses(
    world: World, stored: list[str]
) -> None:
    pauses = []
    for turn in range(1, 13):
        ask(world, f"2.25.{turn}")
        report(world, f"2.25.{turn}", stored[1:], stored[:1])
        pauses.append((delivery(world, stored[0]).due_at - world.now).total_seconds())
        world.later(pauses[-1])
        store(world, objects=1)
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert delivery(world, stored[0]).proof_refused == 12


def test_an_object_that_was_lost_once_waits_for_its_proof_since_it_was_first_stored(
    world: World, stored: list[str]
) -> None:
    first = world.now
    ask(world, "2.25.1")
    report(world, "2.25.1", stored[1:], stored[:1])
    world.later(600)
    assert unproven_since(world) == first
    assert world.tracker.deliveries.find_backlog("pacs") is None
    store(world, objects=1)
    assert unproven_since(world) == first


def test_without_a_report_in_time_it_is_asked_for_anew(world: World, stored: list[str]) -> None:
    ask(world, "2.25.1")
    world.later(299)
    assert claim(world) is None
    world.later(1)
    assert ask(world, "2.25.2").attempt == 2
    assert delivery(world, stored[0]).proof_asked == 2


def test_a_report_that_comes_late_counts_as_much(world: World, stored: list[str]) -> None:
    ask(world, "2.25.1")
    world.later(300)
    ask(world, "2.25.2")
    assert report(world, "2.25.1", stored).outcome is CommitmentOutcome.RECORDED
    assert states(world, stored) == ["delivered"] * 3
    proven_at = world.now
    world.later(1)
    assert report(world, "2.25.2", stored).outcome is CommitmentOutcome.RECORDED
    assert delivery(world, stored[0]).delivered_at == proven_at


def test_a_late_refusal_does_not_undo_a_proof(world: World, stored: list[str]) -> None:
    ask(world, "2.25.1")
    world.later(300)
    ask(world, "2.25.2")
    report(world, "2.25.2", stored)
    report(world, "2.25.1", (), stored)
    assert states(world, stored) == ["delivered"] * 3


def test_a_refusal_from_before_an_object_was_stored_anew_is_out_of_date(
    world: World, stored: list[str]
) -> None:
    ask(world, "2.25.1")
    world.later(300)
    ask(world, "2.25.2")
    report(world, "2.25.2", (), stored)
    world.later(5)
    store(world)
    report(world, "2.25.1", (), stored)
    assert states(world, stored) == ["stored"] * 3


def test_a_commitment_reaches_an_object_that_is_on_its_way_again(
    world: World, stored: list[str]
) -> None:
    ask(world, "2.25.1")
    world.later(300)
    ask(world, "2.25.2")
    report(world, "2.25.2", (), stored)
    world.later(5)
    batch = world.tracker.deliveries.claim_batch("pacs", "worker-0", world.now, 60)
    assert batch is not None
    report(world, "2.25.1", stored)
    assert states(world, stored) == ["delivered"] * 3
    answers = [StoreAnswer(uid, AnswerKind.STORED, 0x0000, "") for uid in stored]
    world.tracker.deliveries.record_stored(batch, answers, world.now)
    world.tracker.deliveries.record_failed(batch, answers, world.now, world.now)
    assert states(world, stored) == ["delivered"] * 3


def test_a_repeated_report_changes_nothing(world: World, stored: list[str]) -> None:
    ask(world, "2.25.1")
    report(world, "2.25.1", stored)
    again = report(world, "2.25.1", (), stored)
    assert again == CommitmentResult(CommitmentOutcome.REPEATED, "pacs")
    assert states(world, stored) == ["delivered"] * 3


def test_an_unknown_transaction_changes_nothing(world: World, stored: list[str]) -> None:
    assert report(world, "2.25.404", stored).outcome is CommitmentOutcome.UNKNOWN
    assert states(world, stored) == ["stored"] * 3


def test_a_report_settles_what_was_asked_about_and_nothing_else(
    world: World, stored: list[str]
) -> None:
    ask(world, "2.25.1")
    settlement = report(world, "2.25.1", [stored[0], "1.2.840.1"], ["1.2.840.2"])
    assert settlement == CommitmentResult(
        CommitmentOutcome.RECORDED, "pacs", committed=1, refused=0, unmentioned=2, unrequested=2
    )
    assert states(world, stored) == ["delivered", "stored", "stored"]
    world.later(300)
    again = claim(world)
    assert again is not None
    assert [item.sop_instance_uid for item in again.instances] == stored[1:]


def test_a_request_that_was_not_taken_is_made_again_when_it_is_due(
    world: World, stored: list[str]
) -> None:
    ask(world, "2.25.1")
    again_at = world.now + timedelta(seconds=5)
    world.tracker.proofs.record_not_taken("2.25.1", "rejected: words", world.now, again_at)
    row = delivery(world, stored[0])
    assert (row.state, row.proof_asked, row.last_error) == (
        DeliveryState.STORED,
        0,
        "rejected: words",
    )
    assert claim(world) is None
    world.later(5)
    assert ask(world, "2.25.2").attempt == 1


def test_a_report_on_a_request_whose_answer_was_lost_counts(
    world: World, stored: list[str]
) -> None:
    ask(world, "2.25.1")
    world.tracker.proofs.record_not_taken("2.25.1", "broken", world.now, world.now)
    assert report(world, "2.25.1", stored).committed == 3
    assert states(world, stored) == ["delivered"] * 3


def test_a_report_that_was_faster_than_the_lost_answer_stands(
    world: World, stored: list[str]
) -> None:
    ask(world, "2.25.1")
    report(world, "2.25.1", stored[:2])
    due_at = delivery(world, stored[2]).due_at
    world.tracker.proofs.record_not_taken("2.25.1", "broken", world.now, world.now)
    assert delivery(world, stored[2]).due_at == due_at
    assert delivery(world, stored[0]).last_error is None


def test_transactions_outlive_a_restart(
    world: World, stored: list[str], tracker: Tracker, tracker_url: str
) -> None:
    ask(world, "2.25.1")
    restarted = Tracker(tracker_url, tracker.outbox_dir)
    values = CommitmentReport("2.25.1", frozenset(stored), {})
    assert restarted.proofs.record_report(values, world.now).committed == 3
    restarted.close()
    assert states(world, stored) == ["delivered"] * 3


def test_queries_prove_wait_and_refuse(world: World, stored: list[str]) -> None:
    unproven = claim(world)
    assert unproven is not None
    proofs, now = world.tracker.proofs, world.now
    proofs.record_proven(unproven, stored[:1], Proof.QUERY, now)
    proofs.record_not_shown(unproven, stored[1:2], "not yet", now + timedelta(seconds=30))
    proofs.record_refused(unproven, stored[2:], "lost", now)
    assert states(world, stored) == ["delivered", "stored", "pending"]
    assert delivery(world, stored[0]).proof is Proof.QUERY
    assert (delivery(world, stored[1]).proof_asked, delivery(world, stored[1]).last_error) == (
        1,
        "not yet",
    )
    assert delivery(world, stored[2]).proof_refused == 1


@pytest.mark.parametrize("mode", [DestinationMode.PAUSED, DestinationMode.SHADOW])
def test_a_destination_that_is_not_live_is_not_asked_and_is_heard(
    world: World, stored: list[str], mode: DestinationMode
) -> None:
    ask(world, "2.25.1")
    world.tracker.destinations.set_mode("pacs", mode, "admin", world.now)
    world.later(300)
    assert claim(world) is None
    assert world.tracker.proofs.find_unproven_backlog("pacs") is None
    assert report(world, "2.25.1", stored).committed == 3


def test_an_old_workers_success_does_not_ask_a_second_time(world: World, stored: list[str]) -> None:
    ask(world, "2.25.1")
    due_at: datetime = delivery(world, stored[0]).due_at
    answers = [StoreAnswer(uid, AnswerKind.STORED, 0x0000, "") for uid in stored]
    old = DeliveryBatch(STUDY, "pacs", (), 1, "an old claim")
    world.tracker.deliveries.record_stored(old, answers, world.later(1))
    assert delivery(world, stored[0]).due_at == due_at


@pytest.mark.parametrize(
    ("proof", "state"),
    [(Proof.STORE_STATUS, "duplicate-unproven"), (Proof.QUERY, "delivered")],
)
def test_a_duplicate_is_delivered_by_a_proof_and_not_by_its_status(
    world: World, stored: list[str], proof: Proof, state: str
) -> None:
    """The settings may ask for less than when it was sent; then the status is all there is."""
    lost = claim(world)
    assert lost is not None
    world.tracker.proofs.record_refused(lost, stored, "lost", world.now)
    world.later(3600)
    store(world, status=0x0111)
    unproven = claim(world)
    assert unproven is not None
    world.tracker.proofs.record_proven(unproven, stored, proof, world.now)
    assert states(world, stored) == [state] * 3
