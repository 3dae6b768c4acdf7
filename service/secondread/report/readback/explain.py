"""Any structured report as a tree that people and programs can read, and its marks by image.

Patient and persons are left out: what is explained is the content.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from secondread.codes import Code, RenderingIntent
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread.report import concepts
from secondread.report.check.conformity import walk
from secondread.report.readback.content import Content, ContentError, ContentTree, read_enum

_HEADER = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "SeriesDescription",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "ContentDate",
    "ContentTime",
    "CompletionFlag",
    "VerificationFlag",
    "PreliminaryFlag",
)
_WITHHELD = "(a name, withheld)"
_FEW_POINTS = 3


@dataclass(frozen=True, slots=True)
class ReportMark:
    """One graphic of a report on one image."""

    number: int
    """Of the item that it belongs to, from 1 in the order of the report; what is part of another
    item, as a calcification is of its cluster, has the number of that."""
    label: str
    """What that item says it is."""
    concept: str
    """What the graphic is of it: ``Center``, ``Outline``, ..."""
    graphic: str
    """Graphic type: POINT, POLYLINE, CIRCLE, ELLIPSE, MULTIPOINT."""
    points: tuple[PointPx, ...]
    intent: RenderingIntent | None
    """None where the report says nothing of it."""


def explain_report(ds: Dataset) -> dict[str, Any]:
    """Return a report as JSON values: parts of the header, its predecessors, and the tree.

    Raises
    ------
    InputError
        The data set is no structured report, or its content cannot be walked through.
    """
    tree = read_content(ds)
    uid = UID(str(ds.get("SOPClassUID", "")))
    return {
        "sop_class": uid.name,
        "header": {keyword: str(ds[keyword].value) for keyword in _HEADER if ds.get(keyword)},
        "replaces": list(_predecessors(ds)),
        "content": _json(tree, tree.root),
    }


def read_content(ds: Dataset) -> ContentTree:
    """Return the content of a structured report.

    Raises
    ------
    InputError
        The data set is no structured report, or its content cannot be walked through.
    """
    if ds.get("ValueType") != "CONTAINER" or "ConceptNameCodeSequence" not in ds:
        kind = UID(str(ds.get("SOPClassUID", ""))).name or "a data set without SOP class"
        raise InputError(f"not a structured report: {kind}")
    return ContentTree(ds)


def _predecessors(ds: Dataset) -> Iterator[str]:
    for study in ds.get("PredecessorDocumentsSequence", None) or ():
        for series in study.get("ReferencedSeriesSequence", None) or ():
            for sop in series.get("ReferencedSOPSequence", None) or ():
                yield str(sop.get("ReferencedSOPInstanceUID", ""))


def _json(tree: ContentTree, content: Content) -> dict[str, Any]:
    if content.target is not None:
        return {
            "position": content.path,
            "relation": content.relation,
            "refers_to": ".".join(map(str, content.target)),
        }
    return {
        "position": content.path,
        "relation": content.relation,
        "value_type": content.value_type,
        "concept": _code_json(content.name),
        "value": _value_json(content),
        "children": [_json(tree, child) for child in content.children],
    }


def _code_json(code: Code | None) -> dict[str, str] | None:
    if code is None:
        return None
    return {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}


def _value_json(content: Content) -> Any:  # noqa: ANN401  (JSON: whatever the value type has)
    match content.value_type:
        case "CODE":
            return _code_json(content.code)
        case "NUM":
            return {"number": content.number, "unit": content.unit}
        case "SCOORD":
            return {
                "graphic": str(content.item.get("GraphicType", "")),
                "points": [[point.col, point.row] for point in _points(content)],
            }
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            instance = content.reference
            return instance and {
                "sop_class": UID(instance[0]).name,
                "sop_instance_uid": instance[1],
                "frame": instance[2],
            }
        case "PNAME":
            return _WITHHELD
        case "CONTAINER":
            return None
        case "DATE" | "TIME" | "DATETIME":
            keyword = {"DATETIME": "DateTime"}.get(
                content.value_type, content.value_type.capitalize()
            )
            return str(content.item.get(keyword, ""))
        case _:
            return content.text


def _points(content: Content) -> tuple[PointPx, ...]:
    try:
        return content.points
    except ContentError:
        return ()


def format_lines(document: dict[str, Any]) -> Iterator[str]:
    """Yield an explained report as lines of text: what it is, then the tree."""
    header = document["header"]
    yield f"{document['sop_class']}"
    for keyword in _HEADER[1:]:
        if keyword in header:
            yield f"  {keyword}: {header[keyword]}"
    for uid in document["replaces"]:
        yield f"  replaces {uid}"
    images = dict(_images(document["content"]))
    yield from _lines(document["content"], 0, images)


def _images(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield how images are called that other items refer to, by position."""
    if item.get("value_type") == "IMAGE":
        said = [
            str(child["value"]["meaning"])
            for child in item["children"]
            if child.get("concept")
            and child["concept"]["value"]
            in {concepts.IMAGE_LATERALITY.value, concepts.IMAGE_VIEW.value}
            and child["value"]
        ]
        yield item["position"], ", ".join(said) or (item["value"] or {}).get("sop_instance_uid", "")
    for child in item.get("children", ()):
        yield from _images(child)


def _lines(item: dict[str, Any], depth: int, images: dict[str, str]) -> Iterator[str]:
    indent = "  " * depth
    if "refers_to" in item:
        target = item["refers_to"]
        name = f" ({images[target]})" if target in images else ""
        yield f"{item['position']} {indent}{item['relation'].lower()}: see {target}{name}"
        return
    concept = item["concept"]["meaning"] if item["concept"] else item["value_type"].lower()
    value = _words(item)
    yield f"{item['position']} {indent}{concept}{f': {value}' if value else ''}"
    for child in item["children"]:
        yield from _lines(child, depth + 1, images)


def _words(item: dict[str, Any]) -> str:
    value, kind = item["value"], item["value_type"]
    if value is None:
        return ""
    match kind:
        case "CODE":
            return f"{value['meaning']} ({value['value']}, {value['scheme']})"
        case "NUM":
            number = "no number" if value["number"] is None else f"{value['number']:.10g}"
            return number if value["unit"] == "1" else f"{number} {value['unit']}"
        case "SCOORD":
            points = [f"({col:g}, {row:g})" for col, row in value["points"]]
            told = " ".join(points[:_FEW_POINTS])
            more = f" ... {len(points)} points" if len(points) > _FEW_POINTS else ""
            return f"{value['graphic']} {told}{more}"
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            frame = f", frame {value['frame']}" if value["frame"] else ""
            return f"{value['sop_class']}, {value['sop_instance_uid']}{frame}"
        case _:
            return str(value)


def list_images(ds: Dataset) -> tuple[str, ...]:
    """Return the SOP Instance UIDs of the images that a report names, each once."""
    found = (one.reference for one in walk(read_content(ds).root) if one.value_type == "IMAGE")
    return tuple(dict.fromkeys(instance[1] for instance in found if instance is not None))


def list_marks(ds: Dataset, sop_instance_uid: str) -> tuple[ReportMark, ...]:
    """Return the graphics that a report has on an image, whatever its template.

    Raises
    ------
    InputError
        The data set is no structured report, or its content cannot be walked through.
    """
    tree = read_content(ds)
    items = {one.position: one for one in walk(tree.root)}
    graphics = [
        one
        for one in items.values()
        if one.value_type == "SCOORD" and _points(one) and sop_instance_uid in _selected(items, one)
    ]
    owners = {graphic.position[:-1] for graphic in graphics}
    numbers: dict[tuple[int, ...], int] = {}
    marks = []
    for graphic in graphics:
        owner = items[graphic.position[:-1]]
        number = numbers.setdefault(_whole(owner.position, owners), len(numbers) + 1)
        what = graphic.name.meaning if graphic.name is not None else ""
        kind = str(graphic.item.get("GraphicType", ""))
        intent = read_enum(owner.find_child(concepts.RENDERING_INTENT), RenderingIntent)
        marks.append(ReportMark(number, _label(owner), what, kind, graphic.points, intent))
    return tuple(marks)


def _whole(position: tuple[int, ...], owners: set[tuple[int, ...]]) -> tuple[int, ...]:
    """Return what an item is part of, as the calcifications of a cluster are; else itself."""
    while position[:-1] in owners:
        position = position[:-1]
    return position


def _selected(items: dict[tuple[int, ...], Content], content: Content) -> set[str]:
    """Return the images of a graphic: those it points at, those it holds, or its group's."""
    found = set()
    for child in content.children:
        image = items.get(child.target) if child.target is not None else child
        if image is not None and image.value_type == "IMAGE" and image.reference is not None:
            found.add(image.reference[1])
    return found


def _label(owner: Content) -> str:
    """Return what an item says it is: its value, or for a group what its Finding item says."""
    if owner.code is not None:
        return owner.code.meaning
    finding = next(
        (c for c in owner.children if c.name is not None and c.name.value == "121071"), None
    )
    if finding is not None and finding.code is not None:
        return finding.code.meaning
    return owner.name.meaning if owner.name is not None else ""
