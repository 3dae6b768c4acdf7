"""A solid in a region, and what all kinds of solids share: types, sizes, places.

Positions are millimetres in the region's plane and along the beam.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, MarkClass, Morphology
from secondread_lab.simulate.solids import Solid

Vector = npt.NDArray[np.float64]

MORPHOLOGIES = (
    Morphology.ROUND,
    Morphology.AMORPHOUS,
    Morphology.COARSE_HETEROGENEOUS,
    Morphology.FINE_PLEOMORPHIC,
    Morphology.FINE_LINEAR,
    Morphology.FINE_LINEAR_BRANCHING,
    Morphology.DYSTROPHIC,
    Morphology.EGGSHELL,
    Morphology.LARGE_ROD_LIKE,
    Morphology.COARSE,
    Morphology.SUTURE,
    Morphology.MILK_OF_CALCIUM,
)
"""Types of calcification clusters, in the order of the describing network's outputs. Punctate
calcifications are round ones below half a millimetre, and are named by their size."""

DIAMETERS_MM = {
    Morphology.ROUND: (0.15, 0.8),
    Morphology.AMORPHOUS: (0.16, 0.9),
    Morphology.COARSE_HETEROGENEOUS: (0.35, 1.3),
    Morphology.FINE_PLEOMORPHIC: (0.17, 0.65),
    Morphology.FINE_LINEAR: (0.15, 0.8),
    Morphology.FINE_LINEAR_BRANCHING: (0.15, 0.8),
    Morphology.DYSTROPHIC: (0.5, 3.0),
    Morphology.EGGSHELL: (0.8, 12.0),
    Morphology.LARGE_ROD_LIKE: (0.35, 0.9),
    Morphology.COARSE: (2.0, 11.0),
    Morphology.SUTURE: (0.4, 0.9),
    Morphology.MILK_OF_CALCIUM: (0.3, 1.2),
}
"""Range of the diameters of each type."""

DISTRIBUTIONS = (
    Distribution.GROUPED,
    Distribution.LINEAR,
    Distribution.SEGMENTAL,
    Distribution.REGIONAL,
)
"""Distributions of clusters, in the order of their indices."""


@dataclass(frozen=True, slots=True)
class PlacedSolid:
    """One solid in a region."""

    solid: Solid
    at_mm: tuple[float, float]
    """Projection of its centre: across the columns and down the rows, from the region's middle."""
    turn: npt.NDArray[np.float64]
    """From the solid's axes to (column, row, beam)."""
    mark_class: MarkClass | None
    """None for soft tissue, which is not a target."""
    group: int
    """Number of the group in its region; -1 for a single solid."""
    morphology: int = -1
    """Index in `MORPHOLOGIES`; -1 for other classes."""
    distribution: int = -1
    """Index in `DISTRIBUTIONS`; -1 outside clusters."""


def draw_middle(rng: np.random.Generator, half_mm: float) -> Vector:
    """Return a place in a region that is not at its border."""
    return np.append(rng.uniform(-0.85 * half_mm, 0.85 * half_mm, 2), 0.0)


def project(point: Vector) -> tuple[float, float]:
    """Return where the beam shows a place: across and down."""
    return float(point[0]), float(point[1])
