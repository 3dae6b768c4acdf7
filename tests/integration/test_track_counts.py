"""Counts that are not counted: compared with the tables, after whatever changes them."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, text, update

from secondread.settings import DestinationMode
from secondread.track.counts import CountKey, read_counts
from secondread.track.deliveries import Deliveries
from secondread.track.snapshot import copy_database
from secondread.track.states import StudyState
from secondread.track.tables import (
    CountChangeRow,
    Counted,
    DeliveryRow,
    FetchRequestRow,
    StudyRow,
)
from secondread.track.tracker import Tracker
from tests.worlds.track_world import World, claim_all, mammogram, reading


def count_rows(tracker: Tracker) -> dict[CountKey, int]:
    """Count the tables themselves."""
    wanted = {
        Counted.STUDIES: (StudyRow.state, StudyRow.outcome),
        Counted.DELIVERIES: (DeliveryRow.state, DeliveryRow.destination),
        Counted.FETCH_REQUESTS: (FetchRequestRow.state, FetchRequestRow.source),
    }
    with tracker.database.begin_read() as session:
        return {
            (counted, str(state), str(label or "")): number
            for counted, key in wanted.items()
            for state, label, number in session.execute(select(*key, func.count()).group_by(*key))
        }


def counts_of(tracker: Tracker) -> dict[CountKey, int]:
    with tracker.database.begin_read() as session:
        return dict(read_counts(session))


def work(world: World, studies: int = 4) -> None:
    """Studies come; half of them are read, their results are sent and one is taken as delivered."""
    world.destination("pacs", DestinationMode.LIVE)
    world.destination("trial", DestinationMode.SHADOW)
    uids = [f"1.2.3.{number}" for number in range(studies)]
    for uid in uids:
        world.arrive(mammogram("RCC", uid, patient=uid))
    world.hang_up()
    world.later(150)
    for uid in uids[: studies // 2]:
        world.record(reading(world.claimed(uid)))
    deliveries: Deliveries = world.tracker.deliveries
    assert deliveries.claim_batch("pacs", "worker-0", world.now, 60.0) is not None


def test_counts_are_those_of_the_tables_at_each_step(world: World) -> None:
    assert counts_of(world.tracker) == {}
    work(world)
    counts = counts_of(world.tracker)
    assert counts == count_rows(world.tracker)
    assert counts[Counted.STUDIES, "reported", "no-findings"] == 2
    assert counts[Counted.DELIVERIES, "sending", "pacs"] == 1
    assert counts[Counted.DELIVERIES, "shadow", "trial"] == 2


def test_a_statement_written_by_hand_is_counted_as_well(world: World) -> None:
    work(world)
    with world.tracker.database.begin_write() as session:
        session.execute(text("UPDATE studies SET state = 'stuck' WHERE state = 'assembling'"))
        session.execute(text("UPDATE studies SET shown_findings = 7"))
        session.execute(delete(DeliveryRow).where(DeliveryRow.destination == "trial"))
    counts = counts_of(world.tracker)
    assert counts == count_rows(world.tracker)
    assert counts[Counted.STUDIES, "stuck", ""] == 2
    assert (Counted.DELIVERIES, "shadow", "trial") not in counts


def test_what_is_rolled_back_was_never_counted(world: World) -> None:
    work(world)
    before = counts_of(world.tracker)
    with world.tracker.database.begin_write() as session:
        session.execute(update(StudyRow).values(state=StudyState.STUCK))
        session.rollback()
    assert counts_of(world.tracker) == before == count_rows(world.tracker)


def test_folding_leaves_the_sums_as_they_are(world: World) -> None:
    work(world)
    before = counts_of(world.tracker)
    assert world.tracker.counts.fold(most=10_000) == 0
    assert world.tracker.counts.fold(most=5) > 5
    with world.tracker.database.begin_read() as session:
        changes = session.scalars(select(CountChangeRow.change)).all()
    assert sorted(changes) == sorted(before.values())
    assert counts_of(world.tracker) == before


def test_counts_are_exact_while_several_write_and_several_fold(world: World) -> None:
    url, uids = world.tracker.database.url, [f"1.2.3.{number}" for number in range(12)]
    for uid in uids:
        world.arrive(mammogram("RCC", uid, patient=uid))
    world.hang_up()

    def write(seed: int) -> None:
        tracker, chosen = Tracker(url, Path()), random.Random(seed)
        for _ in range(15):
            state = chosen.choice(list(StudyState))
            with tracker.database.begin_write() as session:
                # In one order, or two of them would wait for each other.
                mine = sorted(chosen.sample(uids, 3))
                for uid in mine:
                    session.get_one(StudyRow, uid, with_for_update=True).state = state
                    session.flush()
        tracker.close()

    def fold(_: int) -> None:
        tracker = Tracker(url, Path())
        for _ in range(20):
            tracker.counts.fold(most=3)
            assert sum(counts_of(tracker).values()) == len(uids)
        tracker.close()

    with ThreadPoolExecutor(5) as pool:
        for done in [*pool.map(write, range(3)), *pool.map(fold, range(2))]:
            assert done is None
    assert counts_of(world.tracker) == count_rows(world.tracker)


def test_a_copy_of_the_database_has_the_counts_of_its_tables(world: World, tmp_path: Path) -> None:
    if not world.tracker.database.url.startswith("sqlite"):
        pytest.skip("a dump of PostgreSQL is restored with pg_restore, which copies rows as rows")
    work(world)
    copied = Tracker(f"sqlite:///{copy_database(world.tracker.database.url, tmp_path)}", tmp_path)
    assert counts_of(copied) == count_rows(copied) == counts_of(world.tracker)
    claim_all(copied.database.url, "worker-1")
    assert counts_of(copied) == count_rows(copied)
    copied.close()
