"""A small builder for SR content trees (PS3.3 C.17.3) on plain pydicom.

Items are made by value type, placed below each other with `TreeItem.add`, and referred to with
`TreeItem.refer_to`. A by-reference relationship names its target by position, and positions change
whenever an item is inserted before it; so items refer to `TreeItem` objects, and `encode_tree`
turns these references into positions when the tree is complete.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydicom.dataset import Dataset

from secondread.codes import Code
from secondread.errors import ReportError
from secondread.geometry import PointPx

Position = tuple[int, ...]
"""Path of an item from the root, (1,), counting every sibling from 1 (PS3.3 C.17.3.2.5)."""


class Relation(StrEnum):
    """Relationship Type (0040,A010), PS3.3 C.17.3.2.4."""

    CONTAINS = "CONTAINS"
    HAS_PROPERTIES = "HAS PROPERTIES"
    HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
    HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
    HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
    INFERRED_FROM = "INFERRED FROM"
    SELECTED_FROM = "SELECTED FROM"


@dataclass(eq=False, slots=True)
class TreeItem:
    """One content item with those below it."""

    content: Dataset
    """Value type, concept name and value; neither relationship nor children."""
    links: list["Link"] = field(default_factory=list)

    def add(self, relation: Relation, child: "TreeItem") -> "TreeItem":
        """Place an item below this one, by value, and return it."""
        self.links.append(Link(relation, child, by_reference=False))
        return child

    def add_all(self, relation: Relation, children: Iterable["TreeItem"]) -> None:
        """Place items below this one, by value, in their order."""
        self.links.extend(Link(relation, child, by_reference=False) for child in children)

    def is_named(self, concept: Code) -> bool:
        """Whether this is its concept name."""
        names = self.content.get("ConceptNameCodeSequence", [])
        return bool(names) and concept.matches(names[0].CodeValue, names[0].CodingSchemeDesignator)

    def refer_to(self, relation: Relation, target: "TreeItem") -> None:
        """Refer to an item elsewhere in the same tree."""
        self.links.append(Link(relation, target, by_reference=True))


@dataclass(frozen=True, slots=True)
class Link:
    """A relationship from an item to another."""

    relation: Relation
    target: TreeItem
    by_reference: bool


def encode_code(code: Code) -> Dataset:
    """Return the item of a code sequence (PS3.3 8.8)."""
    ds = Dataset()
    ds.CodeValue = code.value
    ds.CodingSchemeDesignator = code.scheme
    ds.CodeMeaning = code.meaning
    return ds


def encode_reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Return the item of a Referenced SOP Sequence."""
    ds = Dataset()
    ds.ReferencedSOPClassUID = sop_class_uid
    ds.ReferencedSOPInstanceUID = sop_instance_uid
    return ds


def format_decimal(value: float) -> str:
    """Return a number as Decimal String, at most 16 characters (PS3.5 6.2).

    >>> format_decimal(70.0), format_decimal(1 / 3)
    ('70', '0.3333333333')

    Raises
    ------
    ReportError
        The number is not finite.
    """
    if not math.isfinite(value):
        raise ReportError(f"{value!r} cannot be written as a number")
    return format(value, ".10g")


def _make_item(value_type: str, concept: Code | None, **attributes: object) -> TreeItem:
    ds = Dataset()
    ds.ValueType = value_type
    if concept is not None:
        ds.ConceptNameCodeSequence = [encode_code(concept)]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return TreeItem(ds)


def container(concept: Code) -> TreeItem:
    """Return a CONTAINER whose children are separate (not running text)."""
    return _make_item("CONTAINER", concept, ContinuityOfContent="SEPARATE")


def code(concept: Code, value: Code) -> TreeItem:
    """Return a CODE item."""
    return _make_item("CODE", concept, ConceptCodeSequence=[encode_code(value)])


def text(concept: Code, value: str) -> TreeItem:
    """Return a TEXT item.

    Raises
    ------
    ReportError
        The text is empty, which TextValue (type 1C) cannot be, or not printable ASCII.
    """
    if not value or not value.isascii() or not value.isprintable():
        raise ReportError(f"{concept.meaning}: printable ASCII text expected, not {value!r}")
    return _make_item("TEXT", concept, TextValue=value)


def number(concept: Code, value: float, unit: Code) -> TreeItem:
    """Return a NUM item with one measured value."""
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = [encode_code(unit)]
    measured.NumericValue = format_decimal(value)
    return _make_item("NUM", concept, MeasuredValueSequence=[measured])


def uid(concept: Code, value: str) -> TreeItem:
    """Return a UIDREF item."""
    return _make_item("UIDREF", concept, UID=value)


def date(concept: Code, value: str) -> TreeItem:
    """Return a DATE item; the value is in DICOM's form, YYYYMMDD."""
    return _make_item("DATE", concept, Date=value)


def time(concept: Code, value: str) -> TreeItem:
    """Return a TIME item; the value is in DICOM's form, HHMMSS.FFFFFF."""
    return _make_item("TIME", concept, Time=value)


def image(sop_class_uid: str, sop_instance_uid: str) -> TreeItem:
    """Return an IMAGE item without a concept name, as the Image Library holds them."""
    reference = encode_reference(sop_class_uid, sop_instance_uid)
    return _make_item("IMAGE", None, ReferencedSOPSequence=[reference])


def scoord(concept: Code, graphic_type: str, points: Sequence[PointPx]) -> TreeItem:
    """Return an SCOORD item; the points are (column, row) pairs (PS3.3 C.18.6)."""
    data = [coordinate for point in points for coordinate in (point.col, point.row)]
    return _make_item("SCOORD", concept, GraphicType=graphic_type, GraphicData=data)


def encode_tree(root: TreeItem, template: str) -> Dataset:
    """Return the SR Document Content module of a complete tree.

    Parameters
    ----------
    root
        The root CONTAINER.
    template
        Identifier of the root template in the DICOM Content Mapping Resource, ``4000``.

    Raises
    ------
    ReportError
        An item is at two places, or a reference points outside the tree.
    """
    positions: dict[int, Position] = {}
    _number_items(root, (1,), positions)
    ds = _encode_item(root, positions)
    identification = Dataset()
    identification.MappingResource = "DCMR"
    identification.TemplateIdentifier = template
    ds.ContentTemplateSequence = [identification]
    return ds


def _number_items(item: TreeItem, position: Position, positions: dict[int, Position]) -> None:
    if id(item) in positions:
        raise ReportError(f"one content item at two places: {format_position(position)}")
    positions[id(item)] = position
    for index, link in enumerate(item.links, start=1):
        if not link.by_reference:
            _number_items(link.target, (*position, index), positions)


def _encode_item(item: TreeItem, positions: dict[int, Position]) -> Dataset:
    ds = Dataset()
    ds.update(item.content)
    children = [_encode_link(link, positions) for link in item.links]
    if children:
        ds.ContentSequence = children
    return ds


def _encode_link(link: Link, positions: dict[int, Position]) -> Dataset:
    if not link.by_reference:
        ds = _encode_item(link.target, positions)
    elif id(link.target) in positions:
        ds = Dataset()
        ds.ReferencedContentItemIdentifier = list(positions[id(link.target)])
    else:
        raise ReportError(f"a {link.relation} reference points outside the tree")
    ds.RelationshipType = str(link.relation)
    return ds


def format_position(position: Position) -> str:
    """Return a position the way validators print it.

    >>> format_position((1, 2, 4))
    '1.2.4'
    """
    return ".".join(str(number) for number in position)


def convert_to_srt(ds: Dataset) -> None:
    """Change every SNOMED code in the data set to the retired SRT scheme, where it has one.

    For workstations that recognise findings by their SRT code only. PS3.16 chapter 8 allows it
    for legacy use.
    """
    if ds.get("CodingSchemeDesignator") == "SCT":
        srt = Code(ds.CodeValue, "SCT", ds.CodeMeaning).to_srt()
        ds.CodeValue, ds.CodingSchemeDesignator = srt.value, srt.scheme
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                convert_to_srt(item)
