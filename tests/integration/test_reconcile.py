import os
import threading
from pathlib import Path

import pytest

from secondread.app.reconcile import (
    LOST_FILE_ALARM,
    SETTLED_AFTER_SECONDS,
    ArchiveDifferences,
    Reconciliation,
)
from tests.integration.test_workflow import Desk
from tests.worlds.builders import header


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def compare(desk: Desk) -> ArchiveDifferences:
    ledger = desk.node.tracker.open_ledger("receive", desk.settings.assemble)
    node = desk.node
    reconciliation = Reconciliation(node.archive, node.tracker, ledger, lambda: desk.now)
    return reconciliation.compare(threading.Event())


def stored(desk: Desk) -> Path:
    (path,) = desk.node.archive.list_instance_paths()
    return desk.node.archive.resolve_path(path)


def test_a_file_without_a_row_is_written_down(desk: Desk, tmp_path: Path) -> None:
    desk.deliver(header())
    source = stored(desk)
    (tmp_path / "restored").mkdir()
    other = Desk(tmp_path / "restored")
    target = other.node.archive.root / source.relative_to(desk.node.archive.root)
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    os.utime(target, (0, 0))

    assert compare(other) == ArchiveDifferences(recorded=1, lost=0)
    assert compare(other) == ArchiveDifferences(recorded=0, lost=0)
    detail = other.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.summary.due_at is not None


def test_a_file_that_came_a_moment_ago_is_left_to_its_receiver(desk: Desk) -> None:
    desk.deliver(header())
    moved = stored(desk).with_name("f" * 64 + ".dcm")
    moved.write_bytes(stored(desk).read_bytes())
    age = desk.now.timestamp() - SETTLED_AFTER_SECONDS + 60
    os.utime(moved, (age, age))

    assert compare(desk).recorded == 0


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_lost_file_raises_an_alarm_that_clears_when_it_is_back(desk: Desk, damage: str) -> None:
    desk.deliver(header())
    path = stored(desk)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1])

    assert compare(desk).lost == 1
    (alarm,) = desk.node.tracker.node_queries.list_alarms()
    assert (alarm.kind, alarm.subject) == (LOST_FILE_ALARM, "1.2.3")

    path.write_bytes(content)
    assert compare(desk).lost == 0
    assert desk.node.tracker.node_queries.list_alarms() == []
