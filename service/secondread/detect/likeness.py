"""Whether an image is of the kind that the model was made for: a distance to its training images.

A detector answers about any picture, with the same certainty that it has about mammograms. What
it looks at is detail between noise and fibres, so the strength of the octaves of detail and the
course of the noise over the greys are compared with those of the images that it was trained on:
nine features of an image, and their Mahalanobis distance to the reference in the manifest.

The distance says that an image is unlike those. It does not say what is wrong with it, and a
small distance does not say that the detector is right.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from secondread.detect import bands
from secondread.detect.breast import Brightness, Mask
from secondread.detect.toml_table import TomlTable

LIKENESS_FEATURES = (
    "octave_2",
    "octave_3",
    "octave_4",
    "octave_5",
    "noise_level",
    "noise_slope",
    "noise_bend",
    "noise_tail",
    "noise_correlation",
)
"""Names of the features, in their order.

``octave_n``: logarithm of the strength of an octave of detail over that of the finest.
``noise_level``: logarithm of the finest detail's strength over the range of greys of the tissue.
``noise_slope``, ``noise_bend``: how the logarithm of that strength runs over the greys: the
coefficients of first and second order of a parabola over -1 (dark) to 1 (bright).
``noise_tail``: logarithm of how much further the strongest two of a thousand lie out than half of
the finest detail; large for grain, dust, compression and noise held back.
``noise_correlation``: correlation of the finest detail in neighbouring pixels; large for what was
blurred or enlarged.
"""

LikenessFeatures = tuple[float, ...]
"""Values of `LIKENESS_FEATURES` of one image."""

_MINIMUM_PIXELS = 5000
_MAXIMUM_PIXELS = 500_000  # of more, a part is enough for medians
_GREY_QUANTILES = (0.02, 0.98)
_SMALLEST = 1e-6  # share of the grey range; keeps logarithms of nothing finite
_KEPT = 0.95
_SHRINKAGE = 0.1
_FLAG_QUANTILE = 0.99
_FLAG_MARGIN = 1.2
_REFUSE_MARGIN = 2.0


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
    """An image further out than this is read with doubt."""
    refuse_beyond: float = Field(gt=0)
    """An image further out than this is not read."""
    fitted_on: str
    """To which images."""

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

        Divided by the root of their number, so that it is about 1 for an ordinary image.
        """
        z = (np.array(features) - self.means) / self.deviations
        squared = float(z @ np.linalg.solve(np.array(self.correlation), z))
        return float(np.sqrt(squared / len(LIKENESS_FEATURES)))

    def as_toml(self) -> str:
        """Return the table as a manifest holds it."""
        rows = "\n".join(f"  {list(row)}," for row in self.correlation)
        names = ", ".join(f'"{name}"' for name in self.features)
        return (
            "[likeness]\n"
            f"features = [{names}]\n"
            f"means = {list(self.means)}\n"
            f"deviations = {list(self.deviations)}\n"
            f"correlation = [\n{rows}\n]\n"
            f"flag_beyond = {self.flag_beyond}\n"
            f"refuse_beyond = {self.refuse_beyond}\n"
            f'fitted_on = "{self.fitted_on}"\n'
        )

    def strangest(self, features: LikenessFeatures) -> str:
        """Return the feature that lies furthest out by itself."""
        z = np.abs((np.array(features) - self.means) / self.deviations)
        return LIKENESS_FEATURES[int(z.argmax())]


def measure_features(bright: Brightness, interior: Mask) -> LikenessFeatures | None:
    """Return the features of an image.

    Parameters
    ----------
    bright
        Brightness at the model's spacing, as `detector.cut_detector_input` gives it.
    interior
        The breast without its skin line, same shape.

    Returns
    -------
    tuple of float or None
        Values of `LIKENESS_FEATURES`; None where there is too little breast to measure them.
    """
    bright, where = _sampled(bright, interior > 0)
    if np.count_nonzero(where) < _MINIMUM_PIXELS:
        return None
    smooth, detail = bands.split_finest_band(bright)
    low, high = (float(v) for v in np.quantile(smooth[where], _GREY_QUANTILES))
    unit = max(high - low, 1e-6)
    finest, *others = (max(d / unit, _SMALLEST) for d in bands.measure_bands(bright, where))
    return (
        *(float(np.log(other / finest)) for other in others),
        float(np.log(finest)),
        *_course(bands.measure_noise_curve(smooth, detail, where), low, unit),
        _tail(detail[where], unit),
        _correlation(detail, where),
    )


def fit_reference(measured: Sequence[LikenessFeatures], fitted_on: str) -> Likeness:
    """Return the reference that images with these features give.

    Parameters
    ----------
    measured
        Features of the images that a model was made for; more than a hundred are wanted.
    fitted_on
        Words for the manifest: which images these are.

    Raises
    ------
    ValueError
        There are fewer than three images for each feature.

    Notes
    -----
    The furthest twentieth is left out and the rest fitted again, since one extreme image widens
    the reference for all. The correlations are drawn a tenth of the way to none, which keeps the
    matrix well behaved for so few images. Limits come from the distances of the images to a
    reference fitted without them: an image is flagged beyond 1.2 times what 99 of 100 stay
    within, and refused beyond twice that.
    """
    if len(measured) < 3 * len(LIKENESS_FEATURES):
        raise ValueError(
            f"{len(measured)} images are too few for {len(LIKENESS_FEATURES)} features"
        )
    everything = np.array(measured, np.float64)
    first = _reference(everything, 1.0, 1.0, "")
    distances = np.array([first.measure_distance(tuple(row)) for row in everything])
    values = everything[distances <= np.quantile(distances, _KEPT)]
    outside = [
        _reference(np.delete(values, row, axis=0), 1.0, 1.0, "").measure_distance(
            tuple(values[row])
        )
        for row in range(len(values))
    ]
    flag = round(_FLAG_MARGIN * float(np.quantile(outside, _FLAG_QUANTILE)), 2)
    return _reference(values, flag, round(_REFUSE_MARGIN * flag, 2), fitted_on)


def _reference(
    values: npt.NDArray[np.float64], flag: float, refuse: float, fitted_on: str
) -> Likeness:
    size = len(LIKENESS_FEATURES)
    measured = np.asarray(np.corrcoef(values, rowvar=False), np.float64).reshape(size, size)
    correlation = (1 - _SHRINKAGE) * measured + _SHRINKAGE * np.eye(size)
    return Likeness(
        means=tuple(values.mean(axis=0).round(4).tolist()),
        deviations=tuple(np.maximum(values.std(axis=0, ddof=1), 1e-3).round(4).tolist()),
        correlation=tuple(tuple(row) for row in correlation.round(4).tolist()),
        flag_beyond=flag,
        refuse_beyond=refuse,
        fitted_on=fitted_on,
    )


_WINDOWS = 4
_MARGIN = 48
"""Rows around a window that its filters see and nothing is measured in: two standard deviations
of the widest."""


def _sampled(bright: Brightness, inside: bands.WhereMask) -> tuple[Brightness, bands.WhereMask]:
    """Return a few windows of an image, whole rows one below the other, and where to measure.

    They hold about as many pixels of breast as are needed, evenly from its top to its bottom:
    filtering the rest would take most of the time and tell no more.
    """
    needed = _MAXIMUM_PIXELS / max(int(np.count_nonzero(inside)), 1)
    rows = np.flatnonzero(inside.any(axis=1))
    height = int(np.ceil(needed * rows.size / _WINDOWS))
    if (height + 2 * _MARGIN) * _WINDOWS >= rows.size:
        return bright, inside
    images, insides = [], []
    for number in range(_WINDOWS):
        first = int(rows[0] + (number + 0.5) * rows.size / _WINDOWS - height / 2)
        top = max(first - _MARGIN, 0)
        seen = np.s_[top : first + height + _MARGIN]
        where = inside[seen].copy()
        where[: first - top] = False
        where[first - top + height :] = False
        images.append(bright[seen])
        insides.append(where)
    return np.concatenate(images), np.concatenate(insides)


def _course(curve: bands.NoiseCurve, low: float, unit: float) -> tuple[float, float]:
    if curve.grey.size < 4:
        return 0.0, 0.0  # one grey all over: what else is wrong with it shows elsewhere
    at = np.clip(2 * (curve.grey - low) / unit - 1, -1, 1)
    strength = np.log(np.maximum(curve.deviation / unit, _SMALLEST))
    bend, slope, _ = np.polyfit(at, strength, 2)
    return float(slope), float(bend)


def _tail(detail: Brightness, unit: float) -> float:
    half, most = np.quantile(np.abs(detail), (0.5, 0.998))
    return float(np.log(max(most / unit, _SMALLEST) / max(half / unit, _SMALLEST)))


def _correlation(detail: Brightness, where: bands.WhereMask) -> float:
    # Clips and calcifications are few and strong; limited, they do not make the sum.
    limit = np.float32(max(4 * bands.estimate_deviation(detail[where]), 1e-9))
    limited = np.clip(detail, -limit, limit) * where
    power = float(np.vdot(limited, limited))
    along = float(np.vdot(limited[:, 1:], limited[:, :-1]))
    across = float(np.vdot(limited[1:], limited[:-1]))
    return 0.5 * (along + across) / max(power, 1e-12)
