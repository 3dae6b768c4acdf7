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

from secondread.accept.sop_classes import InstanceUse, find_use
from secondread.dicom_files import scan_data_set, scan_identity
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
    is_whole: bool = True
    """Whether it could be read to its end. Of another one, the header ends with group 0020."""


def read_received_file(
    path: Path, transfer_syntax: str, sop_class_uid: str, sha256: str | None = None
) -> ReceivedFile:
    """Read header and digest of a file that the receiver wrote.

    An image has to be readable to its end. Of what is not analysed, only patient, study and UIDs
    are read: nothing else of it is used, and its sender should not stop at it. The same is enough
    of a CAD report that breaks its encoding further on, or is longer than any: nobody reads it. A
    rejection note has to be readable, for its sender relies on it.

    Parameters
    ----------
    path
        A Part 10 file whose file meta information the receiver itself wrote.
    transfer_syntax, sop_class_uid
        What was negotiated for it.
    sha256
        The digest, where it is known because it was made when the file was written.

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
        if offset >= size:
            raise DataSetError("data set is empty")
        digest = sha256 or _hash_data_set(file, offset)
        use = find_use(sop_class_uid)
        if use is not InstanceUse.NOT_ANALYSED:
            try:
                header = scan_data_set(file, offset, size, transfer_syntax)
                return ReceivedFile(header, digest, size)
            except DataSetError:
                if use is not InstanceUse.CAD_SR:
                    raise
        header = scan_identity(file, offset, size, transfer_syntax)
        return ReceivedFile(header, digest, size, is_whole=False)


def hash_data_set(path: Path) -> str:
    """Return the digest of a file's data set, as in `ReceivedFile`.

    Raises
    ------
    DataSetError
        The file has no file meta information with its group length, or nothing behind it.
    OSError
        The file cannot be read.
    """
    # Not mapped: on a disk that fails, reading is an error, and a mapped page ends the process.
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, io.SEEK_END)
        if file.seek(_find_data_set(file)) >= size:
            raise DataSetError("data set is empty")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_data_set(file: BinaryIO | io.FileIO) -> int:
    """Return where the data set begins: after the file meta information group (PS3.10 7.1)."""
    file.seek(0)
    start = file.read(_META_PREFIX.size)
    if len(start) < _META_PREFIX.size:
        raise DataSetError("file too short for file meta information")
    prefix, group, element, vr, _, length = _META_PREFIX.unpack(start)
    if (prefix, group, element, vr) != (b"DICM", 0x0002, 0x0000, b"UL"):
        raise DataSetError("file meta information without its group length")
    return _META_PREFIX.size + int(length)


def _hash_data_set(file: BinaryIO, offset: int) -> str:
    with (
        closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as mapped,
        memoryview(mapped) as whole,
        whole[offset:] as data_set,
    ):
        return hashlib.sha256(data_set).hexdigest()
