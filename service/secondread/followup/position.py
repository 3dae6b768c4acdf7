"""The place of each finding in its view, from nipple, skin and pectoral muscle."""

from dataclasses import dataclass, replace

import numpy as np

from secondread.codes import MarkClass
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.position import Half, Position, Third
from secondread.followup.frame import PointsMm, ViewFrame, frame_of
from secondread.geometry import PointPx

_SURE = 1.96
"""So many standard errors of the nipple's place away from a line, the side of it is known."""
_MOST_NIPPLE_ERROR_MM = 6.0
"""A nipple known less well gives no distances: they would be read as if it were known."""
_MARKER_NEAR_MM, _MARKER_MM, _MARKER_ERROR_MM = 10.0, (0.8, 4.0), 1.5


@dataclass(frozen=True, slots=True)
class NippleAxes:
    """The nipple, and the directions to the chest wall and up from it."""

    nipple: PointsMm
    """(2,)"""
    error_mm: float
    back: PointsMm
    """(2,): unit vector from the nipple to the chest wall; in an oblique view at right angles to
    the pectoral muscle's front, as the posterior nipple line is drawn."""
    length_mm: float
    """From the nipple to the chest wall's border or to the muscle."""

    def depth_and_height(self, point: PointsMm) -> tuple[float, float]:
        """Return how far behind the nipple, and how far above that line, a point lies, in mm."""
        away = point - self.nipple
        up = np.array([self.back[1], -self.back[0]])
        up = up if up[1] < 0 else -up
        return float(away @ self.back), float(away @ up)


def nipple_axes(image: ImageReading, frame: ViewFrame) -> NippleAxes | None:
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


def position_of(image: ImageReading, finding: Finding) -> Position | None:
    """Return the place of a finding; None where the image's landmarks are not known."""
    frame = frame_of(image)
    return None if frame is None else _position(image, frame, finding.center)


def _position(image: ImageReading, frame: ViewFrame, center: PointPx) -> Position:
    point = frame.to_mm([center])[0]
    skin = frame.skin()
    from_skin = round(float(np.hypot(*(skin - point).T).min()), 1) if len(skin) else None
    axes = nipple_axes(image, frame)
    if axes is None:
        return Position(from_skin, None, None, None, None, None)
    depth, height = axes.depth_and_height(point)
    if axes.error_mm > _MOST_NIPPLE_ERROR_MM:
        half = _half(image, height, axes.error_mm)
        # What is not clear of the line is unknown then, not central.
        half = None if half is Half.CENTRAL else half
        return Position(from_skin, None, axes.error_mm, None, None, half)
    return Position(
        from_skin_mm=from_skin,
        from_nipple_mm=round(float(np.hypot(*(point - axes.nipple))), 1),
        nipple_error_mm=axes.error_mm,
        depth_mm=round(depth, 1),
        third=_third(depth / axes.length_mm) if axes.length_mm > 0 else None,
        half=_half(image, height, axes.error_mm),
    )


def _third(share: float) -> Third:
    if share < 1 / 3:
        return Third.ANTERIOR
    return Third.MIDDLE if share < 2 / 3 else Third.POSTERIOR


def _half(image: ImageReading, height_mm: float, error_mm: float) -> Half | None:
    view = image.mammogram.view
    if view is None or not (view.is_cc_like or view.is_mlo_like):
        return None
    if abs(height_mm) <= _SURE * error_mm:
        return Half.CENTRAL
    if view.is_cc_like:
        return Half.OUTER if height_mm > 0 else Half.INNER
    return Half.UPPER if height_mm > 0 else Half.LOWER


def with_positions(reading: StudyReading) -> StudyReading:
    """Return a reading whose findings know their place, as far as one view tells it."""
    images = []
    for image in reading.images:
        frame = frame_of(image)
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
