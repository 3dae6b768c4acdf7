"""A file in the spool, which takes a data set as it arrives.

A sender in the middle of a data set can be answered only when it is through. So a fault of the disk
ends no association: the file is removed, the rest of the data set is read and dropped, and the
request, which finds no file, is answered A700.

What arrives is collected in one buffer, and digested from there before it is written: it is read
from memory once, while it is still in the processor's cache, and from the disk not at all. The
system is asked to begin with the disk while the rest is on its way, so that little is left to
wait for when the file is flushed.
"""

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

from secondread import log
from secondread.files import begin_writing

_log = log.get_logger(__name__)

_SUFFIX = ".dcm"
_BUFFER_BYTES: Final = 512 * 1024
"""Less takes more calls, and more does not stay in the cache."""
_BEGIN_DISK_BYTES: Final = 4 * 1024**2
"""After how much more the system is asked to begin writing to the disk."""


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
        self._buffer = bytearray()
        self._filled = 0
        self._written = 0
        self._on_its_way = 0
        self._digest: hashlib._Hash | None = None
        self._undigested = 0
        try:
            handle, self.name = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=_SUFFIX)
            self._file = os.fdopen(handle, "wb", 0)
        except OSError as error:
            self._drop(error)

    @property
    def file(self) -> "SpoolFile":
        """The file itself: pynetdicom flushes it by this name, as that of a temporary file."""
        return self

    @property
    def sha256(self) -> str | None:
        """Digest of what was written since `begin_digest` and is flushed; None without that."""
        return None if self._digest is None else self._digest.hexdigest()

    def begin_digest(self) -> None:
        """Digest what is written from here on."""
        self._digest, self._undigested = hashlib.sha256(), self._filled

    def get_space(self, length: int, at_least: int = 1) -> memoryview:
        """Return where up to `length` of the next bytes go; `advance` keeps them.

        Where `at_least` is more than the buffer holds, it is less.
        """
        if len(self._buffer) - self._filled < at_least:
            self._write_buffer()
            self._buffer = self._buffer or bytearray(_BUFFER_BYTES)
        return memoryview(self._buffer)[self._filled : self._filled + length]

    def advance(self, length: int) -> None:
        """Keep so many bytes of the space that was given last."""
        self._filled += length

    def write(self, data: bytes | memoryview) -> int:
        """Write bytes, or drop them; return their number."""
        rest = memoryview(data)
        while rest:
            with self.get_space(len(rest)) as space:
                length = len(space)
                space[:] = rest[:length]
            self.advance(length)
            rest = rest[length:]
        return len(data)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._write_buffer()
        self._buffer = bytearray()

    def close(self) -> None:
        """Close it; what is in it stays."""
        self.flush()
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self._drop(error)

    def drop(self) -> None:
        """Remove it; what is still written to it is dropped."""
        self._drop(None)

    def _write_buffer(self) -> None:
        filled, self._filled = self._filled, 0
        if self._file is None or self.is_dropped or not filled:
            return
        with memoryview(self._buffer)[:filled] as data:
            if self._digest is not None:
                self._digest.update(data[self._undigested :])
                self._undigested = 0
            try:
                written = 0
                while written < filled:
                    written += self._file.write(data[written:]) or 0
                self._written += filled
                self._begin_disk(self._file)
            except OSError as error:
                self._drop(error)

    def _begin_disk(self, file: BinaryIO) -> None:
        """Have the system begin with what it has not begun with."""
        length = self._written - self._on_its_way
        if length >= _BEGIN_DISK_BYTES:
            begin_writing(file.fileno(), self._on_its_way, length)
            self._on_its_way = self._written

    def _drop(self, error: OSError | None) -> None:
        self.is_dropped = True
        if error is not None:
            _log.error("data_set_dropped", why=error.strerror)
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        with contextlib.suppress(OSError):
            Path(self.name).unlink(missing_ok=True)
