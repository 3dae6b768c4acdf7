"""Several threads and processes on one database, and processes that are killed."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import TypeVar

from secondread.accept.ledger import RecordOutcome
from secondread.settings import DestinationMode
from tests.worlds.track_world import (
    DIGESTS,
    FOUR_VIEWS,
    SETTINGS,
    STUDY,
    World,
    association,
    claim_all,
    mammogram,
    outbox_entry,
    reading,
    record_and_hang,
    stored,
)

SPAWN = multiprocessing.get_context("spawn")

T = TypeVar("T")


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Let threads act at the same moment."""
    barrier = Barrier(count)

    def wait_and_act(number: int) -> T:
        barrier.wait(timeout=30)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_act, range(count)))


def test_of_many_threads_exactly_one_claims_a_study(world: World) -> None:
    world.send_study()
    world.later(20)

    def claim(number: int) -> bool:
        claimed = world.tracker.studies.claim_study(STUDY, f"worker-{number}", DIGESTS, world.now)
        return claimed is not None

    for revision in range(1, 6):
        assert at_once(5, claim).count(True) == 1
        detail = world.tracker.study_queries.find_detail(STUDY)
        assert detail is not None
        assert detail.summary.revision == revision
        world.record(reading(world.tracker.studies.list_unfinished(world.now, 0)[0]))
        world.tracker.studies.request_reading(STUDY, "someone", world.now)


def test_processes_share_the_due_studies_and_read_none_twice(
    world: World, tracker_url: str
) -> None:
    studies = [f"1.2.3.{number}" for number in range(15)]
    for study in studies:
        world.send_study(("RCC",), study)
    with SPAWN.Pool(2) as pool:
        shares = pool.starmap(claim_all, [(tracker_url, f"worker-{n}") for n in range(2)], 1)
        pool.close()
        pool.join()
    claimed = sorted(name for share in shares for name in share)
    assert claimed == sorted(f"{study}:1" for study in studies)


def test_views_of_one_study_may_come_over_several_associations_at_once(world: World) -> None:
    def send(number: int) -> RecordOutcome:
        ledger = world.tracker.open_ledger("receive-0", SETTINGS)
        header = mammogram(FOUR_VIEWS[number])
        peer = association(number)
        answer = ledger.record_instance(stored(header, world.now, sent_over=peer), header)
        ledger.record_association_end(peer.association_id, world.now)
        return answer

    assert at_once(4, send) == [RecordOutcome.NEW] * 4
    world.later(20)
    assert world.due() == [STUDY]


def test_the_same_image_sent_twice_at_once_is_new_once(world: World) -> None:
    header = mammogram("RCC")

    def send(number: int) -> RecordOutcome:
        ledger = world.tracker.open_ledger("receive-0", SETTINGS)
        return ledger.record_instance(
            stored(header, world.now, sent_over=association(number)), header
        )

    assert sorted(at_once(4, send)) == [RecordOutcome.NEW] + [RecordOutcome.REPEATED] * 3


def test_of_two_executors_that_finish_at_once_the_first_results_count_for_both(
    world: World,
) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(20)
    claimed = world.claimed()

    def record(number: int) -> str:
        entry = replace(outbox_entry(STUDY, 1), sop_instance_uid=f"1.2.3.{number}")
        return world.record(reading(claimed, entries=[entry]))[0].sop_instance_uid

    assert len(set(at_once(4, record))) == 1
    pacs = world.tracker.node_queries.list_destinations()[0]
    assert sum(pacs.counts.values()) == 1


def test_no_object_is_claimed_by_two_lanes(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    for number in range(3):
        study = f"1.2.3.{number}"
        world.send_study(("RCC",), study)
        world.later(120)
        claimed = world.claimed(study)
        entries = [outbox_entry(study, 1, index=index) for index in range(3)]
        world.record(reading(claimed, entries=entries))

    def claim(number: int) -> list[str]:
        batch = world.tracker.deliveries.claim_batch("pacs", f"worker-{number}", world.now, 60)
        return [] if batch is None else [item.sop_instance_uid for item in batch.objects]

    shares = at_once(5, claim)
    assert sorted(map(len, shares)) == [0, 0, 3, 3, 3]
    objects = [uid for share in shares for uid in share]
    assert len(objects) == len(set(objects))


def test_a_worker_killed_before_its_commit_leaves_nothing_and_blocks_nobody(
    world: World, tracker_url: str
) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(20)
    claimed = world.claimed()
    written = SPAWN.Event()
    process = SPAWN.Process(
        target=record_and_hang, args=(tracker_url, reading(claimed), written), daemon=True
    )
    process.start()
    assert process.pid is not None
    assert written.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert world.tracker.results.list_outbox(STUDY, 1) == ()
    assert world.state() == "reading"
    assert world.record(reading(claimed)) == (outbox_entry(STUDY, 1),)
    assert world.state() == "reported"
