"""Band statistics: how strong each octave of detail is against the finest, noise-like one.

A simulated image that looks right by eye can have twice the structure of a real one between the
noise and the fibres, which is where a detector looks. These figures tell the two apart.
"""

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

BAND_EDGES_PX = (1.5, 3.0, 6.0, 12.0, 24.0)
"""Standard deviations of the Gaussians whose differences are the bands."""


def band_ratios(
    bright: npt.NDArray[np.float32], interior: npt.NDArray[np.bool_]
) -> tuple[float, ...]:
    """Return the strength of the bands between neighbouring edges over that of the finest band.

    Parameters
    ----------
    bright
        An image in which calcifications are bright.
    interior
        Where to measure: breast without its skin line.

    Returns
    -------
    tuple of float
        For 1.5-3, 3-6, 6-12 and 12-24 px; five real digital mammograms had
        0.40-0.47, 0.53-0.64, 0.67-0.83 and 0.76-1.03.
    """
    smooth = [bright, *(cv2.GaussianBlur(bright, (0, 0), edge) for edge in BAND_EDGES_PX)]
    spreads = [_robust_deviation((fine - coarse)[interior]) for fine, coarse in pairwise(smooth)]
    return tuple(spread / spreads[0] for spread in spreads[1:])


def _robust_deviation(values: npt.NDArray[np.float32]) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
