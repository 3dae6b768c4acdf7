import os
import threading
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from secondread.accept.dispositions import Disposition
from secondread.app.reconcile import (
    LOST_FILE_ALARM,
    SETTLED_AFTER_SECONDS,
    ArchiveDifferences,
    Reconciliation,
    _NamedPaths,
)
from secondread.app.retention import remove_old_objects
from secondread.app.verify import verify_archive
from secondread.track.states import StudyState
from secondread.track.summaries import ExpectedFile
from tests.worlds.builders import header
from tests.worlds.node_world import NodeWorld


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


def compare(world: NodeWorld) -> ArchiveDifferences:
    ledger = world.node.tracker.open_ledger("receive", world.settings.assemble)
    node = world.node
    reconciliation = Reconciliation(node.archive, node.tracker, ledger, lambda: world.now)
    return reconciliation.compare(threading.Event())


def stored(world: NodeWorld) -> Path:
    (path,) = world.node.archive.list_instance_paths()
    return world.node.archive.resolve_path(path)


def test_a_file_without_a_row_is_written_down(world: NodeWorld, tmp_path: Path) -> None:
    world.deliver(header())
    source = stored(world)
    (tmp_path / "restored").mkdir()
    other = NodeWorld(tmp_path / "restored")
    target = other.node.archive.root / source.relative_to(world.node.archive.root)
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    os.utime(target, (0, 0))

    assert compare(other) == ArchiveDifferences(recorded=1, lost=0)
    assert compare(other) == ArchiveDifferences(recorded=0, lost=0)
    detail = other.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.summary.due_at is not None


def test_the_file_of_a_capture_has_its_row_and_is_looked_for(world: NodeWorld) -> None:
    world.deliver(header(SOPClassUID=SecondaryCaptureImageStorage), Disposition.NOT_ANALYSED)
    os.utime(stored(world), (0, 0))
    assert compare(world) == ArchiveDifferences(recorded=0, lost=0)
    stored(world).unlink()
    assert compare(world) == ArchiveDifferences(recorded=0, lost=1)


def test_a_capture_without_a_row_is_written_down_as_not_analysed(
    world: NodeWorld, tmp_path: Path
) -> None:
    world.deliver(header(SOPClassUID=SecondaryCaptureImageStorage), Disposition.NOT_ANALYSED)
    source = stored(world)
    (tmp_path / "restored").mkdir()
    other = NodeWorld(tmp_path / "restored")
    target = other.node.archive.root / source.relative_to(world.node.archive.root)
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    os.utime(target, (0, 0))

    assert compare(other) == ArchiveDifferences(recorded=1, lost=0)
    assert compare(other) == ArchiveDifferences(recorded=0, lost=0)
    detail = other.node.tracker.study_queries.find_detail("1.2.3")
    assert detail is not None
    assert detail.summary.state is StudyState.WITHOUT_IMAGES


def test_a_file_that_came_a_moment_ago_is_left_to_its_receiver(world: NodeWorld) -> None:
    world.deliver(header())
    moved = stored(world).with_name("f" * 64 + ".dcm")
    moved.write_bytes(stored(world).read_bytes())
    age = world.now.timestamp() - SETTLED_AFTER_SECONDS + 60
    os.utime(moved, (age, age))

    assert compare(world).recorded == 0


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_lost_file_raises_an_alarm_that_clears_when_it_is_back(
    world: NodeWorld, damage: str
) -> None:
    world.deliver(header())
    path = stored(world)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1])

    assert compare(world).lost == 1
    (alarm,) = world.node.tracker.node_queries.list_alarms()
    assert (alarm.kind, alarm.subject) == (LOST_FILE_ALARM, "1.2.3")

    path.write_bytes(content)
    assert compare(world).lost == 0
    assert world.node.tracker.node_queries.list_alarms() == []


def lengthen_meta(path: Path) -> None:
    """Write a file anew whose meta information is longer, with the same data set."""
    ds = pydicom.dcmread(path)
    ds.file_meta.SourceApplicationEntityTitle = "ANOTHER_TITLE"
    ds.save_as(path, enforce_file_format=True)


def list_sizes(world: NodeWorld) -> list[int]:
    return [row.size_bytes for row in world.node.tracker.node_queries.list_expected_files(0)]


def test_a_file_of_another_length_with_the_same_data_set_is_no_loss(world: NodeWorld) -> None:
    world.deliver(header())
    lengthen_meta(stored(world))

    assert compare(world) == ArchiveDifferences(recorded=0, lost=0)
    assert list_sizes(world) == [stored(world).stat().st_size]
    assert verify_archive(world.node.archive, world.node.tracker).faults == []


@pytest.mark.parametrize("is_damaged", [True, False])
def test_an_instance_that_comes_again_has_the_length_of_the_file_that_is_there(
    world: NodeWorld, is_damaged: bool
) -> None:
    uid = world.deliver(header())
    first = stored(world).read_bytes()
    if is_damaged:
        stored(world).write_bytes(first[:-2])
    again = header(SOPInstanceUID=uid)
    again.file_meta.SourceApplicationEntityTitle = "ANOTHER_TITLE"
    world.deliver(again)

    assert (stored(world).read_bytes() != first) is is_damaged
    assert list_sizes(world) == [stored(world).stat().st_size]
    assert compare(world) == ArchiveDifferences(recorded=0, lost=0)


def test_what_is_removed_for_its_age_meanwhile_is_no_loss(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deliver(header(SOPClassUID=SecondaryCaptureImageStorage), Disposition.NOT_ANALYSED)
    node = world.node
    list_files = node.tracker.other_objects.list_expected_files

    def list_and_remove(after: int) -> list[ExpectedFile]:
        page = list_files(after)
        later = world.now + timedelta(days=365)
        remove_old_objects(node, later)
        return page

    monkeypatch.setattr(node.tracker.other_objects, "list_expected_files", list_and_remove)
    assert compare(world) == ArchiveDifferences(recorded=0, lost=0)
    assert list(node.archive.list_instance_paths()) == []


def test_no_file_that_a_row_names_is_taken_for_one_without_a_row_nor_the_other_way_round() -> None:
    named, none_named = _NamedPaths(), _NamedPaths()
    paths = [f"instances/{number}" for number in range(3000)]
    rows = [ExpectedFile(0, "1.2.3", path, "", 0) for path in paths[::2]]
    named.add(rows[:1000])
    named.add(rows[1000:])
    named.sort()

    assert named.list_others(paths) == paths[1::2]
    assert none_named.list_others(paths) == paths


def test_a_comparison_ends_when_it_is_asked_to(world: NodeWorld) -> None:
    world.deliver(header())
    stored(world).unlink()
    ledger = world.node.tracker.open_ledger("receive", world.settings.assemble)
    stop = threading.Event()
    stop.set()
    node = world.node
    reconciliation = Reconciliation(node.archive, node.tracker, ledger, lambda: world.now)

    assert reconciliation.compare(stop) == ArchiveDifferences(recorded=0, lost=0)
    assert node.tracker.node_queries.list_alarms() == []
