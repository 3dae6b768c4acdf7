"""The values of a header's attributes, whatever their value representation; nothing raises.

Makers write numbers as text, text as bytes, one value for two and two for one. What cannot be
taken apart at all counts as absent: none of it decides whether an image can be read, that is for
those who ask.
"""

import math
import re
import struct
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

_TEXT = re.compile(rb"[ -~]+[ \0]*")
_MOST_ITEMS = 100
"""Of one sequence: no header that describes a mammogram has more, and each item takes its time."""

Value = str | bytes | int | float
"""One value of an attribute, as it was written."""

_CONVERSION_ERRORS = (
    ArithmeticError, AttributeError, BytesLengthException, LookupError, NotImplementedError,
    OSError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip
"""What pydicom raises over a value that is not one of its value representation."""


def read_values(ds: Dataset, path: str | int) -> tuple[Value, ...]:
    """Return the values of an attribute that are not empty.

    Parameters
    ----------
    ds
        The header.
    path
        Keyword of the attribute, after those of the sequences it is in, as in
        ``FrameAnatomySequence/FrameLaterality``; the values of all items are returned. Or the tag
        of an attribute of a repeating group, which has no keyword.
    """
    if isinstance(path, int):
        return tuple(_list_values(_read_content(ds, path)))
    keyword, *rest = path.split("/", maxsplit=1)
    if rest:
        items = read_items(ds, keyword)
        return tuple(value for item in items for value in read_values(item, rest[0]))
    return tuple(_list_values(_read_content(ds, keyword)))


def read_items(ds: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence, the first of very many; none where it is absent, or none."""
    content = _read_content(ds, keyword)
    return tuple(content[:_MOST_ITEMS]) if isinstance(content, Sequence) else ()


def read_bytes(ds: Dataset, keyword: str) -> bytes | None:
    """Return the value of an attribute that is bytes; None where it is absent or something else."""
    content = _read_content(ds, keyword)
    return content if isinstance(content, bytes) else None


def read_texts(ds: Dataset, path: str) -> tuple[str, ...]:
    """Return the values of an attribute as text without padding, those that are not empty."""
    texts = (to_text(value) for value in read_values(ds, path))
    return tuple(text for text in texts if text)


def read_text(ds: Dataset, path: str) -> str:
    """Return the first value of an attribute that is not empty, as text; empty without one."""
    return next(iter(read_texts(ds, path)), "")


def read_numbers(ds: Dataset, path: str | int) -> tuple[float | None, ...]:
    """Return the values of an attribute as finite numbers, None in the place of what is none."""
    return tuple(to_number(value) for value in read_values(ds, path))


def read_number(ds: Dataset, path: str | int) -> float | None:
    """Return the first value of an attribute as a finite number; None where it is none."""
    return next(iter(read_numbers(ds, path)), None)


def read_whole_number(ds: Dataset, path: str | int) -> int | None:
    """Return the first value of an attribute as a whole number; None where it is none."""
    number = read_number(ds, path)
    return int(number) if number is not None and number.is_integer() else None


def read_transfer_syntax(ds: Dataset) -> str:
    """Return the transfer syntax UID of the file meta information, or an empty string."""
    meta = getattr(ds, "file_meta", None)
    return "" if meta is None else read_text(meta, "TransferSyntaxUID")


def to_text(value: Value) -> str:
    """Return a value as text, without the padding of its value representation."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.strip(" \0\t\r\n")


def to_number(value: Value) -> float | None:
    """Return a value as a finite number; None where it is none.

    Text may have a decimal comma. Two or four bytes that are no text are a little endian number,
    as an attribute of type US, SS or UL would be under another value representation.
    """
    try:
        number = float(to_text(value).replace(",", "."))
    except (ValueError, OverflowError):
        if not (isinstance(value, bytes) and len(value) in {2, 4}):
            return None
        number = float(int.from_bytes(value, "little"))
    return number if math.isfinite(number) else None


def _read_content(ds: Dataset, key: str | int) -> object:
    """Return what pydicom makes of an attribute, or its bytes where it cannot convert them."""
    tag = Tag(key)
    if tag not in ds:
        return None
    try:
        return ds[tag].value
    except _CONVERSION_ERRORS:
        return _read_raw(ds, tag)


def _read_raw(ds: Dataset, tag: BaseTag) -> object:
    try:
        value = ds.get_item(tag).value
    except _CONVERSION_ERRORS:
        return None
    return value.decode("latin-1").split("\\") if isinstance(value, bytes) else value


def _list_values(content: object) -> Iterator[Value]:
    if isinstance(content, (MultiValue, list, tuple)):
        for value in content:
            yield from _list_values(value)
    elif isinstance(content, bytes):
        if _TEXT.fullmatch(content):  # under UN, say
            yield from content.decode("ascii").split("\\")
        elif content:
            yield content
    elif isinstance(content, (int, float)):
        yield content
    elif content is not None and not isinstance(content, (Sequence, Dataset)):
        text = str(content)
        if text.strip(" \0"):
            yield text
