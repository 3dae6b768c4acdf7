"""Readiness, from what was asked to the JSON."""

from pathlib import Path

import pytest

from secondread.track.summaries import ProcessSummary
from secondread.watch.health import (
    ReadinessCheck,
    check_disk,
    check_readiness,
    check_receiver,
    summarize_readiness,
)
from tests.worlds.watch_world import NOW, FakeArchive, FakeTracker, process, settings


@pytest.mark.parametrize(
    ("processes", "ok", "detail"),
    [
        ([process("receive-0", "receive", 14.9)], True, "1 running"),
        ([process("receive-0", "receive", 15.1)], False, "silent for 15 s"),
        ([process("receive-0", "receive", 900), process("r1", "receive", 1)], True, "1 running"),
        ([process("worker-0", "work", 1)], False, "none is running"),
        ([], False, "none is running"),
    ],
)
def test_a_receiver_counts_until_it_has_missed_three_heartbeats(
    processes: list[ProcessSummary], ok: bool, detail: str
) -> None:
    assert check_receiver(processes, NOW, 5.0) == ReadinessCheck("receiver", ok, detail)


def test_the_disk_is_ready_down_to_its_minimum() -> None:
    assert check_disk(2_000_000_000, 2_000_000_000).ok
    below = check_disk(1_999_999_999, 2_000_000_000)
    assert not below.ok
    assert below.detail == "2.0 GB free, 2.0 GB is the minimum"


def test_one_failed_check_makes_the_node_not_ready_and_all_are_named() -> None:
    status, body = summarize_readiness(
        [ReadinessCheck("a", ok=True, detail="x"), ReadinessCheck("b", ok=False, detail="y")]
    )
    assert status == 503
    assert body == {
        "ready": False,
        "checks": {"a": {"ok": True, "detail": "x"}, "b": {"ok": False, "detail": "y"}},
    }


def test_a_healthy_node_is_ready(tmp_path: Path) -> None:
    checks = check_readiness(FakeTracker().as_tracker(), FakeArchive(tmp_path), settings(), NOW)
    assert [check.name for check in checks] == ["database", "receiver", "disk"]
    assert summarize_readiness(checks)[0] == 200


def test_without_the_database_the_receiver_is_unknown_and_the_disk_still_checked(
    tmp_path: Path,
) -> None:
    checks = check_readiness(
        FakeTracker(away=True).as_tracker(), FakeArchive(tmp_path), settings(), NOW
    )
    assert [check.ok for check in checks] == [False, False, True]


def test_an_archive_that_is_gone_is_not_ready(tmp_path: Path) -> None:
    class Gone(FakeArchive):
        def measure_free_bytes(self) -> int:
            raise FileNotFoundError(2, "No such file or directory")

    checks = check_readiness(FakeTracker().as_tracker(), Gone(tmp_path), settings(), NOW)
    assert checks[2] == ReadinessCheck(
        "disk", ok=False, detail="the archive is gone: No such file or directory"
    )
