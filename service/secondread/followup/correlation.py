"""Which cluster of the cranio-caudal view is which of the oblique view, of one exam.

The distance behind the nipple is the same in both views but for what compression does to it;
number and size of the calcifications tell apart what is equally deep.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from secondread.codes import Laterality
from secondread.findings.comparison import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import Position, Quadrant
from secondread.followup.frame import PointsMm, frame_of
from secondread.followup.position import NippleAxes, nipple_axes
from secondread.followup.spots import clusters_of
from secondread.followup.view_changes import reference

DEPTH_ERROR_MM = 8.0
"""Standard deviation of the difference in depth of one place in both views, nipples aside."""
NUMBER_ERROR, SIZE_ERROR = 0.7, 0.35
"""Standard deviations of the logarithm of the ratio of numbers, and of median diameters."""
LEAST_CONFIDENCE = 0.3
"""Pairs below this are not given."""

_NOBODY = 0.15
"""Weight of "in the other view it was not found", against 1 for a perfect partner."""
_OBLIQUE_DEG = 47.5
"""Usual angle of an oblique view against the vertical."""
_CENTRAL_MM = 10.0
"""Nearer than this to the nipple's axis, a place has no clock face."""


@dataclass(frozen=True, slots=True)
class ViewPair:
    """One cluster in both views."""

    cc: FindingRef
    mlo: FindingRef
    confidence: float
    """0-1: that both are one cluster, by depth, number and size."""
    depths_mm: tuple[float, float]
    """Behind the nipple, in the cranio-caudal and in the oblique view."""
    quadrant: Quadrant
    clock_hour: int | None
    """1 to 12, seen from in front; None for what is central."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A cluster of one view."""

    ref: FindingRef
    depth_mm: float
    height_mm: float
    error_mm: float
    number: int
    diameter_mm: float


def correlate(reading: StudyReading) -> tuple[ViewPair, ...]:
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
    frame = frame_of(image)
    axes = nipple_axes(image, frame) if frame is not None else None
    if frame is None or axes is None:
        return []
    findings = [image.findings[number] for number in clusters_of(image)]
    return [_seen(image, one, frame.to_mm([one.center])[0], axes) for one in findings]


def _seen(image: ImageReading, finding: Finding, at: PointsMm, axes: NippleAxes) -> _Seen:
    depth, height = axes.depth_and_height(at)
    return _Seen(
        reference(image, finding),
        depth,
        height,
        axes.error_mm,
        len(finding.members),
        float(np.median([member.diameter_mm for member in finding.members])),
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
    # Height in the oblique view mixes both: cos(angle) lateral + sin(angle) superior.
    angle = math.radians(_OBLIQUE_DEG)
    lateral = a.height_mm
    superior = (b.height_mm - math.cos(angle) * lateral) / math.sin(angle)
    central = math.hypot(lateral, superior) < _CENTRAL_MM
    return ViewPair(
        a.ref,
        b.ref,
        round(confidence, 2),
        (round(a.depth_mm, 1), round(b.depth_mm, 1)),
        Quadrant.CENTRAL if central else _quadrant(lateral, superior),
        None if central else clock_hour(lateral, superior, side),
    )


def _quadrant(lateral: float, superior: float) -> Quadrant:
    if superior > 0:
        return Quadrant.UPPER_OUTER if lateral > 0 else Quadrant.UPPER_INNER
    return Quadrant.LOWER_OUTER if lateral > 0 else Quadrant.LOWER_INNER


def clock_hour(lateral: float, superior: float, side: Laterality) -> int:
    """Return the hour, 1 to 12, of a place seen from in front.

    The left breast's outer side is at 3 o'clock, the right's at 9.

    >>> clock_hour(10.0, 10.0, Laterality.LEFT), clock_hour(10.0, 0.0, Laterality.RIGHT)
    (2, 9)
    """
    sign = 1.0 if side is Laterality.LEFT else -1.0
    hours = round(math.degrees(math.atan2(sign * lateral, superior)) / 30.0) % 12
    return hours or 12


def with_quadrants(reading: StudyReading, pairs: Sequence[ViewPair]) -> StudyReading:
    """Return a reading whose findings that were recognised in both views say their quadrant."""
    known = {ref: pair for pair in pairs for ref in (pair.cc, pair.mlo)}
    images = tuple(
        replace(
            image,
            findings=tuple(
                _placed(finding, known.get(reference(image, finding))) for finding in image.findings
            ),
        )
        for image in reading.images
    )
    return replace(reading, images=images)


def _placed(finding: Finding, pair: ViewPair | None) -> Finding:
    position: Position | None = finding.position
    if pair is None or position is None:
        return finding
    told = replace(position, quadrant=pair.quadrant, clock_hour=pair.clock_hour)
    return replace(finding, position=told)
