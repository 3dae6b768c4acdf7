"""Open DICOM files (PS3.10) of any origin: the one place where a data set is opened.

Files come from strangers, from archives after years, and from folders of researchers. Preamble
and file meta information may be missing, a transfer syntax may contradict what follows it, and
bytes may be hostile. Whatever is wrong, `DataSetError` says so without quoting a value; and
what these functions return has no value left that pydicom would decode later, and fail.

=================  =================================================  =========================
function           what it reads                                      what bounds it
=================  =================================================  =========================
`read_header`      everything before the pixel group                  `HEADER_LIMITS`
`read_image`       the same, and Pixel Data (7FE0,0010)               `MAXIMUM_PIXEL_BYTES` too
`read_document`    the same, of structured reports                    `DOCUMENT_LIMITS`
`scan_data_set`    a header; everything behind it is checked, unread  `HEADER_LIMITS`
`read_identity`    the groups up to 0020: patient, study and UIDs     `HEADER_LIMITS`
`scan_identity`    the same of a data set                             `HEADER_LIMITS`
=================  =================================================  =========================

What stands behind the pixel data is never read, here or by the receiver.
"""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pydicom
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from secondread.data_set_parser import (
    DOCUMENT_LIMITS,
    HEADER_LIMITS,
    PIXEL_GROUP,
    STANDARD_VRS,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    ElementHead,
    ParserLimits,
    parse_data_set,
    read_element_head,
    skip_fragments,
)
from secondread.errors import DataSetError, PixelError

MAXIMUM_PIXEL_BYTES: Final = 512 * 1024**2
"""Most that is read as the pixel data of one image, or inflated of one deflated data set. The
largest mammogram of today has 60 MB."""
PIXEL_DATA: Final = 0x7FE00010

_BEHIND_IDENTITY: Final = 0x0021
_PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"
_HEAD_BYTES: Final = 8
_META_GROUP: Final = 0x0002
_META_GROUP_LENGTH: Final = 0x00020000
_FIRST_GROUPS: Final = frozenset({0x0002, 0x0004, 0x0008, 0x0010})
_LONGEST_FIRST_VALUE: Final = 1024
_DEFLATED_AT_ONCE: Final = 64 * 1024
_INFLATED_AT_ONCE: Final = 1024**2
_LONGEST_INFLATED_HEADER: Final = 16 * 1024**2
_EXPLICIT: Final = DataSetEncoding(is_implicit=False)
_NATIVE_SYNTAXES: Final = {
    DataSetEncoding(is_implicit=True): uid.ImplicitVRLittleEndian,
    _EXPLICIT: uid.ExplicitVRLittleEndian,
    DataSetEncoding(is_implicit=False, is_little_endian=False): uid.ExplicitVRBigEndian,
}

# Reading must not depend on what these are set to: pydicom would warn, quoting values, or raise.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom\b")


def read_header(path: Path) -> Dataset:
    """Return the attributes before the pixel data, all decoded, with file meta information.

    Raises
    ------
    DataSetError
        It is not a DICOM file, or broken before its pixel data.
    OSError
        The file cannot be opened or read.
    """
    with _open_data_set(path) as opened:
        return opened.parse_header(HEADER_LIMITS)


def read_document(path: Path) -> Dataset:
    """Return a data set without pixel data, such as a structured report; as `read_header`."""
    with _open_data_set(path) as opened:
        return opened.parse_header(DOCUMENT_LIMITS)


def read_image(path: Path) -> Dataset:
    """Return a data set with its Pixel Data (7FE0,0010), where it has any.

    Raises
    ------
    DataSetError
        As `read_header`.
    PixelError
        The pixel data end early, or are beyond any mammogram's size.
    OSError
        The file cannot be opened or read.
    """
    with _open_data_set(path) as opened:
        data_set = opened.parse_header(HEADER_LIMITS)
        try:
            pixels = opened.read_pixel_data()
        except DataSetError as error:
            raise PixelError(str(error)) from None
        if pixels is not None:
            data_set[PIXEL_DATA] = pixels
        return data_set


def scan_data_set(file: BinaryIO, start: int, size: int, transfer_syntax: str) -> Dataset:
    """Return the header of a data set whose pixel data are checked to be complete, and not read.

    Parameters
    ----------
    file
        Holds the encoded data set.
    start, size
        Positions of its first byte, and behind its last one.
    transfer_syntax
        As it was negotiated.

    Raises
    ------
    DataSetError
        As `read_header`, and where the pixel data are not complete.
    """
    opened = _open_received(file, start, size, transfer_syntax)
    data_set = opened.parse_header(HEADER_LIMITS)
    opened.check_pixel_data()
    return data_set


def read_identity(path: Path) -> Dataset:
    """Return the groups up to 0020, with file meta information; what follows may be anything.

    Raises
    ------
    DataSetError
        It is not a DICOM file, or broken in those groups.
    OSError
        The file cannot be opened or read.
    """
    with _open_data_set(path) as opened:
        return opened.parse_header(HEADER_LIMITS, _BEHIND_IDENTITY)


def scan_identity(file: BinaryIO, start: int, size: int, transfer_syntax: str) -> Dataset:
    """Return the groups up to 0020 of a data set, as `scan_data_set` takes it.

    Raises
    ------
    DataSetError
        It is broken in those groups.
    """
    opened = _open_received(file, start, size, transfer_syntax)
    return opened.parse_header(HEADER_LIMITS, _BEHIND_IDENTITY)


def _open_received(file: BinaryIO, start: int, size: int, transfer_syntax: str) -> "_OpenDataSet":
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(transfer_syntax)
    return _open_encoded(_StoredBytes(file, size), start, meta)


@contextmanager
def _open_data_set(path: Path) -> Iterator["_OpenDataSet"]:
    with path.open("rb") as file:
        source = _StoredBytes(file, file.seek(0, io.SEEK_END))
        meta, start = _read_meta(source, _find_meta(source))
        yield _open_encoded(source, start, meta)


@dataclass(frozen=True, slots=True)
class _StoredBytes:
    """The bytes of an open file."""

    file: BinaryIO
    size: int

    def read_at(self, position: int, length: int) -> bytes:
        self.file.seek(position)
        data = self.file.read(length)
        if len(data) < length:
            raise DataSetError("the data set ends early")
        return data

    read_pixels = read_at


class _InflatedBytes:
    """What a deflated data set (PS3.5 A.5) inflates to, of which only the beginning is in memory.

    Raises
    ------
    DataSetError
        It is not deflated, ends early, or inflates to more than `MAXIMUM_PIXEL_BYTES`.
    """

    def __init__(self, stored: _StoredBytes, start: int) -> None:
        self._stored = stored
        self._start = start
        self._beginning = bytearray()
        self.size = 0
        for part in self._inflate():
            self._beginning += part[: _LONGEST_INFLATED_HEADER - len(self._beginning)]
            self.size += len(part)
            if self.size > MAXIMUM_PIXEL_BYTES:
                raise DataSetError("the data set inflates to more than is accepted")

    def read_at(self, position: int, length: int) -> bytes:
        data = bytes(self._beginning[position : position + length])
        if len(data) < length:
            early = position + length > self.size
            raise DataSetError(f"the {'data set ends early' if early else 'header is too long'}")
        return data

    def read_pixels(self, position: int, length: int) -> bytes:
        data = bytearray()
        skipped = 0
        for part in self._inflate():
            data += part[max(position - skipped, 0) :]
            skipped += len(part)
            if len(data) >= length:
                return bytes(memoryview(data)[:length])
        raise DataSetError("the data set ends early")

    def _inflate(self) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        file = self._stored.file
        file.seek(self._start)
        while not inflater.eof:
            deflated = inflater.unconsumed_tail or file.read(_DEFLATED_AT_ONCE)
            if not deflated:
                raise DataSetError("the deflated data set ends early")
            try:
                yield inflater.decompress(deflated, _INFLATED_AT_ONCE)
            except zlib.error:
                raise DataSetError("the data set is not deflated, or damaged") from None


def _find_meta(source: _StoredBytes) -> int:
    """Return where the file meta information begins, or the data set where there is none."""
    start = source.read_at(0, min(source.size, _PREAMBLE_BYTES + len(_PREFIX)))
    if start[_PREAMBLE_BYTES:] == _PREFIX:
        return _PREAMBLE_BYTES + len(_PREFIX)
    if start[: len(_PREFIX)] == _PREFIX:
        return len(_PREFIX)
    if _guess_encoding(start) is None:
        raise DataSetError("not a DICOM file")
    return 0


def _read_meta(source: _StoredBytes, start: int) -> tuple[FileMetaDataset, int]:
    """Return the file meta information (PS3.10 7.1), and where the data set begins.

    That is where its group length says, or where its group ends: some writers leave the length as
    it was before they changed the rest.
    """
    end, claimed_end = start, -1
    while end < source.size and end != claimed_end:
        head = read_element_head(source, end, source.size, _EXPLICIT)
        if head.tag >> 16 != _META_GROUP:
            break
        end = head.value_at + head.length
        if end > source.size:
            raise DataSetError("the file meta information ends early")
        if head.tag == _META_GROUP_LENGTH and head.length == 4:
            claimed_end = end + int.from_bytes(source.read_at(head.value_at, 4), "little")
    meta = FileMetaDataset()
    meta.update(parse_data_set(source, start, end, _EXPLICIT, HEADER_LIMITS).data_set)
    return meta, end


def _open_encoded(stored: _StoredBytes, start: int, meta: FileMetaDataset) -> "_OpenDataSet":
    syntax = UID(str(meta.get("TransferSyntaxUID", "")))
    if start >= stored.size:
        raise DataSetError("the data set is empty")
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        return _OpenDataSet(_InflatedBytes(stored, start), 0, _EXPLICIT, meta)
    is_implicit, is_big = syntax == uid.ImplicitVRLittleEndian, syntax == uid.ExplicitVRBigEndian
    claimed = DataSetEncoding(is_implicit, not is_big)
    # What follows has the last word: a gateway may have changed the one without the other.
    beginning = stored.read_at(start, min(_HEAD_BYTES, stored.size - start))
    encoding = _guess_encoding(beginning) or claimed
    if not syntax.is_transfer_syntax or (encoding != claimed and not syntax.is_compressed):
        meta.TransferSyntaxUID = _NATIVE_SYNTAXES[encoding]
    return _OpenDataSet(stored, start, encoding, meta)


def _guess_encoding(start: bytes) -> DataSetEncoding | None:
    """Return the encoding of a data set by its first element; None where it has none.

    Data sets begin with group 0008, and files with 0002; whatever group comes first, its number is
    small, which tells the order of bytes.
    """
    if len(start) < _HEAD_BYTES:
        return None
    group, length = struct.unpack_from("<H2xI", start)
    is_explicit = start[4:6].decode("latin-1") in STANDARD_VRS
    if group in _FIRST_GROUPS and (is_explicit or length <= _LONGEST_FIRST_VALUE):
        return DataSetEncoding(is_implicit=not is_explicit)
    if (group >> 8 | (group & 0xFF) << 8) in _FIRST_GROUPS and is_explicit:
        return DataSetEncoding(is_implicit=False, is_little_endian=False)
    return None


class _OpenDataSet:
    """An encoded data set: its header first, then its pixel data."""

    def __init__(
        self,
        source: _StoredBytes | _InflatedBytes,
        start: int,
        encoding: DataSetEncoding,
        meta: FileMetaDataset,
    ) -> None:
        self._source = source
        self._position = start
        self._encoding = encoding
        self._meta = meta

    def parse_header(self, limits: ParserLimits, before_group: int = PIXEL_GROUP) -> Dataset:
        """Return the elements before the pixel group, or before another one."""
        source, encoding = self._source, self._encoding
        parsed = parse_data_set(source, self._position, source.size, encoding, limits, before_group)
        self._position = parsed.end
        parsed.data_set.file_meta = self._meta
        return parsed.data_set

    def check_pixel_data(self) -> None:
        """Raise `DataSetError` where there are pixel data, but not all of them."""
        self._find_pixel_data()

    def read_pixel_data(self) -> DataElement | None:
        """Return Pixel Data (7FE0,0010), or None where there is none."""
        head, end = self._find_pixel_data()
        if head is None:
            return None
        length = end - head.value_at
        if length > MAXIMUM_PIXEL_BYTES:
            raise DataSetError("the pixel data are longer than is accepted")
        value = self._source.read_pixels(head.value_at, length)
        is_encapsulated = head.length == UNDEFINED_LENGTH
        vr = "OB" if is_encapsulated or head.vr == "OB" else "OW"
        element = DataElement(PIXEL_DATA, vr, value)
        element.is_undefined_length = is_encapsulated
        return element

    def _find_pixel_data(self) -> tuple[ElementHead | None, int]:
        """Return the head of Pixel Data, None where there is none, and the end of its value."""
        source, position = self._source, self._position
        while position < source.size:
            head = read_element_head(source, position, source.size, self._encoding)
            if head.tag > PIXEL_DATA:
                break
            position = head.value_at + head.length
            if head.length == UNDEFINED_LENGTH:
                end = skip_fragments(source, head.value_at, source.size, self._encoding)
                self._check_is_encapsulated()
                return head, end.fragments
            if position > source.size:
                raise DataSetError("the pixel data end early")
            if head.tag == PIXEL_DATA:
                return head, position
        return None, position

    def _check_is_encapsulated(self) -> None:
        if not UID(self._meta.TransferSyntaxUID).is_encapsulated:
            raise DataSetError("the pixel data are encapsulated, which their syntax is not")
