"""Transformations of the stored values that a header asks for, read as what they plainly mean.

Modality LUT or rescale, VOI LUT or window (PS3.3 C.11.1, C.11.2), and padding (C.7.5.1.1.2). All
are applied to every possible stored value at once. What is no transformation at all is left out;
`assemble.header_attributes` says for each what holds then.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from secondread.assemble import header_attributes
from secondread.assemble.header_values import (
    read_bytes,
    read_items,
    read_number,
    read_numbers,
    read_texts,
    read_values,
    read_whole_number,
)
from secondread.errors import PixelError

Values = npt.NDArray[np.float64]
_MOST_ENTRIES = 65536
_HALF = 32768


@dataclass(frozen=True, slots=True)
class LookupTable:
    """An item of a Modality or VOI LUT Sequence (PS3.3 C.11.1.1, C.11.2.1.1)."""

    first: int
    """The input value of the first entry; those below have the same output."""
    outputs: Values
    """Of the first input value and those that follow; what lies behind has the last one's."""
    bits: int
    """Of an output."""

    @classmethod
    def from_item(
        cls, item: Dataset, inputs: Values, default_first: int | None = None
    ) -> Self | None:
        """Read an item; None where it holds no table that can be applied.

        Parameters
        ----------
        item
            Descriptor and data may have any value representation. Of more data than the
            descriptor has entries the rest is padding; of fewer, the last goes on.
        inputs
            The values that the table is for.
        default_first
            First input value of a table without a descriptor, if it has an entry for each of
            them; without one, such a table cannot be applied.
        """
        descriptor = _read_words(item, "LUTDescriptor")
        if len(descriptor) < 2:
            data = _read_data(item, inputs.size, 16)
            is_whole = default_first is not None and data.size == inputs.size
            return cls._from_data(default_first or 0, data, 0) if is_whole else None
        entries = descriptor[0] % _MOST_ENTRIES or _MOST_ENTRIES
        bits = descriptor[2] if len(descriptor) > 2 else 0
        first = _take_sign(descriptor[1], inputs)
        return cls._from_data(first, _read_data(item, entries, bits)[:entries], bits)

    @classmethod
    def _from_data(cls, first: int, data: Values, bits: int) -> Self | None:
        if data.size < 2 or data.min() == data.max():
            return None
        needed = max(int(data.max()).bit_length(), 1)
        # Where the descriptor's number of bits cannot be, or is too small for what there is.
        return cls(first, data, bits if needed <= bits <= 16 else max(needed, 8))

    def apply(self, values: Values) -> Values:
        """Return the outputs of values."""
        index = np.clip(np.rint(values) - self.first, 0, self.outputs.size - 1).astype(np.int64)
        outputs: Values = self.outputs[index]
        return outputs


def apply_modality(stored: Values, ds: Dataset) -> Values:
    """Return modality values of stored values, which are those themselves without a rule.

    Raises
    ------
    PixelError
        There is a Modality LUT that cannot be applied: it may be of any shape.
    """
    values = header_attributes.MODALITY_LUT.find(ds, partial(_apply_modality_source, stored))
    return stored if values is None else values


def _apply_modality_source(stored: Values, ds: Dataset, source: str) -> Values | None:
    if source != "ModalityLUTSequence":
        return _rescale(stored, ds, source)
    item = _find_table_item(ds, source)
    if item is None:
        return None
    table = LookupTable.from_item(item, stored, default_first=int(stored[0]))
    if table is None:
        raise PixelError("the Modality LUT Sequence holds no table that can be applied")
    return table.apply(stored)


def _rescale(stored: Values, ds: Dataset, source: str) -> Values | None:
    slope, intercept = (
        read_number(ds, path) for path in (source, source.replace("Slope", "Intercept"))
    )
    if slope is None or intercept is None:
        return None
    values = stored * slope + intercept
    # As everywhere behind, in 32 bits: neighbours that become one, or infinite, are no rescaling.
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(values.astype(np.float32))
    return values if np.isfinite(steps).all() and steps.all() else None


@dataclass(frozen=True, slots=True)
class DisplayLevels:
    """How a header wants its values to be shown."""

    levels: Values | None
    """Of each value, 0-1; None where the header has none that can be applied."""
    is_senseless: bool
    """Whether the header has some, none of which can be applied."""


def find_display_levels(values: Values, ds: Dataset) -> DisplayLevels:
    """Return the display levels of modality values: by a VOI LUT, else by a window."""
    levels = header_attributes.VOI.find(ds, partial(_apply_voi_source, values))
    has_table = _find_table_item(ds, "VOILUTSequence") is not None
    has_window = any(read_texts(ds, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    return DisplayLevels(levels, levels is None and (has_table or has_window))


def _apply_voi_source(values: Values, ds: Dataset, source: str) -> Values | None:
    levels = _apply_window(values, ds)
    if source == "VOILUTSequence":
        item = _find_table_item(ds, source)
        table = LookupTable.from_item(item, values) if item is not None else None
        levels = None if table is None else table.apply(values) / (2**table.bits - 1)
    # Levels that show every value alike show nothing.
    return None if levels is None or levels.min() == levels.max() else levels


def _apply_window(values: Values, ds: Dataset) -> Values | None:
    """Return the levels of the first window that can be applied."""
    functions = [text.upper() for text in read_texts(ds, "VOILUTFunction")] or ["LINEAR"]
    if len(functions) > 1:
        return None
    centers, widths = (read_numbers(ds, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    for center, width in zip(centers, widths, strict=False):
        if center is not None and width is not None:
            try:
                return apply_window(values, center, width, functions[0])
            except ValueError:
                continue
    return None


def apply_window(values: Values, center: float, width: float, function: str = "LINEAR") -> Values:
    """Return display levels 0-1 of a window (PS3.3 C.11.2.1.2 and C.11.2.1.3).

    Raises
    ------
    ValueError
        The width is below what the function allows, or PS3.3 has no such function.
    """
    if not width > 0 or not math.isfinite(center):
        raise ValueError(f"window centre {center}, width {width}")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * ((values - center) / width), -60, 60)))
    if function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0, 1)
    if function == "LINEAR" and width >= 1:
        return np.clip((values - (center - 0.5)) / max(width - 1, 1e-9) + 0.5, 0, 1)
    raise ValueError(f"VOI LUT function {function} with window width {width}")


def read_padding(ds: Dataset, lowest: int, count: int) -> tuple[int, int] | None:
    """Return the first and last stored value that stand for no measurement; None without any.

    One value, or with Pixel Padding Range Limit a range in either order (PS3.3 C.7.5.1.1.2).

    Parameters
    ----------
    ds
        The header.
    lowest
        The lowest possible stored value.
    count
        How many possible values there are.
    """
    source = header_attributes.PADDING.sources[0]
    first, limit = (_read_stored(ds, key, lowest, count) for key in (source, _RANGE_LIMIT))
    if first is None:
        return None
    if limit is None or abs(limit - first) >= count / 2:
        limit = first
    return min(first, limit), max(first, limit)


_RANGE_LIMIT = "PixelPaddingRangeLimit"


def _read_stored(ds: Dataset, keyword: str, lowest: int, count: int) -> int | None:
    """Return an attribute's value as a stored value; None where no pixel can have it."""
    value = read_whole_number(ds, keyword)
    if value is None:
        return None
    # US and SS are taken for each other: the same 16 bits, of the other sign.
    candidates = (value, value + 2 * _HALF, value - 2 * _HALF)
    return next((c for c in candidates if lowest <= c < lowest + count), None)


def _find_table_item(ds: Dataset, keyword: str) -> Dataset | None:
    """Return the first item of a sequence that holds a table; empty items are as none."""
    return next((item for item in read_items(ds, keyword) if read_values(item, "LUTData")), None)


def _take_sign(first: int, inputs: Values) -> int:
    """Return a first input value with the sign that inputs can have: US and SS are confused."""
    if first >= _HALF and inputs.min() < 0:
        return first - 2 * _HALF
    return first + 2 * _HALF if first < 0 <= inputs.min() else first


def _read_words(item: Dataset, keyword: str) -> list[int]:
    """Return whole numbers, also where they are 16-bit words in bytes; empty if one is none."""
    content = read_bytes(item, keyword)
    if content is not None:
        return [int(word) for word in np.frombuffer(content, "<u2", count=len(content) // 2)]
    numbers = read_numbers(item, keyword)
    whole = [int(number) for number in numbers if number is not None and number.is_integer()]
    return whole if len(whole) == len(numbers) else []


def _read_data(item: Dataset, entries: int, bits: int) -> Values:
    content = read_bytes(item, "LUTData")
    if content is not None:
        if bits <= 8 and len(content) < 2 * entries:  # 8-bit entries may share a word
            return np.frombuffer(content, np.uint8).astype(np.float64)
        return np.frombuffer(content, "<u2", count=len(content) // 2).astype(np.float64)
    words = np.array(_read_words(item, "LUTData"), np.float64)
    return np.where(words < 0, words + 2 * _HALF, words)  # SS for US
