"""The grey scale of an image, repeated in a presentation state (PS3.3 C.11.1, C.11.8, C.11.6).

A presentation state replaces every step from stored values to greys that the image's own header
describes, so a step that it leaves out is not applied at all (PS3.4 N.2). Modality LUT or rescale,
VOI table or window, and polarity are therefore repeated, the first of each where there are
several. What makes no sense is left out, as if the image did not have it; without a window the
full range is displayed.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import DSfloat

from secondread.assemble.header_values import read_texts

_LUT_DESCRIPTOR, _LUT_DATA = 0x00283002, 0x00283006

_LONGEST_US_ENTRIES = 32767
"""Values of 16 bits that fit into an element of VR US, whose length has 16 bits (PS3.5 7.1.2)."""

_LEAST_WIDTH = 1e-6
"""Of a window that is not of the function LINEAR."""

_LEAST_SAMPLED_WIDTH = 256.0
"""Width of a sigmoid from which on steps of one value are less than a grey level of 255 apart."""


class _Lut(NamedTuple):
    """A look-up table (PS3.3 C.11.1.1.1, C.11.2.1.1)."""

    first: int
    """The input value of its first entry; lower ones have the first entry, too."""
    bits: int
    """Of an entry: its full range is the range of the output."""
    entries: npt.NDArray[np.uint16]


class _Values(NamedTuple):
    """What comes out of a modality transformation."""

    lowest: float
    highest: float
    are_whole: bool = True

    def apply(self, slope: float, intercept: float) -> "_Values":
        """Return these values rescaled (PS3.3 C.11.1.1.2)."""
        ends = self.lowest * slope + intercept, self.highest * slope + intercept
        are_whole = self.are_whole and slope.is_integer() and intercept.is_integer()
        return _Values(min(ends), max(ends), are_whole)


def add_grey_scale(ds: Dataset, source: Dataset, bits_stored: int) -> None:
    """Write an image's modality transformation and VOI into a presentation state of it.

    Parameters
    ----------
    ds
        The presentation state. Its polarity is not written here.
    source
        Header of the image.
    bits_stored
        Bits Stored (0028,0101) of the image.
    """
    values = _add_modality_transformation(ds, source, bits_stored)
    area = _build_voi(source, values)
    if area is not None:
        ds.SoftcopyVOILUTSequence = [area]


def _add_modality_transformation(ds: Dataset, source: Dataset, bits_stored: int) -> _Values:
    """Write the Modality LUT, or else the rescale; return what comes out of it."""
    is_signed = source.get("PixelRepresentation") == 1
    half = 2 ** max(bits_stored - 1, 0)
    stored = _Values(-half, half - 1) if is_signed else _Values(0, 2 * half - 1)
    lut = _read_first_lut(source, "ModalityLUTSequence", is_signed=is_signed)
    if lut is not None:
        item = _write_lut(lut)
        item.ModalityLUTType = _read_text(source.ModalityLUTSequence[0], "ModalityLUTType") or "US"
        ds.ModalityLUTSequence = [item]
        return _Values(int(lut.entries.min()), int(lut.entries.max()))
    slope, intercept = (
        _read_first_number(source, keyword) for keyword in ("RescaleSlope", "RescaleIntercept")
    )
    # One alone is no rescale, nor is one that makes all values equal.
    if intercept is None or not slope:
        return stored
    ds.RescaleIntercept, ds.RescaleSlope = _to_decimal(intercept), _to_decimal(slope)
    ds.RescaleType = _read_text(source, "RescaleType") or "US"
    return stored.apply(slope, intercept)


def _build_voi(source: Dataset, values: _Values) -> Dataset | None:
    """Return an item of the Softcopy VOI LUT Sequence (0028,3110); None for the full range.

    Parameters
    ----------
    source
        Header of the image.
    values
        What comes out of its modality transformation.
    """
    lut = _read_first_lut(source, "VOILUTSequence", is_signed=values.lowest < 0)
    window = _read_window(source)
    if lut is None and window is None:
        return None
    area = Dataset()
    function = _read_function(source)
    if lut is None and window is not None and function == "SIGMOID":
        # As the table that it amounts to, where there is one: viewers draw it as a line.
        lut = _sample_sigmoid(*window, values)
    if lut is not None:
        area.VOILUTSequence = [_write_lut(lut)]
    elif window is not None:
        area.WindowCenter, area.WindowWidth = map(_to_decimal, window)
        if source.get("VOILUTFunction"):
            area.VOILUTFunction = function
    return area


def _sample_sigmoid(center: float, width: float, values: _Values) -> _Lut | None:
    """Return a sigmoid window (PS3.3 C.11.2.1.3.1) as a table with an entry for each value.

    None where a table cannot hold the values, or would show steps.
    """
    first, last = math.floor(values.lowest), math.ceil(values.highest)
    fits = first >= -0x8000 and last <= 0xFFFF and last - first <= 0xFFFF
    if not fits or not (values.are_whole or width >= _LEAST_SAMPLED_WIDTH):
        return None
    inputs = np.arange(first, last + 1, dtype=np.float64)
    levels = 1 / (1 + np.exp(np.clip(-4 * (inputs - center) / width, -60, 60)))
    return _Lut(first, 16, np.rint(levels * 0xFFFF).astype(np.uint16))


def _read_window(source: Dataset) -> tuple[float, float] | None:
    center, width = (
        _read_first_number(source, keyword) for keyword in ("WindowCenter", "WindowWidth")
    )
    function = _read_function(source)
    if function not in {"LINEAR", "LINEAR_EXACT", "SIGMOID"} or center is None or width is None:
        return None
    # A linear window is at least one value wide (PS3.3 C.11.2.1.2).
    is_wide_enough = width >= (1.0 if function == "LINEAR" else _LEAST_WIDTH)
    return (center, width) if is_wide_enough else None


def _to_decimal(number: float) -> DSfloat:
    return DSfloat(number, auto_format=True)


def _read_function(source: Dataset) -> str:
    """Return the VOI LUT Function; several together are none, as where the pages are drawn."""
    functions = [text.upper() for text in read_texts(source, "VOILUTFunction")] or ["LINEAR"]
    return "\\".join(functions)


def _read_text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else ""
    return str(value or "").strip()


def _read_first_number(source: Dataset, keyword: str) -> float | None:
    value = source.get(keyword)
    try:
        number = float(value[0] if isinstance(value, MultiValue) else value)
    except (IndexError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _read_first_lut(source: Dataset, keyword: str, *, is_signed: bool) -> _Lut | None:
    """Return the first table of a sequence; None where there is none that can be read."""
    items = source.get(keyword)
    if not isinstance(items, Sequence) or not items:
        return None
    try:
        length, first, bits = (int(number) for number in items[0].LUTDescriptor)
        entries = _read_entries(items[0].LUTData, length or 0x10000)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return None
    if not 1 <= bits <= 16 or not entries.size:
        return None
    # Read as of the other sign, where the header did not give its VR.
    first = (first + 0x8000) % 0x10000 - 0x8000 if is_signed else first % 0x10000
    return _Lut(first, bits, entries)


def _read_entries(data: object, length: int) -> npt.NDArray[np.uint16]:
    """Return the entries of LUT Data (0028,3006), which may be numbers, words, or packed bytes."""
    if isinstance(data, bytes):
        is_packed = len(data) < 2 * length
        return np.frombuffer(data, np.uint8 if is_packed else "<u2")[:length].astype(np.uint16)
    return (np.atleast_1d(np.asarray(data, np.int64))[:length] % 0x10000).astype(np.uint16)


def _write_lut(lut: _Lut) -> Dataset:
    item = Dataset()
    length = len(lut.entries)
    descriptor = [length % 0x10000, lut.first, lut.bits]
    if lut.first < 0:
        # One VR for all three values: what does not fit is written modulo 65536.
        descriptor[0] = (length + 0x8000) % 0x10000 - 0x8000
    item.add(DataElement(_LUT_DESCRIPTOR, "SS" if lut.first < 0 else "US", descriptor))
    if lut.bits <= 8:
        # Two to a word (PS3.3 C.11.1.1.1).
        packed = lut.entries.astype(np.uint8).tobytes()
        item.add(DataElement(_LUT_DATA, "OW", packed + b"\0" * (length % 2)))
    elif length <= _LONGEST_US_ENTRIES:
        item.add(DataElement(_LUT_DATA, "US", lut.entries.tolist()))
    else:
        item.add(DataElement(_LUT_DATA, "OW", lut.entries.astype("<u2").tobytes()))
    return item
