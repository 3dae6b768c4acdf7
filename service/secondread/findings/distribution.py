"""How a group of calcifications is distributed, from where its members lie.

A model that was fitted to groups tells it with a probability. Without one a rule does, by extent
and principal axes, and its confidence is the rule's own: full where the measure is far from the
rule's border, shared evenly on the border.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from secondread.codes import Distribution
from secondread.detect.groups import DistributionTable

REGIONAL_MM = 20.0
"""BI-RADS calls calcifications regional that fill more than 2 cm of tissue."""

DIFFUSE_MM = 60.0
"""Beyond this extent the group no longer fits a quadrant and is called diffuse."""

_LINEAR_RATIO = 4.0

Told = tuple[tuple[Distribution, float], ...]
"""The two likeliest distributions with their confidence 0-1."""


def classify_distribution(
    at_mm: npt.NDArray[np.float64],
    features: Mapping[str, float] | None = None,
    table: DistributionTable | None = None,
) -> Told:
    """Return the two likeliest distributions of a group.

    Parameters
    ----------
    at_mm
        Where its members lie, (members, 2).
    features, table
        What `measures.measured` says of the group, and what the model makes of it; the rule
        serves without.
    """
    extent = float(pdist(at_mm).max())
    if extent > DIFFUSE_MM:
        return _two(Distribution.DIFFUSE, Distribution.REGIONAL, extent / DIFFUSE_MM)
    if features is not None and table is not None:
        shares = table.predict(features)
        first, second = np.argsort(-shares, kind="stable")[:2].tolist()
        return tuple((table.labels[n], round(float(shares[n]), 2)) for n in (first, second))
    return _by_rule(at_mm, extent)


def _by_rule(at_mm: npt.NDArray[np.float64], extent: float) -> Told:
    """Segmental needs the nipple's direction and is never given here."""
    if extent > REGIONAL_MM:
        return _two(Distribution.REGIONAL, Distribution.GROUPED, extent / REGIONAL_MM)
    ratio = _axis_ratio(at_mm)
    if len(at_mm) >= 5 and ratio > _LINEAR_RATIO:
        return _two(Distribution.LINEAR, Distribution.GROUPED, ratio / _LINEAR_RATIO)
    other = Distribution.LINEAR if ratio > _LINEAR_RATIO / 2 else Distribution.REGIONAL
    return _two(Distribution.GROUPED, other, min(REGIONAL_MM / max(extent, 0.1), 2.0))


def _axis_ratio(at: npt.NDArray[np.float64]) -> float:
    """Return the ratio of standard deviations along the principal axes; 1 for a round group."""
    low, high = np.linalg.eigvalsh(np.cov(at.T))
    return float(np.sqrt(high / max(low, 0.01)))  # 0.1 mm: finer than a position is known


def _two(first: Distribution, second: Distribution, over: float) -> Told:
    # `over` is 1 on the rule's border and grows away from it; twice the border counts as clear.
    confidence = round(min(0.5 + 0.45 * (over - 1.0), 0.95), 2)
    return (first, confidence), (second, round(1 - confidence, 2))
