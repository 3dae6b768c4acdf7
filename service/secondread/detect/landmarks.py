"""Finding nipple, skin and pectoral muscle, on copies of about half a millimetre a pixel.

Everything works in a frame of millimetres in which the breast hangs as usual with the chest wall at
the left: x from the chest wall's border, y from the border that is cranial (oblique views) or
lateral (cranio-caudal ones), whichever way the image is stored.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from secondread.detect.anatomy import NEUTRAL, Anatomy, Nipple, Overview, OverviewPixels
from secondread.detect.breast import BreastRegion, Brightness, Mask, resample_mask
from secondread.geometry import PointPx, SpacingMm, close_outline

OVERVIEW_MM = 0.8
"""Pixel spacing of the overview: ligaments and ducts are seen, noise and vendors' sharpening
hardly."""

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


def add_landmarks(
    region: BreastRegion,
    bright: Brightness,
    spacing: SpacingMm,
    *,
    oblique: bool,
    upside_down: bool = False,
) -> BreastRegion:
    """Return a breast region with its landmarks; the parameters are those of `find_anatomy`."""
    anatomy = find_anatomy(bright, region, spacing, oblique=oblique, upside_down=upside_down)
    return replace(region, breast=replace(region.breast, anatomy=anatomy))


def find_anatomy(
    bright: Brightness,
    region: BreastRegion,
    spacing: SpacingMm,
    *,
    oblique: bool,
    upside_down: bool = False,
) -> Anatomy | None:
    """Return the landmarks of an image.

    Parameters
    ----------
    bright
        Brightness of every pixel of the stored image.
    region
        The breast in it.
    spacing
        Pixel spacing at the detector.
    oblique
        Whether the view shows the pectoral muscle from the side.
    upside_down
        Whether the image is stored the other way round than it hangs; see
        `Mammogram.upside_down`.

    Returns
    -------
    Anatomy or None
        None where the breast is so small that it has no outline.
    """
    picture = _overview(bright, region.tissue, spacing)
    polygon = _outline(region.tissue)
    if len(polygon) < 3:
        return None
    side = region.breast.chest_wall_side
    frame = _Frame(bright.shape[0], bright.shape[1], spacing, side, upside_down)
    per_column, per_row = (bright.shape[axis] / region.tissue.shape[axis] for axis in (1, 0))
    outline = close_outline(
        PointPx(round(float(x) * per_column, 1), round(float(y) * per_row, 1)) for x, y in polygon
    )
    muscle = _pectoral(picture, frame) if oblique else None
    skin = trace_skin(
        outline, frame.rows, frame.columns, spacing, side, upside_down=frame.upside_down
    )
    return Anatomy(
        outline=outline,
        nipple=_nipple(skin, muscle, frame),
        pectoral=None
        if muscle is None
        else (frame.to_px(muscle.top_mm, 0.0), frame.to_px(0.0, muscle.foot_mm)),
        overview=Overview.from_picture(picture),
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """From the stored image to millimetres as it hangs, with the chest wall at the left."""

    rows: int
    columns: int
    spacing: SpacingMm
    side: str
    upside_down: bool

    @property
    def height_mm(self) -> float:
        return self.rows * self.spacing.between_rows

    def to_px(self, x: float, y: float) -> PointPx:
        col = x / self.spacing.between_columns
        if self.side == "right":
            col = self.columns - col
        row = y / self.spacing.between_rows
        if self.upside_down:
            row = self.rows - row
        return PointPx(round(col, 1), round(row, 1))

    def picture(self, stored: OverviewPixels) -> OverviewPixels:
        """Return a picture of the stored image as it hangs."""
        turned = stored[:, ::-1] if self.side == "right" else stored
        return turned[::-1] if self.upside_down else turned


def trace_skin(
    outline: tuple[PointPx, ...],
    rows: int,
    columns: int,
    spacing: SpacingMm,
    side: str,
    *,
    upside_down: bool = False,
) -> _Points:
    """Return the skin, without what of a breast's outline runs along the image's border.

    Parameters
    ----------
    outline
        Closed, in pixels of the stored image.
    rows, columns, spacing
        Of the stored image.
    side
        The chest wall's: ``left`` or ``right``.
    upside_down
        Whether the image is stored the other way round than it hangs.

    Returns
    -------
    ndarray
        (n, 2): x from the chest wall's border and y from the border that hangs above in mm, every
        millimetre, from the top down; n is 0 where the breast has no skin in the image.
    """
    corners = np.array([(p.col, p.row) for p in outline], np.float64)
    if side == "right":
        corners[:, 0] = columns - corners[:, 0]
    if upside_down:
        corners[:, 1] = rows - corners[:, 1]
    corners *= (spacing.between_columns, spacing.between_rows)
    width, height = columns * spacing.between_columns, rows * spacing.between_rows
    at = _every_step(corners)
    border = np.minimum.reduce([at[:, 0], at[:, 1], width - at[:, 0], height - at[:, 1]])
    inner = border > _BORDER_MM
    run = at if inner.all() else _longest_run(at, inner)
    return run[::-1] if len(run) and run[0, 1] > run[-1, 1] else run


def _every_step(corners: _Points) -> _Points:
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    steps = np.arange(0.0, length[-1], _STEP_MM)
    return np.stack([np.interp(steps, length, corners[:, axis]) for axis in (0, 1)], axis=1)


def _longest_run(at: _Points, inner: npt.NDArray[np.bool_]) -> _Points:
    first = int(np.argmin(inner))  # an outer point: no run goes over the turned array's ends
    at, inner = np.roll(at, -first, axis=0), np.roll(inner, -first)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inner.astype(np.int8), [0]])))
    if not len(edges):
        return at[:0]
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return at[starts[best] : ends[best]]


def _outline(tissue: Mask) -> npt.NDArray[np.float64]:
    padded = cv2.copyMakeBorder(tissue, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    # Twice as large, the border between pixels has a pixel of its own: no half pixel is lost.
    double = cv2.resize(padded, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(double, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return np.empty((0, 2))
    largest = max(found, key=cv2.contourArea)
    corners = cv2.approxPolyDP(largest, 1.2, closed=True)[:, 0].astype(np.float64)
    rows, columns = tissue.shape
    return np.clip((corners + 0.5) / 2 - 1, 0, (columns, rows))


def _overview(bright: Brightness, tissue: Mask, spacing: SpacingMm) -> OverviewPixels:
    rows, columns = bright.shape
    size = (
        max(8, round(columns * spacing.between_columns / OVERVIEW_MM)),
        max(8, round(rows * spacing.between_rows / OVERVIEW_MM)),
    )
    small = cv2.resize(bright, size, interpolation=cv2.INTER_AREA)
    inside = resample_mask(tissue, bright.shape, (0, rows, 0, columns), (size[1], size[0]))
    sigma = _CONTRAST_SIGMA_MM / OVERVIEW_MM
    weight = cv2.GaussianBlur(inside * np.float32(1), (0, 0), sigma) + 1e-3
    middle = cv2.GaussianBlur(small * inside, (0, 0), sigma) / weight
    away = (small - middle) * inside
    spread = np.sqrt(cv2.GaussianBlur(away * away, (0, 0), sigma) / weight)
    z = away / np.maximum(spread, 1e-3 * float(spread.max()) + 1e-9)
    levels = np.clip(np.rint(NEUTRAL + _CONTRAST_STEPS * z), 1, 255) * inside
    return np.asarray(levels, np.uint8)


def _nipple(skin: _Points, muscle: "_Muscle | None", frame: _Frame) -> Nipple | None:
    if len(skin) < 4 * _SHOULDER_MM:
        return None
    inner = _blurred(skin, 4 * _BUMP_MM)
    away = _blurred(skin, _BUMP_MM) - _blurred(skin, _SHOULDER_MM)
    along = np.gradient(inner, axis=0)
    along /= np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-9)
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1)  # downwards, the air is to the left
    bump = (away * outward).sum(axis=1)
    bump -= np.median(bump)
    # The farthest from the chest wall, or where the muscle is seen, from its front.
    reach = inner[:, 0] if muscle is None else muscle.distance(inner)
    tip = int(np.argmax(reach))
    steps = np.abs(np.arange(len(skin)) - tip) * _STEP_MM
    score = bump - 0.5 * (steps / _NEAR_TIP_MM) ** 2
    end = int(2 * _SHOULDER_MM)  # smoothing pulls the ends inwards: they look like bumps
    score[:end] = score[-end:] = -np.inf
    best = int(np.argmax(score))
    seen = bump[best] > _CLEAR_BUMP_MM
    at = _blurred(skin, _BUMP_MM / 2)[best if seen else min(max(tip, end), len(skin) - end)]
    error = _ERROR_SEEN_MM if seen else _ERROR_GUESSED_MM
    return Nipple(frame.to_px(float(at[0]), float(at[1])), error)


def _blurred(line: _Points, sigma_mm: float) -> _Points:
    return np.asarray(gaussian_filter1d(line, sigma_mm / _STEP_MM, axis=0, mode="nearest"))


@dataclass(frozen=True, slots=True)
class _Muscle:
    """The muscle's front: a line from the upper border to the chest wall's."""

    top_mm: float
    foot_mm: float

    def distance(self, at: _Points) -> npt.NDArray[np.float64]:
        """Return the signed distances of points from the line, positive in front of it."""
        normal = np.array([1 / self.top_mm, 1 / self.foot_mm])
        return np.asarray((at @ normal - 1.0) / float(np.hypot(*normal)), np.float64)


# A muscle's edge is sought with its upper end and its foot in these ranges, in mm; its contrast
# is the mean step across it, in local standard deviations.
_TOP_MM = np.arange(16.0, 110.0, 2.0)
_FOOT_MM = np.arange(40.0, 240.0, 4.0)
_LEAST_STEP = 0.35
_ACROSS_MM = 3.0
_STEEPEST = 0.25  # tangent to the vertical; a flatter line would not be the muscle's front


def _pectoral(picture: OverviewPixels, frame: _Frame) -> _Muscle | None:
    """Return the straight line along which the picture steps most from bright to dark."""
    view = frame.picture(picture)
    inside = view > 0
    level = np.where(inside, (view.astype(np.float32) - NEUTRAL) / _CONTRAST_STEPS, np.nan)
    top, foot = (a.ravel() for a in np.meshgrid(_TOP_MM, _FOOT_MM))
    possible = (top / foot > _STEEPEST) & (top / foot < 1.6) & (foot < 0.95 * frame.height_mm)
    top, foot = top[possible], foot[possible]
    share = np.linspace(0.05, 0.92, 48)[None, :]
    x, y = top[:, None] * (1 - share), foot[:, None] * share
    normal = np.stack([1 / top, 1 / foot], axis=1)
    normal *= _ACROSS_MM / np.hypot(normal[:, :1], normal[:, 1:])
    behind = _sampled(level, x - normal[:, :1], y - normal[:, 1:], frame)
    before = _sampled(level, x + normal[:, :1], y + normal[:, 1:], frame)
    # Limited, so that a single bright spot makes no line.
    step = np.clip(behind - before, -1.5, 1.5)
    known = np.isfinite(step)
    mean = np.where(known, step, 0.0).sum(axis=1) / step.shape[1]
    steady = np.where(known, step > 0, 0.0).sum(axis=1) / step.shape[1]
    score = mean * steady
    best = int(np.argmax(score))
    if mean[best] < _LEAST_STEP:
        return None
    return _Muscle(float(top[best]), float(foot[best]))


def _sampled(
    level: npt.NDArray[np.float32], x: _Points, y: _Points, frame: _Frame
) -> npt.NDArray[np.float32]:
    rows, columns = level.shape
    width = frame.columns * frame.spacing.between_columns
    column = np.floor(x / width * columns).astype(np.int64)
    row = np.floor(y / frame.height_mm * rows).astype(np.int64)
    good = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    values = level[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
    return np.where(good, values, np.float32(np.nan))
