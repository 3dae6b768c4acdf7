"""Two pictures of one breast aligned: an affine map, then shifts of blocks of tissue.

The affine map is that of enhanced correlation (Evangelidis and Psarakis 2008, as in OpenCV); a
block's shift is the maximum of normalised cross-correlation. The pictures carry local contrast,
so that dose, look-up tables and polarity do not matter.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.detect.anatomy import NEUTRAL
from secondread.followup.registration.frame import PointsMm, ViewFrame

Affine = npt.NDArray[np.float64]
"""(2, 3): from the current view's frame to the prior's, in mm."""
ContrastPicture = npt.NDArray[np.float32]
"""Local contrast at `PITCH_MM`, over the whole image; NaN outside the breast."""

PITCH_MM = 0.8
"""Pixel spacing that pictures are compared at."""

BLOCK_MM = 24.0
"""Width of the blocks of tissue that are found again."""

_BLOCK_STEP_MM = 10.0
_LEAST_TISSUE = 0.8  # share of a block's pixels
# A block counts as found where its best correlation is clear of all others but those next to it.
_LEAST_CORRELATION, _LEAST_MARGIN, _NEXT_TO_PEAK = 0.35, 0.04, 3
_MOST_STRETCH = 0.24  # no repositioning stretches or turns a breast more than this
_LEAST_OVERLAP, _LEAST_PIXELS = 0.5, 100
_HALF_PIXEL = np.full(2, 0.5)


def render_contrast(frame: ViewFrame) -> ContrastPicture:
    """Return the overview of an image in its frame's orientation."""
    picture = frame.picture()
    size = (round(frame.width_mm / PITCH_MM), round(frame.height_mm / PITCH_MM))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    # By nearest neighbours, because between tissue and the 0 outside linear values mean nothing.
    outside = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST) == 0
    contrast = resized.astype(np.float32) - NEUTRAL
    # Neutral before the blur, so that it brings no edge from outside into the breast.
    contrast[outside] = 0.0
    return np.where(outside, np.float32(np.nan), cv2.GaussianBlur(contrast, (0, 0), 0.8))


def apply_affine(points: PointsMm, affine: Affine) -> PointsMm:
    """Return points, (..., 2), moved by an affine map."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float64)


def is_plausible(affine: Affine) -> bool:
    """Whether a map stretches and turns no more than another positioning does."""
    return bool(np.abs(affine[:, :2] - np.eye(2)).max() < _MOST_STRETCH)


def align(now: ContrastPicture, then: ContrastPicture, start: Affine) -> tuple[Affine, float]:
    """Return the affine map, from a start, that correlates the pictures best, and how well.

    At half the resolution first: in the coarser picture the search finds its way from farther.
    """
    best, affine = _correlate(now, then, start), start
    for factor in (2, 1):
        fitted = _fit_affine(_reduce(now, factor), _reduce(then, factor), affine, PITCH_MM * factor)
        if fitted is None or not is_plausible(fitted):
            break
        correlation = _correlate(now, then, fitted)
        if correlation <= best:
            break
        best, affine = correlation, fitted
    return affine, best


def _fit_affine(
    now: ContrastPicture, then: ContrastPicture, start: Affine, pitch_mm: float
) -> Affine | None:
    matrix = _to_pixels(start, pitch_mm).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    inside = np.isfinite(then).astype(np.uint8)
    try:
        _, fitted = cv2.findTransformECC(
            np.nan_to_num(now), np.nan_to_num(then), matrix, cv2.MOTION_AFFINE, criteria, inside, 3
        )
    except cv2.error:  # raised where it does not converge
        return None
    return _to_mm(np.asarray(fitted, np.float64), pitch_mm)


def _to_pixels(affine: Affine, pitch_mm: float) -> Affine:
    # OpenCV counts from the centre of the first pixel, which is half a pixel from the frame's
    # corner in both pictures. So pixel p is at p + 1/2 in the frame, and the map of the frame,
    # A (p + 1/2) + t, is pixel A p + (t + A 1/2 - 1/2).
    shift = affine[:, 2] / pitch_mm + affine[:, :2] @ _HALF_PIXEL - _HALF_PIXEL
    return np.column_stack([affine[:, :2], shift])


def _to_mm(matrix: Affine, pitch_mm: float) -> Affine:
    shift = (matrix[:, 2] - matrix[:, :2] @ _HALF_PIXEL + _HALF_PIXEL) * pitch_mm
    return np.column_stack([matrix[:, :2], shift])


def _reduce(picture: ContrastPicture, factor: int) -> ContrastPicture:
    if factor == 1:
        return picture
    # A whole number of blocks, so that the pixels of the small picture keep their places.
    rows, columns = (length - length % factor for length in picture.shape)
    part = picture[:rows, :columns]
    size = (columns // factor, rows // factor)
    # The mean of what is known in a block: its sum with 0 for the rest, by the share that is known.
    inside = np.isfinite(part).astype(np.float32)
    weight = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
    value = cv2.resize(np.nan_to_num(part), size, interpolation=cv2.INTER_AREA)
    return np.where(weight > 0.5, value / np.maximum(weight, 0.5), np.float32(np.nan))


def _correlate(now: ContrastPicture, then: ContrastPicture, affine: Affine) -> float:
    moved = cv2.warpAffine(
        then,
        _to_pixels(affine, PITCH_MM),
        (now.shape[1], now.shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderValue=float("nan"),
    )
    known = np.isfinite(now)
    both = known & np.isfinite(moved)
    if np.count_nonzero(both) < max(_LEAST_OVERLAP * np.count_nonzero(known), _LEAST_PIXELS):
        return 0.0
    return float(np.corrcoef(now[both], moved[both])[0, 1])


@dataclass(frozen=True, slots=True, eq=False)
class MatchedBlocks:
    """Blocks of tissue of the current image that were found again."""

    centers: PointsMm
    """Their centres, in the current frame."""
    shifts: PointsMm
    """How far the rough map misses each, in mm of the current frame."""
    tried: int
    """How many blocks were looked for."""


def match_blocks(
    now: ContrastPicture,
    then: ContrastPicture,
    rough: Callable[[PointsMm], PointsMm],
    search_mm: float,
) -> MatchedBlocks:
    """Look for blocks of the current picture in the prior one.

    Parameters
    ----------
    now, then
        The pictures.
    rough
        The map so far, from the current frame to the prior's.
    search_mm
        How much that may miss.
    """
    moved = _warp(then, now.shape, rough)
    half, reach = round(BLOCK_MM / 2 / PITCH_MM), round(search_mm / PITCH_MM)
    padded = cv2.copyMakeBorder(moved, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    filled = np.nan_to_num(now)
    centers: list[tuple[float, float]] = []
    shifts: list[tuple[float, float]] = []
    blocks = _place_blocks(now, half)
    for row, column in blocks:
        block = filled[row - half : row + half + 1, column - half : column + half + 1]
        # With the padding, the area that reaches as far beyond the block on all sides begins at
        # the block's own first row and column.
        size = 2 * (half + reach) + 1
        area = padded[row - half : row - half + size, column - half : column - half + size]
        scores = cv2.matchTemplate(area, block, cv2.TM_CCOEFF_NORMED)
        peak = _find_peak(np.asarray(scores, np.float32))
        if peak is not None:
            centers.append(((column + 0.5) * PITCH_MM, (row + 0.5) * PITCH_MM))
            # The middle of the scores is where the rough map puts the block.
            shifts.append(((peak[0] - reach) * PITCH_MM, (peak[1] - reach) * PITCH_MM))
    return MatchedBlocks(
        np.array(centers, np.float64).reshape(-1, 2),
        np.array(shifts, np.float64).reshape(-1, 2),
        len(blocks),
    )


def _warp(
    then: ContrastPicture, shape: tuple[int, ...], rough: Callable[[PointsMm], PointsMm]
) -> ContrastPicture:
    """Return the prior picture as the current image would show it; 0 where it does not."""
    x, y = ((np.arange(length) + 0.5) * PITCH_MM for length in (shape[1], shape[0]))
    place = (rough(np.stack(np.meshgrid(x, y), axis=-1)) / PITCH_MM - 0.5).astype(np.float32)
    column, row = (np.ascontiguousarray(place[..., axis]) for axis in (0, 1))
    return np.asarray(cv2.remap(np.nan_to_num(then), column, row, cv2.INTER_LINEAR))


def _place_blocks(now: ContrastPicture, half: int) -> list[tuple[int, int]]:
    """Return rows and columns of the centres of the blocks that are nearly all tissue."""
    step, size = round(_BLOCK_STEP_MM / PITCH_MM), 2 * half + 1
    share = cv2.blur(np.isfinite(now).astype(np.float32), (size, size))
    rows, columns = now.shape
    return [
        (row, column)
        for row in range(half, rows - half, step)
        for column in range(half, columns - half, step)
        if share[row, column] >= _LEAST_TISSUE
    ]


def _find_peak(scores: ContrastPicture) -> tuple[float, float] | None:
    """Return column and row of a clear maximum, to a fraction of a pixel."""
    row, column = (int(i) for i in np.unravel_index(int(scores.argmax()), scores.shape))
    best = float(scores[row, column])
    inside = 0 < row < scores.shape[0] - 1 and 0 < column < scores.shape[1] - 1
    if best < _LEAST_CORRELATION or not inside:
        return None
    others = scores.copy()
    top, left = max(row - _NEXT_TO_PEAK, 0), max(column - _NEXT_TO_PEAK, 0)
    others[top : row + _NEXT_TO_PEAK + 1, left : column + _NEXT_TO_PEAK + 1] = -1
    if best - float(others.max()) < _LEAST_MARGIN:
        return None
    return (
        column + _find_vertex(scores[row, column - 1 : column + 2]),
        row + _find_vertex(scores[row - 1 : row + 2, column]),
    )


def _find_vertex(three: ContrastPicture) -> float:
    """Return where the parabola through three values has its vertex, from the middle one."""
    below, middle, above = (float(value) for value in three)
    # Through (-1, below), (0, middle) and (1, above): half the curve is the coefficient of x^2,
    # and half of (above - below) that of x.
    curve = below - 2 * middle + above
    return 0.0 if curve >= 0 else float(np.clip(0.5 * (below - above) / curve, -0.5, 0.5))
