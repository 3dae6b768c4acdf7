"""A stored result in Implicit VR Little Endian, which every peer accepts (PS3.5 10.1).

Only the form changes: the VR in front of each value is left out, its length gets 32 bits, and the
lengths of sequences and items follow. The bytes of every value stay, text in whatever character
set included, so both files decode to the same attributes.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import split_dataset

from secondread.errors import DataSetError

_UNDEFINED_LENGTH: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_LONG_VRS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
"""VRs whose length has 32 bits, behind two bytes that are reserved (PS3.5 7.1.2)."""
_PREAMBLE: Final = b"\0" * 128 + b"DICM"


def write_implicit_vr(stored: Path, target: IO[bytes]) -> None:
    """Write a DICOM file in Implicit VR Little Endian.

    Parameters
    ----------
    stored
        A file in Explicit VR Little Endian.
    target
        Where the other one is written.

    Raises
    ------
    DataSetError
        The file is in another transfer syntax, or not encoded as its syntax says.
    OSError
        A file cannot be read or written.
    """
    meta = read_file_meta_info(stored)
    if meta.TransferSyntaxUID != ExplicitVRLittleEndian:
        raise DataSetError(f"{meta.TransferSyntaxUID.name} is not transcoded")
    _, offset = split_dataset(stored)
    encoded = memoryview(stored.read_bytes())[offset:]
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    target.write(_PREAMBLE)
    encoded_meta = DicomBytesIO()
    write_file_meta_info(encoded_meta, meta)
    target.write(encoded_meta.getvalue())
    try:
        target.writelines(_Transcoder(encoded).convert_elements(len(encoded)))
    except struct.error:
        raise DataSetError("the data set ends early") from None


class _Transcoder:
    """Reads an encoded data set from its beginning to its end, and yields it in the other form."""

    def __init__(self, encoded: memoryview) -> None:
        self._encoded = encoded
        self._position = 0

    def convert_elements(self, end: int | None) -> Iterator[bytes | memoryview]:
        """Yield the elements up to a position; None: up to the delimiter of their item."""
        while not self._is_at(end, _ITEM_END):
            tag, vr, length = self._read_head()
            if vr == b"SQ":
                items = b"".join(self._convert_items(self._find_end(length)))
                yield _write_head(tag, len(items)) + items
            else:
                yield _write_head(tag, length)
                yield self._read_value(length)

    def _convert_items(self, end: int | None) -> Iterator[bytes]:
        while not self._is_at(end, _SEQUENCE_END):
            tag, length = self._read_delimiter()
            if tag != _ITEM:
                raise DataSetError("a sequence holds what is no item")
            item = b"".join(self.convert_elements(self._find_end(length)))
            yield _write_head(_ITEM, len(item)) + item

    def _find_end(self, length: int) -> int | None:
        return None if length == _UNDEFINED_LENGTH else self._position + length

    def _is_at(self, end: int | None, delimiter: int) -> bool:
        """Whether the position is the end, or at a delimiter, which is then read."""
        if end is not None:
            if self._position > end:
                raise DataSetError("a value reaches beyond its item")
            return self._position == end
        before = self._position
        if self._read_delimiter()[0] == delimiter:
            return True
        self._position = before
        return False

    def _read_head(self) -> tuple[int, bytes, int]:
        """Return tag, VR and length of an element."""
        group, element, vr, length = struct.unpack_from("<HH2sH", self._encoded, self._position)
        self._position += 8
        if vr in _LONG_VRS:
            (length,) = struct.unpack_from("<I", self._encoded, self._position)
            self._position += 4
        return group << 16 | element, vr, length

    def _read_delimiter(self) -> tuple[int, int]:
        """Return tag and length of the beginning or the end of an item or of a sequence."""
        group, element, length = struct.unpack_from("<HHI", self._encoded, self._position)
        self._position += 8
        return group << 16 | element, length

    def _read_value(self, length: int) -> memoryview:
        value = self._encoded[self._position : self._position + length]
        # Of undefined length are compressed pixel data and sequences that are not known as such;
        # results have neither.
        if len(value) < length:
            raise DataSetError("the data set ends early, or has a value of undefined length")
        self._position += length
        return value


def _write_head(tag: int, length: int) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)
