"""The bytes of a result: as pydicom writes them, in a fraction of its time where there are many.

The content of a report of a few findings is thousands of small data sets inside each other, and at
each of them pydicom looks through everything below for VRs that are in doubt. The content is made
by `sr.tree`, where none are; so its plain values are written here. All others, and everything
outside of the content, pydicom writes.
"""

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.multival import MultiValue
from pydicom.tag import Tag

_CONTENT: Final = Tag("ContentSequence")
_CODED_TEXT: Final = frozenset({"LO", "SH", "UC", "UT"})
"""Text in the data set's character set."""
_PLAIN_TEXT: Final = frozenset({"CS", "UI"})
_NUMBERS: Final[Mapping[str, str]] = {"FL": "f", "UL": "I", "US": "H"}
_LONG: Final = frozenset({"SQ", "UC", "UT"})
"""Of those written here, VRs whose length has 32 bits, behind two reserved bytes (PS3.5 7.1.2)."""
_LONGEST_SHORT: Final = 0xFFFF
_ITEM: Final = b"\xfe\xff\x00\xe0"
_NOT_IN_ALL_SETS: Final = frozenset("\\~")
"""Of ASCII, what a character set may have another character for (PS3.3 C.12.1.1.2)."""


def encode_file(dataset: Dataset) -> bytes:
    """Return a result as a DICOM file (PS3.10); the same data set gives the same bytes."""
    # What comes behind the content, if ever anything does, would have to be written behind it.
    if _CONTENT not in dataset or max(dataset.keys()) != _CONTENT:
        return _encode_by_pydicom(dataset)
    head = dataset[:_CONTENT]
    head.file_meta = dataset.file_meta
    encodings = dataset.get("SpecificCharacterSet", "iso8859")
    return _encode_by_pydicom(head) + _encode_element(dataset[_CONTENT], encodings)


def _encode_by_pydicom(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _encode_element(element: DataElement, encodings: str | list[str]) -> bytes:
    vr = str(element.VR)
    value = (
        b"".join(_encode_item(item, encodings) for item in element.value)
        if vr == "SQ"
        else _encode_value(vr, element.value)
    )
    if value is None or (vr not in _LONG and len(value) > _LONGEST_SHORT):
        return _encode_element_by_pydicom(element, encodings)
    length = struct.pack("<2xI" if vr in _LONG else "<H", len(value))
    tag = element.tag
    return struct.pack("<HH", tag.group, tag.element) + vr.encode() + length + value


def _encode_item(item: Dataset, encodings: str | list[str]) -> bytes:
    own = item.get("SpecificCharacterSet", encodings)
    value = b"".join(_encode_element(item[tag], own) for tag in sorted(item.keys()))
    return _ITEM + struct.pack("<I", len(value)) + value


def _encode_value(vr: str, value: Any) -> bytes | None:  # noqa: ANN401  (whatever pydicom holds)
    """Return a value's bytes; None where pydicom is to write it."""
    if vr in _NUMBERS:
        numbers = value if isinstance(value, MultiValue | list) else [value]
        return struct.pack(f"<{len(numbers)}{_NUMBERS[vr]}", *numbers)
    text = getattr(value, "original_string", None) if vr == "DS" else value
    if not isinstance(text, str) or not text.isascii():
        return None
    if vr in _CODED_TEXT and _NOT_IN_ALL_SETS.isdisjoint(text):
        return _pad(text, b" ")
    if vr in _PLAIN_TEXT or vr == "DS":
        return _pad(text, b"\0" if vr == "UI" else b" ")
    return None


def _pad(text: str, padding: bytes) -> bytes:
    return text.encode("ascii") + padding * (len(text) % 2)


def _encode_element_by_pydicom(element: DataElement, encodings: str | list[str]) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, encodings)
    return buffer.getvalue()
