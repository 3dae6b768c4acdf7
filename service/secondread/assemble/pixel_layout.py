"""How the pixels of an image are stored (PS3.3 C.7.6.3), from whatever of it the header says."""

from typing import NamedTuple

from pydicom.dataset import Dataset

from secondread.accept.sop_classes import TRANSFER_SYNTAXES
from secondread.assemble import header_attributes
from secondread.assemble.header_values import (
    read_bytes,
    read_text,
    read_transfer_syntax,
    read_values,
    read_whole_number,
)


class PixelLayout(NamedTuple):
    """The attributes of the Image Pixel module that describe a pixel's bits, all of them sensible.

    Rows, columns and the samples of a pixel may be such that the image is not read.
    """

    rows: int
    """0 where the header does not say it."""
    columns: int
    samples: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    """``MONOCHROME1``, ``MONOCHROME2``, or what else the header says; empty if it says nothing."""


def read_pixel_layout(ds: Dataset) -> PixelLayout:
    """Return how pixels are stored; what is senseless is derived from the rest."""
    rows, columns = (_read_count(ds, keyword) or 0 for keyword in ("Rows", "Columns"))
    allocated = _read_bits_allocated(ds, rows * columns)
    stored, high_bit = _read_bits(ds, allocated)
    return PixelLayout(
        rows,
        columns,
        header_attributes.SAMPLES.find(ds, _read_count) or 1,
        header_attributes.FRAMES.find(ds, _read_count) or 1,
        allocated,
        stored,
        high_bit,
        header_attributes.SIGN.find(ds, read_whole_number) == 1,
        _read_photometric(ds),
    )


def is_inverted(ds: Dataset) -> bool:
    """Whether low stored values are displayed white: MONOCHROME1, or an INVERSE shape."""
    shape = read_text(ds, "PresentationLUTShape").upper()
    return _read_photometric(ds) == "MONOCHROME1" or shape == "INVERSE"


def is_colour(ds: Dataset) -> bool:
    """Whether an image is in colour, which no mammogram is (PS3.3 C.8.11.3)."""
    samples = header_attributes.SAMPLES.find(ds, _read_count) or 1
    return samples > 1 or _read_photometric(ds).startswith(_COLOUR)


def _read_count(ds: Dataset, keyword: str) -> int | None:
    number = read_whole_number(ds, keyword)
    return number if number is not None and number > 0 else None


def _read_bits_allocated(ds: Dataset, pixels: int) -> int:
    allocated = header_attributes.BITS_ALLOCATED.find(ds, _read_count)
    stored = _read_count(ds, "BitsStored") or 0
    if allocated in {8, 16} and not allocated < stored <= 16:
        return allocated
    # Bytes tell what was meant, where they are not compressed.
    is_native = read_transfer_syntax(ds) in _NATIVE
    size = len(read_bytes(ds, "PixelData") or b"") if is_native else 0
    if pixels and size // pixels in {1, 2}:
        return 8 * (size // pixels)
    return allocated or (16 if stored > 8 else 8)


def _read_bits(ds: Dataset, allocated: int) -> tuple[int, int]:
    """Return Bits Stored and High Bit."""
    stored, high_bit = (read_whole_number(ds, key) for key in header_attributes.BITS_STORED.sources)
    if high_bit is not None and not 0 <= high_bit < allocated:
        high_bit = None
    if stored is None or not 1 <= stored <= allocated:
        stored = allocated if high_bit is None else high_bit + 1
    if high_bit is None or high_bit + 1 < stored:
        high_bit = stored - 1
    # An overlay has its bits outside those of the value; where they are counted into it, what is
    # below them is the value.
    overlays = _find_overlay_bits(ds)
    while high_bit in overlays and stored > 1:
        stored, high_bit = stored - 1, high_bit - 1
    return stored, high_bit


def _find_overlay_bits(ds: Dataset) -> tuple[int, ...]:
    """Return the bits of the stored pixels that are overlays (PS3.3 C.9.2, retired form).

    Such an overlay has no Overlay Data of its own, and as many bits allocated as the pixels.
    """
    found = []
    for group in range(0x60000000, 0x60200000, 0x20000):
        bits = read_whole_number(ds, group + 0x0100)
        position = read_whole_number(ds, group + 0x0102)
        is_apart = bool(read_values(ds, group + 0x3000))
        if not is_apart and bits is not None and bits > 1 and position is not None:
            found.append(position)
    return tuple(found)


def _read_photometric(ds: Dataset) -> str:
    text = read_text(ds, "PhotometricInterpretation").upper()
    if text in {"MONOCHROME1", "MONOCHROME2"} or text.startswith(_COLOUR):
        return text
    shape = read_text(ds, "PresentationLUTShape").upper()
    return {"INVERSE": "MONOCHROME1", "IDENTITY": "MONOCHROME2"}.get(shape, text)


_NATIVE = {str(row.uid) for row in TRANSFER_SYNTAXES if not row.uid.is_encapsulated}
_COLOUR = ("RGB", "ARGB", "YBR", "PALETTE", "HSV", "CMYK", "XYB")
