"""Size of a compressed frame as its own codestream declares it, read before anything is decoded.

A decoder allocates what the codestream asks for, whatever the DICOM header says; comparing both
first is what keeps a decompression bomb from being decoded at all.
"""

import struct
from dataclasses import dataclass

from secondread.errors import PixelError

# ITU-T T.81 table B.1: start-of-frame markers; T.87 adds SOF55 for JPEG-LS.
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_JPEG_2000_START = b"\xff\x4f\xff\x51"  # start, then size (ITU-T T.800 A.4.1, A.5.1)
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True, slots=True)
class FrameSize:
    """The size that a codestream declares."""

    rows: int
    columns: int
    components: int
    precision: int


def read_frame_size(codestream: bytes) -> FrameSize:
    """Return the size that a JPEG, JPEG-LS or JPEG 2000 codestream declares.

    Raises
    ------
    PixelError
        It is none of these, or ends before its size is known.
    """
    try:
        if codestream[:2] == b"\xff\xd8":
            return _read_jpeg_size(codestream)
        if codestream[:4] == _JPEG_2000_START or codestream[:8] == _JP2_SIGNATURE:
            return _read_jpeg_2000_size(codestream)
    except (struct.error, IndexError) as error:
        raise PixelError("the compressed frame ends inside its own header") from error
    raise PixelError(
        f"the compressed frame is not JPEG, JPEG-LS or JPEG 2000 (it begins {codestream[:4]!r})"
    )


def _read_jpeg_size(codestream: bytes) -> FrameSize:
    position = 2
    while True:
        while codestream[position] == 0xFF:  # fill bytes may precede a marker (T.81 B.1.1.2)
            position += 1
        marker = codestream[position]
        position += 1
        if marker in _START_OF_FRAME:
            _, precision, rows, columns, components = struct.unpack_from(
                ">HBHHB", codestream, position
            )
            return FrameSize(rows, columns, components, precision)
        if marker not in _STANDALONE:
            position += struct.unpack_from(">H", codestream, position)[0]
        if codestream[position] != 0xFF:
            raise PixelError("the JPEG codestream has no frame header where one must be")


def _read_jpeg_2000_size(codestream: bytes) -> FrameSize:
    start = codestream.find(_JPEG_2000_START)
    if start < 0:
        raise PixelError("the JP2 file holds no codestream")
    width, height, x0, y0 = struct.unpack_from(">4I", codestream, start + 8)
    (components,) = struct.unpack_from(">H", codestream, start + 40)
    precision = (codestream[start + 42] & 0x7F) + 1
    return FrameSize(height - y0, width - x0, components, precision)
