"""Read a received Part 10 file as far as is needed to take responsibility for it."""

import hashlib
import io
import mmap
import struct
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset

from secondread.dicom_files import scan_data_set
from secondread.errors import DataSetError

_META_PREFIX = struct.Struct("<128x4sHH2sHI")


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """What is known of a received file before it is archived."""

    header: Dataset
    """As `dicom_files.scan_data_set` returns it."""
    sha256: str
    """Of the encoded data set after the file meta information."""
    size: int
    """Bytes of the file."""


def read_received_file(path: Path, transfer_syntax: str) -> ReceivedFile:
    """Read header and digest of a file that the receiver wrote.

    Parameters
    ----------
    path
        A Part 10 file whose file meta information the receiver itself wrote.
    transfer_syntax
        What was negotiated for it.

    Raises
    ------
    DataSetError
        The data set breaks its encoding, ends early, or is beyond any honest size. The message
        quotes no value.
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        offset = _find_data_set(file)
        digest = _hash_data_set(file, offset, size)
        header = scan_data_set(file, offset, size, transfer_syntax)
    return ReceivedFile(header, digest, size)


def hash_data_set(path: Path) -> str:
    """Return the digest of a file's data set, as in `ReceivedFile`.

    Raises
    ------
    DataSetError
        The file has no file meta information with its group length, or nothing behind it.
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        return _hash_data_set(file, _find_data_set(file), size)


def _find_data_set(file: BinaryIO) -> int:
    """Return where the data set begins: after the file meta information group (PS3.10 7.1)."""
    file.seek(0)
    start = file.read(_META_PREFIX.size)
    if len(start) < _META_PREFIX.size:
        raise DataSetError("file too short for file meta information")
    prefix, group, element, vr, _, length = _META_PREFIX.unpack(start)
    if (prefix, group, element, vr) != (b"DICM", 0x0002, 0x0000, b"UL"):
        raise DataSetError("file meta information without its group length")
    return _META_PREFIX.size + int(length)


def _hash_data_set(file: BinaryIO, offset: int, size: int) -> str:
    if offset >= size:
        raise DataSetError("data set is empty")
    with (
        closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as mapped,
        memoryview(mapped) as whole,
        whole[offset:] as data_set,
    ):
        return hashlib.sha256(data_set).hexdigest()
