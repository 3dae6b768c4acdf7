"""`secondread archive verify`: every stored file against its digest, every row against its file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from secondread.accept.archive import AREAS, Archive, Area, hash_content
from secondread.errors import InputError
from secondread.track.archive_rows import NamedFile
from secondread.track.tracker import Tracker


class FaultKind(StrEnum):
    """What is wrong with a file of the archive."""

    MISSING = "missing"
    ALTERED = "altered"
    UNREADABLE = "unreadable"


_HINTS: dict[Area, str] = {
    "instances": "restore it from a backup, or have the study sent again, which replaces it",
    "outbox": "restore it from a backup, or make a new revision: secondread studies read {study}",
    "crops": "restore it from a backup, or make it anew: secondread studies read {study}",
    "answers": "restore it from a backup, or remove it: the next reading asks the detector again",
}


@dataclass(frozen=True, slots=True)
class ArchiveFault:
    """One file that is not what it should be."""

    path: str
    """Relative to the archive's folder."""
    kind: FaultKind
    study_uid: str
    """Empty where no row names it, or where it belongs to no one study."""

    @property
    def area(self) -> Area:
        """The folder it is in."""
        return next(area for area in AREAS if self.path.startswith(f"{area}/"))

    @property
    def hint(self) -> str:
        """What a person can do."""
        return _HINTS[self.area].format(study=self.study_uid or "UID")


@dataclass(slots=True)
class Verification:
    """What was checked and found."""

    files: int = 0
    bytes: int = 0
    faults: list[ArchiveFault] = field(default_factory=list)
    unnamed: int = 0
    """Whole files that no row names: of instances, the next start of a receiver records them; of
    other kinds, a reading that began anew left them, and they do no harm."""


def verify_archive(
    archive: Archive, tracker: Tracker, report: Callable[[int, int], None] = lambda _, __: None
) -> Verification:
    """Read every file of the archive and compare; changes nothing.

    Parameters
    ----------
    archive, tracker
        The node's; they may be in use.
    report
        Called with the files and bytes checked so far.

    Raises
    ------
    TransientError
        The database is away.
    """
    found = Verification()
    named = {row.path: row for row in tracker.archive_rows.list_files()}
    for path in archive.list_paths():
        row = named.pop(path, None)
        kind = _check(archive, path, found)
        if kind is not None:
            found.faults.append(ArchiveFault(path, kind, row.study_uid if row else ""))
        elif row is None:
            found.unnamed += 1
        report(found.files, found.bytes)
    found.faults += _list_missing(archive, tracker, list(named.values()))
    found.faults.sort(key=lambda fault: fault.path)
    return found


def _check(archive: Archive, path: str, found: Verification) -> FaultKind | None:
    try:
        file = archive.resolve_path(path)
        digest, size = hash_content(file, PurePosixPath(path).parts[0]), file.stat().st_size
    except FileNotFoundError:
        return None  # removed for its age meanwhile; where it was not, its row says so below
    except OSError:
        return FaultKind.UNREADABLE
    found.files += 1
    found.bytes += size
    return None if digest == Path(path).stem else FaultKind.ALTERED


def _list_missing(
    archive: Archive, tracker: Tracker, unseen: list[NamedFile]
) -> Iterator[ArchiveFault]:
    """Yield the files of rows that were not met, unless they came or went meanwhile."""
    missing = {row.path: row for row in unseen if not _is_there(archive, row.path)}
    if missing:
        still_named = {row.path for row in tracker.archive_rows.list_files()}
        for path, row in missing.items():
            if path in still_named and not _is_there(archive, path):
                yield ArchiveFault(path, FaultKind.MISSING, row.study_uid)


def _is_there(archive: Archive, path: str) -> bool:
    try:
        return archive.resolve_path(path).is_file()
    except InputError:
        return False
