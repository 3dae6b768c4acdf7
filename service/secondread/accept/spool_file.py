"""A file in the spool, which takes a data set as it arrives.

A sender in the middle of a data set can be answered only when it is through. So a fault of the disk
ends no association: the file is removed, the rest of the data set is read and dropped, and the
request, which finds no file, is answered A700.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from secondread import log

_log = log.get_logger(__name__)

_SUFFIX = ".dcm"
_BUFFER_BYTES = 64 * 1024


class SpoolFile:
    """A new file in a folder, open for writing; raises nothing, `is_dropped` tells.

    Parameters
    ----------
    folder
        The spool.
    prefix
        What its name begins with.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self.name = str(folder / f"{prefix}{secrets.token_hex(8)}{_SUFFIX}")
        """Its path."""
        self.is_dropped = False
        """Whether it is gone, and with it what was written."""
        self._file: BinaryIO | None = None
        try:
            handle, self.name = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=_SUFFIX)
            self._file = os.fdopen(handle, "wb", _BUFFER_BYTES)
        except OSError as error:
            self._drop(error)

    @property
    def file(self) -> "SpoolFile":
        """The file itself: pynetdicom flushes it by this name, as that of a temporary file."""
        return self

    def write(self, data: bytes | memoryview) -> int:
        """Write bytes, or drop them; return their number."""
        self._attempt(lambda file: file.write(data))
        return len(data)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._attempt(lambda file: file.flush())

    def close(self) -> None:
        """Close it; what is in it stays."""
        self._attempt(lambda file: file.close())

    def drop(self) -> None:
        """Remove it; what is still written to it is dropped."""
        self._drop(None)

    def _attempt(self, act: Callable[[BinaryIO], object]) -> None:
        if self._file is None or self.is_dropped:
            return
        try:
            act(self._file)
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError | None) -> None:
        self.is_dropped = True
        if error is not None:
            _log.error("data_set_dropped", why=error.strerror)
        with contextlib.suppress(OSError):  # a full disk takes the rest of the buffer no more
            if self._file is not None:
                self._file.close()
        with contextlib.suppress(OSError):
            Path(self.name).unlink(missing_ok=True)
