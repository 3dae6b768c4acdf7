"""What the codestream of a compressed frame says of itself, read before anything is decoded.

A decoder allocates what the codestream asks for, whatever the DICOM header says; comparing both
first is what keeps a decompression bomb from being decoded at all. And the codestream alone says
whether this compression lost information: a transfer syntax says what it may do.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from secondread.errors import PixelError

# ITU-T T.81 table B.1: start-of-frame markers; T.87 adds SOF55 for JPEG-LS.
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_LOSSLESS_FRAMES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_JPEG_LS_FRAME = 0xF7
_START_OF_SCAN = 0xDA
_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_JPEG_2000_START = b"\xff\x4f\xff\x51"  # start, then size (ITU-T T.800 A.4.1, A.5.1)
# ITU-T T.800 table A.2: coding style of all components, of one; start of a tile-part, of data.
_CODING_STYLE, _COMPONENT_STYLE, _TILE_PART, _TILE_DATA = 0xFF52, 0xFF53, 0xFF90, 0xFF93
_MOST_SEGMENTS = 100_000
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


def is_compressed_with_loss(codestream: bytes) -> bool | None:
    """Return whether a codestream was made with loss; None where it cannot be told.

    JPEG has lossy and lossless kinds of frames (T.81 table B.1), and a lossless one may have
    dropped low bits (its point transform); JPEG-LS says by how much values may differ (NEAR, T.87
    C.2.3); JPEG 2000 has a reversible wavelet, the 5-3 one, and an irreversible one (T.800 table
    A.20). That a reversible codestream was cut off afterwards is not told by it.
    """
    try:
        if codestream[:2] == b"\xff\xd8":
            return _is_jpeg_lossy(codestream)
        return _is_jpeg_2000_lossy(codestream)
    except (struct.error, IndexError, PixelError):
        return None


def _is_jpeg_lossy(codestream: bytes) -> bool | None:
    frame = 0
    for marker, position in _list_jpeg_segments(codestream):
        if marker in _START_OF_FRAME:
            frame = marker
            if frame != _JPEG_LS_FRAME and frame not in _LOSSLESS_FRAMES:
                return True
        elif marker == _START_OF_SCAN:
            # Behind length, number of components and two bytes of each: NEAR or the predictor,
            # one byte, and the point transform in the low half of the last.
            after = position + 3 + 2 * codestream[position + 2]
            near, point_transform = codestream[after], codestream[after + 2] & 0x0F
            return near > 0 if frame == _JPEG_LS_FRAME else point_transform > 0
    return None


def _is_jpeg_2000_lossy(codestream: bytes) -> bool | None:
    wavelets = set(_list_wavelets(codestream))
    return None if not wavelets else wavelets != {1}


def _list_wavelets(codestream: bytes) -> Iterator[int]:
    """Yield the wavelet of each coding style: 0 irreversible, 1 reversible."""
    position = codestream.find(_JPEG_2000_START) + 2
    if position < 2:
        raise PixelError("no JPEG 2000 codestream")
    next_tile_part = 0
    for _ in range(_MOST_SEGMENTS):
        if position + 4 > len(codestream):
            return
        marker, length = struct.unpack_from(">HH", codestream, position)
        if marker == _TILE_DATA:  # on to the next tile-part; 0 means that this is the last one
            if next_tile_part <= position:
                return
            position = next_tile_part
            continue
        if marker == _TILE_PART:
            size = struct.unpack_from(">I", codestream, position + 6)[0]
            next_tile_part = position + size if size else 0
        elif marker == _CODING_STYLE:
            yield codestream[position + 13]
        elif marker == _COMPONENT_STYLE:
            yield codestream[position + 10]
        position += 2 + length


def _read_jpeg_size(codestream: bytes) -> FrameSize:
    for marker, position in _list_jpeg_segments(codestream):
        if marker in _START_OF_FRAME:
            _, precision, rows, columns, components = struct.unpack_from(
                ">HBHHB", codestream, position
            )
            return FrameSize(rows, columns, components, precision)
    raise PixelError("the JPEG codestream has no frame header")


def _list_jpeg_segments(codestream: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker with the position behind it, up to the first data of a scan."""
    position = 2
    marker = 0
    while marker != _START_OF_SCAN:
        while codestream[position] == 0xFF:  # fill bytes may precede a marker (T.81 B.1.1.2)
            position += 1
        marker = codestream[position]
        position += 1
        yield marker, position
        if marker not in _STANDALONE:
            position += struct.unpack_from(">H", codestream, position)[0]
        if marker != _START_OF_SCAN and codestream[position] != 0xFF:
            raise PixelError("the JPEG codestream has no frame header where one must be")


def _read_jpeg_2000_size(codestream: bytes) -> FrameSize:
    start = codestream.find(_JPEG_2000_START)
    if start < 0:
        raise PixelError("the JP2 file holds no codestream")
    width, height, x0, y0 = struct.unpack_from(">4I", codestream, start + 8)
    (components,) = struct.unpack_from(">H", codestream, start + 40)
    precision = (codestream[start + 42] & 0x7F) + 1
    return FrameSize(height - y0, width - x0, components, precision)
