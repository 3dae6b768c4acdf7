"""The place of each finding in its view, from nipple, skin and pectoral muscle."""

import math
from dataclasses import dataclass, replace

import numpy as np

from secondread.assemble.mammogram import Mammogram
from secondread.codes import Laterality, MarkClass, View, ViewModifier
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import BreastHalf, DepthThird, Position
from secondread.followup.registration.frame import NIPPLE_SEEN_MM, PointsMm, ViewFrame, find_frame
from secondread.geometry import PointPx

_SURE = 1.96
"""A place that is so many standard errors away from a line is known to be on its side of it."""
_TURN_DEG = 3.0
"""Standard deviation of the angle that a breast is turned by in its image, at the nipple."""
_ASIDE_MM = 30.0
"""Most places of a breast are no farther inwards or outwards of the nipple than this."""
OBLIQUE_DEG = 47.5
"""Usual angle of an oblique view's beam against the vertical."""
_BEAM_DEG = {View.ML: 90.0, View.LM: 90.0, View.SIO: 180 - OBLIQUE_DEG, View.ISO: 180 - OBLIQUE_DEG}
_TURNED = frozenset(
    {
        ViewModifier.ROLLED_LATERAL,
        ViewModifier.ROLLED_MEDIAL,
        ViewModifier.ROLLED_SUPERIOR,
        ViewModifier.ROLLED_INFERIOR,
        ViewModifier.AXILLARY_TAIL,
        ViewModifier.CLEAVAGE,
        ViewModifier.TANGENTIAL,
    }
)
"""In such views the breast or the beam is turned by an angle that no header gives."""
_MARKER_NEAR_MM, _MARKER_MM, _MARKER_ERROR_MM = 10.0, (0.8, 4.0), 1.5


@dataclass(frozen=True, slots=True)
class NippleAxes:
    """The nipple, the posterior nipple line from it, and its level.

    Depth is measured along the line, height from the level, which are not at right angles in an
    oblique view. The line rises with the slope of the muscle, and so would put what is deep and
    a little above the nipple below it. Which part of the breast a place belongs to follows from
    the level: the detector stands along the chest wall, and what its long side shows is a mixture
    of superior and lateral, by the angle of the beam.
    """

    nipple: PointsMm
    """(2,)"""
    error_mm: float
    back: PointsMm
    """(2,): unit vector from the nipple to the chest wall; in an oblique view at right angles to
    the pectoral muscle's front, as the posterior nipple line is drawn."""
    length_mm: float
    """From the nipple to the chest wall's border or to the muscle."""

    def measure_depth(self, point: PointsMm) -> float:
        """Return how far behind the nipple a point is along the posterior nipple line, in mm."""
        return float((point - self.nipple) @ self.back)

    def measure_height(self, point: PointsMm) -> float:
        """Return how far above the nipple a point is in the usual hanging, in mm."""
        return float(self.nipple[1] - point[1])

    def estimate_height_error(self, point: PointsMm) -> float:
        """Return the standard error of that, from the nipple's place and the breast's turn."""
        turned = math.radians(_TURN_DEG) * abs(float(self.nipple[0] - point[0]))
        return math.hypot(self.error_mm, turned)


def find_nipple_axes(image: ImageReading, frame: ViewFrame) -> NippleAxes | None:
    """Return the nipple's axes in a view's frame; None where no nipple was found."""
    nipple = frame.nipple()
    if nipple is None:
        return None
    point, error = nipple[0][0], nipple[1]
    marker = _find_marker(image, frame, point)
    if marker is not None:
        point, error = marker, _MARKER_ERROR_MM
    muscle = frame.pectoral()
    if muscle is None:
        return NippleAxes(point, error, np.array([-1.0, 0.0]), float(point[0]))
    along = muscle[1] - muscle[0]
    back = np.array([along[1], -along[0]]) / float(np.hypot(*along))
    length = float((muscle[0] - point) @ back)
    if length < 0:
        # The perpendicular pointed away from the muscle.
        back, length = -back, -length
    return NippleAxes(point, error, back, length)


def _find_marker(image: ImageReading, frame: ViewFrame, nipple: PointsMm) -> PointsMm | None:
    """Return a metal ball where the nipple is, which a technologist has put there."""
    low, high = _MARKER_MM
    balls = [
        finding.center
        for finding in image.findings
        if finding.mark_class is MarkClass.METAL and low <= finding.long_axis_mm <= high
    ]
    if not balls:
        return None
    at = frame.to_mm(balls)
    distance = np.hypot(*(at - nipple).T)
    nearest = int(np.argmin(distance))
    return at[nearest] if distance[nearest] <= _MARKER_NEAR_MM else None


def _choose_third(share: float) -> DepthThird:
    if share < 1 / 3:
        return DepthThird.ANTERIOR
    return DepthThird.MIDDLE if share < 2 / 3 else DepthThird.POSTERIOR


def _find_half(header: Mammogram, point: PointsMm, axes: NippleAxes) -> BreastHalf | None:
    """Return the half of the breast that one view shows; None where it shows neither."""
    height, error = axes.measure_height(point), axes.estimate_height_error(point)
    view = header.view
    if view is None or not can_tell_halves(header):
        return None
    if view.is_cc_like:
        return _limit_exaggerated(
            view, choose_half(height, error, BreastHalf.OUTER, BreastHalf.INNER)
        )
    # The height in an oblique view mixes superior and lateral (`get_beam_deg`). One view alone
    # tells upper from lower where the height is more than any lateral part of it can be.
    lateral = abs(math.cos(math.radians(get_beam_deg(view)))) * _ASIDE_MM
    half = choose_half(height, error, BreastHalf.UPPER, BreastHalf.LOWER)
    return half if lateral < 1e-6 or abs(height) > _SURE * error + lateral else None


def choose_half(
    away_mm: float, error_mm: float, above: BreastHalf, below: BreastHalf
) -> BreastHalf:
    """Return the half that a place is in; central where it is too near to the line to tell."""
    if abs(away_mm) <= _SURE * error_mm:
        return BreastHalf.CENTRAL
    return above if away_mm > 0 else below


def _limit_exaggerated(view: View, half: BreastHalf) -> BreastHalf | None:
    """Return the half by a cranio-caudal view, if it holds where the breast was turned for it.

    Whatever such a view shows of the side that the breast was turned to is on that side. For the
    rest, the nipple's line is no border.
    """
    shown = {View.XCCL: (BreastHalf.OUTER,), View.XCCM: (BreastHalf.INNER,), View.XCC: ()}
    return half if half in shown.get(view, (half,)) else None


def can_tell_halves(header: Mammogram) -> bool:
    """Whether the nipple's level tells parts of the breast apart in an image.

    It does where the side is known, the hanging (PS3.3 C.7.6.1.1.1, or the usual one where the
    header is silent) and how the breast was held.
    """
    view = header.view
    if view is None or not (view.is_cc_like or view.is_mlo_like):
        return False
    has_side = header.laterality in {Laterality.LEFT, Laterality.RIGHT}
    # Where the columns run to the front or to the back, the image is turned by 90 degrees.
    is_turned = header.orientation is not None and header.orientation[1][:1] in {"A", "P"}
    return has_side and not is_turned and not header.view_modifiers & _TURNED


def get_beam_deg(view: View) -> float:
    """Return a lateral or oblique view's usual angle of the beam against the vertical.

    Height in the image is then cos(angle) lateral + sin(angle) superior.
    """
    return _BEAM_DEG.get(view, OBLIQUE_DEG)


def add_positions(reading: StudyReading) -> StudyReading:
    """Return a reading whose clusters have their positions, as far as one view shows them."""
    landmarks = {image.label: _Landmarks.from_image(image) for image in reading.images}

    def add_position(image: ImageReading, finding: Finding) -> Finding:
        known = landmarks[image.label]
        if known is None or finding.mark_class is not MarkClass.CLUSTER:
            return finding
        return replace(finding, position=known.locate(finding.center))

    return reading.map_findings(add_position)


@dataclass(frozen=True, slots=True, eq=False)
class _Landmarks:
    """What the positions of all findings of one image are measured from."""

    header: Mammogram
    frame: ViewFrame
    skin: PointsMm
    axes: NippleAxes | None

    @classmethod
    def from_image(cls, image: ImageReading) -> "_Landmarks | None":
        """Return the landmarks of an image; None where they are not known."""
        frame = find_frame(image)
        if frame is None:
            return None
        return cls(image.mammogram, frame, frame.skin(), find_nipple_axes(image, frame))

    def locate(self, center: PointPx) -> Position:
        point, axes = self.frame.to_mm([center])[0], self.axes
        from_skin = None
        if len(self.skin):
            from_skin = round(float(np.hypot(*(self.skin - point).T).min()), 1)
        if axes is None:
            return Position(from_skin, None, None, None, None, None)
        depth, half = axes.measure_depth(point), _find_half(self.header, point, axes)
        if axes.error_mm > NIPPLE_SEEN_MM:
            # A distance from a nipple that was guessed would be read as if it had been seen.
            # A place that is not clear of the line is unknown then, not central.
            half = None if half is BreastHalf.CENTRAL else half
            return Position(from_skin, None, axes.error_mm, None, None, half)
        return Position(
            from_skin_mm=from_skin,
            from_nipple_mm=round(float(np.hypot(*(point - axes.nipple))), 1),
            nipple_error_mm=axes.error_mm,
            depth_mm=round(depth, 1),
            third=_choose_third(depth / axes.length_mm) if axes.length_mm > 0 else None,
            half=half,
        )
