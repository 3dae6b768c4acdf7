"""Rules on marks: coordinates, what may be presented, operating points, composite features."""

from collections.abc import Callable, Iterator

from secondread.codes import Code, CompositeType, FindingType, RenderingIntent, TemporalDifference
from secondread.geometry import PointPx, bounding_box
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport
from secondread.report.check.fault import ReportFault
from secondread.report.check.template import current_snomed
from secondread.report.readback.content import Content, ContentError, read_enum

_PRESENTABLE = (RenderingIntent.NOT, RenderingIntent.OPTIONAL, RenderingIntent.REQUIRED)
_POINTS = {"POINT": (1, 1), "CIRCLE": (2, 2), "ELLIPSE": (4, 4), "POLYLINE": (2, 1_000_000)}
"""How many points a graphic has (PS3.3 C.18.6.1.2)."""
_SLACK_PX = 0.51
"""Coordinates of a document are single precision, and rounded by some."""


def _coordinates(report: CheckedReport) -> Iterator[ReportFault]:
    for content in report.items.values():
        if content.value_type != "SCOORD":
            continue
        try:
            points = content.points
        except ContentError as error:
            yield ReportFault(error.position, error.fault)
            continue
        for message in _graphic_faults(report, content, points):
            yield ReportFault(content.path, message)


def _graphic_faults(
    report: CheckedReport, content: Content, points: tuple[PointPx, ...]
) -> Iterator[str]:
    graphic = str(content.item.get("GraphicType", ""))
    least, most = _POINTS.get(graphic, (1, 1_000_000))
    if not least <= len(points) <= most:
        yield f"a {graphic} of {len(points)} points"
    elif content.is_named(concepts.OUTLINE) and graphic == "POLYLINE" and not _is_closed(points):
        yield "the outline is not closed"
    images = report.find_images(content)
    by_value = [child for child in content.children if child.value_type == "IMAGE"]
    if len(images) + len(by_value) != 1:
        yield f"selected from {len(images) + len(by_value)} images"
    elif images:
        columns, rows = (
            _number(images[0].find_child(one))
            for one in (concepts.PIXEL_COLUMNS, concepts.PIXEL_ROWS)
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


def _places(report: CheckedReport) -> Iterator[ReportFault]:
    """Center, outline and parts of a finding are in one image, and the center in the outline."""
    for finding in report.findings:
        place = report.find_finding_image(finding)
        for child in finding.children:
            if child.value_type == "SCOORD" and report.find_images(child)[:1] not in ([], [place]):
                yield ReportFault(child.path, "in another image than the finding's center")
            if _is_finding(child) and report.find_finding_image(child) is not place:
                yield ReportFault(
                    child.path, "in another image than the cluster that it is part of"
                )
        yield from _off_center(finding)


def _off_center(finding: Content) -> Iterator[ReportFault]:
    center, outline = finding.find_child(concepts.CENTER), finding.find_child(concepts.OUTLINE)
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
        yield ReportFault(center.path, "the center is outside the outline")


def _intents(report: CheckedReport) -> Iterator[ReportFault]:
    """PS3.4 O.2: nothing is more presentable than what it is part of."""
    for content in report.items.values():
        own, parent = report.find_intent(content), report.find_parent(content)
        above = report.find_intent(parent) if parent is not None else None
        if own is None or above is None:
            continue
        if _PRESENTABLE.index(own) > _PRESENTABLE.index(above):
            yield ReportFault(content.path, "more presentable than what it is part of")


def _nested(report: CheckedReport) -> Iterator[ReportFault]:
    """TID 4006 row 25: a cluster is inferred from individual calcifications, and no further."""
    for finding in report.findings:
        parent = report.find_parent(finding)
        inside = parent is not None and _is_finding(parent)
        if inside and report.find_type(finding) is not FindingType.CALCIFICATION:
            words = "a cluster is inferred from individual calcifications only"
            yield ReportFault(finding.path, words)
        count = finding.find_child(concepts.NUMBER_OF_CALCIFICATIONS)
        parts = sum(map(_is_finding, finding.children))
        if count is not None and parts > _number(count):
            yield ReportFault(finding.path, f"{parts} calcifications, and their number is less")


def _detected(report: CheckedReport) -> Iterator[ReportFault]:
    """What was found was looked for, with success, in the image that it is in."""
    looked: set[tuple[str, tuple[int, ...]]] = set()
    for container in report.find_items(concepts.SUCCESSFUL_DETECTIONS):
        for performed in container.find_children(concepts.DETECTION_PERFORMED):
            value = performed.code
            entries = {entry.position for entry in report.find_images(performed)}
            looked |= {(_kind(value), entry) for entry in entries if value is not None}
    by_value = any(
        child.value_type in {"IMAGE", "UIDREF"} or child.relation == "INFERRED FROM"
        for performed in report.find_items(concepts.DETECTION_PERFORMED)
        for child in performed.children
        if child.target is None
    )
    for finding in report.findings if not by_value else ():
        place, value = report.find_finding_image(finding), finding.code
        if place is None or value is None or _is_copied(report, finding):
            continue
        if (_kind(value), place.position) not in looked:
            yield ReportFault(finding.path, f"no successful detection of it names {place.path}")


def _kind(value: Code) -> str:
    """Return the code value, of a SNOMED concept in whichever scheme that of SCT."""
    return current_snomed(value.value, value.scheme)[0]


def _is_copied(report: CheckedReport, finding: Content) -> bool:
    """Whether a finding, or the cluster that it is part of, is from another report (TID 4022)."""
    parent = report.find_parent(finding)
    return any(
        one is not None and one.find_child(concepts.ORIGINAL_SOURCE) is not None
        for one in (finding, parent)
    )


def _operating_points(report: CheckedReport) -> Iterator[ReportFault]:
    maxima: dict[str, float] = {}
    for performed in report.find_items(concepts.DETECTION_PERFORMED):
        maximum, value = performed.find_child(concepts.MAXIMUM_OPERATING_POINT), performed.code
        if maximum is not None and value is not None:
            maxima[_kind(value)] = _number(maximum)
            yield from _table_faults(performed, _number(maximum))
    for finding in report.findings:
        intent, value = finding.find_child(concepts.RENDERING_INTENT), finding.code
        if intent is None or value is None:
            continue
        point = intent.find_child(concepts.CAD_OPERATING_POINT)
        optional = report.find_intent(finding) is RenderingIntent.OPTIONAL
        if optional and _kind(value) in maxima and point is None:
            yield ReportFault(intent.path, "an optional mark without CAD Operating Point")
        if point is not None and _number(point) > maxima.get(_kind(value), 0):
            yield ReportFault(point.path, "beyond the maximum CAD Operating Point of its detection")


def _table_faults(performed: Content, maximum: float) -> Iterator[ReportFault]:
    recommended = performed.find_child(concepts.RECOMMENDED_OPERATING_POINT)
    if recommended is not None and _number(recommended) > maximum:
        yield ReportFault(recommended.path, "beyond the maximum CAD Operating Point")
    for table in performed.find_children(concepts.OPERATING_POINT_TABLE):
        points = [_number(one) for one in table.find_children(concepts.CAD_OPERATING_POINT)]
        if sorted(points) != [float(n) for n in range(int(maximum) + 1)]:
            yield ReportFault(
                table.path, f"operating points {points}, and 0 to {maximum:g} are wanted"
            )


def _composites(report: CheckedReport) -> Iterator[ReportFault]:
    """TID 4004: two or more are composed; over time of several studies, over views of one."""
    for composite in report.composites:
        parts = [c for c in composite.children if _is_finding(c) or _is_composite(c)]
        if len(parts) < 2:
            yield ReportFault(
                composite.path, f"composed of {len(parts)}, and two at least are wanted"
            )
        entries = [entry for entry in _entries(report, composite) if entry is not None]
        studies = {report.find_study(entry) for entry in entries}
        kind = read_enum(composite.find_child(concepts.COMPOSITE_TYPE), CompositeType)
        if kind is CompositeType.TEMPORAL and len(studies) == 1:
            yield ReportFault(composite.path, "related temporally, and all of one study")
        sides = {_side(entry) for entry in entries} - {""}
        if kind is not None and len(sides) > 1:
            yield ReportFault(composite.path, "composed of findings of both breasts")


def _entries(report: CheckedReport, composite: Content) -> Iterator[Content | None]:
    for child in composite.children:
        if _is_finding(child):
            yield report.find_finding_image(child)
        elif _is_composite(child):
            yield from _entries(report, child)


def _side(entry: Content) -> str:
    side = entry.find_child(concepts.IMAGE_LATERALITY)
    return side.code.meaning if side is not None and side.code is not None else ""


def _differences(report: CheckedReport) -> Iterator[ReportFault]:
    """TID 4005 row 11: A - B, of one concept, of first-generation children, A first."""
    for item in report.find_items(TemporalDifference.NUMBER.code):
        parent = report.find_parent(item)
        targets = [report.items.get(c.target) for c in item.children if c.target is not None]
        counts = [one for one in targets if one is not None]
        if not counts:
            continue
        if len(counts) != 2:
            yield ReportFault(item.path, f"refers to {len(counts)} values, and two are wanted")
            continue
        if any(not one.is_named(concepts.NUMBER_OF_CALCIFICATIONS) for one in counts):
            yield ReportFault(item.path, "refers to what is no number of calcifications")
        generation = {one.position[:-2] for one in counts}
        if parent is not None and generation != {parent.position}:
            yield ReportFault(item.path, "refers to values that are not those of its children")
        if _number(item) != _number(counts[0]) - _number(counts[1]):
            yield ReportFault(item.path, "is not the first value less the second")


MARK_RULES: tuple[Callable[[CheckedReport], Iterator[ReportFault]], ...] = (
    _coordinates,
    _places,
    _intents,
    _nested,
    _detected,
    _operating_points,
    _composites,
    _differences,
)
