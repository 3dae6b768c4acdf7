"""Alarms about the disk: before instances are refused, while they are, and not afterwards."""

import os
from pathlib import Path

import pytest

from secondread.app.disk_watch import DiskState, DiskWatch, list_findings
from secondread.track.values import Severity
from tests.worlds.node_world import NodeWorld

MINIMUM = 1000
GOOD = DiskState(5 * MINIMUM, 0.01)


def kinds(state: DiskState) -> list[str]:
    return [finding.kind for finding in list_findings(state, MINIMUM)]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (GOOD, []),
        (DiskState(2 * MINIMUM, 0.01), []),
        (DiskState(2 * MINIMUM - 1, 0.01), ["disk-nearly-full"]),
        (DiskState(MINIMUM, 0.01), ["disk-nearly-full"]),
        (DiskState(MINIMUM - 1, 0.01), ["disk-full"]),
        (DiskState(0, None, "No space left on device"), ["disk-full"]),
        (DiskState(5 * MINIMUM, None, "Read-only file system"), ["disk-not-writable"]),
        (DiskState(5 * MINIMUM, 3.5), ["disk-slow"]),
    ],
)
def test_each_state_of_the_disk_has_its_alarms(state: DiskState, expected: list[str]) -> None:
    assert kinds(state) == expected


def test_an_alarm_comes_before_the_minimum_grows_below_it_and_goes_with_the_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NodeWorld(tmp_path)
    minimum = world.settings.receive.minimum_free_bytes
    watch = DiskWatch(world.node, "receive-a")

    def look(free: int) -> list[tuple[str, str, Severity]]:
        monkeypatch.setattr(watch, "measure", lambda: DiskState(free, 0.01))
        watch.look(world.now)
        alarms = world.node.tracker.node_queries.list_alarms()
        return [(alarm.kind, alarm.subject, alarm.severity) for alarm in alarms]

    assert look(3 * minimum) == []
    assert look(2 * minimum - 1) == [("disk-nearly-full", "receive-a", Severity.WARNING)]
    assert look(minimum - 1) == [("disk-full", "receive-a", Severity.CRITICAL)]
    # A receiver that is started anew knows what the one before it raised.
    watch = DiskWatch(world.node, "receive-a")
    assert look(minimum - 1) == [("disk-full", "receive-a", Severity.CRITICAL)]
    watch = DiskWatch(world.node, "receive-a")
    assert look(3 * minimum) == []


def test_the_disk_is_tried_by_writing_and_nothing_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NodeWorld(tmp_path)
    watch = DiskWatch(world.node, "receive-a")
    state = watch.measure()
    assert state.fault == ""
    assert state.write_seconds is not None
    assert state.free_bytes > 0

    def refuse(_: int) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fsync", refuse)
    assert watch.measure().fault == "Read-only file system"
    assert not list(world.node.archive.spool.iterdir())


def test_an_archive_that_is_gone_cannot_be_written_to(tmp_path: Path) -> None:
    world = NodeWorld(tmp_path)
    world.node.archive.spool.rmdir()

    assert DiskWatch(world.node, "receive-a").measure() == DiskState(
        0, None, "No such file or directory"
    )
