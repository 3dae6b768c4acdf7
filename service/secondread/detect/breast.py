"""Where the breast is in a mammogram: tissue against air, film borders and burned-in labels.

All of it works on a copy averaged to about half a millimetre a pixel; the skin is a millimetre or
more wide, and a mask of the full resolution would only follow the noise.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.detect.marks import Breast
from secondread.geometry import SpacingMm

Brightness = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
"""1 inside, 0 outside."""

COARSE_MM = 0.56
"""Pixel spacing of the copy in which the breast is sought."""
SKIN_MM = 2.5
"""Width of the skin line that gets no marks: its edge answers like a row of calcifications."""
FRAME_MM = 1.0
"""Width of the image border that gets no marks: paddle edge, film border, detector edge."""
_LABEL_MM = 4.0  # structures thinner than this (labels, film borders) do not connect to the breast
_AIR_DEVIATIONS = 5.0  # tissue begins this many standard deviations above air
_AIR_SHARE = 0.04  # and this share of the way from air to the bulk of the image's bright half
_ROUNDING = 8 * float(np.finfo(np.float32).eps)
"""Of the largest value: averages of equal values differ by up to a quarter of this."""


@dataclass(frozen=True, slots=True)
class BreastRegion:
    """The breast: its figures, and its masks at the coarse resolution."""

    breast: Breast
    tissue: Mask
    """The whole breast with its skin, coarse pixels."""
    interior: Mask
    """The breast without skin line and image border: where marks are sought."""


def find_breast(bright: Brightness, spacing: SpacingMm) -> BreastRegion | None:
    """Find the breast in an image in which tissue is brighter than air.

    Parameters
    ----------
    bright
        Brightness of every pixel of the stored image.
    spacing
        Its pixel spacing at the detector.

    Returns
    -------
    BreastRegion or None
        None where no region touches the left or the right border as a breast does.
    """
    coarse, coarse_spacing = _average_down(bright, spacing)
    side = _find_chest_wall_side(coarse)
    level = _find_tissue_level(coarse, side)
    tissue = _find_attached_region(coarse > level, side, coarse_spacing)
    if tissue is None:
        return None
    return _describe_region(tissue, side, bright.shape, spacing, coarse_spacing)


def measure_polarity(bright: Brightness) -> float:
    """Return the share of the textured pixels that are brighter than the flattest ones.

    Air is the flattest part of a mammogram. Near 1 it is dark, as it should be; near 0 the image
    is a negative of what its header states.
    """
    coarse, _ = _average_down(bright, SpacingMm(0.07, 0.07))
    coarse -= np.median(coarse)  # squares of large values would round their differences away
    mean = cv2.blur(coarse, (5, 5))
    spread = cv2.blur(coarse * coarse, (5, 5)) - mean * mean
    flat = spread <= np.quantile(spread, 0.1)
    if flat.all():
        return 1.0
    return float((mean[~flat] > np.median(mean[flat])).mean())


def take_whole_image(bright: Brightness, spacing: SpacingMm) -> BreastRegion:
    """Return a region that takes the whole image for breast."""
    coarse, coarse_spacing = _average_down(bright, spacing)
    tissue, side = np.ones(coarse.shape, np.uint8), _find_chest_wall_side(coarse)
    return _describe_region(tissue, side, bright.shape, spacing, coarse_spacing)


def resample_mask(
    mask: Mask, image: tuple[int, ...], box: tuple[int, int, int, int], shape: tuple[int, ...]
) -> Mask:
    """Return the part of a coarse mask under a box of the image, at another resolution.

    Parameters
    ----------
    mask
        Over the whole image.
    image
        (rows, columns) of the image.
    box
        First row, row after the last, first column, column after the last, in the image.
    shape
        (rows, columns) of the result; its outline is smooth.
    """
    top, bottom, left, right = box
    # Result pixel centre -> image -> mask: an affine map that carries the half pixels along.
    per_row = (bottom - top) / shape[0] * mask.shape[0] / image[0]
    per_column = (right - left) / shape[1] * mask.shape[1] / image[1]
    first_row = top * mask.shape[0] / image[0] + 0.5 * per_row - 0.5
    first_column = left * mask.shape[1] / image[1] + 0.5 * per_column - 0.5
    matrix = np.array([[per_column, 0, first_column], [0, per_row, first_row]])
    smooth = cv2.warpAffine(
        mask * np.float32(1),
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(smooth >= 0.5, np.uint8)


def _describe_region(
    tissue: Mask, side: str, shape: tuple[int, ...], spacing: SpacingMm, coarse_spacing: SpacingMm
) -> BreastRegion:
    rows, columns = shape
    share = float(tissue.mean())
    area_cm2 = share * rows * columns * spacing.between_rows * spacing.between_columns / 100
    breast = Breast(area_cm2, share, side, _find_box(tissue, rows, columns))
    return BreastRegion(breast, tissue, _find_interior(tissue, coarse_spacing))


def _average_down(bright: Brightness, spacing: SpacingMm) -> tuple[Brightness, SpacingMm]:
    """Return a coarse copy, and its pixel spacing."""
    rows, columns = bright.shape
    small_rows = max(8, round(rows * spacing.between_rows / COARSE_MM))
    small_columns = max(8, round(columns * spacing.between_columns / COARSE_MM))
    coarse = cv2.resize(bright, (small_columns, small_rows), interpolation=cv2.INTER_AREA)
    between_rows = spacing.between_rows * rows / small_rows
    between_columns = spacing.between_columns * columns / small_columns
    return np.asarray(coarse, np.float32), SpacingMm(between_rows, between_columns)


def _find_chest_wall_side(coarse: Brightness) -> str:
    left, right = (np.median(band) for band in _side_bands(coarse))
    # Both air or both tissue in the middle: the brighter half decides.
    if abs(left - right) <= _measure_rounding(coarse):
        middle = coarse.shape[1] // 2
        left, right = coarse[:, :middle].mean(), coarse[:, middle:].mean()
    return "left" if left > right else "right"


def _side_bands(coarse: Brightness) -> tuple[Brightness, Brightness]:
    columns = coarse.shape[1]
    # The outermost columns are often a film border or a dead detector column.
    skip, width = max(1, columns // 100), max(2, columns // 16)
    return coarse[:, skip : skip + width], coarse[:, columns - skip - width : columns - skip]


def _find_tissue_level(coarse: Brightness, side: str) -> float:
    left, right = _side_bands(coarse)
    band = right if side == "left" else left
    air = float(np.median(band))
    # From the darker half alone: labels and film borders in the band are all brighter than air.
    deviation = 1.4826 * float(np.median(air - band[band <= air]))
    noise = max(_AIR_DEVIATIONS * deviation, _measure_rounding(coarse))
    above = coarse[coarse > air + noise]
    bulk = float(np.median(above)) if above.size else air
    # Air without any noise has no deviation: the share of the way to the bulk then decides.
    return air + max(noise, _AIR_SHARE * (bulk - air))


def _measure_rounding(coarse: Brightness) -> float:
    """Return the difference below which two averages may be of equal values."""
    return _ROUNDING * float(np.abs(coarse).max())


def _find_attached_region(
    above: npt.NDArray[np.bool_], side: str, coarse_spacing: SpacingMm
) -> Mask | None:
    width = max(3, round(_LABEL_MM / coarse_spacing.mean) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    # Repeated beyond the image, so that opening does not eat into the breast at the chest wall.
    padded = cv2.copyMakeBorder(
        above.astype(np.uint8), width, width, width, width, cv2.BORDER_REPLICATE
    )
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)[width:-width, width:-width]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(opened))
    near = max(2, labels.shape[1] // 50)
    border = labels[:, :near] if side == "left" else labels[:, -near:]
    touching = [label for label in range(1, count) if np.any(border == label)]
    if not touching:
        return None
    largest = max(touching, key=lambda label: int(stats[label, cv2.CC_STAT_AREA]))
    # Dark tissue inside belongs to the breast: its outer contour is filled.
    mask = (labels == largest).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, thickness=cv2.FILLED)
    return filled


def _find_box(mask: Mask, rows: int, columns: int) -> tuple[int, int, int, int]:
    by_row, by_column = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    per_row, per_column = rows / mask.shape[0], columns / mask.shape[1]
    return (
        int(by_row[0] * per_row),
        min(rows, int(np.ceil((by_row[-1] + 1) * per_row))),
        int(by_column[0] * per_column),
        min(columns, int(np.ceil((by_column[-1] + 1) * per_column))),
    )


def _find_interior(tissue: Mask, coarse_spacing: SpacingMm) -> Mask:
    # Distance to air; the image border is not air, so the mask is repeated beyond it.
    margin = int(np.ceil(SKIN_MM / coarse_spacing.mean)) + 1
    padded = cv2.copyMakeBorder(tissue, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = distance[margin:-margin, margin:-margin] * coarse_spacing.mean > SKIN_MM
    frame = np.zeros_like(tissue)
    down = max(1, round(FRAME_MM / coarse_spacing.between_rows))
    across = max(1, round(FRAME_MM / coarse_spacing.between_columns))
    frame[down:-down, across:-across] = 1
    return np.asarray(inside & (frame > 0), np.uint8)
