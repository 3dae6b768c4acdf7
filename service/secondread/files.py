"""Files that are written whole or not at all, and flushed to the disk where that is needed."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

_SYNC_FILE_RANGE_WRITE: Final = 2
"""linux/fs.h: begin to write what is not on the disk yet, and wait for nothing."""


@contextmanager
def write_whole(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a file beside `path` to write to; it takes the place of `path` when the block ends.

    If the block raises, `path` stays as it was.

    Parameters
    ----------
    path
        The file; its folder must exist.
    durable
        Whether the file survives a power cut once the block has ended. Otherwise it may be found
        empty or broken under its own name afterwards.
    """
    # The suffix stays, because some writers choose the format by it or append it.
    part = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")
    try:
        yield part
        if durable:
            flush_file(part)
        part.replace(path)
        if durable:
            flush_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def flush_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def begin_writing(handle: int, position: int, length: int) -> None:
    """Have the system begin to write a part of a file to the disk, and wait for nothing.

    A hint, so that a flush has less to wait for; elsewhere than on Linux nothing is done. The part
    stays in memory for whoever reads it next, which it might not after `os.posix_fadvise`.
    """
    call = _find_sync_file_range()
    if call is not None:
        call(handle, position, length, _SYNC_FILE_RANGE_WRITE)


@cache
def _find_sync_file_range() -> Any | None:  # noqa: ANN401  (a function of the C library)
    import ctypes  # most commands write no received file

    try:
        call = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError, TypeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: a rename is durable only then."""
    # Windows cannot open folders; the node's platforms (Linux, macOS) can.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
