"""Finding nipple, skin and pectoral muscle, on copies of less than a millimetre a pixel.

Everything works in the `HangingFrame`, in which the chest wall is at the left.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from secondread.detect.anatomy import (
    NEUTRAL,
    Anatomy,
    HangingFrame,
    Nipple,
    Overview,
    OverviewPixels,
)
from secondread.detect.breast import BreastRegion, Brightness, Mask, resample_mask
from secondread.geometry import PointPx, SpacingMm, close_outline

OVERVIEW_MM = 0.8
"""Pixel spacing of the overview, which shows ligaments and ducts, but hardly noise and vendors'
sharpening."""

_Points = npt.NDArray[np.float64]  # (n, 2): x, y in mm

_CONTRAST_SIGMA_MM = 6.0
_CONTRAST_STEPS = 40.0  # grey levels of the overview for one local standard deviation
_BORDER_MM = 1.5  # nearer to the image's border than this, an outline follows it, not the skin
_STEP_MM = 1.0

# The nipple: a bump of this size on the skin, not far from the breast's foremost point.
_BUMP_MM, _SHOULDER_MM = 2.0, 11.0
_NEAR_TIP_MM = 22.0
_CLEAR_BUMP_MM = 0.7
_ERROR_SEEN_MM, _ERROR_GUESSED_MM = 2.5, 8.0

# The muscle's edge is sought with its upper end and its foot in these ranges, in mm. The mean
# step across it, in local standard deviations, has to reach the least one.
_TOP_MM = np.arange(16.0, 110.0, 2.0)
_FOOT_MM = np.arange(40.0, 240.0, 4.0)
_LEAST_STEP = 0.35
_ACROSS_MM = 3.0
_STEEPEST, _FLATTEST = 0.25, 1.6  # tangents to the vertical that the muscle's front has


def add_landmarks(
    region: BreastRegion,
    bright: Brightness,
    spacing: SpacingMm,
    *,
    oblique: bool,
    upside_down: bool = False,
) -> BreastRegion:
    """Return a breast region with its landmarks, none where it is too small for an outline.

    Parameters
    ----------
    region
        The breast.
    bright
        Brightness of every pixel of the stored image.
    spacing
        Pixel spacing at the detector.
    oblique
        Whether the view shows the pectoral muscle from the side.
    upside_down
        Whether the image is stored the other way round than it hangs; see
        `Mammogram.is_upside_down`.
    """
    polygon = _trace_outline(region.tissue)
    if len(polygon) < 3:
        return region
    rows, columns = bright.shape
    is_mirrored = region.breast.chest_wall_side == "right"
    frame = HangingFrame(rows, columns, spacing, is_mirrored, upside_down)
    per_row, per_column = rows / region.tissue.shape[0], columns / region.tissue.shape[1]
    outline = close_outline(
        PointPx(round(float(x) * per_column, 1), round(float(y) * per_row, 1)) for x, y in polygon
    )
    skin = trace_skin(frame.to_mm(outline), frame.width_mm, frame.height_mm)
    picture = _make_overview(bright, region.tissue, spacing)
    muscle = _find_muscle(picture, frame) if oblique else None
    front = None
    if muscle is not None:
        front = _to_px(frame, muscle.top_mm, 0.0), _to_px(frame, 0.0, muscle.foot_mm)
    nipple = _find_nipple(skin, muscle, frame)
    anatomy = Anatomy(outline, nipple, front, Overview.from_picture(picture))
    return replace(region, breast=replace(region.breast, anatomy=anatomy))


def _to_px(frame: HangingFrame, x: float, y: float) -> PointPx:
    col, row = frame.to_columns_rows(np.array([x, y])).tolist()
    return PointPx(round(col, 1), round(row, 1))


def trace_skin(outline: _Points, width_mm: float, height_mm: float) -> _Points:
    """Return the skin, without the part of a breast's outline that runs along the image's border.

    Parameters
    ----------
    outline
        (n, 2), closed: x from the chest wall's border and y from the border that hangs above, mm.
    width_mm, height_mm
        Of the image.

    Returns
    -------
    ndarray
        (n, 2), in the same frame, every millimetre from the top down; n is 0 where the breast has
        no skin in the image.
    """
    points = _step_along(outline)
    x, y = points.T
    inner = np.minimum.reduce([x, y, width_mm - x, height_mm - y]) > _BORDER_MM
    skin = points if inner.all() else _find_longest_run(points, inner)
    return skin[::-1] if len(skin) and skin[0, 1] > skin[-1, 1] else skin


def _step_along(corners: _Points) -> _Points:
    """Return points of a polygon, each a millimetre further along it."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    steps = np.arange(0.0, length[-1], _STEP_MM)
    return np.stack([np.interp(steps, length, corners[:, axis]) for axis in (0, 1)], axis=1)


def _find_longest_run(points: _Points, inner: npt.NDArray[np.bool_]) -> _Points:
    """Return the longest stretch of inner points of a closed line."""
    # Turned so that it begins with an outer point: no stretch goes over the array's ends then.
    first = int(np.argmin(inner))
    points, inner = np.roll(points, -first, axis=0), np.roll(inner, -first)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inner.astype(np.int8), [0]])))
    if not len(edges):
        return points[:0]
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return points[starts[best] : ends[best]]


def _trace_outline(tissue: Mask) -> _Points:
    """Return the corners of the tissue's outline, (n, 2): column and row, from pixel corners."""
    padded = cv2.copyMakeBorder(tissue, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    # Twice as large, the border between pixels has a pixel of its own: no half pixel is lost.
    double = cv2.resize(padded, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(double, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.empty((0, 2))
    largest = max(contours, key=cv2.contourArea)
    corners = cv2.approxPolyDP(largest, 1.2, closed=True)[:, 0].astype(np.float64)
    rows, columns = tissue.shape
    return np.clip((corners + 0.5) / 2 - 1, 0, (columns, rows))


def _make_overview(bright: Brightness, tissue: Mask, spacing: SpacingMm) -> OverviewPixels:
    """Return the local contrast in units of its local standard deviation, as grey levels."""
    rows, columns = bright.shape
    size = (
        max(8, round(columns * spacing.between_columns / OVERVIEW_MM)),
        max(8, round(rows * spacing.between_rows / OVERVIEW_MM)),
    )
    small = cv2.resize(bright, size, interpolation=cv2.INTER_AREA)
    inside = resample_mask(tissue, bright.shape, (0, rows, 0, columns), (size[1], size[0]))
    sigma = _CONTRAST_SIGMA_MM / OVERVIEW_MM
    # Mean and spread of tissue alone: what is blurred is 0 in air, and so is its weight.
    weight = cv2.GaussianBlur(inside * np.float32(1), (0, 0), sigma) + 1e-3
    mean = cv2.GaussianBlur(small * inside, (0, 0), sigma) / weight
    contrast = (small - mean) * inside
    spread = np.sqrt(cv2.GaussianBlur(contrast * contrast, (0, 0), sigma) / weight)
    z = contrast / np.maximum(spread, 1e-3 * float(spread.max()) + 1e-9)
    levels = np.clip(np.rint(NEUTRAL + _CONTRAST_STEPS * z), 1, 255) * inside
    return np.asarray(levels, np.uint8)


def _find_nipple(skin: _Points, muscle: "_Muscle | None", frame: HangingFrame) -> Nipple | None:
    """Return the clearest bump on the skin near the breast's tip, or the tip itself."""
    if len(skin) < 4 * _SHOULDER_MM:
        return None
    smooth = _blur_line(skin, 4 * _BUMP_MM)
    # How far the skin, smoothed over the width of a nipple, stands out from the skin around it.
    away = _blur_line(skin, _BUMP_MM) - _blur_line(skin, _SHOULDER_MM)
    along = np.gradient(smooth, axis=0)
    along /= np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-9)
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1)  # downwards, the air is to the left
    bump = (away * outward).sum(axis=1)
    bump -= np.median(bump)  # smoothing draws a convex line inwards everywhere
    # The tip is farthest from the chest wall, or where the muscle is seen, from its front.
    reach = smooth[:, 0] if muscle is None else muscle.measure_distance(smooth)
    tip = int(np.argmax(reach))
    from_tip_mm = np.abs(np.arange(len(skin)) - tip) * _STEP_MM
    score = bump - 0.5 * (from_tip_mm / _NEAR_TIP_MM) ** 2
    end = int(2 * _SHOULDER_MM)  # smoothing pulls the ends inwards: they look like bumps
    score[:end] = score[-end:] = -np.inf
    best = int(np.argmax(score))
    is_seen = bump[best] > _CLEAR_BUMP_MM
    index = best if is_seen else min(max(tip, end), len(skin) - end)
    x, y = _blur_line(skin, _BUMP_MM / 2)[index]
    error = _ERROR_SEEN_MM if is_seen else _ERROR_GUESSED_MM
    return Nipple(_to_px(frame, float(x), float(y)), error)


def _blur_line(line: _Points, sigma_mm: float) -> _Points:
    return np.asarray(gaussian_filter1d(line, sigma_mm / _STEP_MM, axis=0, mode="nearest"))


@dataclass(frozen=True, slots=True)
class _Muscle:
    """The muscle's front: a line from the upper border to the chest wall's."""

    top_mm: float
    foot_mm: float

    def measure_distance(self, points: _Points) -> npt.NDArray[np.float64]:
        """Return the signed distances of points from the line, positive in front of it."""
        # The line is x / top + y / foot = 1, so that this is its normal.
        normal = np.array([1 / self.top_mm, 1 / self.foot_mm])
        return np.asarray((points @ normal - 1.0) / float(np.hypot(*normal)), np.float64)


def _find_muscle(picture: OverviewPixels, frame: HangingFrame) -> _Muscle | None:
    """Return the straight line along which the picture steps most from bright to dark."""
    picture = frame.turn(picture)
    level = np.where(picture > 0, (picture.astype(np.float32) - NEUTRAL) / _CONTRAST_STEPS, np.nan)
    top, foot = (ends.ravel() for ends in np.meshgrid(_TOP_MM, _FOOT_MM))
    slope = top / foot
    possible = (slope > _STEEPEST) & (slope < _FLATTEST) & (foot < 0.95 * frame.height_mm)
    top, foot = top[possible], foot[possible]
    # (lines, 48) points of all lines, each sampled a little behind the line and before it.
    share = np.linspace(0.05, 0.92, 48)[None, :]
    x, y = top[:, None] * (1 - share), foot[:, None] * share
    normal = np.stack([1 / top, 1 / foot], axis=1)
    normal *= _ACROSS_MM / np.hypot(normal[:, :1], normal[:, 1:])
    behind = _sample_levels(level, x - normal[:, :1], y - normal[:, 1:], frame)
    before = _sample_levels(level, x + normal[:, :1], y + normal[:, 1:], frame)
    # Limited, so that a single bright spot makes no line.
    step = np.clip(behind - before, -1.5, 1.5)
    # Points outside the breast count as no step, so that a line has to be seen along its length.
    is_seen = np.isfinite(step)
    mean = np.where(is_seen, step, 0.0).sum(axis=1) / step.shape[1]
    steady = np.where(is_seen, step > 0, 0.0).sum(axis=1) / step.shape[1]
    best = int(np.argmax(mean * steady))
    if mean[best] < _LEAST_STEP:
        return None
    return _Muscle(float(top[best]), float(foot[best]))


def _sample_levels(
    level: npt.NDArray[np.float32], x: _Points, y: _Points, frame: HangingFrame
) -> npt.NDArray[np.float32]:
    """Return the level of the pixel that each point of the frame is in, NaN outside the picture."""
    rows, columns = level.shape
    column = np.floor(x / frame.width_mm * columns).astype(np.int64)
    row = np.floor(y / frame.height_mm * rows).astype(np.int64)
    good = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    values = level[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
    return np.where(good, values, np.float32(np.nan))
