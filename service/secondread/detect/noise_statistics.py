"""Statistics of detail and noise that distinguish kinds of images.

The strength of each octave of detail against the finest, noise-like one, and the strength of the
finest one at each grey. The simulator is held to those of real mammograms, and the detector judges
by them whether an image is of the kind that it was made for (`likeness`).
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
WhereMask = npt.NDArray[np.bool_]

BAND_EDGES_PX = (1.5, 3.0, 6.0, 12.0, 24.0)
"""Standard deviations of the Gaussians whose differences are the bands."""

MINIMUM_IN_BIN = 200
"""Bins of the noise curve with fewer pixels are left out."""


@dataclass(frozen=True, slots=True)
class NoiseCurve:
    """How strong the finest detail is at each grey."""

    grey: npt.NDArray[np.float64]
    """Middles of the bins, rising; unit of the image."""
    deviation: npt.NDArray[np.float64]
    """Robust standard deviation of the finest band there, same unit."""


def split_finest_band(bright: Image) -> tuple[Image, Image]:
    """Return an image without its finest detail, and that detail."""
    smooth = np.asarray(cv2.GaussianBlur(bright, (0, 0), BAND_EDGES_PX[0]), np.float32)
    return smooth, bright - smooth


def measure_bands(
    bright: Image, where: WhereMask, split: tuple[Image, Image] | None = None
) -> tuple[float, ...]:
    """Return the robust standard deviation of each octave of detail, finest first.

    Parameters
    ----------
    bright
        An image in which calcifications are bright.
    where
        Where to measure: breast without its skin line; same shape.
    split
        What `split_finest_band` returns for the image, if it is at hand.

    Returns
    -------
    tuple of float
        For detail finer than 1.5 px, then for 1.5-3, 3-6, 6-12 and 12-24 px.

    Notes
    -----
    Each octave beyond the second is measured on an image of half the size: a Gaussian of 3 px
    leaves nothing that halving could alias, and wide filters at full size cost seconds.
    """
    fine, detail = split or split_finest_band(bright)
    deviations = [estimate_deviation(detail[where])]
    inside, halvings = where, 0
    for below, edge in pairwise(BAND_EDGES_PX):
        # Variances of Gaussians in succession add up: from one edge to the next, the rest is left.
        step = float(np.sqrt(edge**2 - below**2)) / 2**halvings
        coarse = np.asarray(cv2.GaussianBlur(fine, (0, 0), step), np.float32)
        deviations.append(estimate_deviation((fine - coarse)[inside]))
        fine = coarse
        if edge / 2**halvings >= 2 * BAND_EDGES_PX[0]:
            fine = np.ascontiguousarray(coarse[::2, ::2])
            inside, halvings = inside[::2, ::2], halvings + 1
    return tuple(deviations)


def measure_noise_curve(
    smooth: Image, detail: Image, where: WhereMask, bins: int = 12
) -> NoiseCurve:
    """Return the strength of the finest band at each grey.

    Parameters
    ----------
    smooth, detail
        From `split_finest_band`.
    where
        Where to measure.
    bins
        How many greys, each with about as many pixels as the others.
    """
    grey, residual = smooth[where], detail[where]
    edges = np.quantile(grey, np.linspace(0.01, 0.99, bins + 1))
    middles, deviations = [], []
    for low, high in pairwise(edges):
        chosen = (grey >= low) & (grey < high)
        if chosen.sum() > MINIMUM_IN_BIN:
            middles.append(0.5 * float(low + high))
            deviations.append(estimate_deviation(residual[chosen]))
    return NoiseCurve(np.array(middles), np.array(deviations))


def estimate_deviation(values: Image) -> float:
    """Return the standard deviation of a normal distribution with their median deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
