"""Any structured report as a tree that people and programs can read, and its marks by image.

The patient and the names of persons are left out: only the content is explained.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.uid import UID

from secondread.codes import Code, RenderingIntent
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread.report import concepts
from secondread.report.readback.attributes import list_items, read_text
from secondread.report.readback.content import (
    Content,
    ContentError,
    ContentTree,
    Position,
    format_position,
    list_references,
    read_enum,
)

_HEADER = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "SeriesDescription",
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ContentDate", "ContentTime",
    "CompletionFlag", "VerificationFlag", "PreliminaryFlag",
)  # fmt: skip
_WITHHELD = "(a name, withheld)"
_FEW_POINTS = 3
_FINDING = Code("121071", "DCM", "Finding")
"""In measurement groups, as of TID 1500."""


@dataclass(frozen=True, slots=True)
class ReportMark:
    """One graphic of a report on one image."""

    number: int
    """Of the item that it belongs to, from 1 in the order of the report; a part of another item, as
    a calcification of a cluster, has the number of that item."""
    label: str
    """What that item is, in words of the report."""
    concept: str
    """Meaning of the graphic's concept name: ``Center``, ``Outline``, ..."""
    graphic: str
    """Graphic type: POINT, POLYLINE, CIRCLE, ELLIPSE, MULTIPOINT."""
    points: tuple[PointPx, ...]
    intent: RenderingIntent | None
    """None where the report does not give it."""

    @property
    def is_shown(self) -> bool:
        """Whether a workstation presents it without being asked to (PS3.4 O.2).

        What is optional is presented at an operating point that somebody chooses. A report that
        does not give the intent is taken to be all for presentation.
        """
        return self.intent in {None, RenderingIntent.REQUIRED}


def explain_report(ds: Dataset) -> dict[str, Any]:
    """Return a report as JSON values: parts of the header, its predecessors, and the tree.

    Raises
    ------
    InputError
        The data set is not a structured report, or its content cannot be walked through.
    """
    tree = read_content(ds)
    return {
        "sop_class": name_sop_class(read_text(ds, "SOPClassUID")),
        "header": {name: text for name in _HEADER if (text := read_text(ds, name))},
        "replaces": [
            read_text(document, "ReferencedSOPInstanceUID")
            for _, _, document in list_references(ds, "PredecessorDocumentsSequence")
        ],
        "content": _encode_item(tree.root),
    }


def read_content(ds: Dataset) -> ContentTree:
    """Return the content of a structured report.

    Raises
    ------
    InputError
        The data set is not a structured report, or its content cannot be walked through.
    """
    is_report = read_text(ds, "ValueType") == "CONTAINER"
    if not is_report or not list_items(ds, "ConceptNameCodeSequence"):
        kind = name_sop_class(read_text(ds, "SOPClassUID")) or "a data set without SOP class"
        raise InputError(f"not a structured report: {kind}")
    return ContentTree(ds)


def name_sop_class(uid: str) -> str:
    """Return the name of a SOP class; of one that the standard does not have, its UID."""
    return UID(uid, validation_mode=IGNORE).name


def _encode_item(content: Content) -> dict[str, Any]:
    if content.target is not None:
        return {
            "position": content.path,
            "relation": content.relation,
            "refers_to": format_position(content.target),
        }
    return {
        "position": content.path,
        "relation": content.relation,
        "value_type": content.value_type,
        "concept": _encode_code(content.name),
        "value": _encode_value(content),
        "children": [_encode_item(child) for child in content.children],
    }


def _encode_code(code: Code | None) -> dict[str, str] | None:
    if code is None:
        return None
    return {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}


def _encode_value(content: Content) -> Any:  # noqa: ANN401  (JSON: whatever the value type has)
    match content.value_type:
        case "CODE":
            return _encode_code(content.code)
        case "NUM":
            return {"number": content.number, "unit": content.unit}
        case "SCOORD":
            return {
                "graphic": content.graphic_type,
                "points": [[point.col, point.row] for point in _read_points(content)],
            }
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            reference = content.reference
            return reference and {
                "sop_class": name_sop_class(reference[0]),
                "sop_instance_uid": reference[1],
                "frame": reference[2],
            }
        case "PNAME":
            return _WITHHELD
        case "CONTAINER":
            return None
        case "DATE" | "TIME" | "DATETIME":
            keyword = {"DATETIME": "DateTime"}.get(
                content.value_type, content.value_type.capitalize()
            )
            return read_text(content.item, keyword)
        case _:
            return content.text


def _read_points(content: Content) -> tuple[PointPx, ...]:
    try:
        return content.points
    except ContentError:
        return ()


def format_lines(document: dict[str, Any]) -> Iterator[str]:
    """Yield an explained report as lines of text: what it is, then the tree.

    What a terminal would take for more than a character, line breaks among it, is written out.
    """
    yield from map(write_out_controls, _format_document(document))


def write_out_controls(line: str) -> str:
    r"""Return a line with what is no printable character written out.

    >>> write_out_controls("breast\x1b[2J")
    'breast\\x1b[2J'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in line
    )


def _format_document(document: dict[str, Any]) -> Iterator[str]:
    header = document["header"]
    yield f"{document['sop_class']}"
    for keyword in _HEADER[1:]:
        if keyword in header:
            yield f"  {keyword}: {header[keyword]}"
    for uid in document["replaces"]:
        yield f"  replaces {uid}"
    names = dict(_name_images(document["content"]))
    yield from _format_item(document["content"], 0, names)


def _name_images(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each image that other items may refer to, by its position."""
    if item.get("value_type") == "IMAGE":
        view_concepts = {concepts.IMAGE_LATERALITY.value, concepts.IMAGE_VIEW.value}
        view = [
            str(child["value"]["meaning"])
            for child in item["children"]
            if child.get("concept") and child["concept"]["value"] in view_concepts
            if child["value_type"] == "CODE" and child["value"]
        ]
        yield item["position"], ", ".join(view) or (item["value"] or {}).get("sop_instance_uid", "")
    for child in item.get("children", ()):
        yield from _name_images(child)


def _format_item(item: dict[str, Any], depth: int, names: dict[str, str]) -> Iterator[str]:
    indent = "  " * depth
    if "refers_to" in item:
        target = item["refers_to"]
        name = f" ({names[target]})" if target in names else ""
        yield f"{item['position']} {indent}{item['relation'].lower()}: see {target}{name}"
        return
    concept = item["concept"]["meaning"] if item["concept"] else item["value_type"].lower()
    value = _format_value(item)
    yield f"{item['position']} {indent}{concept}{f': {value}' if value else ''}"
    for child in item["children"]:
        yield from _format_item(child, depth + 1, names)


def _format_value(item: dict[str, Any]) -> str:
    value, value_type = item["value"], item["value_type"]
    if value is None:
        return ""
    match value_type:
        case "CODE":
            return f"{value['meaning']} ({value['value']}, {value['scheme']})"
        case "NUM":
            number = "no number" if value["number"] is None else f"{value['number']:.10g}"
            return number if value["unit"] == "1" else f"{number} {value['unit']}"
        case "SCOORD":
            points = [f"({col:g}, {row:g})" for col, row in value["points"]]
            first = " ".join(points[:_FEW_POINTS])
            more = f" ... {len(points)} points" if len(points) > _FEW_POINTS else ""
            return f"{value['graphic']} {first}{more}"
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            frame = f", frame {value['frame']}" if value["frame"] else ""
            return f"{value['sop_class']}, {value['sop_instance_uid']}{frame}"
        case _:
            return str(value)


def list_images(ds: Dataset) -> tuple[str, ...]:
    """Return the SOP Instance UIDs of the images that a report names, each once."""
    items = read_content(ds).items.values()
    references = [item.reference for item in items if item.value_type == "IMAGE"]
    return tuple(dict.fromkeys(ref[1] for ref in references if ref is not None))


def list_marks(ds: Dataset, sop_instance_uid: str) -> tuple[ReportMark, ...]:
    """Return the graphics that a report has on an image, whatever its template.

    Raises
    ------
    InputError
        The data set is not a structured report, or its content cannot be walked through.
    """
    items = read_content(ds).items
    graphics = [
        item
        for item in items.values()
        if item.value_type == "SCOORD" and _read_points(item)
        if sop_instance_uid in _list_selected(items, item)
    ]
    owners = {graphic.position[:-1] for graphic in graphics}
    numbers: dict[Position, int] = {}
    marks = []
    for graphic in graphics:
        owner = items[graphic.position[:-1]]
        number = numbers.setdefault(_find_whole(owner.position, owners), len(numbers) + 1)
        concept = graphic.name.meaning if graphic.name is not None else ""
        intent = read_enum(owner.find_child(concepts.RENDERING_INTENT), RenderingIntent)
        label = _describe_owner(owner)
        marks.append(
            ReportMark(number, label, concept, graphic.graphic_type, graphic.points, intent)
        )
    return tuple(marks)


def _find_whole(position: Position, owners: set[Position]) -> Position:
    """Return what an item is part of, as the calcifications of a cluster are; else itself."""
    while position[:-1] in owners:
        position = position[:-1]
    return position


def _list_selected(items: dict[Position, Content], graphic: Content) -> set[str]:
    """Return the images of a graphic: those that it points at and those that it holds."""
    images = (
        items.get(child.target) if child.target is not None else child for child in graphic.children
    )
    return {
        image.reference[1]
        for image in images
        if image is not None and image.value_type == "IMAGE" and image.reference is not None
    }


def _describe_owner(owner: Content) -> str:
    """Return what an item is: its value, or for a group the value of its Finding item."""
    if owner.code is not None:
        return owner.code.meaning
    finding = owner.find_child(_FINDING)
    if finding is not None and finding.code is not None:
        return finding.code.meaning
    return owner.name.meaning if owner.name is not None else ""
