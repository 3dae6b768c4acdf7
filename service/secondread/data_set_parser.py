"""Parse an encoded data set (PS3.5 7) that nobody vouches for: bounded, tolerant and complete.

pydicom leaves values undecoded until they are used, follows nested sequences as deep as they go,
and believes every length. A stranger's data set could then fail anywhere, long after it was
accepted. Here everything is read at once, within `ParserLimits`:

- What cannot be located (a length beyond the end, a sequence without items) raises `DataSetError`.
- What can be located but not decoded is left out, alone (`element_values`).
- An element whose VR is none, as some writers and routers leave it, has the VR of the dictionary.

Private elements are skipped: nothing in this package uses them.
"""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as ItemSequence
from pydicom.tag import BaseTag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, STANDARD_VR

from secondread.element_values import decode_values, find_vr, resolve_vr
from secondread.errors import DataSetError

PIXEL_GROUP: Final = 0x7FE0
"""Elements of this group and later ones are not part of a header."""
UNDEFINED_LENGTH: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
SEQUENCE_END: Final = 0xFFFEE0DD
_ITEM_END: Final = 0xFFFEE00D
_DELIMITER_GROUP: Final = 0xFFFE
DELIMITER_BYTES: Final = 8
"""Of the tag and length of an item or delimiter, and of most elements before their value."""
_MOST_FRAGMENTS: Final = 100_000
STANDARD_VRS: Final = frozenset(str(vr) for vr in STANDARD_VR)
_LONG_VRS: Final = frozenset(str(vr) for vr in EXPLICIT_VR_LENGTH_32)


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """How much of a data set is parsed before it is refused."""

    value_bytes: int
    """Of all values together."""
    element_bytes: int
    """Of one value; a longer one is skipped and left out."""
    elements: int
    """Elements and items, at all levels together."""
    depth: int
    """Deepest nesting of sequences."""


HEADER_LIMITS: Final = ParserLimits(4 * 1024**2, 256 * 1024, 100_000, 16)
"""Headers of 60-frame tomosynthesis objects stay below 1 MiB. Values above 256 KiB are look-up
tables and blobs of makers. So many elements cost 60 MB and 1.7 s of processor time."""
DOCUMENT_LIMITS: Final = ParserLimits(16 * 1024**2, 16 * 1024**2, 100_000, 32)
"""A CAD SR of this node with 48 clusters has 0.16 MB, 10,300 elements and items, and 9 levels."""


@dataclass(frozen=True, slots=True)
class DataSetEncoding:
    """How a data set is encoded, apart from its pixel data."""

    is_implicit: bool
    is_little_endian: bool = True


class ByteSource(Protocol):
    """Bytes that can be read at any position."""

    def read_at(self, position: int, length: int) -> bytes:
        """Return exactly `length` bytes.

        Raises
        ------
        DataSetError
            Fewer are there.
        """


class ElementHead(NamedTuple):
    """What precedes a value: tag, VR (None of items and delimiters) and length."""

    tag: int
    vr: str | None
    length: int
    value_at: int


class ParsedDataSet(NamedTuple):
    """A data set, and where parsing ended: its end, or its first element of the pixel group."""

    data_set: Dataset
    end: int


def parse_data_set(
    source: ByteSource,
    start: int,
    end: int,
    encoding: DataSetEncoding,
    limits: ParserLimits,
    before_group: int = PIXEL_GROUP,
) -> ParsedDataSet:
    """Parse the elements before the pixel group, or before another one.

    Parameters
    ----------
    source
        Holds the data set.
    start, end
        Positions of its first byte and behind its last one.
    encoding
        As the transfer syntax gives it.
    limits
        What is accepted.
    before_group
        Elements of this group and later ones are left alone.

    Raises
    ------
    DataSetError
        The encoding is broken, or a limit is exceeded. No value is quoted.
    """
    parser = _Parser(source, limits, before_group)
    elements, position = parser.parse_elements(_Range(start, end), encoding, depth=0)
    data_set = _make_data_set(elements)
    decode_values(data_set)
    return ParsedDataSet(data_set, position)


def read_element_head(
    source: ByteSource, position: int, end: int, encoding: DataSetEncoding
) -> ElementHead:
    """Return the head of an element, an item or a delimiter.

    Raises
    ------
    DataSetError
        It does not fit before `end`, or has no VR and no length that make sense.
    """
    if end - position < DELIMITER_BYTES:
        raise DataSetError("the data set ends early")
    order = "<" if encoding.is_little_endian else ">"
    head = source.read_at(position, DELIMITER_BYTES)
    group, number, long_length = struct.unpack(f"{order}HHI", head)
    tag, value_at = group << 16 | number, position + DELIMITER_BYTES
    if group == _DELIMITER_GROUP:
        return ElementHead(tag, None, long_length, value_at)
    if encoding.is_implicit:
        return ElementHead(tag, find_vr(tag), long_length, value_at)
    vr = head[4:6].decode("latin-1")
    if vr not in STANDARD_VRS:
        return _guess_head(source, position, end, order)
    if vr not in _LONG_VRS:
        (length,) = struct.unpack_from(f"{order}H", head, 6)
        return ElementHead(tag, vr, length, value_at)
    if end - value_at < 4:
        raise DataSetError("the data set ends early")
    (length,) = struct.unpack(f"{order}I", source.read_at(value_at, 4))
    return ElementHead(tag, vr, length, value_at + 4)


def _guess_head(source: ByteSource, position: int, end: int, order: str) -> ElementHead:
    """Return the head of an element of an explicit data set whose VR is none.

    Either its VR was overwritten, or its writer changed to implicit VR, as some do in sequences.
    That length counts behind which another element may begin.
    """
    head = source.read_at(position, min(12, end - position)).ljust(12, b"\0")
    group, number = struct.unpack_from(f"{order}HH", head)
    tag = group << 16 | number
    vr = find_vr(tag)
    (short,), (implicit, long) = (
        struct.unpack_from(f"{order}H", head, 6),
        struct.unpack_from(f"{order}II", head, 4),
    )
    explicit = (
        ElementHead(tag, vr, long, position + 12)
        if resolve_vr(vr, is_signed=False) in _LONG_VRS
        else ElementHead(tag, vr, short, position + DELIMITER_BYTES)
    )
    for guess in (explicit, ElementHead(tag, vr, implicit, position + DELIMITER_BYTES)):
        if _is_followed_by_element(source, guess, end, order):
            return guess
    raise DataSetError(f"element {BaseTag(tag)} has no value representation")


def _is_followed_by_element(source: ByteSource, head: ElementHead, end: int, order: str) -> bool:
    following = head.value_at + head.length
    if following == end:
        return True
    if following + DELIMITER_BYTES > end:
        return False
    group, number = struct.unpack(f"{order}HH", source.read_at(following, 4))
    tag = group << 16 | number
    is_known = bool(group & 1) or find_vr(tag) != "UN"
    return bool(group == _DELIMITER_GROUP or (tag > head.tag and is_known))


class _Range(NamedTuple):
    """Where elements or items are; `is_delimited` where a delimiter ends them before `end`."""

    start: int
    end: int
    is_delimited: bool = False


_Elements = dict[BaseTag, DataElement | RawDataElement]


class _Parser:
    """Locates elements and items, and counts what they cost."""

    def __init__(self, source: ByteSource, limits: ParserLimits, before_group: int) -> None:
        self._source = source
        self._limits = limits
        self._before_group = before_group
        self._bytes = limits.value_bytes
        self._elements = limits.elements

    def parse_elements(
        self, where: _Range, encoding: DataSetEncoding, depth: int
    ) -> tuple[_Elements, int]:
        """Return the elements of a data set or item, and the position behind them."""
        elements: _Elements = {}
        position = where.start
        while position < where.end:
            head = self._read_head(position, where.end, encoding)
            if head.tag == _ITEM_END and where.is_delimited:
                return elements, head.value_at
            if head.vr is None:
                raise DataSetError("an item or delimiter stands where an element must be")
            if depth == 0 and head.tag >> 16 >= self._before_group:
                return elements, position
            element, position = self._parse_element(head, where.end, encoding, depth)
            if element is not None:
                elements[BaseTag(head.tag)] = element
        if where.is_delimited:
            raise DataSetError("the data set ends early")
        return elements, position

    def _read_head(self, position: int, end: int, encoding: DataSetEncoding) -> ElementHead:
        self._elements -= 1
        if self._elements < 0:
            raise DataSetError("the data set has too many elements or items")
        return read_element_head(self._source, position, end, encoding)

    def _parse_element(
        self, head: ElementHead, end: int, encoding: DataSetEncoding, depth: int
    ) -> tuple[DataElement | RawDataElement | None, int]:
        """Return an element, None where it is left out, and the position behind it."""
        is_undefined = head.length == UNDEFINED_LENGTH
        behind = end if is_undefined else head.value_at + head.length
        if behind > end:
            raise DataSetError("the data set ends early")
        is_private = bool(head.tag >> 16 & 1)
        if is_private and not is_undefined:
            return None, behind
        if _is_sequence(head):
            # PS3.5 6.2.2: what became UN on its way is encoded in implicit VR.
            inner = DataSetEncoding(True) if head.vr == "UN" else encoding
            items, behind = self._parse_items(
                _Range(head.value_at, behind, is_undefined), inner, depth + 1
            )
            if is_private:
                return None, behind
            return DataElement(BaseTag(head.tag), "SQ", ItemSequence(items)), behind
        if is_undefined:
            return None, skip_fragments(self._source, head.value_at, end, encoding).delimiter
        return self._read_value(head, encoding), behind

    def _parse_items(
        self, where: _Range, encoding: DataSetEncoding, depth: int
    ) -> tuple[list[Dataset], int]:
        if depth > self._limits.depth:
            raise DataSetError("sequences are nested too deeply")
        items: list[Dataset] = []
        position = where.start
        while position < where.end:
            head = self._read_head(position, where.end, encoding)
            if head.tag == SEQUENCE_END:
                if where.is_delimited:
                    return items, head.value_at
                position = head.value_at  # superfluous, and written by some
                continue
            if head.tag != ITEM:
                raise DataSetError("a sequence holds something that is no item")
            is_delimited = head.length == UNDEFINED_LENGTH
            item_end = where.end if is_delimited else head.value_at + head.length
            if item_end > where.end:
                raise DataSetError("the data set ends early")
            inner = _Range(head.value_at, item_end, is_delimited)
            elements, position = self.parse_elements(inner, encoding, depth)
            items.append(_make_data_set(elements))
        if where.is_delimited:
            raise DataSetError("the data set ends early")
        return items, position

    def _read_value(self, head: ElementHead, encoding: DataSetEncoding) -> RawDataElement | None:
        if head.length > self._limits.element_bytes:
            return None
        self._bytes -= head.length
        if self._bytes < 0:
            raise DataSetError("the values of the data set are too long")
        value = self._source.read_at(head.value_at, head.length)
        return RawDataElement(
            BaseTag(head.tag),
            head.vr,
            head.length,
            value,
            head.value_at,
            encoding.is_implicit,
            encoding.is_little_endian,
        )


def _is_sequence(head: ElementHead) -> bool:
    if head.vr == "UN":
        # An unknown element of undefined length cannot be anything else (PS3.5 6.2.2).
        return head.length == UNDEFINED_LENGTH or find_vr(head.tag) == "SQ"
    return head.vr == "SQ"


class FragmentsEnd(NamedTuple):
    """Where encapsulated fragments end, and the position behind their delimiter."""

    fragments: int
    delimiter: int


def skip_fragments(
    source: ByteSource, position: int, end: int, encoding: DataSetEncoding
) -> FragmentsEnd:
    """Return where encapsulated fragments (PS3.5 A.4) end; at `end`, their delimiter may lack.

    Raises
    ------
    DataSetError
        They end early, or something else is between them.
    """
    for _ in range(_MOST_FRAGMENTS):
        if position == end:
            return FragmentsEnd(end, end)
        head = read_element_head(source, position, end, encoding)
        if head.tag == SEQUENCE_END:
            return FragmentsEnd(position, head.value_at)
        if head.tag != ITEM or head.length == UNDEFINED_LENGTH:
            raise DataSetError("encapsulated data hold something that is no fragment")
        position = head.value_at + head.length
    raise DataSetError("encapsulated data have too many fragments")


def _make_data_set(elements: _Elements) -> Dataset:
    return Dataset(dict(sorted(elements.items())))
