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
"""So many standard errors of the nipple's place away from a line, the side of it is known."""
_LIE_DEG = 3.0
"""Standard deviation of how much a breast is turned in its image, measured at the nipple."""
_ASIDE_MM = 30.0
"""Most places of a breast lie no farther inwards or outwards of the nipple than this."""
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
"""In such views the breast is turned, or the beam, by an amount that nobody writes down."""
_MARKER_NEAR_MM, _MARKER_MM, _MARKER_ERROR_MM = 10.0, (0.8, 4.0), 1.5


@dataclass(frozen=True, slots=True)
class NippleAxes:
    """The nipple, the posterior nipple line from it, and its level.

    Depth is measured along the line, height from the level, which are not at right angles in an
    oblique view. The line rises with the slope of the muscle, and so would put what is deep and
    a little above the nipple below it. Which part of the breast a place belongs to follows from
    the level: the detector stands along the chest wall, and its long side is what is mixed of
    superior and lateral by the angle of the beam.
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
        """Return how far behind the nipple a point lies along the posterior nipple line, in mm."""
        return float((point - self.nipple) @ self.back)

    def measure_height(self, point: PointsMm) -> float:
        """Return how far above the nipple a point lies in the usual hanging, in mm."""
        return float(self.nipple[1] - point[1])

    def estimate_height_error(self, point: PointsMm) -> float:
        """Return the standard error of that: of the nipple's place, and of how the breast lies."""
        turned = math.radians(_LIE_DEG) * abs(float(self.nipple[0] - point[0]))
        return math.hypot(self.error_mm, turned)


def find_nipple_axes(image: ImageReading, frame: ViewFrame) -> NippleAxes | None:
    """Return the nipple's axes in a view's frame; None where no nipple was found."""
    found = frame.nipple()
    if found is None:
        return None
    point, error = found[0][0], found[1]
    marker = _marker(image, frame, point)
    if marker is not None:
        point, error = marker, _MARKER_ERROR_MM
    muscle = frame.pectoral()
    if muscle is None:
        return NippleAxes(point, error, np.array([-1.0, 0.0]), float(point[0]))
    along = muscle[1] - muscle[0]
    back = np.array([along[1], -along[0]]) / float(np.hypot(*along))
    reach = float((muscle[0] - point) @ back)
    if reach < 0:
        back, reach = -back, -reach
    return NippleAxes(point, error, back, reach)


def _marker(image: ImageReading, frame: ViewFrame, nipple: PointsMm) -> PointsMm | None:
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


def locate_finding(image: ImageReading, finding: Finding) -> Position | None:
    """Return the place of a finding; None where the image's landmarks are not known."""
    frame = find_frame(image)
    return None if frame is None else _position(image, frame, finding.center)


def _position(image: ImageReading, frame: ViewFrame, center: PointPx) -> Position:
    point = frame.to_mm([center])[0]
    skin = frame.skin()
    from_skin = round(float(np.hypot(*(skin - point).T).min()), 1) if len(skin) else None
    axes = find_nipple_axes(image, frame)
    if axes is None:
        return Position(from_skin, None, None, None, None, None)
    depth, half = axes.measure_depth(point), _half(image.mammogram, point, axes)
    if axes.error_mm > NIPPLE_SEEN_MM:
        # A distance from a nipple that was guessed would be read as if it had been seen.
        # What is not clear of the line is unknown then, not central.
        half = None if half is BreastHalf.CENTRAL else half
        return Position(from_skin, None, axes.error_mm, None, None, half)
    return Position(
        from_skin_mm=from_skin,
        from_nipple_mm=round(float(np.hypot(*(point - axes.nipple))), 1),
        nipple_error_mm=axes.error_mm,
        depth_mm=round(depth, 1),
        third=_third(depth / axes.length_mm) if axes.length_mm > 0 else None,
        half=half,
    )


def _third(share: float) -> DepthThird:
    if share < 1 / 3:
        return DepthThird.ANTERIOR
    return DepthThird.MIDDLE if share < 2 / 3 else DepthThird.POSTERIOR


def _half(header: Mammogram, point: PointsMm, axes: NippleAxes) -> BreastHalf | None:
    """Return the half of the breast that one view tells; None where it tells none."""
    height, error = axes.measure_height(point), axes.estimate_height_error(point)
    view = header.view
    if view is None or not can_tell_halves(header):
        return None
    if view.is_cc_like:
        return _exaggerated(view, choose_half(height, error, BreastHalf.OUTER, BreastHalf.INNER))
    # What is lateral is in the height as well: one oblique view tells what lies clear of that.
    clear = abs(math.cos(math.radians(get_beam_deg(view)))) * _ASIDE_MM
    found = choose_half(height, error, BreastHalf.UPPER, BreastHalf.LOWER)
    return found if clear < 1e-6 or abs(height) > _SURE * error + clear else None


def choose_half(
    away_mm: float, error_mm: float, above: BreastHalf, below: BreastHalf
) -> BreastHalf:
    """Return the half that a place lies in; central where it is too near to the line to tell."""
    if abs(away_mm) <= _SURE * error_mm:
        return BreastHalf.CENTRAL
    return above if away_mm > 0 else below


def _exaggerated(view: View, half: BreastHalf) -> BreastHalf | None:
    """Return what a cranio-caudal view tells of a half when the breast was turned for it.

    What is shown of the side that it was turned to is on that side; the nipple's line says
    nothing of the rest.
    """
    told = {View.XCCL: (BreastHalf.OUTER,), View.XCCM: (BreastHalf.INNER,), View.XCC: ()}.get(view)
    return half if told is None or half in told else None


def can_tell_halves(header: Mammogram) -> bool:
    """Whether the nipple's level tells parts of the breast from each other in an image.

    It does where the side is known, the hanging (PS3.3 C.7.6.1.1.1, or the usual one where the
    header is silent) and how the breast was held.
    """
    view = header.view
    if view is None or not (view.is_cc_like or view.is_mlo_like):
        return False
    sided = header.laterality in {Laterality.LEFT, Laterality.RIGHT}
    # Columns that run to the front or to the back are of an image that lies on its side.
    lying = header.orientation is not None and header.orientation[1][:1] in {"A", "P"}
    return sided and not lying and not header.view_modifiers & _TURNED


def get_beam_deg(view: View) -> float:
    """Return a lateral or oblique view's usual angle of the beam against the vertical.

    Height in the image is then cos(angle) lateral + sin(angle) superior.
    """
    return _BEAM_DEG.get(view, OBLIQUE_DEG)


def add_positions(reading: StudyReading) -> StudyReading:
    """Return a reading whose findings know their place, as far as one view tells it."""
    images = []
    for image in reading.images:
        frame = find_frame(image)
        if frame is None:
            images.append(image)
            continue
        findings = tuple(
            replace(finding, position=_position(image, frame, finding.center))
            if finding.mark_class is MarkClass.CLUSTER
            else finding
            for finding in image.findings
        )
        images.append(replace(image, findings=findings))
    return replace(reading, images=tuple(images))
