"""Single Image Findings and Composite Features of a CAD SR, read (TID 4004 to 4010, 4021)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from secondread.codes import Code, FindingType, RenderingIntent, TemporalDifference
from secondread.findings.cad_report import (
    Algorithm,
    CadCalcification,
    CadFeature,
    CadFinding,
    Remark,
)
from secondread.geometry import Outline, PointPx, close_outline
from secondread.report import concepts
from secondread.report.readback.content import (
    Content,
    ContentError,
    ContentTree,
    InstanceReference,
    read_enum,
)

_PROBABILITY = Code("111047", "DCM", "Probability of cancer")
_ELLIPSE_VERTICES = 32
"""Vertices of the outline that a circle or an ellipse is read as."""
_LARGEST_COUNT = 1e6
"""Nobody counts, or numbers, more than this."""
_PLACELESS = frozenset(
    {
        FindingType.IMAGE_QUALITY.code.value,
        "111099",  # selected region: named by other shapes
        "111100",  # breast geometry
        "129793001",  # breast composition, as a kind of density
        "129715009",  # breast composition
    }
)


def read_algorithm(content: Content) -> Algorithm:
    """Return the algorithm that an item names (TID 4019); empty texts where it names none."""
    return Algorithm(
        content.find_text(concepts.ALGORITHM_NAME),
        content.find_text(concepts.ALGORITHM_VERSION),
        tuple(item.text for item in content.find_children(concepts.ALGORITHM_PARAMETERS)),
    )


def read_intent(content: Content) -> tuple[RenderingIntent | None, int | None]:
    """Return the rendering intent of an item, and the operating point that goes with it."""
    item = content.find_child(concepts.RENDERING_INTENT)
    if item is None or item.code is None:
        return None, None
    return read_enum(item, RenderingIntent), _read_count(item, concepts.CAD_OPERATING_POINT)


@dataclass(slots=True)
class FindingReader:
    """Collects findings and features below impressions.

    Parameters
    ----------
    tree
        The document's content.
    is_strict
        Whether a finding that cannot be read is an error; else it is left out, with a remark.
    """

    tree: ContentTree
    is_strict: bool
    findings: list[CadFinding]
    features: list[CadFeature]
    remarks: list[Remark]

    def read_impression(self, impression: Content) -> None:
        """Read what hangs below an Individual Impression.

        Raises
        ------
        ContentError
            A finding cannot be read, and this reader is strict.
        """
        change = impression.find_child(concepts.IMPRESSION)
        for child in impression.children:
            self._read_child(child, None if change is None else change.code)

    def _read_child(self, content: Content, change: Code | None) -> tuple[str, ...]:
        """Read a finding or a feature, and return the positions of the findings in it."""
        if content.is_named(concepts.SINGLE_IMAGE_FINDING):
            return self._read_finding(content, change)
        if content.is_named(concepts.COMPOSITE_FEATURE):
            return self._read_feature(content, change)
        return ()

    def _read_finding(self, content: Content, change: Code | None) -> tuple[str, ...]:
        try:
            finding = read_finding(self.tree, content)
        except ContentError as error:
            if self.is_strict:
                raise
            self.remarks.append(Remark(error.position, error.fault))
            return ()
        if finding is None:
            return ()
        self.findings.append(replace(finding, change=change))
        return (finding.position,)

    def _read_feature(self, content: Content, change: Code | None) -> tuple[str, ...]:
        positions = tuple(
            position for child in content.children for position in self._read_child(child, change)
        )
        self.features.append(
            CadFeature(
                kind=content.code or Code("", "", ""),
                relation=_read_code(content, concepts.COMPOSITE_TYPE),
                intent=read_intent(content)[0],
                algorithm=read_algorithm(content),
                quadrant=_read_code(content, concepts.QUADRANT),
                clock_face=_read_code(content, concepts.CLOCK_FACE),
                difference=content.find_number(TemporalDifference.NUMBER.code),
                tracking_id=content.find_text(concepts.TRACKING_IDENTIFIER),
                tracking_uid=content.find_text(concepts.TRACKING_UID),
                findings=positions,
                change=change,
            )
        )
        return positions


def read_finding(tree: ContentTree, content: Content) -> CadFinding | None:
    """Return a Single Image Finding; None for one that has no place: image quality, composition.

    Raises
    ------
    ContentError
        It has a place that cannot be read, or no image.
    """
    center = content.find_child(concepts.CENTER)
    if center is None:
        if content.code is not None and content.code.value in _PLACELESS:
            return None
        raise ContentError(content.path, "no center")
    reference = tree.find_image(center).reference
    intent, point = read_intent(content)
    return CadFinding(
        position=content.path,
        kind=content.code or Code("", "", ""),
        sop_instance_uid=reference[1] if reference else "",
        intent=intent,
        operating_point=point,
        tracking_id=content.find_text(concepts.TRACKING_IDENTIFIER),
        tracking_uid=content.find_text(concepts.TRACKING_UID),
        algorithm=read_algorithm(content),
        certainty=_read_percent(content, concepts.CERTAINTY),
        probability_of_cancer=_read_percent(content, _PROBABILITY),
        center=center.points[0],
        outline=_read_outline(tree, content, reference),
        count=_read_count(content, concepts.NUMBER_OF_CALCIFICATIONS),
        morphology=_read_codes(content, concepts.CALCIFICATION_TYPE),
        distribution=_read_codes(content, concepts.CALCIFICATION_DISTRIBUTION),
        long_axis_mm=_read_millimeters(content, concepts.LONG_AXIS),
        members=tuple(_read_members(content)),
        copied=content.find_child(concepts.ORIGINAL_SOURCE) is not None,
    )


def _read_members(content: Content) -> Iterator[CadCalcification]:
    for member in content.find_children(concepts.SINGLE_IMAGE_FINDING):
        center = member.find_child(concepts.CENTER)
        if center is None:
            raise ContentError(member.path, "no center")
        yield CadCalcification(
            center.points[0],
            _read_millimeters(member, concepts.DIAMETER),
            _read_percent(member, concepts.CERTAINTY),
        )


def _read_code(content: Content, concept: Code) -> Code | None:
    item = content.find_child(concept)
    return None if item is None else item.code


def _read_codes(content: Content, concept: Code) -> tuple[Code, ...]:
    items = content.find_children(concept)
    return tuple(code for item in items if (code := item.code) is not None)


def _read_count(content: Content, concept: Code) -> int | None:
    number = content.find_number(concept)
    return None if number is None or not 0 <= number <= _LARGEST_COUNT else round(number)


def _read_percent(content: Content, concept: Code) -> float | None:
    value = content.find_number(concept)
    if value is not None and not 0 <= value <= 100:
        raise ContentError(content.path, f"{concept.meaning} of {value:g} is not a percentage")
    return value


def _read_millimeters(content: Content, concept: Code) -> float | None:
    item = content.find_child(concept)
    return None if item is None else item.millimeters


def _read_outline(
    tree: ContentTree, content: Content, center_image: InstanceReference | None
) -> Outline:
    item = content.find_child(concepts.OUTLINE)
    if item is None:
        return ()
    # TID 4021: both are in one image, which some name once only.
    if item.children and tree.find_image(item).reference != center_image:
        raise ContentError(item.path, "outline and center are in two images")
    points = item.points
    match item.graphic_type:
        case "CIRCLE" if len(points) == 2:
            middle, rim = points
            radius = math.hypot(rim.col - middle.col, rim.row - middle.row)
            return _trace_ellipse(middle, (radius, 0.0), (0.0, radius))
        case "ELLIPSE" if len(points) == 4:
            # Ends of the major axis, then of the minor one (PS3.3 C.18.6.1.2).
            a, b, c, d = points
            major = ((b.col - a.col) / 2, (b.row - a.row) / 2)
            minor = ((d.col - c.col) / 2, (d.row - c.row) / 2)
            middle = PointPx((a.col + b.col) / 2, (a.row + b.row) / 2)
            return _trace_ellipse(middle, major, minor)
        case _:
            return close_outline(points) if len(points) >= 3 else ()


def _trace_ellipse(
    middle: PointPx, major: tuple[float, float], minor: tuple[float, float]
) -> Outline:
    """Return the outline of an ellipse, given its half axes as (column, row) from its middle."""
    angles = (2 * math.pi * n / _ELLIPSE_VERTICES for n in range(_ELLIPSE_VERTICES))
    return close_outline(
        PointPx(
            middle.col + math.cos(angle) * major[0] + math.sin(angle) * minor[0],
            middle.row + math.cos(angle) * major[1] + math.sin(angle) * minor[1],
        )
        for angle in angles
    )
