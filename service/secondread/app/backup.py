"""`secondread backup` and `secondread restore`: database and archive as of one moment.

A backup folder holds the archive's files once, under their digests (`files/`), and a snapshot for
each backup (`snapshots/TIME/`): the database, the list of the files that its rows name, and a
manifest with the digests of both. The database is copied first. Every file that its rows name is
on the disk by then, and files never change, so the rest may take hours while the node goes on.
A snapshot gets its name when it is whole; what a backup that was broken off has copied stays and is
not copied again.

The durable engine's database is not part of it: readings that were under way begin anew.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from secondread import __version__, log
from secondread.accept.archive import hash_content
from secondread.app.node import RESTORING_NAME, Node
from secondread.app.verify import FaultKind
from secondread.errors import SettingsError
from secondread.files import flush_file, flush_folder, write_whole
from secondread.settings import Settings
from secondread.track.archive_rows import NamedFile
from secondread.track.migrate import NEWEST_VERSION
from secondread.track.snapshot import DUMP_NAME, SQLITE_NAME, copy_database, find_sqlite_file
from secondread.track.tracker import Tracker

_log = log.get_logger(__name__)

FORMAT: Final = 1
"""Of the backup folder; a program refuses those it does not know."""

MANIFEST_NAME: Final = "manifest.json"
LIST_NAME: Final = "files.txt"
"""One path a line, relative to `files`, in the order in which they were copied."""

_DIGESTED: Final = (SQLITE_NAME, DUMP_NAME, LIST_NAME)
_PART: Final = ".part"

Report = Callable[[int], None]
"""Called with the number of files done so far."""


@dataclass(frozen=True, slots=True)
class CopyFault:
    """A file that could not be copied as it should be."""

    path: str
    kind: FaultKind


@dataclass(frozen=True, slots=True)
class BackupResult:
    """What a backup or a restoration did."""

    snapshot: Path
    """Folder of the snapshot."""
    files: int
    """Files that the snapshot names and that are there."""
    copied: int
    """Those of them that were copied now."""
    faults: tuple[CopyFault, ...]
    installation_id: str


def back_up(
    node: Node, folder: Path, now: datetime, *, link: bool = False, report: Report = lambda _: None
) -> BackupResult:
    """Make a backup of a node, which may be running.

    Parameters
    ----------
    node
        The node.
    folder
        The backup folder; made where it is missing. Earlier backups in it stay.
    now
        The present instant: the name of the snapshot.
    link
        Hard-link the files where the folder is on the archive's file system. That takes no room,
        and is no protection against a disk that fails.
    report
        Called as files are done.

    Raises
    ------
    SettingsError
        Another backup into the same folder is under way, or pg_dump is missing.
    DatabaseDamagedError, TransientError
        The database could not be copied; no snapshot was made.
    OSError
        The folder cannot be written to.
    """
    files = folder / "files"
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(folder):
        part = _begin_snapshot(folder, now)
        database = copy_database(node.tracker.database.url, part)
        copied = 0
        paths: list[str] = []
        faults: list[CopyFault] = []
        for row in _list_named(node, database):
            source = node.archive.resolve_path(row.path)
            kind, is_new = _copy_checked(source, files / row.path, link=link)
            copied += is_new
            if kind is None:
                paths.append(row.path)
            else:
                faults.append(CopyFault(row.path, kind))
            report(len(paths) + len(faults))
        faults = _drop_removed(node, faults)
        (part / LIST_NAME).write_text("".join(f"{path}\n" for path in paths))
        # The names of all copies; each copy's content was flushed before it had its name.
        os.sync()
        _write_manifest(node, part, database, now, faults)
        snapshot = part.with_suffix("")
        part.rename(snapshot)
        flush_folder(snapshot.parent)
    _log.info("backup_made", files=len(paths), copied=copied, faults=len(faults))
    return BackupResult(snapshot, len(paths), copied, tuple(faults), node.installation_id)


def _begin_snapshot(folder: Path, now: datetime) -> Path:
    snapshots = folder / "snapshots"
    snapshots.mkdir(mode=0o700, exist_ok=True)
    for unfinished in snapshots.glob(f"*{_PART}"):
        shutil.rmtree(unfinished)
    part = snapshots / f"{now:%Y%m%dT%H%M%SZ}{_PART}"
    if part.with_suffix("").exists():
        raise SettingsError(f"{part.with_suffix('')} is there already")
    part.mkdir(mode=0o700)
    return part


def _list_named(node: Node, database: Path) -> Iterator[NamedFile]:
    """Yield each file that the copied database names; of a dump, those that the node's does."""
    is_dump = database.name == DUMP_NAME
    # The copy is read as a copy: opening it as a tracker would begin a log beside it.
    with tempfile.TemporaryDirectory(dir=database.parent) as place:
        if is_dump:
            tracker = node.tracker
        else:
            twin = shutil.copy(database, Path(place) / SQLITE_NAME)
            tracker = Tracker(f"sqlite:///{twin}", node.archive.root)
        met: set[str] = set()
        try:
            for row in tracker.archive_rows.list_files():
                if row.path not in met:
                    met.add(row.path)
                    yield row
        finally:
            if not is_dump:
                tracker.close()


def _drop_removed(node: Node, faults: list[CopyFault]) -> list[CopyFault]:
    """Leave out the files that were removed for their age, with their rows, since the copy."""
    if not faults:
        return []
    named = {row.path for row in node.tracker.archive_rows.list_files()}
    return [fault for fault in faults if fault.path in named]


def _copy_checked(source: Path, target: Path, *, link: bool) -> tuple[FaultKind | None, bool]:
    """Copy a file whose name is its digest; return what is wrong with it, and whether it is new."""
    try:
        size = source.stat().st_size
    except FileNotFoundError:
        return (None, False) if target.is_file() else (FaultKind.MISSING, False)
    if target.is_file() and target.stat().st_size == size:
        return None, False
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if link and _link(source, target):
        return None, True
    # One name for all tries, so that nothing piles up; two backups never run at once.
    part = target.with_name(f".{target.name}{_PART}")
    try:
        _copy(source, part)
        is_whole = hash_content(part, _get_area(source)) == source.stem
        if is_whole:
            flush_file(part)
            part.replace(target)
    except FileNotFoundError:  # removed for its age since it was listed
        return FaultKind.MISSING, False
    finally:
        part.unlink(missing_ok=True)
    return (None, True) if is_whole else (FaultKind.ALTERED, False)


def _link(source: Path, target: Path) -> bool:
    if hash_content(source, _get_area(source)) != source.stem:
        return False
    try:
        target.unlink(missing_ok=True)
        target.hardlink_to(source)
    except OSError:
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _get_area(file: Path) -> str:
    """Return which of the archive's folders a file is in, by its path: area/ab/cd/digest."""
    return file.parts[-4]


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(
    node: Node, part: Path, database: Path, now: datetime, faults: list[CopyFault]
) -> None:
    manifest = {
        "format": FORMAT,
        "node_version": __version__,
        "database_version": NEWEST_VERSION,
        "installation_id": node.installation_id,
        "made_at": now.isoformat(),
        "digests": {name: _hash_file(part / name) for name in (database.name, LIST_NAME)},
        "faults": [{"path": fault.path, "kind": fault.kind.value} for fault in faults],
    }
    (part / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n")
    for name in (database.name, LIST_NAME, MANIFEST_NAME):
        flush_file(part / name)
    flush_folder(part)


def restore(
    settings: Settings, folder: Path, name: str | None = None, report: Report = lambda _: None
) -> BackupResult:
    """Put a backup into an empty data folder; one that was broken off goes on.

    The database comes last, so that no node starts on a part of it.

    Parameters
    ----------
    settings
        Those of the node that is to be.
    folder
        The backup folder.
    name
        Of a snapshot; None for the newest.
    report
        Called as files are done.

    Raises
    ------
    SettingsError
        The data folder is not empty, or the backup cannot be used.
    OSError
        A disk cannot be read or written to.
    """
    snapshot = _find_snapshot(folder, name)
    manifest = _read_manifest(snapshot)
    data_dir = settings.node.data_dir
    database = _find_target_database(settings, snapshot)
    marker = _mark_restoring(data_dir, database, snapshot)
    faults: list[CopyFault] = []
    copied = done = 0
    for path in (snapshot / LIST_NAME).read_text().splitlines():
        kind, is_new = _copy_checked(folder / "files" / path, data_dir / path, link=False)
        copied += is_new
        done += 1
        report(done)
        if kind is not None:
            faults.append(CopyFault(path, kind))
    os.sync()
    if database is not None:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with write_whole(database, durable=True) as part:
            shutil.copyfile(snapshot / SQLITE_NAME, part)
    marker.unlink()
    flush_folder(data_dir)
    _log.info("backup_restored", files=done - len(faults), faults=len(faults))
    installation = str(manifest["installation_id"])
    return BackupResult(snapshot, done - len(faults), copied, tuple(faults), installation)


def _find_target_database(settings: Settings, snapshot: Path) -> Path | None:
    """Return where the SQLite file goes; None where PostgreSQL's own program restores a dump."""
    database = find_sqlite_file(settings.tracker_url)
    has_dump = (snapshot / DUMP_NAME).is_file()
    if has_dump == (database is not None):
        kind = "PostgreSQL" if has_dump else "SQLite"
        raise SettingsError(f"database.url: names another database than the backup's, {kind}")
    return database


def _mark_restoring(data_dir: Path, database: Path | None, snapshot: Path) -> Path:
    """Take an empty data folder, or one that was left half restored; return the mark in it."""
    marker = data_dir / RESTORING_NAME
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_empty = not any(data_dir.iterdir()) and (database is None or not database.exists())
    if not is_empty and not marker.is_file():
        raise SettingsError(f"node.data_dir {data_dir}: not empty; restore into an empty folder")
    marker.write_text(f"{snapshot}\n")
    flush_folder(data_dir)
    return marker


def _find_snapshot(folder: Path, name: str | None) -> Path:
    snapshots = [
        path
        for path in sorted((folder / "snapshots").glob("*"))
        if path.suffix != _PART and name in {None, path.name}
    ]
    if not snapshots:
        what = "snapshot" if name is None else f"snapshot {name}"
        raise SettingsError(f"{folder}: holds no whole {what}")
    return snapshots[-1]


def _read_manifest(snapshot: Path) -> dict[str, Any]:
    """Return the manifest of a snapshot whose files have the digests that it states."""
    try:
        manifest: dict[str, Any] = json.loads((snapshot / MANIFEST_NAME).read_text())
        version, digests = manifest["format"], dict(manifest["digests"])
        found = {name: _hash_file(snapshot / name) for name in _DIGESTED if name in digests}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{snapshot}: {type(error).__name__}, not a whole backup") from error
    if version != FORMAT:
        raise SettingsError(f"{snapshot}: a backup of format {version}, which is not known here")
    damaged = [name for name in digests if found.get(name) != digests[name]]
    if damaged or LIST_NAME not in found:
        raise SettingsError(f"{snapshot}: damaged, the digest of {', '.join(damaged)} is another")
    return manifest


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep other backups out of a folder."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(f"{folder}: another backup into it is under way") from error
        yield
