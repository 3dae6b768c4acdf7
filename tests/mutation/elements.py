"""Data sets as trees that may be written in ways in which no library would write them.

A library refuses to write a length that is not the value's, a VR that does not exist, or a text
where a sequence belongs. Mutations need all of these, so that elements are plain bytes here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"})
"""VRs whose length has four bytes in Explicit VR (PS3.5 7.1.2); the two of 64 bits as well."""
_VERY_LONG = frozenset({b"SV", b"UV"})
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)

Item: TypeAlias = "list[Element]"


@dataclass(slots=True)
class Element:
    """One data element."""

    tag: tuple[int, int]
    vr: bytes
    """As it is written: two bytes, of whatever meaning."""
    value: "bytes | list[Item]"
    """Items where it is a sequence."""
    length: int | None = None
    """What the length field says; None for the true one."""
    is_undefined: bool = False
    """Whether a sequence is written with undefined length and delimiters."""

    @property
    def items(self) -> "list[Item]":
        """Its items; none where it is no sequence."""
        return self.value if isinstance(self.value, list) else []


def walk(data_set: Item) -> Iterator[Item]:
    """Yield a data set and all items in it, the outer ones first."""
    yield data_set
    for element in data_set:
        for item in element.items:
            yield from walk(item)


def copy_item(data_set: Item) -> Item:
    """Return a deep copy of a data set."""
    return [
        Element(
            e.tag,
            e.vr,
            [copy_item(item) for item in e.value] if isinstance(e.value, list) else e.value,
            e.length,
            e.is_undefined,
        )
        for e in data_set
    ]


def parse(data: bytes) -> Item:
    """Read a well-formed data set in Explicit VR Little Endian, as our own code writes it."""
    elements, end = _parse(data, 0, len(data))
    assert end == len(data)
    return elements


def _parse(data: bytes, at: int, end: int) -> tuple[Item, int]:
    elements: Item = []
    while at < end:
        tag = _read_tag(data, at)
        if tag == _ITEM_END:
            return elements, at + 8
        vr = data[at + 4 : at + 6]
        start = at + (12 if vr in _LONG | _VERY_LONG else 8)
        length = int.from_bytes(
            data[at + 8 : at + 12] if start - at == 12 else data[at + 6 : at + 8], "little"
        )
        if vr == b"SQ" or length == UNDEFINED:
            items, at = _parse_items(data, start, end if length == UNDEFINED else start + length)
            elements.append(Element(tag, vr, items, None, length == UNDEFINED))
        else:
            at = start + length
            elements.append(Element(tag, vr, data[start:at]))
    return elements, at


def _parse_items(data: bytes, at: int, end: int) -> tuple[list[Item], int]:
    items: list[Item] = []
    while at < end:
        tag, length = _read_tag(data, at), int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if tag == _SEQUENCE_END:
            return items, at
        item, at = _parse(data, at, end if length == UNDEFINED else at + length)
        items.append(item)
    return items, at


def _read_tag(data: bytes, at: int) -> tuple[int, int]:
    group, element = data[at : at + 2], data[at + 2 : at + 4]
    return int.from_bytes(group, "little"), int.from_bytes(element, "little")


def encode(data_set: Item, *, implicit: bool = False) -> bytes:
    """Write a data set, little endian; what its elements say about their lengths is believed."""
    return b"".join(_encode_element(element, implicit=implicit) for element in data_set)


def _encode_element(element: Element, *, implicit: bool) -> bytes:
    is_sequence = isinstance(element.value, list)
    value = _encode_value(element, implicit=implicit)
    length = len(value) if element.length is None else element.length
    if is_sequence and element.is_undefined:
        value += encode_tag(_SEQUENCE_END) + bytes(4)
        length = UNDEFINED if element.length is None else element.length
    start = encode_tag(element.tag)
    if implicit:
        return start + _encode_length(length, 4) + value
    if element.vr in _LONG | _VERY_LONG or is_sequence:
        return start + element.vr + bytes(2) + _encode_length(length, 4) + value
    return start + element.vr + _encode_length(length, 2) + value


def _encode_value(element: Element, *, implicit: bool) -> bytes:
    if isinstance(element.value, bytes):
        return element.value
    # Thousands of items may be the same one: it is written once, and repeated.
    encoded = {id(item): item for item in element.value}
    written = {
        key: encode_item(encode(item, implicit=implicit), is_undefined=element.is_undefined)
        for key, item in encoded.items()
    }
    return b"".join(written[id(item)] for item in element.value)


def encode_item(content: bytes, *, is_undefined: bool = False) -> bytes:
    """Write an item around its content; a fragment of pixel data is one too."""
    if is_undefined:
        end = encode_tag(_ITEM_END) + bytes(4)
        return encode_tag(_ITEM) + _encode_length(UNDEFINED, 4) + content + end
    return encode_tag(_ITEM) + _encode_length(len(content), 4) + content


def encode_fragments(fragments: list[bytes]) -> bytes:
    """Write encapsulated pixel data behind their length, which is undefined (PS3.5 A.4)."""
    return b"".join(map(encode_item, fragments)) + encode_tag(_SEQUENCE_END) + bytes(4)


def encode_nested(tag: tuple[int, int], levels: int, is_undefined: bool) -> bytes:
    """Return the value of a sequence that holds itself so many levels deep, in Explicit VR."""
    start, core = (
        encode_tag(tag) + b"SQ" + bytes(2),
        encode([Element((0x0008, 0x0104), b"LO", b"deep")]),
    )
    if is_undefined:
        unknown = _encode_length(UNDEFINED, 4)
        opened, closed = encode_tag(_ITEM) + unknown, encode_tag(_ITEM_END) + bytes(4)
        ended = encode_tag(_SEQUENCE_END) + bytes(4)
        inside = (start + unknown + opened) * (levels - 1)
        return opened + inside + core + (closed + ended) * levels
    for _ in range(levels - 1):
        value = encode_item(core)
        core = start + _encode_length(len(value), 4) + value
    return encode_item(core)


def encode_tag(tag: tuple[int, int]) -> bytes:
    """Write a tag."""
    return tag[0].to_bytes(2, "little") + tag[1].to_bytes(2, "little")


def _encode_length(length: int, size: int) -> bytes:
    return (length % (1 << 8 * size)).to_bytes(size, "little")
