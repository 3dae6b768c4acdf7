"""A structured report as a plain tree of words, for a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from secondread.report.readback.attributes import (
    list_items,
    list_numbers,
    list_whole_numbers,
    read_text,
)
from secondread.report.readback.explain import name_sop_class

# Deeper than any template goes (TID 4000 needs nine levels); a hostile document is cut here.
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One content item of a structured report."""

    position: str
    """Its position, as ``1.2.1``: other items refer to it by that."""
    relationship: str
    """Its relationship to its parent, in lower case; empty for the root."""
    concept: str
    """Meaning of its concept name; empty where it has none."""
    value: str
    """Its value in words; empty for a container."""
    children: tuple["ContentItem", ...]


def build_content_tree(ds: Dataset) -> ContentItem:
    """Return the content of a structured report.

    Names of persons are withheld: the tree is shown where patients are not to be named.
    """
    return _make_item(ds, "1", 0)


def _make_item(ds: Dataset, position: str, depth: int) -> ContentItem:
    below = list_items(ds, "ContentSequence")
    children = [] if depth >= _DEEPEST else list(_make_children(below, position, depth))
    return ContentItem(
        position=position,
        relationship=read_text(ds, "RelationshipType").lower(),
        concept=_get_meaning(ds, "ConceptNameCodeSequence"),
        value=_describe_value(ds),
        children=tuple(children),
    )


def _make_children(items: Sequence[Dataset], position: str, depth: int) -> Iterator[ContentItem]:
    for number, item in enumerate(items, start=1):
        yield _make_item(item, f"{position}.{number}", depth + 1)


def _describe_value(ds: Dataset) -> str:
    reference = list_whole_numbers(ds, "ReferencedContentItemIdentifier")
    if reference:
        return "see item " + ".".join(map(str, reference))
    kind = read_text(ds, "ValueType")
    match kind:
        case "CODE":
            return _get_meaning(ds, "ConceptCodeSequence", with_code=True)
        case "NUM":
            return _format_number(ds)
        case "IMAGE" | "COMPOSITE":
            return _describe_reference(ds)
        case "SCOORD":
            return _describe_graphic(ds)
        case "PNAME":
            return "(a name, withheld)"
        case "TEXT" | "UIDREF" | "DATE" | "TIME" | "DATETIME":
            keywords = {"TEXT": "TextValue", "UIDREF": "UID", "DATETIME": "DateTime"}
            return read_text(ds, keywords.get(kind, kind.capitalize()))
        case _:
            return ""


def _get_meaning(ds: Dataset, keyword: str, *, with_code: bool = False) -> str:
    for item in list_items(ds, keyword)[:1]:
        meaning = read_text(item, "CodeMeaning")
        if with_code:
            code, scheme = read_text(item, "CodeValue"), read_text(item, "CodingSchemeDesignator")
            return f"{meaning} ({code}, {scheme})"
        return meaning
    return ""


def _format_number(ds: Dataset) -> str:
    for item in list_items(ds, "MeasuredValueSequence")[:1]:
        units = list_items(item, "MeasurementUnitsCodeSequence")
        unit = read_text(units[0], "CodeValue") if units else ""
        return f"{read_text(item, 'NumericValue')} {'' if unit == '1' else unit}".strip()
    return ""


def _describe_reference(ds: Dataset) -> str:
    for item in list_items(ds, "ReferencedSOPSequence")[:1]:
        name = name_sop_class(read_text(item, "ReferencedSOPClassUID"))
        return f"{name}, {read_text(item, 'ReferencedSOPInstanceUID')}"
    return ""


def _describe_graphic(ds: Dataset) -> str:
    kind, data = read_text(ds, "GraphicType").lower(), list_numbers(ds, "GraphicData")
    points = list(zip(data[::2], data[1::2], strict=False))
    if len(points) == 1:
        return f"{kind} at column {points[0][0]:.1f}, row {points[0][1]:.1f}"
    return f"{kind} of {len(points)} points"
