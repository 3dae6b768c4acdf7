"""Whether an image is of the kind that the model was made for: a distance to its training images.

A detector answers about any picture, with the same certainty that it has about mammograms. What
it sees is detail between noise and fibres, so the strength of the octaves of detail and the course
of the noise over the greys are compared with those of the images that it was trained on: nine
features of an image, and their Mahalanobis distance to the reference in the manifest, which
`models/calcification/fit_likeness.py` fits.

A large distance means that an image is unlike those. It does not show what is wrong with it, and a
small distance does not show that the detector is right.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from secondread.detect import noise_statistics
from secondread.detect.breast import Brightness, Mask
from secondread.detect.toml_table import TomlTable

LIKENESS_FEATURES = (
    "octave_2", "octave_3", "octave_4", "octave_5",
    "noise_level", "noise_slope", "noise_bend", "noise_tail", "noise_correlation",
)  # fmt: skip
"""Names of the features, in their order.

``octave_n``: logarithm of the strength of an octave of detail over that of the finest.
``noise_level``: logarithm of the finest detail's strength over the range of greys of the tissue.
``noise_slope``, ``noise_bend``: the course of the logarithm of that strength over the greys: the
coefficients of first and second order of a parabola over -1 (dark) to 1 (bright).
``noise_tail``: logarithm of the ratio between the strength that two of a thousand pixels of the
finest detail exceed and its median; large for grain, dust, compression and noise held back.
``noise_correlation``: correlation of the finest detail in neighbouring pixels; large in images that
were blurred or enlarged.
"""

LikenessFeatures = tuple[float, ...]
"""Values of `LIKENESS_FEATURES` of one image."""

_MINIMUM_PIXELS = 5000
_MAXIMUM_PIXELS = 500_000  # enough for medians
_GREY_QUANTILES = (0.02, 0.98)
_SMALLEST = 1e-6  # share of the grey range; keeps logarithms of nothing finite
_WINDOWS = 4
_MARGIN_PX = 48
"""Rows around a window that its filters see and nothing is measured in: two standard deviations
of the widest."""


class Likeness(TomlTable):
    """`[likeness]` of a manifest: the images that a model was made for, as a distribution."""

    features: tuple[str, ...] = LIKENESS_FEATURES
    """Names of the features; those of this version of the node, in its order."""
    means: tuple[float, ...]
    """Their means over the training images."""
    deviations: tuple[float, ...]
    """Their standard deviations."""
    correlation: tuple[tuple[float, ...], ...]
    """Their correlation matrix, positive definite."""
    flag_beyond: float = Field(gt=0)
    """An image with a larger distance is read with doubt."""
    refuse_beyond: float = Field(gt=0)
    """An image with a larger distance is not read."""
    fitted_on: str
    """The images."""

    @model_validator(mode="after")
    def _is_a_distribution(self) -> Self:
        size = len(LIKENESS_FEATURES)
        if self.features != LIKENESS_FEATURES:
            raise ValueError(f"features are {', '.join(LIKENESS_FEATURES)}")
        if len(self.means) != size or len(self.deviations) != size:
            raise ValueError(f"means and deviations have {size} values")
        if min(self.deviations) <= 0:
            raise ValueError("deviations are positive")
        if [len(row) for row in self.correlation] != [size] * size:
            raise ValueError(f"correlation has {size} rows of {size} values")
        matrix = np.array(self.correlation)
        if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix).min() <= 0:
            raise ValueError("correlation is symmetric and positive definite")
        if self.flag_beyond > self.refuse_beyond:
            raise ValueError("flag_beyond is not above refuse_beyond")
        return self

    def measure_distance(self, features: LikenessFeatures) -> float:
        """Return the Mahalanobis distance of an image's features to the training images.

        Divided by the root of the number of features, so that it is about 1 for an ordinary image.
        """
        # z in the metric of the correlation: two features that usually go together count once.
        z = (np.array(features) - self.means) / self.deviations
        squared = float(z @ np.linalg.solve(np.array(self.correlation), z))
        return float(np.sqrt(squared / len(LIKENESS_FEATURES)))


def measure_features(bright: Brightness, interior: Mask) -> LikenessFeatures | None:
    """Return the features of an image.

    Parameters
    ----------
    bright
        Brightness at the model's spacing, as `prepare.cut_detector_input` gives it.
    interior
        The breast without its skin line, same shape.

    Returns
    -------
    tuple of float or None
        Values of `LIKENESS_FEATURES`; None where there is too little breast to measure them.
    """
    bright, where = _sample_windows(bright, interior > 0)
    if np.count_nonzero(where) < _MINIMUM_PIXELS:
        return None
    smooth, detail = noise_statistics.split_finest_band(bright)
    low, high = (float(grey) for grey in np.quantile(smooth[where], _GREY_QUANTILES))
    unit = max(high - low, 1e-6)  # the range of greys: strengths do not depend on their scale
    bands = noise_statistics.measure_bands(bright, where, (smooth, detail))
    finest, *others = (max(band / unit, _SMALLEST) for band in bands)
    return (
        *(float(np.log(other / finest)) for other in others),
        float(np.log(finest)),
        *_fit_course(noise_statistics.measure_noise_curve(smooth, detail, where), low, unit),
        _measure_tail(detail[where], unit),
        _correlate_neighbours(detail, where, bands[0]),
    )


def _sample_windows(
    bright: Brightness, inside: noise_statistics.WhereMask
) -> tuple[Brightness, noise_statistics.WhereMask]:
    """Return a few windows of an image, whole rows one below the other, and where to measure.

    They hold about as many pixels of breast as are needed, evenly from its top to its bottom:
    filtering the rest would take most of the time and add nothing.
    """
    needed = _MAXIMUM_PIXELS / max(int(np.count_nonzero(inside)), 1)
    rows = np.flatnonzero(inside.any(axis=1))
    height = int(np.ceil(needed * rows.size / _WINDOWS))
    if (height + 2 * _MARGIN_PX) * _WINDOWS >= rows.size:
        return bright, inside
    images, insides = [], []
    for number in range(_WINDOWS):
        first = int(rows[0] + (number + 0.5) * rows.size / _WINDOWS - height / 2)
        top = max(first - _MARGIN_PX, 0)
        window = np.s_[top : first + height + _MARGIN_PX]
        where = inside[window].copy()
        where[: first - top] = False
        where[first - top + height :] = False
        images.append(bright[window])
        insides.append(where)
    return np.concatenate(images), np.concatenate(insides)


def _fit_course(curve: noise_statistics.NoiseCurve, low: float, unit: float) -> tuple[float, float]:
    if curve.grey.size < 4:
        return 0.0, 0.0  # one grey all over: other features show what is wrong with it
    grey = np.clip(2 * (curve.grey - low) / unit - 1, -1, 1)
    strength = np.log(np.maximum(curve.deviation / unit, _SMALLEST))
    bend, slope, _ = np.polyfit(grey, strength, 2)
    return float(slope), float(bend)


def _measure_tail(detail: Brightness, unit: float) -> float:
    half, most = np.quantile(np.abs(detail), (0.5, 0.998))
    return float(np.log(max(most / unit, _SMALLEST) / max(half / unit, _SMALLEST)))


def _correlate_neighbours(
    detail: Brightness, where: noise_statistics.WhereMask, deviation: float
) -> float:
    # Clips and calcifications are few and strong; limited, they do not dominate the sum.
    limit = np.float32(max(4 * deviation, 1e-9))
    limited = np.clip(detail, -limit, limit) * where
    power = float(np.vdot(limited, limited))
    along = float(np.vdot(limited[:, 1:], limited[:, :-1]))
    across = float(np.vdot(limited[1:], limited[:-1]))
    return 0.5 * (along + across) / max(power, 1e-12)
