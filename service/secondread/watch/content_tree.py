"""A structured report as a plain tree of words, for a page."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

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
    below = ds.get("ContentSequence", None) or []
    children = [] if depth >= _DEEPEST else list(_make_children(below, position, depth))
    return ContentItem(
        position=position,
        relationship=str(ds.get("RelationshipType", "") or "").lower(),
        concept=_get_meaning(ds, "ConceptNameCodeSequence"),
        value=_describe_value(ds),
        children=tuple(children),
    )


def _make_children(items: list[Dataset], position: str, depth: int) -> Iterator[ContentItem]:
    for number, item in enumerate(items, start=1):
        yield _make_item(item, f"{position}.{number}", depth + 1)


def _describe_value(ds: Dataset) -> str:
    reference = ds.get("ReferencedContentItemIdentifier", None)
    if reference:
        numbers = [reference] if isinstance(reference, int) else list(reference)
        return "see item " + ".".join(str(number) for number in numbers)
    kind = str(ds.get("ValueType", "") or "")
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
            keyword = {"TEXT": "TextValue", "UIDREF": "UID"}.get(kind, kind.capitalize())
            return str(ds.get("DateTime" if kind == "DATETIME" else keyword, "") or "")
        case _:
            return ""


def _get_meaning(ds: Dataset, keyword: str, *, with_code: bool = False) -> str:
    for item in ds.get(keyword, None) or []:
        meaning = str(item.get("CodeMeaning", "") or "")
        if with_code:
            code, scheme = item.get("CodeValue", ""), item.get("CodingSchemeDesignator", "")
            return f"{meaning} ({code}, {scheme})"
        return meaning
    return ""


def _format_number(ds: Dataset) -> str:
    for item in ds.get("MeasuredValueSequence", None) or []:
        units = item.get("MeasurementUnitsCodeSequence", None) or []
        unit = str(units[0].get("CodeValue", "")) if units else ""
        return f"{item.get('NumericValue', '')} {'' if unit == '1' else unit}".rstrip()
    return ""


def _describe_reference(ds: Dataset) -> str:
    for item in ds.get("ReferencedSOPSequence", None) or []:
        name = UID(str(item.get("ReferencedSOPClassUID", ""))).name
        return f"{name}, {item.get('ReferencedSOPInstanceUID', '')}"
    return ""


def _describe_graphic(ds: Dataset) -> str:
    kind = str(ds.get("GraphicType", "") or "").lower()
    data = [float(number) for number in ds.get("GraphicData", None) or []]
    points = list(zip(data[::2], data[1::2], strict=False))
    if len(points) == 1:
        return f"{kind} at column {points[0][0]:.1f}, row {points[0][1]:.1f}"
    return f"{kind} of {len(points)} points"
