"""The content tree of an SR document that somebody else may have written.

Tolerant of its form: anything may be missing, and what is missing is reported with its position
(PS3.3 C.17.3.2.5). It shares no code with `sr.tree`, which builds documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pydicom.dataset import Dataset

from secondread.codes import Code, CodedEnum
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread.report.readback.attributes import (
    list_items,
    list_numbers,
    list_whole_numbers,
    read_text,
)

_MAX_DEPTH = 32
"""Real documents have at most about ten levels. The number of items is bounded where documents are
decoded (`data_set_parser.DOCUMENT_LIMITS`): each is an element at least."""
_FARTHEST_PX = 1e6
"""A coordinate beyond this is in no image: images have 65,535 rows and columns at most."""
_TO_MM = {"mm": 1.0, "cm": 10.0, "um": 0.001}

Position = tuple[int, ...]
"""Path of an item from the root, (1,), counting every sibling from 1."""

InstanceReference = tuple[str, str, int | None]
"""SOP class UID, SOP Instance UID, and frame number or None for all of it."""


class ContentError(InputError):
    """A content item is not what it should be.

    Parameters
    ----------
    position
        Of the item, or ``header``.
    fault
        What is wrong with it.
    """

    def __init__(self, position: str, fault: str) -> None:
        super().__init__(f"{position}: {fault}")
        self.position = position
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Content:
    """One content item with what hangs below it."""

    position: Position
    relation: str
    value_type: str
    """Empty for a reference."""
    name: Code | None
    item: Dataset = field(repr=False)
    children: tuple["Content", ...]
    target: Position | None
    """The position that a reference points at."""

    @property
    def path(self) -> str:
        """The position as validators print it: ``1.2.4``."""
        return format_position(self.position)

    def walk(self) -> Iterator["Content"]:
        """Yield the item and all below it, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def is_named(self, *concepts: Code) -> bool:
        """Whether its concept name is one of these, in whichever scheme of SNOMED."""
        return self.name is not None and any(
            concept.matches(self.name.value, self.name.scheme) for concept in concepts
        )

    def find_children(self, *concepts: Code) -> Iterator["Content"]:
        """Yield the children with one of these concept names."""
        return (child for child in self.children if child.is_named(*concepts))

    def find_child(self, *concepts: Code) -> "Content | None":
        """Return the first child with one of these concept names."""
        return next(self.find_children(*concepts), None)

    def find_number(self, concept: Code) -> float | None:
        """Return the value of the first child with this concept name, a NUM item."""
        child = self.find_child(concept)
        return None if child is None else child.number

    def find_text(self, concept: Code) -> str:
        """Return the text of the first child with this concept name; empty without one."""
        child = self.find_child(concept)
        return "" if child is None else child.text

    @property
    def code(self) -> Code | None:
        """The value of a CODE item."""
        return read_code(self.item, "ConceptCodeSequence")

    @property
    def text(self) -> str:
        """The value of a TEXT or UIDREF item."""
        return read_text(self.item, "TextValue") or read_text(self.item, "UID")

    @property
    def number(self) -> float | None:
        """The value of a NUM item; None where it is missing or not finite."""
        numbers = list_numbers(self._measured, "NumericValue")
        return numbers[0] if len(numbers) == 1 else None

    @property
    def _measured(self) -> Dataset:
        values = list_items(self.item, "MeasuredValueSequence")
        return values[0] if values else Dataset()

    @property
    def unit(self) -> str:
        """The code value of a NUM item's unit."""
        unit = read_code(self._measured, "MeasurementUnitsCodeSequence")
        return "" if unit is None else unit.value

    @property
    def millimeters(self) -> float | None:
        """The value of a NUM item that is a length; None without one, or in another unit."""
        number, factor = self.number, _TO_MM.get(self.unit)
        return None if number is None or factor is None else number * factor

    @property
    def graphic_type(self) -> str:
        """The Graphic Type of an SCOORD item."""
        return read_text(self.item, "GraphicType")

    @property
    def reference(self) -> InstanceReference | None:
        """What an IMAGE or COMPOSITE item refers to."""
        for first in list_items(self.item, "ReferencedSOPSequence")[:1]:
            uid = read_text(first, "ReferencedSOPInstanceUID")
            frame = next(iter(list_whole_numbers(first, "ReferencedFrameNumber")), None)
            if uid:
                return read_text(first, "ReferencedSOPClassUID"), uid, frame or None
        return None

    @property
    def points(self) -> tuple[PointPx, ...]:
        """The points of an SCOORD item.

        Raises
        ------
        ContentError
            There are none, a coordinate is missing, or one is no place in any image.
        """
        numbers = list_numbers(self.item, "GraphicData")
        if not numbers or len(numbers) % 2:
            raise ContentError(self.path, f"{len(numbers)} coordinates that make no points")
        if max(map(abs, numbers)) > _FARTHEST_PX:
            raise ContentError(self.path, "a coordinate that is in no image")
        return tuple(PointPx(c, r) for c, r in zip(numbers[::2], numbers[1::2], strict=True))


def format_position(position: Position) -> str:
    """Return a position the way validators print it.

    >>> format_position((1, 2, 4)), format_position(())
    ('1.2.4', 'no position')
    """
    return ".".join(map(str, position)) or "no position"


def read_code(ds: Dataset, keyword: str) -> Code | None:
    """Return the first code of a code sequence (PS3.3 8.8), long and URN codes included."""
    for first in list_items(ds, keyword)[:1]:
        texts = (read_text(first, name) for name in ("CodeValue", "LongCodeValue", "URNCodeValue"))
        value = next(filter(None, texts), "")
        scheme = read_text(first, "CodingSchemeDesignator")
        return Code(value, scheme, read_text(first, "CodeMeaning"))
    return None


EnumT = TypeVar("EnumT", bound=CodedEnum)


def read_enum(content: Content | None, values: type[EnumT]) -> EnumT | None:
    """Return the value of a CODE item as a member of an enumeration, if it is one."""
    code = content.code if content is not None else None
    return None if code is None else values.from_code(code.value, code.scheme)


def list_references(ds: Dataset, keyword: str) -> Iterator[tuple[Dataset, Dataset, Dataset]]:
    """Yield what a sequence of the header refers to: the items of study, series and instance.

    For the Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1): evidence, predecessors.
    """
    for study in list_items(ds, keyword):
        for series in list_items(study, "ReferencedSeriesSequence"):
            for instance in list_items(series, "ReferencedSOPSequence"):
                yield study, series, instance


class ContentTree:
    """A document's content.

    Parameters
    ----------
    ds
        The document.

    Raises
    ------
    ContentError
        It is nested too deeply.
    """

    def __init__(self, ds: Dataset) -> None:
        self.root = self._read_item(ds, (1,))
        self.items = {content.position: content for content in self.root.walk()}

    def _read_item(self, item: Dataset, position: Position) -> Content:
        if len(position) > _MAX_DEPTH:
            raise ContentError(format_position(position), "nested too deeply")
        children = tuple(
            self._read_item(child, (*position, index))
            for index, child in enumerate(list_items(item, "ContentSequence"), start=1)
        )
        return Content(
            position,
            read_text(item, "RelationshipType"),
            read_text(item, "ValueType"),
            read_code(item, "ConceptNameCodeSequence"),
            item,
            children,
            _read_target(item),
        )

    def follow_references(self, content: Content) -> tuple[Content, ...]:
        """Return what hangs below an item, references followed.

        Raises
        ------
        ContentError
            A reference points at nothing.
        """
        return tuple(self._follow(child) for child in content.children)

    def _follow(self, child: Content) -> Content:
        if child.target is None:
            return child
        target = self.items.get(child.target)
        if target is None:
            raise ContentError(child.path, f"{format_position(child.target)} is not in the tree")
        return target

    def find_image(self, content: Content) -> Content:
        """Return the IMAGE item that an item points at or holds.

        Raises
        ------
        ContentError
            There is none, or it names no instance.
        """
        images = self._find_images(content)
        if not images or images[0].reference is None:
            raise ContentError(content.path, "names no image")
        return images[0]

    def find_image_uids(self, content: Content) -> tuple[str, ...]:
        """Return the SOP Instance UIDs of all images that an item points at or holds.

        References that point at nothing are passed over.
        """
        targets = (
            child if child.target is None else self.items.get(child.target)
            for child in content.children
        )
        references = (
            target.reference
            for target in targets
            if target is not None and target.value_type == "IMAGE"
        )
        return tuple(reference[1] for reference in references if reference is not None)

    def _find_images(self, content: Content) -> list[Content]:
        return [item for item in self.follow_references(content) if item.value_type == "IMAGE"]


def _read_target(item: Dataset) -> Position | None:
    """Return the position that an item refers to; an empty one where it is no position."""
    if item.get("ReferencedContentItemIdentifier", None) in (None, ""):
        return None
    return list_whole_numbers(item, "ReferencedContentItemIdentifier")
