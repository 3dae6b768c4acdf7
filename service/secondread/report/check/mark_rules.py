"""Rules on marks: coordinates, what may be presented, operating points, composite features."""

from collections.abc import Callable, Iterator

from secondread.codes import Code, CompositeType, FindingType, RenderingIntent, TemporalDifference
from secondread.geometry import PointPx, bounding_box
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport, Fault
from secondread.report.check.context_groups import current_snomed
from secondread.report.readback.content import Content, ContentError, Position, read_enum

_PRESENTABLE = (RenderingIntent.NOT, RenderingIntent.OPTIONAL, RenderingIntent.REQUIRED)
_POINTS = {"POINT": (1, 1), "CIRCLE": (2, 2), "ELLIPSE": (4, 4), "POLYLINE": (2, 1_000_000)}
"""How many points a graphic has (PS3.3 C.18.6.1.2)."""
_SLACK_PX = 0.51
"""Coordinates of a document are single precision, and rounded by some."""


def _check_graphics(report: CheckedReport) -> Iterator[Fault]:
    for content in report.items.values():
        if content.value_type != "SCOORD":
            continue
        try:
            points = content.points
        except ContentError as error:
            yield Fault(error.position, error.fault)
            continue
        for message in _check_points(report, content, points):
            yield Fault(content.path, message)


def _check_points(
    report: CheckedReport, content: Content, points: tuple[PointPx, ...]
) -> Iterator[str]:
    graphic = content.graphic_type
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
        columns = images[0].find_number(concepts.PIXEL_COLUMNS)
        rows = images[0].find_number(concepts.PIXEL_ROWS)
        if columns and rows and not all(_is_inside(p, columns, rows) for p in points):
            yield f"outside the image of {columns:.0f} columns, {rows:.0f} rows"


def _is_closed(points: tuple[PointPx, ...]) -> bool:
    return len(points) >= 4 and points[0] == points[-1]


def _is_inside(point: PointPx, columns: float, rows: float) -> bool:
    return 0 <= point.col <= columns and 0 <= point.row <= rows


def _is_finding(content: Content) -> bool:
    return content.is_named(concepts.SINGLE_IMAGE_FINDING)


def _is_composite(content: Content) -> bool:
    return content.is_named(concepts.COMPOSITE_FEATURE)


def _check_images(report: CheckedReport) -> Iterator[Fault]:
    """Center, outline and parts of a finding are in one image, and the center in the outline."""
    for finding in report.findings:
        image = report.find_finding_image(finding)
        for child in finding.children:
            if child.value_type == "SCOORD" and report.find_images(child)[:1] not in ([], [image]):
                yield Fault(child.path, "in another image than the finding's center")
            if _is_finding(child) and report.find_finding_image(child) is not image:
                yield Fault(child.path, "in another image than the cluster that it is part of")
        yield from _check_center(finding)


def _check_center(finding: Content) -> Iterator[Fault]:
    center, outline = finding.find_child(concepts.CENTER), finding.find_child(concepts.OUTLINE)
    if center is None or outline is None:
        return
    try:
        point, polygon = center.points[0], outline.points
    except ContentError:
        return
    if outline.graphic_type != "POLYLINE" or len(polygon) < 3:
        return
    low, high = bounding_box(polygon)
    if not (
        low.col - _SLACK_PX <= point.col <= high.col + _SLACK_PX
        and low.row - _SLACK_PX <= point.row <= high.row + _SLACK_PX
    ):
        yield Fault(center.path, "the center is outside the outline")


def _check_intents(report: CheckedReport) -> Iterator[Fault]:
    """PS3.4 O.2: nothing is more presentable than what it is part of."""
    for content in report.items.values():
        own, parent = report.find_intent(content), report.find_parent(content)
        above = report.find_intent(parent) if parent is not None else None
        if own is None or above is None:
            continue
        if _PRESENTABLE.index(own) > _PRESENTABLE.index(above):
            yield Fault(content.path, "more presentable than what it is part of")


def _check_nesting(report: CheckedReport) -> Iterator[Fault]:
    """TID 4006 row 25: a cluster is inferred from individual calcifications, and no further."""
    for finding in report.findings:
        parent = report.find_parent(finding)
        is_part = parent is not None and _is_finding(parent)
        if is_part and read_enum(finding, FindingType) is not FindingType.CALCIFICATION:
            message = "a cluster is inferred from individual calcifications only"
            yield Fault(finding.path, message)
        count = finding.find_child(concepts.NUMBER_OF_CALCIFICATIONS)
        parts = sum(map(_is_finding, finding.children))
        if count is not None and parts > (count.number or 0):
            yield Fault(finding.path, f"{parts} calcifications, and their number is less")


def _check_detections(report: CheckedReport) -> Iterator[Fault]:
    """Each finding is in an image in which a successful detection looked for it."""
    searched: set[tuple[str, Position]] = set()
    for container in report.find_items(concepts.SUCCESSFUL_DETECTIONS):
        for performed in container.find_children(concepts.DETECTION_PERFORMED):
            if performed.code is not None:
                kind = _kind(performed.code)
                searched |= {(kind, entry.position) for entry in report.find_images(performed)}
    by_value = any(
        child.value_type in {"IMAGE", "UIDREF"} or child.relation == "INFERRED FROM"
        for performed in report.find_items(concepts.DETECTION_PERFORMED)
        for child in performed.children
        if child.target is None
    )
    for finding in report.findings if not by_value else ():
        entry, code = report.find_finding_image(finding), finding.code
        if entry is None or code is None or _is_copied(report, finding):
            continue
        if (_kind(code), entry.position) not in searched:
            yield Fault(finding.path, f"no successful detection of it names {entry.path}")


def _kind(code: Code) -> str:
    """Return the code value, of a SNOMED concept in whichever scheme that of SCT."""
    return current_snomed(code.value, code.scheme)[0]


def _is_copied(report: CheckedReport, finding: Content) -> bool:
    """Whether a finding, or the cluster that it is part of, is from another report (TID 4022)."""
    parent = report.find_parent(finding)
    return report.is_copied(finding) or (parent is not None and report.is_copied(parent))


def _check_operating_points(report: CheckedReport) -> Iterator[Fault]:
    maxima: dict[str, float] = {}
    for performed in report.find_items(concepts.DETECTION_PERFORMED):
        maximum, code = performed.find_child(concepts.MAXIMUM_OPERATING_POINT), performed.code
        if maximum is not None and code is not None:
            maxima[_kind(code)] = maximum.number or 0.0
            yield from _check_point_table(performed, maximum.number or 0.0)
    for finding in report.findings:
        intent, code = finding.find_child(concepts.RENDERING_INTENT), finding.code
        if intent is None or code is None:
            continue
        point = intent.find_child(concepts.CAD_OPERATING_POINT)
        is_optional = report.find_intent(finding) is RenderingIntent.OPTIONAL
        if is_optional and _kind(code) in maxima and point is None:
            yield Fault(intent.path, "an optional mark without CAD Operating Point")
        if point is not None and (point.number or 0) > maxima.get(_kind(code), 0):
            yield Fault(point.path, "beyond the maximum CAD Operating Point of its detection")


def _check_point_table(performed: Content, maximum: float) -> Iterator[Fault]:
    recommended = performed.find_child(concepts.RECOMMENDED_OPERATING_POINT)
    if recommended is not None and (recommended.number or 0) > maximum:
        yield Fault(recommended.path, "beyond the maximum CAD Operating Point")
    for table in performed.find_children(concepts.OPERATING_POINT_TABLE):
        rows = table.find_children(concepts.CAD_OPERATING_POINT)
        points = [point.number or 0.0 for point in rows]
        # By number first: the maximum is what the document says, and may be anything.
        is_complete = len(points) == maximum + 1 and sorted(points) == list(range(len(points)))
        if not is_complete:
            message = f"operating points {points}, and 0 to {maximum:g} are wanted"
            yield Fault(table.path, message)


def _check_composites(report: CheckedReport) -> Iterator[Fault]:
    """TID 4004: two or more are composed; over time of several studies, over views of one."""
    for composite in report.composites:
        parts = [c for c in composite.children if _is_finding(c) or _is_composite(c)]
        if len(parts) < 2:
            message = f"composed of {len(parts)}, and two at least are wanted"
            yield Fault(composite.path, message)
        entries = [entry for entry in _list_images(report, composite) if entry is not None]
        studies = {report.find_study(entry) for entry in entries}
        kind = read_enum(composite.find_child(concepts.COMPOSITE_TYPE), CompositeType)
        if kind is CompositeType.TEMPORAL and len(studies) == 1:
            yield Fault(composite.path, "related temporally, and all of one study")
        sides = {_find_side(entry) for entry in entries} - {""}
        if kind is not None and len(sides) > 1:
            yield Fault(composite.path, "composed of findings of both breasts")


def _list_images(report: CheckedReport, composite: Content) -> Iterator[Content | None]:
    """Yield the library's entry of each finding that a composite is inferred from."""
    for child in composite.children:
        if _is_finding(child):
            yield report.find_finding_image(child)
        elif _is_composite(child):
            yield from _list_images(report, child)


def _find_side(entry: Content) -> str:
    side = entry.find_child(concepts.IMAGE_LATERALITY)
    return side.code.meaning if side is not None and side.code is not None else ""


def _check_differences(report: CheckedReport) -> Iterator[Fault]:
    """TID 4005 row 11: A - B, of one concept, of first-generation children, A first."""
    for item in report.find_items(TemporalDifference.NUMBER.code):
        parent = report.find_parent(item)
        targets = [report.items.get(c.target) for c in item.children if c.target is not None]
        counts = [target for target in targets if target is not None]
        if not counts:
            continue
        if len(counts) != 2:
            yield Fault(item.path, f"refers to {len(counts)} values, and two are wanted")
            continue
        if not all(count.is_named(concepts.NUMBER_OF_CALCIFICATIONS) for count in counts):
            yield Fault(item.path, "refers to what is not a number of calcifications")
        # A count hangs below a finding, which hangs below the composite feature.
        composites = {count.position[:-2] for count in counts}
        if parent is not None and composites != {parent.position}:
            yield Fault(item.path, "refers to values that are not those of its children")
        first, second = (count.number or 0 for count in counts)
        if (item.number or 0) != first - second:
            yield Fault(item.path, "is not the first value less the second")


MARK_RULES: tuple[Callable[[CheckedReport], Iterator[Fault]], ...] = (
    _check_graphics, _check_images, _check_intents, _check_nesting, _check_detections,
    _check_operating_points, _check_composites, _check_differences,
)  # fmt: skip
"""In the order in which their faults are reported."""
