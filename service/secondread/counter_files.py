"""Where the processes of a node count together: mapped files whose room is taken beforehand.

Prometheus' client maps one file a process and kind. A mapped page that the file system has no room
for, or may not write to any more, ends a process by SIGBUS, and no code can answer that. So the
files lie in memory where the system offers that (`/dev/shm`), and their room is allocated before
they are mapped. A process that gets none counts for itself.

Imports nothing that takes time, and nothing of Prometheus: that reads the variable once, when it
is imported.
"""

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which Prometheus' client finds the folder."""

MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108  (a folder of our own in it, checked below)

RESERVED_BYTES: Final = 256 * 1024
"""Of each file: some 1300 series, several times what a node with ten destinations has."""

_KINDS: Final = ("counter", "histogram")


@contextmanager
def open_counter_folder(data_dir: Path, memory: Path = MEMORY_FOLDER) -> Iterator[Path]:
    """Make the empty folder in which a node's processes count; it is removed at the end.

    Parameters
    ----------
    data_dir
        The node's data folder; the folder is in it where the system offers none in memory.
    memory
        Folder of a file system in memory.

    Raises
    ------
    OSError
        The folder cannot be made.
    """
    folder = _make_memory_folder(data_dir, memory)
    if folder is None:
        folder = data_dir / "counters"
        folder.mkdir(exist_ok=True)
    # Counters start at zero with the node, as Prometheus expects of a restart.
    for stale in folder.glob("*.db"):
        stale.unlink()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_memory_folder(data_dir: Path, memory: Path) -> Path | None:
    """Return a private folder in memory, always the same for one data folder."""
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    folder = memory / f"secondread-{os.getuid()}-{name}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    # Everybody may write beside it, so somebody else may have made it.
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return folder if is_ours and not found.st_mode & 0o077 else None


def reserve_counter_files() -> None:
    """Allocate the files in which this process will count; without room it counts for itself.

    Called before Prometheus' client is imported.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    files = [Path(folder) / f"{kind}_{os.getpid()}.db" for kind in _KINDS]
    try:
        for file in files:
            _reserve(file)
    except OSError as error:
        for file in files:
            file.unlink(missing_ok=True)
        del os.environ[VARIABLE]
        text = f"this process counts for itself, /metrics lacks its counters: {error.strerror}"
        sys.stderr.write(f"secondread: {text}\n")


def _reserve(file: Path) -> None:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if sys.platform == "linux":
            os.posix_fallocate(handle, 0, RESERVED_BYTES)
        else:
            os.write(handle, bytes(RESERVED_BYTES))
    finally:
        os.close(handle)
