"""How the calcifications of a cluster lie and how large they are, in an exam or in a real image."""

import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, Morphology

SPREADS = {
    Distribution.GROUPED: (1.0, 0.85, 0.85),
    Distribution.LINEAR: (2.0, 0.15, 0.15),
    Distribution.SEGMENTAL: (1.8, 0.6, 0.6),
    Distribution.REGIONAL: (1.2, 1.2, 1.2),
    Distribution.DIFFUSE: (1.5, 1.8, 1.8),
}
"""Spread along the cluster's direction, across it and along the beam, in quarters of its extent."""

CASTS = frozenset(
    {Morphology.FINE_LINEAR, Morphology.FINE_LINEAR_BRANCHING, Morphology.LARGE_ROD_LIKE}
)
"""Types that are casts of ducts, and so lie along them."""


def draw_offsets(
    distribution: Distribution, count: int, extent_mm: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw the members' places about the middle, in mm: shape (count, 3), the direction first."""
    normal = np.clip(rng.normal(size=(count, 3)), -1.9, 1.9)
    return np.asarray(normal * np.array(SPREADS[distribution]) * extent_mm / 4.0)


def draw_diameter(limits_mm: tuple[float, float], rng: np.random.Generator) -> float:
    """Draw a member's diameter in mm between two limits."""
    low, high = limits_mm
    # Sizes in a cluster are about log-normal: many small ones, few large.
    middle = low * (high / low) ** 0.45
    return float(np.clip(middle * np.exp(rng.normal(0, np.log(high / low) / 4.0)), low, high))
