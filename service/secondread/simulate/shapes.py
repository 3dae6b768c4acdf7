"""Single calcifications and clips by type: the parts that each is made of.

The types are those of the BI-RADS atlas (American College of Radiology, 5th edition, 2013).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from secondread.codes import Morphology
from secondread.simulate.solids import (
    MU_CALCIFICATION,
    MU_METAL,
    Ellipsoid,
    Solid,
    ellipsoid,
    random_turn,
)

Vector = npt.NDArray[np.float64]

Shaper = Callable[[np.random.Generator, float], tuple[Ellipsoid, ...]]
"""Draws a calcification of about the given diameter in mm."""


def calcification(
    rng: np.random.Generator, morphology: Morphology, centre: Vector, diameter_mm: float
) -> Solid:
    """Draw one calcification of a type at a place."""
    parts = SHAPERS[morphology](rng, diameter_mm)
    return Solid(centre, parts, MU_CALCIFICATION * float(rng.uniform(0.85, 1.2)))


def clip(rng: np.random.Generator, centre: Vector) -> Solid:
    """Draw a surgical clip: a titanium wire of half a millimetre, folded once, about 5 mm long."""
    turn = random_turn(rng)
    length, gap = float(rng.uniform(4.0, 6.0)), float(rng.uniform(0.5, 1.2))
    steps = np.linspace(-0.5, 0.5, 22)
    wire = np.concatenate(
        [
            np.stack([steps * length, np.full(22, gap / 2), np.zeros(22)], axis=-1),
            np.stack([steps * length, np.full(22, -gap / 2), np.zeros(22)], axis=-1),
            [[length / 2 + 0.1, y, 0.0] for y in np.linspace(-gap / 2, gap / 2, 5)],
        ]
    )
    # Beads closer than their diameter make an even wire.
    parts = tuple(ellipsoid((0.27, 0.27, 0.27), offset=turn @ point) for point in wire)
    return Solid(centre, parts, MU_METAL)


def _round(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    axes = 0.5 * diameter * rng.uniform(0.88, 1.08, 3)
    return (ellipsoid(axes, random_turn(rng)),)


def _amorphous(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    return tuple(
        ellipsoid(
            0.5 * diameter * rng.uniform(0.3, 0.6, 3),
            random_turn(rng),
            rng.normal(0, 0.22 * diameter, 3),
            weight=float(rng.uniform(0.25, 0.45)),
        )
        for _ in range(5)
    )


def _angular(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    count = int(rng.integers(2, 5))
    return tuple(
        ellipsoid(
            0.5 * diameter * rng.uniform((0.75, 0.5, 0.5), (1.0, 0.85, 0.75)),
            random_turn(rng),
            rng.normal(0, 0.14 * diameter, 3),
        )
        for _ in range(count)
    )


def _lumpy(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    count = int(rng.integers(4, 9))
    return tuple(
        ellipsoid(
            0.5 * diameter * rng.uniform(0.3, 0.65, 3),
            random_turn(rng),
            rng.normal(0, 0.17 * diameter, 3),
            weight=float(rng.uniform(0.6, 1.0)),
        )
        for _ in range(count)
    )


def _rod(
    rng: np.random.Generator, length: float, width: float, wobble: float
) -> list[tuple[Vector, float]]:
    """Return beads along a bent line, each with its radius."""
    count = max(int(2.5 * length / width), 3)
    heading = random_turn(rng)[:, 0]
    turns = np.cumsum(rng.normal(0, wobble, (count, 3)), axis=0)
    steps = heading + turns
    steps *= (length / count) / np.linalg.norm(steps, axis=1, keepdims=True)
    points = np.cumsum(steps, axis=0)
    radii = 0.5 * width * np.clip(rng.normal(1.0, 0.18, count), 0.55, 1.4)
    return list(zip(points - points.mean(axis=0), radii, strict=True))


def _beads(rod: list[tuple[Vector, float]], weight: float = 1.0) -> tuple[Ellipsoid, ...]:
    return tuple(ellipsoid((r, r, r), offset=p, weight=weight) for p, r in rod)


def _fine_linear(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    width = float(np.clip(0.30 * diameter, 0.08, 0.4))
    return _beads(_rod(rng, diameter * float(rng.uniform(1.5, 3.5)), width, 0.06))


def _branching(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    width = float(np.clip(0.30 * diameter, 0.08, 0.4))
    trunk = _rod(rng, diameter * float(rng.uniform(2.0, 4.0)), width, 0.06)
    fork = trunk[len(trunk) // 2][0]
    branch = _rod(rng, diameter * float(rng.uniform(1.0, 2.0)), 0.9 * width, 0.06)
    start = branch[0][0]
    return _beads(trunk) + _beads([(p - start + fork, r) for p, r in branch])


def _large_rod(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    return _beads(_rod(rng, diameter * float(rng.uniform(4.0, 9.0)), diameter, 0.02))


def _rim(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    turn = random_turn(rng)
    axes = 0.5 * diameter * rng.uniform(0.85, 1.1, 3)
    wall = max(0.12 * diameter, 0.08)
    return (ellipsoid(axes, turn), ellipsoid(axes - wall, turn, weight=-0.92))


def _dystrophic(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    if diameter > 0.8 and rng.random() < 0.4:
        return _rim(rng, diameter)
    return _lumpy(rng, diameter)


def _settled(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    # Milk of calcium lies in the lowest part of a cyst: a smudge from above, a line from the side.
    width = 0.5 * diameter * rng.uniform(0.8, 1.2, 2)
    return (ellipsoid((width[0], width[1], 0.10 * diameter), weight=0.7),)


SHAPERS: dict[Morphology, Shaper] = {
    Morphology.ROUND: _round,
    Morphology.PUNCTATE: _round,
    Morphology.AMORPHOUS: _amorphous,
    Morphology.COARSE_HETEROGENEOUS: _lumpy,
    Morphology.FINE_PLEOMORPHIC: _angular,
    Morphology.FINE_LINEAR: _fine_linear,
    Morphology.FINE_LINEAR_BRANCHING: _branching,
    Morphology.DYSTROPHIC: _dystrophic,
    Morphology.EGGSHELL: _rim,
    Morphology.LUCENT_CENTERED: _rim,
    Morphology.SKIN: _rim,
    Morphology.COARSE: _lumpy,
    Morphology.LARGE_ROD_LIKE: _large_rod,
    Morphology.SUTURE: _fine_linear,
    Morphology.MILK_OF_CALCIUM: _settled,
    Morphology.VASCULAR: _angular,
}
"""How a single calcification of each type is drawn."""
