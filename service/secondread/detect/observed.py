"""What the gates ask of the pixels: borders reached, saturation, grey levels, polarity."""

import cv2
import numpy as np

from secondread.detect import breast
from secondread.detect.breast import BreastRegion, Brightness, Mask
from secondread.detect.decode import StoredValues
from secondread.detect.gates import PixelMeasurements
from secondread.detect.pixels import GreyScale
from secondread.geometry import SpacingMm

_STEP = 2  # a quarter of the pixels tells as much


def measure_pixels(
    stored: StoredValues,
    bright: Brightness,
    grey: GreyScale,
    region: BreastRegion,
    spacing: SpacingMm,
    *,
    found: bool,
) -> PixelMeasurements:
    """Measure an image for the gates.

    Parameters
    ----------
    stored, bright, grey
        The image, its brightness, and how the one became the other.
    region
        The breast, or the whole image where none was found.
    spacing
        Of the stored image.
    found
        Whether a breast was found.
    """
    sample = bright[::_STEP, ::_STEP]
    inside = cv2.resize(region.interior, sample.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    saturated = np.asarray((sample >= grey.bright.max()) & inside, np.uint8)
    pixel_cm2 = _STEP**2 * spacing.between_rows * spacing.between_columns / 100
    return PixelMeasurements(
        area_cm2=region.breast.area_cm2 if found else None,
        borders=_borders(region.tissue),
        chest_wall_side=region.breast.chest_wall_side,
        saturated_share=float(np.count_nonzero(saturated)) / max(int(np.count_nonzero(inside)), 1),
        saturated_cm2=_largest(saturated) * pixel_cm2,
        levels=int(np.unique(stored[::_STEP, ::_STEP][inside]).size),
        polarity=breast.measure_polarity(bright),
    )


def _borders(tissue: Mask) -> dict[str, float]:
    sides = {
        "left": tissue[:, 0],
        "right": tissue[:, -1],
        "top": tissue[0],
        "bottom": tissue[-1],
    }
    return {side: float(border.mean()) for side, border in sides.items()}


def _largest(mask: Mask) -> int:
    """Return the number of pixels of the largest connected part."""
    if not mask.any():
        return 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return int(stats[1:, cv2.CC_STAT_AREA].max())
