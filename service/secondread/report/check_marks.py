"""Rules on marks: coordinates, what may be presented, operating points, composite features."""

from collections.abc import Callable, Iterator

from secondread.codes import Code, CompositeType, Difference, FindingType, RenderingIntent
from secondread.geometry import PointPx, bounding_box
from secondread.report import concepts
from secondread.report.checked import CheckedReport
from secondread.report.content import Content, ContentError, enum_of
from secondread.report.fault import Fault
from secondread.report.template import current_snomed

_PRESENTABLE = (RenderingIntent.NOT, RenderingIntent.OPTIONAL, RenderingIntent.REQUIRED)
_POINTS = {"POINT": (1, 1), "CIRCLE": (2, 2), "ELLIPSE": (4, 4), "POLYLINE": (2, 1_000_000)}
"""How many points a graphic has (PS3.3 C.18.6.1.2)."""
_SLACK_PX = 0.51
"""Coordinates of a document are single precision, and rounded by some."""


def _coordinates(report: CheckedReport) -> Iterator[Fault]:
    for content in report.items.values():
        if content.value_type != "SCOORD":
            continue
        try:
            points = content.points
        except ContentError as error:
            yield Fault(error.position, error.fault)
            continue
        for message in _graphic_faults(report, content, points):
            yield Fault(content.where, message)


def _graphic_faults(
    report: CheckedReport, content: Content, points: tuple[PointPx, ...]
) -> Iterator[str]:
    graphic = str(content.item.get("GraphicType", ""))
    least, most = _POINTS.get(graphic, (1, 1_000_000))
    if not least <= len(points) <= most:
        yield f"a {graphic} of {len(points)} points"
    elif content.is_named(concepts.OUTLINE) and graphic == "POLYLINE" and not _is_closed(points):
        yield "the outline is not closed"
    images = report.images_of(content)
    by_value = [child for child in content.children if child.value_type == "IMAGE"]
    if len(images) + len(by_value) != 1:
        yield f"selected from {len(images) + len(by_value)} images"
    elif images:
        columns, rows = (
            _number(images[0].first(one)) for one in (concepts.PIXEL_COLUMNS, concepts.PIXEL_ROWS)
        )
        if columns and rows and not all(_inside(p, columns, rows) for p in points):
            yield f"outside the image of {columns:.0f} columns, {rows:.0f} rows"


def _is_closed(points: tuple[PointPx, ...]) -> bool:
    return len(points) >= 4 and points[0] == points[-1]


def _inside(point: PointPx, columns: float, rows: float) -> bool:
    return 0 <= point.col <= columns and 0 <= point.row <= rows


def _is_finding(content: Content) -> bool:
    return content.is_named(concepts.SINGLE_IMAGE_FINDING)


def _is_composite(content: Content) -> bool:
    return content.is_named(concepts.COMPOSITE_FEATURE)


def _number(content: Content | None) -> float:
    return (content.number or 0.0) if content is not None else 0.0


def _places(report: CheckedReport) -> Iterator[Fault]:
    """Center, outline and parts of a finding are in one image, and the center in the outline."""
    for finding in report.findings:
        place = report.place(finding)
        for child in finding.children:
            if child.value_type == "SCOORD" and report.images_of(child)[:1] not in ([], [place]):
                yield Fault(child.where, "in another image than the finding's center")
            if _is_finding(child) and report.place(child) is not place:
                yield Fault(child.where, "in another image than the cluster that it is part of")
        yield from _off_center(finding)


def _off_center(finding: Content) -> Iterator[Fault]:
    center, outline = finding.first(concepts.CENTER), finding.first(concepts.OUTLINE)
    if center is None or outline is None:
        return
    try:
        point, polygon = center.points[0], outline.points
    except ContentError:
        return
    if outline.item.get("GraphicType") != "POLYLINE" or len(polygon) < 3:
        return
    low, high = bounding_box(polygon)
    if not (
        low.col - _SLACK_PX <= point.col <= high.col + _SLACK_PX
        and low.row - _SLACK_PX <= point.row <= high.row + _SLACK_PX
    ):
        yield Fault(center.where, "the center is outside the outline")


def _intents(report: CheckedReport) -> Iterator[Fault]:
    """PS3.4 O.2: nothing is more presentable than what it is part of."""
    for content in report.items.values():
        own, parent = report.intent_of(content), report.above(content)
        above = report.intent_of(parent) if parent is not None else None
        if own is None or above is None:
            continue
        if _PRESENTABLE.index(own) > _PRESENTABLE.index(above):
            yield Fault(content.where, "more presentable than what it is part of")


def _nested(report: CheckedReport) -> Iterator[Fault]:
    """TID 4006 row 25: a cluster is inferred from individual calcifications, and no further."""
    for finding in report.findings:
        parent = report.above(finding)
        inside = parent is not None and _is_finding(parent)
        if inside and report.type_of(finding) is not FindingType.CALCIFICATION:
            words = "a cluster is inferred from individual calcifications only"
            yield Fault(finding.where, words)
        count = finding.first(concepts.NUMBER_OF_CALCIFICATIONS)
        parts = sum(map(_is_finding, finding.children))
        if count is not None and parts > _number(count):
            yield Fault(finding.where, f"{parts} calcifications, and their number is less")


def _detected(report: CheckedReport) -> Iterator[Fault]:
    """What was found was looked for, with success, in the image that it is in."""
    looked: set[tuple[str, tuple[int, ...]]] = set()
    for container in report.named(concepts.SUCCESSFUL_DETECTIONS):
        for performed in container.named(concepts.DETECTION_PERFORMED):
            value = performed.code
            entries = {entry.position for entry in report.images_of(performed)}
            looked |= {(_kind(value), entry) for entry in entries if value is not None}
    by_value = any(
        child.value_type in {"IMAGE", "UIDREF"} or child.relation == "INFERRED FROM"
        for performed in report.named(concepts.DETECTION_PERFORMED)
        for child in performed.children
        if child.target is None
    )
    for finding in report.findings if not by_value else ():
        place, value = report.place(finding), finding.code
        if place is None or value is None or _is_copied(report, finding):
            continue
        if (_kind(value), place.position) not in looked:
            yield Fault(finding.where, f"no successful detection of it names {place.where}")


def _kind(value: Code) -> str:
    """Return the code value, of a SNOMED concept in whichever scheme that of SCT."""
    return current_snomed(value.value, value.scheme)[0]


def _is_copied(report: CheckedReport, finding: Content) -> bool:
    """Whether a finding, or the cluster that it is part of, is from another report (TID 4022)."""
    parent = report.above(finding)
    return any(
        one is not None and one.first(concepts.ORIGINAL_SOURCE) is not None
        for one in (finding, parent)
    )


def _operating_points(report: CheckedReport) -> Iterator[Fault]:
    maxima: dict[str, float] = {}
    for performed in report.named(concepts.DETECTION_PERFORMED):
        maximum, value = performed.first(concepts.MAXIMUM_OPERATING_POINT), performed.code
        if maximum is not None and value is not None:
            maxima[_kind(value)] = _number(maximum)
            yield from _table_faults(performed, _number(maximum))
    for finding in report.findings:
        intent, value = finding.first(concepts.RENDERING_INTENT), finding.code
        if intent is None or value is None:
            continue
        point = intent.first(concepts.CAD_OPERATING_POINT)
        optional = report.intent_of(finding) is RenderingIntent.OPTIONAL
        if optional and _kind(value) in maxima and point is None:
            yield Fault(intent.where, "an optional mark without CAD Operating Point")
        if point is not None and _number(point) > maxima.get(_kind(value), 0):
            yield Fault(point.where, "beyond the maximum CAD Operating Point of its detection")


def _table_faults(performed: Content, maximum: float) -> Iterator[Fault]:
    recommended = performed.first(concepts.RECOMMENDED_OPERATING_POINT)
    if recommended is not None and _number(recommended) > maximum:
        yield Fault(recommended.where, "beyond the maximum CAD Operating Point")
    for table in performed.named(concepts.OPERATING_POINT_TABLE):
        points = [_number(one) for one in table.named(concepts.CAD_OPERATING_POINT)]
        if sorted(points) != [float(n) for n in range(int(maximum) + 1)]:
            yield Fault(table.where, f"operating points {points}, and 0 to {maximum:g} are wanted")


def _composites(report: CheckedReport) -> Iterator[Fault]:
    """TID 4004: two or more are composed; over time of several studies, over views of one."""
    for composite in report.composites:
        parts = [c for c in composite.children if _is_finding(c) or _is_composite(c)]
        if len(parts) < 2:
            yield Fault(composite.where, f"composed of {len(parts)}, and two at least are wanted")
        entries = [entry for entry in _entries(report, composite) if entry is not None]
        studies = {report.study_of(entry) for entry in entries}
        kind = enum_of(composite.first(concepts.COMPOSITE_TYPE), CompositeType)
        if kind is CompositeType.TEMPORAL and len(studies) == 1:
            yield Fault(composite.where, "related temporally, and all of one study")
        sides = {_side(entry) for entry in entries} - {""}
        if kind is not None and len(sides) > 1:
            yield Fault(composite.where, "composed of findings of both breasts")


def _entries(report: CheckedReport, composite: Content) -> Iterator[Content | None]:
    for child in composite.children:
        if _is_finding(child):
            yield report.place(child)
        elif _is_composite(child):
            yield from _entries(report, child)


def _side(entry: Content) -> str:
    side = entry.first(concepts.IMAGE_LATERALITY)
    return side.code.meaning if side is not None and side.code is not None else ""


def _differences(report: CheckedReport) -> Iterator[Fault]:
    """TID 4005 row 11: A - B, of one concept, of first-generation children, A first."""
    for item in report.named(Difference.NUMBER.code):
        parent = report.above(item)
        targets = [report.items.get(c.target) for c in item.children if c.target is not None]
        counts = [one for one in targets if one is not None]
        if not counts:
            continue
        if len(counts) != 2:
            yield Fault(item.where, f"refers to {len(counts)} values, and two are wanted")
            continue
        if any(not one.is_named(concepts.NUMBER_OF_CALCIFICATIONS) for one in counts):
            yield Fault(item.where, "refers to what is no number of calcifications")
        generation = {one.position[:-2] for one in counts}
        if parent is not None and generation != {parent.position}:
            yield Fault(item.where, "refers to values that are not those of its children")
        if _number(item) != _number(counts[0]) - _number(counts[1]):
            yield Fault(item.where, "is not the first value less the second")


MARK_RULES: tuple[Callable[[CheckedReport], Iterator[Fault]], ...] = (
    _coordinates,
    _places,
    _intents,
    _nested,
    _detected,
    _operating_points,
    _composites,
    _differences,
)
