"""Attributes of documents that somebody else may have written, read as what they should be.

A value of another kind than the standard's - a text where items belong, words for numbers, a
number that is none - counts as absent: no reader of documents has to expect it. What the file
itself breaks never comes here; `dicom_files` refuses it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as ItemSequence

MOST_CHARACTERS: Final = 1024
"""Of a text, beyond which it is cut off."""
_LARGEST_NUMBER: Final = 2**32
"""Of a whole number that counts or points at something; UL has no larger ones."""


def list_items(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    """Return the items of a sequence; none where the attribute is absent or is no sequence."""
    value = ds.get(keyword, None)
    return value if isinstance(value, ItemSequence) else ()


def read_text(ds: Dataset, keyword: str, most: int = MOST_CHARACTERS) -> str:
    """Return a value as text without blanks around it; empty where it is absent, items or bytes.

    Several values are one text, with backslashes between them. What no encoding can write is
    replaced: characters of half a pair, which some character sets lead to.
    """
    value = ds.get(keyword, None)
    if type(value) is str and value.isascii():  # most are, and there are tens of thousands
        return value.strip()[:most]
    if value is None or isinstance(value, ItemSequence | bytes | bytearray):
        return ""
    text = "\\".join(map(str, value)) if isinstance(value, MultiValue | list) else str(value)
    return text.strip()[:most].encode("utf-8", "replace").decode("utf-8")


def list_numbers(ds: Dataset, keyword: str) -> tuple[float, ...]:
    """Return all values as numbers; none where one of them is no finite number."""
    value = ds.get(keyword, None)
    values = value if isinstance(value, MultiValue | list) else (value,)
    try:
        numbers = tuple(float(number) for number in _refuse_bytes(values))
    except (TypeError, ValueError, OverflowError):
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def _refuse_bytes(values: Iterable[object]) -> Iterable[float | str]:
    """Return the values; float() would read digits in bytes, and yes or no as 1 or 0."""
    for value in values:
        if not isinstance(value, float | int | str) or isinstance(value, bool):
            raise TypeError("not a number")
        yield value


def list_whole_numbers(ds: Dataset, keyword: str) -> tuple[int, ...]:
    """Return all values as whole numbers from 0; none where one of them is no such number."""
    numbers = list_numbers(ds, keyword)
    if all(number == round(number) and 0 <= number < _LARGEST_NUMBER for number in numbers):
        return tuple(map(round, numbers))
    return ()
