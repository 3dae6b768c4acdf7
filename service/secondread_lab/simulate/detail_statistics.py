"""Statistics of detail and noise that show how a simulated mammogram differs from a real one.

A simulated image that looks right by eye can have twice the structure of a real one between the
noise and the fibres, which is where a detector looks. The strength of each octave of detail
relative to the finest, noise-like one, and the noise at each grey level, show the difference.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from secondread.detect.noise_statistics import (
    NoiseCurve,
    measure_bands,
    measure_noise_curve,
    split_finest_band,
)

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

REAL_RATIOS = ((0.40, 0.47), (0.53, 0.64), (0.67, 0.83), (0.76, 1.03))
"""Range of the band ratios over five digital mammograms of 70 um: for orientation, since other
units' processing weights the bands otherwise."""

_EDGE_MM = 7.0
"""What is nearer to the skin is not interior, since the skin's edge is not texture."""


def find_interior(bright: Image, pitch_mm: float) -> Mask:
    """Return where a mammogram shows the inside of the breast: no skin, no markers, no air."""
    factor = max(round(0.4 / pitch_mm), 1)
    small = cv2.resize(bright, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    lit = (small > 0.035 * float(np.percentile(small, 99.5))).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(lit)
    breast = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    # The chest wall is not skin: the breast continues beyond the borders that it touches.
    margin = 40
    beyond = cv2.copyMakeBorder(breast, *(margin,) * 4, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(beyond, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    deep = distance[margin:-margin, margin:-margin] * factor * pitch_mm > _EDGE_MM
    size = (bright.shape[1], bright.shape[0])
    fine = cv2.resize(deep.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(fine > 0, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class DetailStatistics:
    """The statistics of one image."""

    name: str
    ratios: tuple[float, ...]
    """Strength of the detail of 1.5-3, 3-6, 6-12 and 12-24 px over that of the finest."""
    curve: NoiseCurve
    """Greys and deviations as shares of the image's full range."""


def measure_statistics(ds: Dataset, name: str) -> DetailStatistics:
    """Measure a For Presentation mammogram with its pixels.

    Parameters
    ----------
    ds
        Uncompressed, or of a transfer syntax that pydicom decodes; with Imager Pixel Spacing.
    """
    top = 2**ds.BitsStored - 1
    bright = ds.pixel_array.astype(np.float32)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        bright = np.float32(top) - bright
    where = find_interior(bright, float(ds.ImagerPixelSpacing[0]))
    shares = bright / np.float32(top)
    finest, *others = measure_bands(shares, where)
    return DetailStatistics(
        name,
        tuple(band / finest for band in others),
        measure_noise_curve(*split_finest_band(shares), where),
    )
