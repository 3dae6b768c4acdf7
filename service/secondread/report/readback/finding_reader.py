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
from secondread.report.readback.content import Content, ContentError, ContentTree, InstanceReference

_PROBABILITY = Code("111047", "DCM", "Probability of cancer")
_CERTAINTY_OF_FEATURE = Code("111011", "DCM", "Certainty of Feature")
_TO_MM = {"mm": 1.0, "cm": 10.0, "um": 0.001}
_ROUND = 32
"""Vertices that an ellipse is read as."""


def read_algorithm(content: Content) -> Algorithm:
    """Return the algorithm that an item names (TID 4019); empty texts where it names none."""
    name, version = (
        content.find_child(concepts.ALGORITHM_NAME),
        content.find_child(concepts.ALGORITHM_VERSION),
    )
    return Algorithm(
        name.text if name else "",
        version.text if version else "",
        tuple(one.text for one in content.find_children(concepts.ALGORITHM_PARAMETERS)),
    )


def read_intent(content: Content) -> tuple[RenderingIntent | None, int | None]:
    """Return the rendering intent of an item, and the operating point that goes with it."""
    said = content.find_child(concepts.RENDERING_INTENT)
    if said is None or said.code is None:
        return None, None
    point = _number(said, concepts.CAD_OPERATING_POINT)
    intent = RenderingIntent.from_code(said.code.value, said.code.scheme)
    return intent, None if point is None else round(point)


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
            self._read(child, None if change is None else change.code)

    def _read(self, content: Content, change: Code | None) -> tuple[str, ...]:
        """Read a finding or a feature, and return the positions of the findings in it."""
        if content.is_named(concepts.SINGLE_IMAGE_FINDING):
            return self._finding(content, change)
        if content.is_named(concepts.COMPOSITE_FEATURE):
            return self._feature(content, change)
        return ()

    def _finding(self, content: Content, change: Code | None) -> tuple[str, ...]:
        try:
            found = read_finding(self.tree, content)
        except ContentError as error:
            if self.is_strict:
                raise
            self.remarks.append(Remark(error.position, error.fault))
            return ()
        if found is None:
            return ()
        self.findings.append(replace(found, change=change))
        return (found.position,)

    def _feature(self, content: Content, change: Code | None) -> tuple[str, ...]:
        parts = [one for child in content.children for one in self._read(child, change)]
        relation = content.find_child(concepts.COMPOSITE_TYPE)
        tracking_id, tracking_uid = _tracking(content)
        self.features.append(
            CadFeature(
                kind=content.code or Code("", "", ""),
                relation=relation.code if relation else None,
                intent=read_intent(content)[0],
                algorithm=read_algorithm(content),
                quadrant=_code(content, concepts.QUADRANT),
                clock_face=_code(content, concepts.CLOCK_FACE),
                difference=_number(content, TemporalDifference.NUMBER.code),
                tracking_id=tracking_id,
                tracking_uid=tracking_uid,
                findings=tuple(parts),
                change=change,
            )
        )
        return tuple(parts)


def read_finding(tree: ContentTree, content: Content) -> CadFinding | None:
    """Return a Single Image Finding; None for one that has no place: image quality, composition.

    Raises
    ------
    ContentError
        It has a place that cannot be read, or no image.
    """
    center = content.find_child(concepts.CENTER)
    if center is None:
        if _is_placeless(content):
            return None
        raise ContentError(content.path, "no center")
    instance = tree.find_image(center).reference
    tracking_id, tracking_uid = _tracking(content)
    intent, point = read_intent(content)
    count = _number(content, concepts.NUMBER_OF_CALCIFICATIONS)
    return CadFinding(
        position=content.path,
        kind=content.code or Code("", "", ""),
        sop_instance_uid=instance[1] if instance else "",
        intent=intent,
        operating_point=point,
        tracking_id=tracking_id,
        tracking_uid=tracking_uid,
        algorithm=read_algorithm(content),
        certainty=_percent(content, concepts.CERTAINTY),
        probability_of_cancer=_percent(content, _PROBABILITY),
        center=center.points[0],
        outline=_outline(tree, content, instance),
        count=None if count is None else round(count),
        morphology=_codes(content, concepts.CALCIFICATION_TYPE),
        distribution=_codes(content, concepts.CALCIFICATION_DISTRIBUTION),
        long_axis_mm=_millimeters(content, concepts.LONG_AXIS),
        members=tuple(_members(content)),
        copied=content.find_child(_ORIGINAL_SOURCE) is not None,
    )


_ORIGINAL_SOURCE = Code("111040", "DCM", "Original Source")
_PLACELESS = frozenset(
    {
        FindingType.IMAGE_QUALITY.code.value,
        "111099",  # selected region: named by other shapes
        "111100",  # breast geometry
        "129793001",  # breast composition, as a kind of density
        "129715009",  # breast composition
    }
)


def _is_placeless(content: Content) -> bool:
    return content.code is not None and content.code.value in _PLACELESS


def _members(content: Content) -> Iterator[CadCalcification]:
    for one in content.find_children(concepts.SINGLE_IMAGE_FINDING):
        center = one.find_child(concepts.CENTER)
        if center is None:
            raise ContentError(one.path, "no center")
        yield CadCalcification(
            center.points[0],
            _millimeters(one, concepts.DIAMETER),
            _percent(one, concepts.CERTAINTY),
        )


def _tracking(content: Content) -> tuple[str, str]:
    name, uid = (
        content.find_child(concepts.TRACKING_IDENTIFIER),
        content.find_child(concepts.TRACKING_UID),
    )
    return (name.text if name else "", uid.text if uid else "")


def _code(content: Content, concept: Code) -> Code | None:
    return next(iter(_codes(content, concept)), None)


def _codes(content: Content, concept: Code) -> tuple[Code, ...]:
    return tuple(one.code for one in content.find_children(concept) if one.code is not None)


def _number(content: Content, *names: Code) -> float | None:
    found = content.find_child(*names)
    return None if found is None else found.number


def _percent(content: Content, concept: Code) -> float | None:
    value = _number(content, concept)
    if value is not None and not 0 <= value <= 100:
        raise ContentError(content.path, f"{concept.meaning} of {value:g} is no percentage")
    return value


def _millimeters(content: Content, concept: Code) -> float | None:
    found = content.find_child(concept)
    if found is None or found.number is None or found.unit not in _TO_MM:
        return None
    return found.number * _TO_MM[found.unit]


def _outline(tree: ContentTree, content: Content, instance: InstanceReference | None) -> Outline:
    found = content.find_child(concepts.OUTLINE)
    if found is None:
        return ()
    # TID 4021: both are in one image, which some name once only.
    if found.children and tree.find_image(found).reference != instance:
        raise ContentError(found.path, "outline and center are in two images")
    points = found.points
    match str(found.item.get("GraphicType", "")):
        case "CIRCLE" if len(points) == 2:
            middle, rim = points
            away = math.hypot(rim.col - middle.col, rim.row - middle.row)
            return _ellipse(middle, (away, 0.0), (0.0, away))
        case "ELLIPSE" if len(points) == 4:
            # Ends of the major axis, then of the minor one (PS3.3 C.18.6.1.2).
            a, b, c, d = points
            major = ((b.col - a.col) / 2, (b.row - a.row) / 2)
            minor = ((d.col - c.col) / 2, (d.row - c.row) / 2)
            middle = PointPx((a.col + b.col) / 2, (a.row + b.row) / 2)
            return _ellipse(middle, major, minor)
        case _:
            return close_outline(points) if len(points) >= 3 else ()


def _ellipse(middle: PointPx, major: tuple[float, float], minor: tuple[float, float]) -> Outline:
    turns = [2 * math.pi * n / _ROUND for n in range(_ROUND)]
    return close_outline(
        PointPx(
            middle.col + math.cos(t) * major[0] + math.sin(t) * minor[0],
            middle.row + math.cos(t) * major[1] + math.sin(t) * minor[1],
        )
        for t in turns
    )
