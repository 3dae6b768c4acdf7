"""Stages that only some vendors' processing has: noise reduction, sharpening, local contrast.

They make the held-out families different in kind: shrinkage of the finest octaves removes faint
calcifications with the noise, a halo darkens the surroundings of a bright spot, and local contrast
normalisation makes the same calcification strong in even tissue and weak in busy tissue.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from secondread_lab.simulate.fields import Map


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Noise reduction: weak detail of the finest octaves is removed, strong detail kept."""

    octaves: int
    """How many of the finest octaves."""
    threshold: float
    """Detail of this many robust standard deviations of its octave keeps half of its height."""

    def apply(self, detail: Map) -> Map:
        """Return an octave of detail without its weak parts (Wiener's weighting)."""
        sample = np.abs(detail[::4, ::4])
        # Air has no detail and would pull the estimate to zero.
        sample = sample[sample > 0]
        level = 1.4826 * float(np.median(sample)) if sample.size else 0.0
        power = detail * detail
        limit = np.float32(max((self.threshold * level) ** 2, 1e-12))
        return np.asarray(detail * (power / (power + limit)), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Halo:
    """Unsharp masking: edges are sharpened and bright spots get a dark surround."""

    radius_mm: float
    """Standard deviation of the Gaussian that is taken off."""
    amount: float

    def apply(self, image: Map, pitch_mm: float) -> Map:
        """Return the sharpened image."""
        smooth = cv2.GaussianBlur(image, (0, 0), self.radius_mm / pitch_mm)
        return np.asarray(image + np.float32(self.amount) * (image - smooth), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class LocalGain:
    """Local contrast normalisation: every neighbourhood is brought to about the same contrast."""

    radius_mm: float
    """Standard deviation of the Gaussian window of a neighbourhood."""
    contrast: float
    """Standard deviation, in line integrals, that a neighbourhood is brought to."""
    floor: float
    """Added to a neighbourhood's own standard deviation, so that fat is not torn up."""
    mean_share: float
    """Share of the differences between neighbourhoods' means that is kept, 0-1."""

    def apply(self, image: Map, breast: Map, pitch_mm: float) -> Map:
        """Return the normalised image.

        Parameters
        ----------
        breast
            1 in the breast and 0 outside, on a reduced raster: air takes no part in a mean.
        """
        size = (breast.shape[1], breast.shape[0])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        square = cv2.resize(image * image, size, interpolation=cv2.INTER_AREA)
        sigma = self.radius_mm / (pitch_mm * image.shape[0] / breast.shape[0])
        weight = cv2.GaussianBlur(breast, (0, 0), sigma) + np.float32(1e-3)
        mean = cv2.GaussianBlur(small * breast, (0, 0), sigma) / weight
        power = cv2.GaussianBlur(square * breast, (0, 0), sigma) / weight
        spread = np.sqrt(np.maximum(power - mean * mean, 0.0)) + np.float32(self.floor)
        level = float(np.median(mean[breast > 0.5])) if (breast > 0.5).any() else 0.0
        full = (image.shape[1], image.shape[0])
        gain = cv2.resize(np.float32(self.contrast) / spread, full)
        middle = cv2.resize(mean, full)
        local_mean = np.float32(level) + np.float32(self.mean_share) * (middle - np.float32(level))
        return np.asarray(local_mean + gain * (image - middle), dtype=np.float32)
