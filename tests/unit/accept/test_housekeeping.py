import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from secondread.accept.archive import Archive
from secondread.accept.housekeeping import Housekeeping
from secondread.accept.intake import Intake
from secondread.accept.ledger import RefusalKind, Transfer
from secondread.accept.refusal_counts import Caller, RefusalLog
from secondread.reasons import Reason
from tests.unit.accept.fakes import NOW, MemoryLedger


class HousekeepingWorld:
    """A housekeeping whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.archive = Archive(folder)
        self.archive.create()
        self.ledger = MemoryLedger()
        self.refusals = RefusalLog()
        self.housekeeping = Housekeeping(self.intake(self.ledger), silence_seconds=60)

    def intake(self, ledger: MemoryLedger) -> Intake:
        return Intake(self.archive, ledger, self.refusals, lambda: self.now, minimum_free_bytes=0)

    def leave_spool_file(self, name: str, at: datetime) -> Path:
        path = self.archive.spool / name
        path.write_bytes(b"half an instance")
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path


@pytest.fixture
def world(tmp_path: Path) -> HousekeepingWorld:
    return HousekeepingWorld(tmp_path)


def refuse(refusals: RefusalLog) -> None:
    caller = Caller("EVIL", "SECONDREAD", "10.6.6.6")
    refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, caller, NOW)


def test_ends_and_refusals_reach_the_ledger(world: HousekeepingWorld) -> None:
    world.housekeeping.queue_association_end("a1", NOW)
    refuse(world.refusals)
    world.housekeeping.run_once()
    assert world.ledger.closed == ["a1"]
    assert len(world.ledger.refusals) == 1


def test_what_the_ledger_cannot_take_now_it_gets_later_in_order(world: HousekeepingWorld) -> None:
    world.ledger.away = True
    for association in ("a1", "a2"):
        world.housekeeping.queue_association_end(association, NOW)
    refuse(world.refusals)
    world.housekeeping.run_once()
    assert world.ledger.closed == []
    world.ledger.away = False
    world.housekeeping.run_once()
    assert world.ledger.closed == ["a1", "a2"]
    assert len(world.ledger.refusals) == 1


def test_stale_spool_files_go_also_while_the_ledger_is_away(world: HousekeepingWorld) -> None:
    stale = world.leave_spool_file("stale.dcm", NOW - timedelta(minutes=11))
    fresh = world.leave_spool_file("fresh.dcm", NOW - timedelta(minutes=9))
    world.ledger.away = True
    refuse(world.refusals)
    world.housekeeping.run_once()
    assert (stale.exists(), fresh.exists()) == (False, True)


def test_the_spool_is_not_swept_all_the_time(world: HousekeepingWorld) -> None:
    world.housekeeping.run_once()
    stale = world.leave_spool_file("stale.dcm", NOW - timedelta(minutes=11))
    world.housekeeping.run_once()
    assert stale.exists()
    world.now += timedelta(minutes=2)
    world.housekeeping.run_once()
    assert not stale.exists()


def test_an_end_is_recorded_at_once_and_what_is_left_when_it_stops(
    world: HousekeepingWorld,
) -> None:
    recorded = threading.Event()

    class SignallingLedger(MemoryLedger):
        def record_association_end(
            self, association_id: str, at: datetime, transfers: Sequence[Transfer] = ()
        ) -> None:
            super().record_association_end(association_id, at, transfers)
            recorded.set()

    ledger = SignallingLedger()
    housekeeping = Housekeeping(world.intake(ledger), silence_seconds=60)
    housekeeping.start(every_seconds=3600)
    housekeeping.queue_association_end("a1", NOW)
    assert recorded.wait(5)
    refuse(world.refusals)
    housekeeping.stop()
    assert len(ledger.refusals) == 1
