"""The archive: a folder of files named by their content, each durable before it is announced.

A file comes in through the spool, a folder on the same file system, and is renamed to its place
after it was flushed; then its folder is flushed (`fsync`), because a rename is durable only when
the folder is. Names are made from digests alone, so that nothing a peer sends becomes a path.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from secondread.accept.spool_file import SpoolFile
from secondread.errors import DataSetError, InputError, StorageFullError
from secondread.files import flush_file, flush_folder

Area = Literal["instances", "outbox", "crops", "answers"]
"""The archive's folders: received instances, results to be sent, pictures of findings, and the
detector's answers about images."""

_SUFFIXES: Mapping[Area, str] = {
    "instances": "dcm",
    "outbox": "dcm",
    "crops": "png",
    "answers": "json",
}
AREAS: tuple[Area, ...] = tuple(_SUFFIXES)
"""All of them."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RELATIVE_PATH = re.compile(
    "|".join(
        rf"{area}/[0-9a-f]{{2}}/[0-9a-f]{{2}}/[0-9a-f]{{64}}\.{suffix}"
        for area, suffix in _SUFFIXES.items()
    )
)


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file that is in the archive to stay."""

    relative_path: str
    """With forward slashes, from the archive's root."""
    size: int
    """Bytes."""


class Archive:
    """A content-addressed store below one folder.

    Parameters
    ----------
    root
        The folder; `create` makes it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spool = root / "spool"
        """Where files are written before they have a name of their own."""
        # As text, which takes a fraction of the memory: there may be 65,536 of them.
        self._durable_folders: set[str] = set()

    def create(self) -> None:
        """Make the folders that are missing, durably."""
        for folder in (self.spool, *(self.root / area for area in _SUFFIXES)):
            self._make_folder(folder)

    def is_reachable(self) -> bool:
        """Whether the archive is there at all, as it may not be on a disk that is not mounted."""
        return self.spool.is_dir()

    def commit(self, spooled: Path, digest: str, area: Area = "instances") -> ArchivedFile:
        """Take a file from the spool to its place; it is durable when this returns.

        Where a file of that content is in place, nothing is written again and the spooled one is
        removed. One of that name with another content has been damaged, and is replaced.

        Parameters
        ----------
        spooled
            A complete file on the archive's file system.
        digest
            SHA-256 of its content, 64 lower-case hexadecimal digits.

        Raises
        ------
        InputError
            The digest is not one.
        StorageFullError
            The file system had no room, or failed.
        """
        relative = _build_relative_path(digest, area)
        target = self.root / relative
        with _convert_os_errors(f"at {relative}"):
            size = spooled.stat().st_size
            if target.is_file() and hash_content(target, area) == digest:
                # Of another length, it may be: the digest leaves file meta information out.
                size = target.stat().st_size
                spooled.unlink()
            else:
                flush_file(spooled)
                self._make_folder(target.parent)
                spooled.replace(target)
            # Also when it was there before: the process that renamed it may have died before this.
            flush_folder(target.parent)
        return ArchivedFile(relative, size)

    def write_bytes(self, data: bytes, area: Area = "outbox") -> ArchivedFile:
        """Write bytes under their own SHA-256, as durably as `commit`.

        Raises
        ------
        StorageFullError
            The file system had no room, or failed.
        """
        with _convert_os_errors("in the spool"):
            handle, name = tempfile.mkstemp(dir=self.spool, suffix=".dcm")
            spooled = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                return self.commit(spooled, hashlib.sha256(data).hexdigest(), area)
            finally:
                spooled.unlink(missing_ok=True)

    def resolve_path(self, relative_path: str) -> Path:
        """Return where a file of the archive is.

        Raises
        ------
        InputError
            The path is not one that this archive makes.
        """
        if not _RELATIVE_PATH.fullmatch(relative_path):
            raise InputError(f"not a path of the archive: {relative_path!r}")
        return self.root / PurePosixPath(relative_path)

    def remove(self, relative_path: str) -> None:
        """Remove a file; nothing happens where it is gone.

        Raises
        ------
        InputError
            The path is not one that this archive makes.
        StorageFullError
            The file system failed.
        """
        path = self.resolve_path(relative_path)
        with _convert_os_errors(f"at {relative_path}"):
            path.unlink(missing_ok=True)

    def list_instance_paths(self) -> Iterator[str]:
        """Yield the relative path of every received file, in no particular order.

        Files that come or go meanwhile may be missed.
        """
        return self._list_area("instances")

    def list_paths(self) -> Iterator[str]:
        """Yield the relative path of every file, as `list_instance_paths` does."""
        for area in AREAS:
            yield from self._list_area(area)

    def _list_area(self, area: Area) -> Iterator[str]:
        for path in (self.root / area).glob(f"??/??/*.{_SUFFIXES[area]}"):
            relative = path.relative_to(self.root).as_posix()
            if _RELATIVE_PATH.fullmatch(relative):
                yield relative

    def measure_free_bytes(self) -> int:
        """Return how many bytes can still be written to the archive's file system."""
        status = os.statvfs(self.spool)
        return status.f_bavail * status.f_frsize

    def open_spool_file(self, prefix: str) -> SpoolFile:
        """Make a file in the spool, and open it for writing; the caller removes it.

        Parameters
        ----------
        prefix
            What its name begins with, for `clear_spool`.
        """
        return SpoolFile(self.spool, prefix)

    def clear_spool(self, prefix: str) -> int:
        """Remove what an earlier life of a process left in the spool; return how many files.

        Parameters
        ----------
        prefix
            What the names of its files begin with, and those of no other process.
        """
        removed = 0
        # A disk that is read-only or gone must not keep a process from starting.
        with contextlib.suppress(OSError):
            for path in [path for path in self.spool.iterdir() if path.name.startswith(prefix)]:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def sweep_spool(self, older_than_seconds: float, now: datetime) -> int:
        """Remove files that were never finished; return how many.

        Parameters
        ----------
        older_than_seconds
            Files written to more recently than this are left alone.
        now
            The present instant.
        """
        limit = now.timestamp() - older_than_seconds
        removed = 0
        for path in self.spool.iterdir():
            # A file may be renamed or removed by its owner between the check and the removal.
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and path.stat().st_mtime < limit:
                    path.unlink()
                    removed += 1
        return removed

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and its missing parents, each entry flushed to its parent.

        A folder that exists may have been made a moment ago and not be flushed yet, so only those
        that this object flushed itself count as durable.
        """
        if str(folder) in self._durable_folders:
            return
        if folder != self.root:
            self._make_folder(folder.parent)
        folder.mkdir(parents=folder == self.root, exist_ok=True)
        flush_folder(folder.parent)
        self._durable_folders.add(str(folder))


@contextlib.contextmanager
def _convert_os_errors(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFullError(f"archive: {error.strerror} {where}") from error


def hash_content(path: Path, area: str) -> str:
    """Return the SHA-256 that a file of the archive is named by, in hexadecimal digits.

    Of a received instance it is that of the data set: the file meta information before it is the
    receiver's own, and differs from sender to sender.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    if area == "instances":
        with contextlib.suppress(DataSetError):
            # Who only asks where a file is needs nothing that reads one.
            from secondread.accept.instance_file import hash_data_set

            return hash_data_set(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _build_relative_path(digest: str, area: Area) -> str:
    if not _DIGEST.fullmatch(digest):
        raise InputError(f"not a SHA-256 digest: {digest!r}")
    return f"{area}/{digest[:2]}/{digest[2:4]}/{digest}.{_SUFFIXES[area]}"
