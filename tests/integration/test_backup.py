"""Backups of a node that goes on working, and what comes of putting them back."""

import json
import shutil
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from secondread.app.backup import BackupResult, back_up, restore
from secondread.app.node import RESTORING_NAME, open_node
from secondread.app.reconcile import ArchiveDifferences, Reconciliation
from secondread.app.verify import FaultKind, verify_archive
from secondread.cli.commands import app
from secondread.errors import SettingsError
from secondread.settings import DatabaseSettings, Settings, load_settings
from tests.peers.postgres_server import PostgresServer
from tests.worlds.builders import detection, header
from tests.worlds.node_world import CLUSTER, NodeWorld


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    """A node with one study that was read and has findings."""
    world = NodeWorld(tmp_path)
    uids = world.deliver_exam()
    world.answers[uids[0]] = detection(uids[0], *CLUSTER)
    world.read_due()
    return world


def other_settings(folder: Path) -> Settings:
    folder.mkdir()
    shutil.copy(folder.parent / "secondread.toml", folder / "secondread.toml")
    return load_settings(folder / "secondread.toml", {})


def make(world: NodeWorld, folder: Path, *, link: bool = False) -> BackupResult:
    world.now += timedelta(seconds=1)
    return back_up(world.node, folder, world.now, link=link)


def list_content(root: Path) -> dict[str, bytes]:
    areas = ("instances", "outbox", "crops", "answers")
    paths = [path for area in areas for path in (root / area).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("link", [False, True])
def test_a_restored_node_has_the_same_results_and_nothing_to_reconcile(
    world: NodeWorld, tmp_path: Path, link: bool
) -> None:
    made = make(world, tmp_path / "backup", link=link)
    assert made.faults == ()
    assert made.files == len(list_content(world.node.archive.root))
    settings = other_settings(tmp_path / "other")
    restored = restore(settings, tmp_path / "backup")
    assert (restored.files, restored.faults) == (made.files, ())

    node = open_node(settings)
    assert node.installation_id == world.node.installation_id
    assert list_content(node.archive.root) == list_content(world.node.archive.root)
    before = world.node.tracker.study_queries.find_detail("1.2.3")
    assert node.tracker.study_queries.find_detail("1.2.3") == before
    ledger = node.tracker.open_ledger("receive", settings.assemble)
    reconciliation = Reconciliation(node.archive, node.tracker, ledger, lambda: world.now)
    assert reconciliation.compare(threading.Event()) == ArchiveDifferences(0, 0)
    assert verify_archive(node.archive, node.tracker).faults == []


@pytest.mark.peer("postgres")
def test_a_postgresql_database_is_dumped_and_restored_by_its_own_programs(
    world: NodeWorld, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    world.node.tracker.close()
    first, second = (
        world.settings.model_copy(
            update={
                "database": DatabaseSettings(url=postgres_server.create()),
                "node": world.settings.node.model_copy(update={"data_dir": tmp_path / name}),
            }
        )
        for name in ("first", "second")
    )
    node = open_node(first)
    made = back_up(node, tmp_path / "backup", world.now)
    restored = restore(second, tmp_path / "backup")
    assert restored.installation_id == node.installation_id

    program = max(Path("/usr/lib/postgresql").glob("*/bin/pg_restore"))
    target = second.tracker_url.replace("+psycopg", "")
    dump = made.snapshot / "tracker.dump"
    subprocess.run([program, "--no-owner", f"--dbname={target}", dump], check=True)
    other = open_node(second)
    assert other.installation_id == node.installation_id
    node.tracker.close()
    other.tracker.close()


def test_a_backup_is_of_one_moment_while_studies_arrive(world: NodeWorld, tmp_path: Path) -> None:
    stop = threading.Event()
    arrived: list[str] = []

    def deliver() -> None:
        while not stop.is_set():
            arrived.append(world.deliver(header(StudyInstanceUID=f"1.2.3.{len(arrived)}")))

    sender = threading.Thread(target=deliver)
    sender.start()
    try:
        results = [make(world, tmp_path / "backup") for _ in range(3)]
    finally:
        stop.set()
        sender.join()

    assert arrived
    for number, result in enumerate(results):
        assert result.faults == ()
        settings = other_settings(tmp_path / f"other-{number}")
        restore(settings, tmp_path / "backup", result.snapshot.name)
        node = open_node(settings)
        found = verify_archive(node.archive, node.tracker)
        assert (found.faults, found.unnamed, found.files) == ([], 0, result.files)


def test_a_second_backup_copies_what_is_new(world: NodeWorld, tmp_path: Path) -> None:
    first = make(world, tmp_path / "backup")
    world.deliver(header(StudyInstanceUID="1.2.4"))
    second = make(world, tmp_path / "backup")

    assert first.copied == first.files
    assert (second.files, second.copied) == (first.files + 1, 1)
    assert second.snapshot != first.snapshot


def break_off(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Have the copying of files end with an error after so many."""
    done: list[Path] = []

    def copy_some(source: Path, target: Path) -> None:
        if len(done) == after:
            raise OSError("killed")
        done.append(source)
        shutil.copyfile(source, target)

    monkeypatch.setattr("secondread.app.backup._copy", copy_some)


def test_a_backup_that_is_broken_off_is_none_and_goes_on(
    world: NodeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_off(patch, after=2)
        with pytest.raises(OSError, match="killed"):
            make(world, tmp_path / "backup")
    with pytest.raises(SettingsError, match="holds no whole snapshot"):
        restore(other_settings(tmp_path / "other"), tmp_path / "backup")

    result = make(world, tmp_path / "backup")
    assert result.copied == result.files - 2
    assert [path.name for path in (tmp_path / "backup" / "snapshots").iterdir()] == [
        result.snapshot.name
    ]


def test_a_restoration_that_is_broken_off_starts_no_node_and_goes_on(
    world: NodeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(world, tmp_path / "backup")
    settings = other_settings(tmp_path / "other")
    with monkeypatch.context() as patch:
        break_off(patch, after=2)
        with pytest.raises(OSError, match="killed"):
            restore(settings, tmp_path / "backup")
    with pytest.raises(SettingsError, match="goes on with it"):
        open_node(settings)

    assert restore(settings, tmp_path / "backup").copied == made.files - 2
    assert not (settings.node.data_dir / RESTORING_NAME).exists()
    assert open_node(settings).installation_id == world.node.installation_id


def test_nothing_is_restored_over_a_node(world: NodeWorld, tmp_path: Path) -> None:
    make(world, tmp_path / "backup")
    with pytest.raises(SettingsError, match="not empty"):
        restore(world.settings, tmp_path / "backup")


@pytest.mark.parametrize("name", ["tracker.sqlite", "files.txt", "manifest.json"])
def test_a_damaged_snapshot_is_refused(world: NodeWorld, tmp_path: Path, name: str) -> None:
    made = make(world, tmp_path / "backup")
    file = made.snapshot / name
    file.write_bytes(file.read_bytes()[:-100])

    settings = other_settings(tmp_path / "other")
    with pytest.raises(SettingsError, match=r"damaged|not a whole backup"):
        restore(settings, tmp_path / "backup")
    assert not settings.node.data_dir.exists()


def test_what_is_damaged_in_the_archive_is_left_out_and_said(
    world: NodeWorld, tmp_path: Path
) -> None:
    altered, missing, *_ = sorted(world.node.archive.list_instance_paths())
    path = world.node.archive.resolve_path(altered)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    world.node.archive.resolve_path(missing).unlink()

    made = make(world, tmp_path / "backup")
    assert {(fault.path, fault.kind) for fault in made.faults} == {
        (altered, FaultKind.ALTERED),
        (missing, FaultKind.MISSING),
    }
    manifest = json.loads((made.snapshot / "manifest.json").read_text())
    assert len(manifest["faults"]) == 2
    assert not (tmp_path / "backup" / "files" / altered).exists()


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    options = ["--settings", str(folder / "secondread.toml")]
    result = CliRunner().invoke(app, [*arguments, *options], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout


def test_the_commands_say_what_they_did_and_warn_of_two_nodes(
    world: NodeWorld, tmp_path: Path
) -> None:
    status, printed = run(tmp_path, "backup", str(tmp_path / "backup"))
    assert status == 0
    assert "The settings file, certificates" in printed
    other_settings(tmp_path / "other")
    status, printed = run(tmp_path / "other", "restore", str(tmp_path / "backup"))
    assert status == 0
    assert "WARNING" in printed
    assert world.node.installation_id[:8] in printed
    assert run(tmp_path / "other", "archive", "verify")[0] == 0


def test_verify_names_each_fault_its_study_and_what_to_do(world: NodeWorld, tmp_path: Path) -> None:
    archive = world.node.archive
    paths = sorted(archive.list_paths())
    by_area = {area: [p for p in paths if p.startswith(area)] for area in ("instances", "outbox")}
    altered, lost = by_area["instances"][0], by_area["outbox"][0]
    path = archive.resolve_path(altered)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    archive.resolve_path(lost).unlink()
    archive.write_bytes(b"left by a reading that began anew", "crops")

    status, printed = run(tmp_path, "archive", "verify", "--json")
    assert status == 1
    found = json.loads(printed)
    assert found["is_whole"] is False
    assert (found["files"], found["unnamed"]) == (len(paths), 1)
    assert {(fault["path"], fault["kind"], fault["study"]) for fault in found["faults"]} == {
        (altered, "altered", "1.2.3"),
        (lost, "missing", "1.2.3"),
    }
    hints = {fault["path"]: fault["hint"] for fault in found["faults"]}
    assert "sent again" in hints[altered]
    assert "secondread studies read 1.2.3" in hints[lost]
    status, printed = run(tmp_path, "archive", "verify")
    assert status == 1
    assert "2 faults, 1 that no row names" in printed


def test_an_image_that_comes_again_replaces_a_damaged_file(
    world: NodeWorld, tmp_path: Path
) -> None:
    archive = world.node.archive
    relative = next(iter(archive.list_instance_paths()))
    path = archive.resolve_path(relative)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    again = archive.spool / "again.dcm"
    again.write_bytes(whole)

    archive.commit(again, path.stem)
    assert path.read_bytes() == whole
    assert not again.exists()
