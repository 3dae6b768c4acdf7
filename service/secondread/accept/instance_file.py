"""Read a received Part 10 file as far as is needed to take responsibility for it.

The data set comes from a stranger. What is read of it is bounded in bytes, in reads and in
sequence items, whatever lengths it claims; deflated data sets are inflated to the same bound.
Pixel data are measured and never read.
"""

import hashlib
import io
import mmap
import struct
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from secondread.errors import InputError

MAXIMUM_HEADER_BYTES: Final = 4 * 1024**2
"""Most that is read, or inflated, to reach the pixel data. Headers of 60-frame tomosynthesis
objects stay below 1 MiB."""
MAXIMUM_ELEMENT_BYTES: Final = 256 * 1024
"""Larger values (look-up tables, private blobs) are skipped and left out of the header."""
MAXIMUM_READS: Final = 60_000
"""Most read calls; an element costs two or three."""
MAXIMUM_ITEMS: Final = 20_000
"""Most sequence items; each becomes a data set of its own in memory."""
MAXIMUM_DEPTH: Final = 16
"""Deepest nesting of sequences. The deepest content trees of CAD SRs have 9 levels."""

_ITEM = b"\xfe\xff\x00\xe0"
_FIRST_PIXEL_TAG = 0x7FE00000
_ELEMENT_HEADER_BYTES = 8
_META_PREFIX = struct.Struct("<128x4sHH2sHI")


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """What is known of a received file before it is archived."""

    header: Dataset
    """Attributes before the pixel data, decoded, with the transfer syntax as file meta
    information; see `Ledger.record_instance` for what is left out."""
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
    InputError
        The data set breaks its encoding, ends early, or exceeds a bound of this module. The
        message quotes no value.
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        offset = _find_data_set(file)
        digest = _hash_data_set(file, offset, size)
        file.seek(offset)
        try:
            header = _read_header(file, size, UID(transfer_syntax))
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001  (a parser's errors over hostile bytes are many)
            # Neither chained nor quoted: such an error's text shows values of the data set.
            raise InputError(f"data set not readable ({type(error).__name__})") from None
    return ReceivedFile(header, digest, size)


def _find_data_set(file: BinaryIO) -> int:
    """Return where the data set begins: after the file meta information group (PS3.10 7.1)."""
    file.seek(0)
    start = file.read(_META_PREFIX.size)
    if len(start) < _META_PREFIX.size:
        raise InputError("file too short for file meta information")
    prefix, group, element, vr, _, length = _META_PREFIX.unpack(start)
    if (prefix, group, element, vr) != (b"DICM", 0x0002, 0x0000, b"UL"):
        raise InputError("file meta information without its group length")
    return _META_PREFIX.size + int(length)


def _hash_data_set(file: BinaryIO, offset: int, size: int) -> str:
    if offset >= size:
        raise InputError("data set is empty")
    with (
        closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as mapped,
        memoryview(mapped) as whole,
        whole[offset:] as data_set,
    ):
        return hashlib.sha256(data_set).hexdigest()


def _read_header(file: BinaryIO, size: int, syntax: UID) -> Dataset:
    if syntax.is_deflated:
        inflated = _inflate(file)
        source = _BoundedReader(io.BytesIO(inflated))
        limit = len(inflated)
    else:
        source, limit = _BoundedReader(file), size
    header = read_dataset(
        cast(BinaryIO, source),
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=True,
        stop_when=_is_pixel_tag,
        defer_size=MAXIMUM_ELEMENT_BYTES,
    )
    _check_end(source, limit, syntax)
    _decode(header, depth=0)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    return header


def _is_pixel_tag(tag: BaseTag, vr: str | None, length: int) -> bool:
    return int(tag) >= _FIRST_PIXEL_TAG


def _inflate(file: BinaryIO) -> bytes:
    """Return the beginning of a deflated data set, at most `MAXIMUM_HEADER_BYTES`."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    parts: list[bytes] = []
    room = MAXIMUM_HEADER_BYTES
    while room > 0 and not inflater.eof:
        deflated = inflater.unconsumed_tail or file.read(64 * 1024)
        if not deflated:
            raise InputError("deflated data set ends early")
        parts.append(inflater.decompress(deflated, room))
        room -= len(parts[-1])
    return b"".join(parts)


def _check_end(source: "_BoundedReader", limit: int, syntax: UID) -> None:
    """Refuse a data set whose last element claims more bytes than there are."""
    position = source.tell()
    if syntax.is_deflated:
        # Only the beginning was inflated; where it ends inside the header, that is too long.
        if position > limit or (limit == MAXIMUM_HEADER_BYTES and position == limit):
            raise InputError("data set ends early, or its header is too long")
        return
    if position > limit:
        raise InputError("data set ends early")
    rest = source.read(12)
    if rest:
        _check_pixel_data(rest, limit - position, syntax)


def _check_pixel_data(start: bytes, available: int, syntax: UID) -> None:
    """Refuse what stands in the place of pixel data but is not, or claims too many bytes."""
    # The tag has 4 bytes; an explicit VR and its padding, 4 more; then comes the length.
    offset = 4 if syntax.is_implicit_VR else 8
    if len(start) < offset + 4:
        raise InputError("data set ends early")
    (group,), (length,) = struct.unpack_from("<H", start), struct.unpack_from("<I", start, offset)
    if group < _FIRST_PIXEL_TAG >> 16:
        raise InputError("data set ends early")
    is_length_known = not syntax.is_encapsulated and length != 0xFFFFFFFF
    if is_length_known and offset + 4 + length > available:
        raise InputError("pixel data end early")


def _decode(data_set: Dataset, depth: int) -> None:
    """Decode every element in place, and drop those that cannot be, so that no later access fails.

    Raises
    ------
    InputError
        Sequences are nested too deeply.
    """
    if depth > MAXIMUM_DEPTH:
        raise InputError("sequences are nested too deeply")
    for tag, raw in list(data_set.items()):
        element = _decode_element(data_set, tag, raw)
        if element is None:
            del data_set[tag]
        elif element.VR == "SQ":
            for item in element.value:
                _decode(item, depth + 1)


def _decode_element(
    data_set: Dataset, tag: BaseTag, raw: DataElement | RawDataElement
) -> DataElement | None:
    """Return the element, or None where it is to be left out."""
    if isinstance(raw, RawDataElement) and raw.length != 0xFFFFFFFF:
        if raw.length > MAXIMUM_ELEMENT_BYTES:
            return None
        if len(raw.value or b"") < raw.length:
            raise InputError("data set ends early")
    if tag.is_private:
        return None
    try:
        return data_set[tag]
    except Exception:  # noqa: BLE001  (any value that its VR does not allow)
        return None


class _BoundedReader:
    """A binary file that refuses to be read more than a header may need."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes = MAXIMUM_HEADER_BYTES
        self._reads = MAXIMUM_READS
        self._items = MAXIMUM_ITEMS

    def read(self, size: int = -1) -> bytes:
        """Read as a file does.

        Raises
        ------
        InputError
            A bound is exceeded, or fewer bytes are left of a value than it claims.
        """
        if size < 0 or size > self._bytes:
            raise InputError("header is too long")
        data = self._file.read(size)
        self._bytes -= len(data)
        self._reads -= 1
        self._items -= data.count(_ITEM)
        if self._reads < 0 or self._items < 0:
            raise InputError("header has too many elements or items")
        if 0 < len(data) < size <= _ELEMENT_HEADER_BYTES:
            raise InputError("data set ends early")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, as a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the present position, as a file does."""
        return self._file.tell()
