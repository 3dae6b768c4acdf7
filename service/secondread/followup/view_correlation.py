"""Which cluster of the cranio-caudal view is which of the oblique view, of one exam.

The distance behind the nipple is the same in both views but for the compression's effect; number
and size of the calcifications distinguish clusters that are equally deep.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from secondread.codes import Laterality, View
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import BreastHalf, Quadrant
from secondread.findings.view_pair import BreastPlace, RepeatPair, ViewPair
from secondread.followup.calcifications import find_clusters
from secondread.followup.finding_position import (
    can_tell_halves,
    choose_half,
    find_nipple_axes,
    get_beam_deg,
)
from secondread.followup.registration.frame import find_frame

DEPTH_ERROR_MM = 8.0
"""Standard deviation of the difference in depth of one place in both views, nipples aside."""
NUMBER_ERROR, SIZE_ERROR = 0.7, 0.35
"""Standard deviations of the logarithm of the ratio of numbers, and of median diameters."""
LEAST_CONFIDENCE = 0.3
"""Pairs below this are not given."""

_NO_PARTNER = 0.15
"""Weight of "in the other view it was not found", against 1 for a perfect partner."""
_BEAM_ERROR_DEG = 4.0
"""Standard deviation of the angle of oblique views."""
_CENTRAL_MM = 10.0
"""Nearer than this to the nipple's axis, a place has no clock face."""
_HOUR_ERROR = math.radians(20.0)
"""Where the angle is known less well, no hour (30 degrees) is given."""


class SignedDistance(NamedTuple):
    """A distance from a line, and its standard error, in mm."""

    mm: float
    error_mm: float


@dataclass(frozen=True, slots=True)
class _ViewCluster:
    """A cluster of one view."""

    ref: FindingRef
    depth_mm: float
    height: SignedDistance
    nipple_error_mm: float
    number: int
    diameter_mm: float
    view: View | None
    tells_halves: bool


def correlate_views(
    reading: StudyReading, repeats: Sequence[RepeatPair] = ()
) -> tuple[ViewPair, ...]:
    """Return the clusters that were recognised in both views of a breast.

    Parameters
    ----------
    reading
        The study.
    repeats
        Its clusters that two images of one view show: the first image's stands for both, as two
        likenesses of one cluster would be taken for two rivals, and what it is paired with is
        then the pair of the second too.
    """
    first_of = {repeat.second: repeat.first for repeat in reversed(repeats)}
    pairs: list[ViewPair] = []
    for side in (Laterality.RIGHT, Laterality.LEFT):
        images = [image for image in reading.images if image.mammogram.laterality is side]
        views = [(image.mammogram.view, image) for image in images]
        cc = [c for view, image in views if view and view.is_cc_like for c in _measure(image)]
        mlo = [c for view, image in views if view and view.is_mlo_like for c in _measure(image)]
        cc, mlo = ([c for c in view if c.ref not in first_of] for view in (cc, mlo))
        pairs += _pair_clusters(cc, mlo, side)
    return (*pairs, *_pair_repeats(pairs, first_of))


def _pair_repeats(
    pairs: Sequence[ViewPair], first_of: Mapping[FindingRef, FindingRef]
) -> Iterator[ViewPair]:
    """Yield the pairs of what repeats a paired cluster."""
    for second in first_of:
        first = second
        while first in first_of:
            first = first_of[first]
        for pair in pairs:
            if pair.cc == first:
                yield replace(pair, cc=second)
            elif pair.mlo == first:
                yield replace(pair, mlo=second)


def _measure(image: ImageReading) -> list[_ViewCluster]:
    """Return the clusters of a view by the nipple's axes; none where these are not known."""
    header, frame = image.mammogram, find_frame(image)
    axes = find_nipple_axes(image, frame) if frame is not None else None
    if frame is None or axes is None:
        return []
    clusters = []
    for finding in (image.findings[number] for number in find_clusters(image)):
        at = frame.to_mm([finding.center])[0]
        clusters.append(
            _ViewCluster(
                image.refer_to(finding),
                axes.measure_depth(at),
                SignedDistance(axes.measure_height(at), axes.estimate_height_error(at)),
                axes.error_mm,
                len(finding.members),
                float(np.median([member.diameter_mm for member in finding.members])),
                header.view,
                can_tell_halves(header),
            )
        )
    return clusters


def _pair_clusters(
    cc: Sequence[_ViewCluster], mlo: Sequence[_ViewCluster], side: Laterality
) -> list[ViewPair]:
    if not cc or not mlo:
        return []
    weight = np.array([[_weigh(a, b) for b in mlo] for a in cc])
    # Confidence is a pair's weight among all that either cluster could be: the other pairs of
    # both, and no cluster at all.
    rivals = weight.sum(axis=1)[:, None] + weight.sum(axis=0)[None, :] - weight
    confidence: npt.NDArray[np.float64] = weight / (_NO_PARTNER + rivals)
    rows, columns = linear_sum_assignment(-confidence)
    return [
        _describe_pair(cc[int(row)], mlo[int(column)], float(confidence[row, column]), side)
        for row, column in zip(rows, columns, strict=True)
        if confidence[row, column] >= LEAST_CONFIDENCE
    ]


def _weigh(a: _ViewCluster, b: _ViewCluster) -> float:
    """Return how likely two clusters are one, against 1 for a perfect partner.

    Normal in the difference of depth, and in the logarithms of the ratios of number and size.
    """
    error_mm = math.hypot(DEPTH_ERROR_MM, a.nipple_error_mm, b.nipple_error_mm)
    depth = (a.depth_mm - b.depth_mm) / error_mm
    number = math.log(a.number / b.number) / NUMBER_ERROR
    size = math.log(max(a.diameter_mm, 0.05) / max(b.diameter_mm, 0.05)) / SIZE_ERROR
    return math.exp(-(depth**2 + number**2 + size**2) / 2)


def _describe_pair(
    a: _ViewCluster, b: _ViewCluster, confidence: float, side: Laterality
) -> ViewPair:
    depths = (round(a.depth_mm, 1), round(b.depth_mm, 1))
    # In a view for which the breast was turned, the nipple's level is not that of the other view.
    is_straight = a.view in {View.CC, View.FB} and a.tells_halves and b.tells_halves
    place = BreastPlace()
    if is_straight and b.view is not None:
        place = locate_in_breast(a.height, b.height, get_beam_deg(b.view), side)
    return ViewPair(a.ref, b.ref, round(confidence, 2), depths, place)


def locate_in_breast(
    lateral: SignedDistance, oblique: SignedDistance, angle_deg: float, side: Laterality
) -> BreastPlace:
    """Return what the heights above the nipple in two views mean for a place.

    Parameters
    ----------
    lateral
        In the cranio-caudal view: outwards is positive.
    oblique
        In the oblique or lateral view: upwards is positive.
    angle_deg
        Of the oblique or lateral view's beam against the vertical.
    side
        The breast.

    Examples
    --------
    >>> outwards, upwards = SignedDistance(36.0, 2.5), SignedDistance(41.0, 2.5)
    >>> place = locate_in_breast(outwards, upwards, 47.5, Laterality.LEFT)
    >>> str(place.quadrant), place.clock_hour
    ('upper outer', 2)
    """
    angle = math.radians(angle_deg)
    sine, cosine = math.sin(angle), math.cos(angle)
    # The height in the oblique view is cos(angle) lateral + sin(angle) superior.
    superior = (oblique.mm - cosine * lateral.mm) / sine
    # Its error adds those of both heights and that of the angle, each by the derivative of the
    # line above; the angle of a lateral view is exact.
    is_oblique = abs(cosine) > 1e-6
    angle_error = math.radians(_BEAM_ERROR_DEG) if is_oblique else 0.0
    by_angle = angle_error * abs(lateral.mm - cosine * oblique.mm) / sine**2
    error = math.hypot(oblique.error_mm / sine, lateral.error_mm * cosine / sine, by_angle)
    return _choose_place(lateral, SignedDistance(superior, error), side)


def _choose_place(
    lateral: SignedDistance, superior: SignedDistance, side: Laterality
) -> BreastPlace:
    away = math.hypot(lateral.mm, superior.mm)
    if away < _CENTRAL_MM:
        return BreastPlace(Quadrant.CENTRAL, BreastHalf.CENTRAL)
    outwards = choose_half(*lateral, BreastHalf.OUTER, BreastHalf.INNER)
    upwards = choose_half(*superior, BreastHalf.UPPER, BreastHalf.LOWER)
    clear = next((half for half in (outwards, upwards) if half is not BreastHalf.CENTRAL), None)
    # That of the polar angle atan2(lateral, superior), in radians.
    error = math.hypot(lateral.mm * superior.error_mm, superior.mm * lateral.error_mm) / away**2
    hour = to_clock_hour(lateral.mm, superior.mm, side) if error < _HOUR_ERROR else None
    return BreastPlace(_QUADRANTS.get((upwards, outwards)), clear, hour)


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
    """Return a reading in which the findings recognised in both views have their quadrant."""
    places = {ref: pair.place for pair in pairs for ref in (pair.cc, pair.mlo)}

    def add_quadrant(image: ImageReading, finding: Finding) -> Finding:
        place, position = places.get(image.refer_to(finding), BreastPlace()), finding.position
        if position is None or place == BreastPlace():
            return finding
        return replace(finding, position=replace(position, **asdict(place)))

    return reading.map_findings(add_quadrant)
