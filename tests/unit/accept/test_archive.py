import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secondread.accept.archive import Archive
from secondread.errors import InputError, StorageFullError

DATA = b"content"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path / "archive")
    archive.create()
    return archive


def spool(archive: Archive, data: bytes = DATA) -> Path:
    path = archive.spool / "tmpabc.dcm"
    path.write_bytes(data)
    return path


class Steps:
    """Records the durable steps of a commit, and can fail one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        fsync, replace = os.fsync, Path.replace

        def recorded_fsync(handle: int) -> None:
            self.seen.append(f"fsync {Path(f'/proc/self/fd/{handle}').readlink().name}")
            fsync(handle)

        def recorded_replace(path: Path, target: Path) -> Path:
            self.seen.append("rename")
            return replace(path, target)

        monkeypatch.setattr(os, "fsync", recorded_fsync)
        monkeypatch.setattr(Path, "replace", recorded_replace)


def test_a_committed_file_stands_under_its_digest(archive: Archive) -> None:
    file = archive.commit(spool(archive), DIGEST)
    assert file.relative_path == f"instances/{DIGEST[:2]}/{DIGEST[2:4]}/{DIGEST}.dcm"
    assert archive.resolve_path(file.relative_path).read_bytes() == DATA
    assert file.size == len(DATA)
    assert list(archive.spool.iterdir()) == []


def test_file_is_flushed_then_renamed_then_its_new_folders_are_flushed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spool(archive)
    steps = Steps(monkeypatch)
    archive.commit(path, DIGEST)
    assert steps.seen == [
        "fsync tmpabc.dcm",
        "fsync instances",
        f"fsync {DIGEST[:2]}",
        "rename",
        f"fsync {DIGEST[2:4]}",
    ]


def test_a_folder_made_by_a_process_that_died_is_flushed_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.commit(spool(archive), DIGEST)
    after_restart = Archive(archive.root)
    other = DIGEST[:4] + "0" * 60
    path = spool(archive)
    steps = Steps(monkeypatch)
    after_restart.commit(path, other)
    assert {"fsync instances", f"fsync {DIGEST[:2]}"} <= set(steps.seen)


def test_the_same_content_again_is_not_written_again(archive: Archive) -> None:
    first = archive.resolve_path(archive.commit(spool(archive), DIGEST).relative_path)
    before = first.stat()
    archive.commit(spool(archive), DIGEST)
    after = first.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list(archive.spool.iterdir()) == []


def test_the_same_content_again_is_flushed_before_it_counts(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.commit(spool(archive), DIGEST)
    path = spool(archive)
    steps = Steps(monkeypatch)
    archive.commit(path, DIGEST)
    assert steps.seen == [f"fsync {DIGEST[2:4]}"]


def test_a_torn_file_in_the_place_is_replaced(archive: Archive) -> None:
    place = archive.resolve_path(archive.commit(spool(archive), DIGEST).relative_path)
    place.write_bytes(DATA[:3])
    archive.commit(spool(archive), DIGEST)
    assert place.read_bytes() == DATA


def test_bytes_are_put_as_durably_as_files(archive: Archive) -> None:
    file = archive.write_bytes(DATA)
    assert file.relative_path.startswith("outbox/")
    path = archive.resolve_path(file.relative_path)
    assert path.read_bytes() == DATA
    before = path.stat().st_ino
    archive.write_bytes(DATA)
    assert path.stat().st_ino == before
    assert list(archive.spool.iterdir()) == []


def test_a_failing_disk_counts_as_full_and_leaves_no_file_in_place(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(handle: int) -> None:
        raise OSError(28, "No space left on device")

    path = spool(archive)
    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StorageFullError, match="No space left"):
        archive.commit(path, DIGEST)
    with pytest.raises(StorageFullError):
        archive.write_bytes(b"other")
    assert not list((archive.root / "instances").rglob("*.dcm"))
    assert list(archive.spool.iterdir()) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "/etc/passwd",
        f"instances/../{DIGEST}.dcm",
        f"instances/aa/bb/{DIGEST}.dcm\n",
        f"spool/aa/bb/{DIGEST}.dcm",
        "",
    ],
)
def test_only_paths_that_the_archive_makes_are_resolved(archive: Archive, path: str) -> None:
    with pytest.raises(InputError, match="not a path of the archive"):
        archive.resolve_path(path)


@pytest.mark.parametrize("digest", ["", "../../x", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_only_digests_become_names(archive: Archive, digest: str) -> None:
    with pytest.raises(InputError, match="not a SHA-256"):
        archive.commit(spool(archive), digest)


def test_only_stale_spool_files_are_swept(archive: Archive) -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for name, age in (("old.dcm", 700), ("fresh.dcm", 500)):
        at = (now - timedelta(seconds=age)).timestamp()
        (archive.spool / name).write_bytes(b"x")
        os.utime(archive.spool / name, (at, at))
    assert archive.sweep_spool(600, now) == 1
    assert [path.name for path in archive.spool.iterdir()] == ["fresh.dcm"]


def test_free_space_is_that_of_the_archives_disk(archive: Archive) -> None:
    status = os.statvfs(archive.root)
    assert archive.measure_free_bytes() == pytest.approx(status.f_bavail * status.f_frsize, rel=0.1)


def test_a_removed_file_is_gone_and_removing_it_again_does_nothing(archive: Archive) -> None:
    path = archive.commit(spool(archive), DIGEST).relative_path
    archive.remove(path)
    archive.remove(path)
    assert not archive.resolve_path(path).exists()
    with pytest.raises(InputError):
        archive.remove("../secret")


def test_a_spool_that_is_gone_has_nothing_to_clear(tmp_path: Path) -> None:
    assert Archive(tmp_path / "gone").clear_spool("receive-") == 0
