"""Which cluster of the cranio-caudal view is which of the oblique view, of one exam.

The distance behind the nipple is the same in both views but for what compression does to it;
number and size of the calcifications tell apart what is equally deep.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from secondread.codes import Laterality, View
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import BreastHalf, Position, Quadrant
from secondread.findings.view_pair import BreastPlace, ViewPair
from secondread.followup.calcifications import find_clusters
from secondread.followup.finding_position import (
    NippleAxes,
    can_tell_halves,
    choose_half,
    find_nipple_axes,
    get_beam_deg,
)
from secondread.followup.registration.frame import PointsMm, find_frame

DEPTH_ERROR_MM = 8.0
"""Standard deviation of the difference in depth of one place in both views, nipples aside."""
NUMBER_ERROR, SIZE_ERROR = 0.7, 0.35
"""Standard deviations of the logarithm of the ratio of numbers, and of median diameters."""
LEAST_CONFIDENCE = 0.3
"""Pairs below this are not given."""

_NOBODY = 0.15
"""Weight of "in the other view it was not found", against 1 for a perfect partner."""
_BEAM_ERROR_DEG = 4.0
"""Standard deviation of the angle of oblique views."""
_CENTRAL_MM = 10.0
"""Nearer than this to the nipple's axis, a place has no clock face."""
_HOUR_ERROR = math.radians(20.0)
"""An hour of 30 degrees is not told where the angle is known less well."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A cluster of one view."""

    ref: FindingRef
    depth_mm: float
    height_mm: float
    height_error_mm: float
    error_mm: float
    number: int
    diameter_mm: float
    view: View | None
    tells_sides: bool


def correlate_views(reading: StudyReading) -> tuple[ViewPair, ...]:
    """Return the clusters that were recognised in both views of a breast."""
    pairs: list[ViewPair] = []
    for side in (Laterality.RIGHT, Laterality.LEFT):
        images = [image for image in reading.images if image.mammogram.laterality is side]
        above = [seen for image in images if _is(image, "cc") for seen in _clusters(image)]
        oblique = [seen for image in images if _is(image, "mlo") for seen in _clusters(image)]
        pairs += _pairs(above, oblique, side)
    return tuple(pairs)


def _is(image: ImageReading, which: str) -> bool:
    view = image.mammogram.view
    return view is not None and (view.is_cc_like if which == "cc" else view.is_mlo_like)


def _clusters(image: ImageReading) -> list[_Seen]:
    frame = find_frame(image)
    axes = find_nipple_axes(image, frame) if frame is not None else None
    if frame is None or axes is None:
        return []
    findings = [image.findings[number] for number in find_clusters(image)]
    return [_seen(image, one, frame.to_mm([one.center])[0], axes) for one in findings]


def _seen(image: ImageReading, finding: Finding, at: PointsMm, axes: NippleAxes) -> _Seen:
    header = image.mammogram
    return _Seen(
        image.refer_to(finding),
        axes.measure_depth(at),
        axes.measure_height(at),
        axes.estimate_height_error(at),
        axes.error_mm,
        len(finding.members),
        float(np.median([member.diameter_mm for member in finding.members])),
        header.view,
        can_tell_halves(header),
    )


def _pairs(above: Sequence[_Seen], oblique: Sequence[_Seen], side: Laterality) -> list[ViewPair]:
    if not above or not oblique:
        return []
    weight = np.array([[_weight(a, b) for b in oblique] for a in above])
    rivals = weight.sum(axis=1)[:, None] + weight.sum(axis=0)[None, :] - weight
    confidence: npt.NDArray[np.float64] = weight / (_NOBODY + rivals)
    rows, columns = linear_sum_assignment(-confidence)
    return [
        _pair(above[int(row)], oblique[int(column)], float(confidence[row, column]), side)
        for row, column in zip(rows, columns, strict=True)
        if confidence[row, column] >= LEAST_CONFIDENCE
    ]


def _weight(a: _Seen, b: _Seen) -> float:
    depth = (a.depth_mm - b.depth_mm) / math.hypot(DEPTH_ERROR_MM, a.error_mm, b.error_mm)
    number = math.log(a.number / b.number) / NUMBER_ERROR
    size = math.log(max(a.diameter_mm, 0.05) / max(b.diameter_mm, 0.05)) / SIZE_ERROR
    return math.exp(-(depth**2 + number**2 + size**2) / 2)


def _pair(a: _Seen, b: _Seen, confidence: float, side: Laterality) -> ViewPair:
    depths = (round(a.depth_mm, 1), round(b.depth_mm, 1))
    # Of a view for which the breast was turned, the nipple's level is not that of the other.
    straight = a.view in {View.CC, View.FB} and a.tells_sides and b.tells_sides
    place = BreastPlace()
    if straight and b.view is not None:
        lateral = SignedDistance(a.height_mm, a.height_error_mm)
        oblique = SignedDistance(b.height_mm, b.height_error_mm)
        place = locate_in_breast(lateral, oblique, get_beam_deg(b.view), side)
    return ViewPair(a.ref, b.ref, round(confidence, 2), depths, place)


class SignedDistance(NamedTuple):
    """A distance from a line, and its standard error, in mm."""

    mm: float
    error_mm: float


def locate_in_breast(
    lateral: SignedDistance, oblique: SignedDistance, angle_deg: float, side: Laterality
) -> BreastPlace:
    """Return what the heights above the nipple in two views tell of a place.

    Parameters
    ----------
    lateral
        In the cranio-caudal view: outwards is positive.
    oblique
        In the oblique or lateral view: upwards is positive.
    angle_deg
        Its beam's against the vertical.
    side
        The breast.

    Examples
    --------
    >>> depth, height = SignedDistance(36.0, 2.5), SignedDistance(41.0, 2.5)
    >>> found = locate_in_breast(depth, height, 47.5, Laterality.LEFT)
    >>> str(found.quadrant), found.clock_hour
    ('upper outer', 2)
    """
    angle = math.radians(angle_deg)
    sine, cosine = math.sin(angle), math.cos(angle)
    # Height in the oblique view mixes both: cos(angle) lateral + sin(angle) superior.
    up = (oblique.mm - cosine * lateral.mm) / sine
    is_oblique = abs(cosine) > 1e-6
    turn = math.radians(_BEAM_ERROR_DEG) if is_oblique else 0.0
    by_angle = turn * abs(lateral.mm - cosine * oblique.mm) / sine**2
    error = math.hypot(oblique.error_mm / sine, lateral.error_mm * cosine / sine, by_angle)
    return _place(lateral, SignedDistance(up, error), side)


def _place(lateral: SignedDistance, superior: SignedDistance, side: Laterality) -> BreastPlace:
    away = math.hypot(lateral.mm, superior.mm)
    if away < _CENTRAL_MM:
        return BreastPlace(Quadrant.CENTRAL, BreastHalf.CENTRAL)
    outwards = choose_half(*lateral, BreastHalf.OUTER, BreastHalf.INNER)
    upwards = choose_half(*superior, BreastHalf.UPPER, BreastHalf.LOWER)
    known = next((half for half in (outwards, upwards) if half is not BreastHalf.CENTRAL), None)
    error = math.hypot(lateral.mm * superior.error_mm, superior.mm * lateral.error_mm) / away**2
    hour = to_clock_hour(lateral.mm, superior.mm, side) if error < _HOUR_ERROR else None
    return BreastPlace(_QUADRANTS.get((upwards, outwards)), known, hour)


_QUADRANTS = {
    (BreastHalf.UPPER, BreastHalf.OUTER): Quadrant.UPPER_OUTER,
    (BreastHalf.UPPER, BreastHalf.INNER): Quadrant.UPPER_INNER,
    (BreastHalf.LOWER, BreastHalf.OUTER): Quadrant.LOWER_OUTER,
    (BreastHalf.LOWER, BreastHalf.INNER): Quadrant.LOWER_INNER,
}


def to_clock_hour(lateral: float, superior: float, side: Laterality) -> int:
    """Return the hour, 1 to 12, of a place seen from in front.

    The left breast's outer side is at 3 o'clock, the right's at 9.

    >>> to_clock_hour(10.0, 10.0, Laterality.LEFT), to_clock_hour(10.0, 0.0, Laterality.RIGHT)
    (2, 9)
    """
    sign = 1.0 if side is Laterality.LEFT else -1.0
    hours = round(math.degrees(math.atan2(sign * lateral, superior)) / 30.0) % 12
    return hours or 12


def add_quadrants(reading: StudyReading, pairs: Sequence[ViewPair]) -> StudyReading:
    """Return a reading whose findings that were recognised in both views say their quadrant."""
    known = {ref: pair for pair in pairs for ref in (pair.cc, pair.mlo)}
    images = tuple(
        replace(
            image,
            findings=tuple(
                _placed(finding, known.get(image.refer_to(finding))) for finding in image.findings
            ),
        )
        for image in reading.images
    )
    return replace(reading, images=images)


def _placed(finding: Finding, pair: ViewPair | None) -> Finding:
    position: Position | None = finding.position
    if pair is None or position is None or pair.place == BreastPlace():
        return finding
    place = pair.place
    told = replace(position, quadrant=place.quadrant, half=place.half, clock_hour=place.clock_hour)
    return replace(finding, position=told)
