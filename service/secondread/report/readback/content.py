"""The content tree of an SR document that somebody else may have written: tolerant of its form.

`report.check` looks at documents of our own, which were built a moment ago. Here anything
may be missing, and what is missed is told with its position (PS3.3 C.17.3.2.5).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from secondread.codes import Code, CodedEnum
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread.report.sr.tree import Position, format_position

_DEEPEST, _MOST_ITEMS = 32, 100_000
"""Real documents have at most about ten levels, and some thousand items."""
_LONGEST = 1024
"""Characters of a text that are kept."""


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
    """What a reference points at."""

    @property
    def path(self) -> str:
        """The position as validators print it."""
        return format_position(self.position)

    def is_named(self, concept: Code) -> bool:
        """Whether its concept name is this one, in whichever scheme of SNOMED."""
        return self.name is not None and concept.matches(self.name.value, self.name.scheme)

    def find_children(self, *concepts: Code) -> Iterator["Content"]:
        """Yield the children with one of these concept names."""
        return (child for child in self.children if any(map(child.is_named, concepts)))

    def find_child(self, *concepts: Code) -> "Content | None":
        """Return the first child with one of these concept names."""
        return next(self.find_children(*concepts), None)

    @property
    def code(self) -> Code | None:
        """The value of a CODE item."""
        return read_code(self.item.get("ConceptCodeSequence", None))

    @property
    def text(self) -> str:
        """The value of a TEXT or UIDREF item."""
        value = self.item.get("TextValue", None) or self.item.get("UID", None) or ""
        return str(value).strip()[:_LONGEST]

    @property
    def number(self) -> float | None:
        """The value of a NUM item; None where it has none, or none that is finite."""
        try:
            value = float(self._measured.NumericValue)
        except (AttributeError, TypeError, ValueError):
            return None
        return value if math.isfinite(value) else None

    @property
    def _measured(self) -> Dataset:
        values: Sequence[Dataset] = self.item.get("MeasuredValueSequence", None) or ()
        return values[0] if values else Dataset()

    @property
    def unit(self) -> str:
        """The code value of a NUM item's unit."""
        unit = read_code(self._measured.get("MeasurementUnitsCodeSequence", None))
        return "" if unit is None else unit.value

    @property
    def reference(self) -> InstanceReference | None:
        """What an IMAGE or COMPOSITE item refers to."""
        references: Sequence[Dataset] = self.item.get("ReferencedSOPSequence", None) or ()
        if not references or "ReferencedSOPInstanceUID" not in references[0]:
            return None
        one = references[0]
        frames = one.get("ReferencedFrameNumber", None)
        frame = frames[0] if isinstance(frames, list | MultiValue) and frames else frames
        of_class = str(one.get("ReferencedSOPClassUID", ""))
        return of_class, str(one.ReferencedSOPInstanceUID), int(frame) if frame else None

    @property
    def points(self) -> tuple[PointPx, ...]:
        """The points of an SCOORD item.

        Raises
        ------
        ContentError
            There is none, a coordinate is missing, or one is not finite.
        """
        data = self.item.get("GraphicData", None)
        numbers = [float(n) for n in (data if isinstance(data, MultiValue | list) else ())]
        if not numbers or len(numbers) % 2 or not all(map(math.isfinite, numbers)):
            raise ContentError(self.path, f"{len(numbers)} coordinates that make no points")
        return tuple(PointPx(c, r) for c, r in zip(numbers[::2], numbers[1::2], strict=True))


def read_code(items: Sequence[Dataset] | None) -> Code | None:
    """Return the first code of a code sequence (PS3.3 8.8), long and URN codes included."""
    if not items:
        return None
    one = items[0]
    value = next(
        (str(one[k].value) for k in ("CodeValue", "LongCodeValue", "URNCodeValue") if one.get(k)),
        "",
    )
    scheme, meaning = one.get("CodingSchemeDesignator", ""), one.get("CodeMeaning", "")
    return Code(value, str(scheme or ""), str(meaning or "")[:_LONGEST])


Value = TypeVar("Value", bound=CodedEnum)


def read_enum(content: Content | None, values: type[Value]) -> Value | None:
    """Return the value of a CODE item as a member of an enumeration, if it is one."""
    code = content.code if content is not None else None
    return None if code is None else values.from_code(code.value, code.scheme)


class ContentTree:
    """A document's content.

    Parameters
    ----------
    ds
        The document.

    Raises
    ------
    ContentError
        It is nested too deeply, or has too many items.
    """

    def __init__(self, ds: Dataset) -> None:
        self._at: dict[Position, Content] = {}
        self.root = self._read(ds, (1,))

    def _read(self, item: Dataset, position: Position) -> Content:
        if len(position) > _DEEPEST or len(self._at) > _MOST_ITEMS:
            raise ContentError(
                format_position(position), "nested too deeply, or too many content items"
            )
        children = tuple(
            self._read(child, (*position, index))
            for index, child in enumerate(item.get("ContentSequence", None) or (), start=1)
        )
        content = Content(
            position,
            str(item.get("RelationshipType", "") or ""),
            str(item.get("ValueType", "") or ""),
            read_code(item.get("ConceptNameCodeSequence", None)),
            item,
            children,
            _target(item),
        )
        self._at[position] = content
        return content

    def follow_references(self, content: Content) -> tuple[Content, ...]:
        """Return what hangs below an item, references followed.

        Raises
        ------
        ContentError
            A reference points at nothing.
        """
        return tuple(self._followed(child) for child in content.children)

    def _followed(self, child: Content) -> Content:
        if child.target is None:
            return child
        found = self._at.get(child.target)
        if found is None:
            raise ContentError(child.path, f"{format_position(child.target)} is not in the tree")
        return found

    def find_image(self, content: Content) -> Content:
        """Return the IMAGE item that an item points at or holds.

        Raises
        ------
        ContentError
            There is none, or it names no instance.
        """
        images = [one for one in self.follow_references(content) if one.value_type == "IMAGE"]
        if not images or images[0].reference is None:
            raise ContentError(content.path, "names no image")
        return images[0]

    def find_image_uids(self, content: Content) -> tuple[str, ...]:
        """Return the SOP Instance UIDs of all images that an item points at or holds."""
        instances = (
            one.reference for one in self.follow_references(content) if one.value_type == "IMAGE"
        )
        return tuple(instance[1] for instance in instances if instance is not None)


def _target(item: Dataset) -> Position | None:
    value = item.get("ReferencedContentItemIdentifier", None)
    if value is None or value == "":
        return None
    # pydicom gives several numbers of a binary VR as a plain list, some versions as its own.
    return tuple(int(n) for n in value) if isinstance(value, list | MultiValue) else (int(value),)
