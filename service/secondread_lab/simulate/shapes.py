"""Single calcifications and clips by type: the parts that they consist of.

The types are those of the BI-RADS atlas (American College of Radiology, 5th edition, 2013).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from secondread.codes import Morphology
from secondread_lab.simulate.solids import (
    MU_CALCIFICATION,
    MU_METAL,
    Ellipsoid,
    Solid,
    draw_rotation,
    make_ellipsoid,
)

Vector = npt.NDArray[np.float64]

Shaper = Callable[[np.random.Generator, float], tuple[Ellipsoid, ...]]
"""Draws a calcification of about the given diameter in mm."""


def draw_calcification(
    rng: np.random.Generator, morphology: Morphology, centre: Vector, diameter_mm: float
) -> Solid:
    """Draw one calcification of a type."""
    parts = SHAPERS[morphology](rng, diameter_mm)
    return Solid(centre, parts, MU_CALCIFICATION * float(rng.uniform(0.85, 1.2)))


def draw_clip(rng: np.random.Generator, centre: Vector) -> Solid:
    """Draw a surgical clip: a titanium wire folded to a bar, a V or a U, 3 to 6 mm long."""
    length = float(rng.uniform(3.0, 5.5))
    closed, opened = rng.choice([(0.42, 0.42), (0.42, 0.6), (0.45, 1.8), (0.9, 1.0)])
    steps = np.linspace(0.0, 1.0, 26)
    half = 0.5 * (closed + (opened - closed) * steps)
    legs = [np.stack([length * (steps - 0.5), side * half, 0 * steps], axis=-1) for side in (1, -1)]
    bend = [[-0.5 * length - 0.05, y, 0.0] for y in np.linspace(-closed / 2, closed / 2, 4)]
    turn = draw_rotation(rng)
    return make_wire(np.concatenate([*legs, np.array(bend)]) @ turn.T, 0.26, centre)


def make_wire(points: Vector, radius_mm: float, centre: Vector) -> Solid:
    """Return a metal wire: overlapping beads at points about its centre."""
    beads = tuple(make_ellipsoid((radius_mm,) * 3, offset=point) for point in points)
    return Solid(centre, beads, MU_METAL)


def turn_first_axis(direction: Vector) -> Vector:
    """Return a rotation that turns the first axis to a direction."""
    first = direction / np.linalg.norm(direction)
    helper = np.array([0.0, 0.0, 1.0]) if abs(first[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    second = np.cross(helper, first)
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def make_lead_ball(centre: Vector) -> Solid:
    """Return a ball that marks the nipple."""
    return Solid(centre, (make_ellipsoid((1.0, 1.0, 1.0)),), MU_METAL)


def _draw_round(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    axes = 0.5 * diameter * rng.uniform(0.88, 1.08, 3)
    return (make_ellipsoid(axes, draw_rotation(rng)),)


def _draw_amorphous(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    return tuple(
        make_ellipsoid(
            0.5 * diameter * rng.uniform(0.3, 0.6, 3),
            draw_rotation(rng),
            rng.normal(0, 0.22 * diameter, 3),
            weight=float(rng.uniform(0.25, 0.45)),
        )
        for _ in range(5)
    )


def _draw_angular(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    count = int(rng.integers(2, 5))
    return tuple(
        make_ellipsoid(
            0.5 * diameter * rng.uniform((0.75, 0.5, 0.5), (1.0, 0.85, 0.75)),
            draw_rotation(rng),
            rng.normal(0, 0.14 * diameter, 3),
        )
        for _ in range(count)
    )


def _draw_lumpy(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    count = int(rng.integers(4, 9))
    return tuple(
        make_ellipsoid(
            0.5 * diameter * rng.uniform(0.3, 0.65, 3),
            draw_rotation(rng),
            rng.normal(0, 0.17 * diameter, 3),
            weight=float(rng.uniform(0.6, 1.0)),
        )
        for _ in range(count)
    )


def _draw_rod(
    rng: np.random.Generator, length: float, width: float, wobble: float, uneven: float = 0.18
) -> list[tuple[Vector, float]]:
    """Return beads along a bent line, about along the first axis, each with its radius."""
    count = max(int(4.0 * length / width), 3)
    turns = np.cumsum(rng.normal(0, wobble, (count, 3)), axis=0)
    steps = np.array([1.0, 0.0, 0.0]) + turns
    steps *= (length / count) / np.linalg.norm(steps, axis=1, keepdims=True)
    points = np.cumsum(steps, axis=0)
    swelling = np.convolve(rng.normal(0, uneven, count + 4), np.ones(5) / 5**0.5, "valid")
    radii = 0.5 * width * np.clip(1.0 + swelling, 0.55, 1.4)
    return list(zip(points - points.mean(axis=0), radii, strict=True))


def _make_beads(rod: list[tuple[Vector, float]], weight: float = 1.0) -> tuple[Ellipsoid, ...]:
    return tuple(make_ellipsoid((r, r, r), offset=p, weight=weight) for p, r in rod)


def _draw_fine_linear(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    width = float(np.clip(0.30 * diameter, 0.08, 0.4))
    return _make_beads(_draw_rod(rng, diameter * float(rng.uniform(1.5, 3.5)), width, 0.06))


def _draw_branching(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    width = float(np.clip(0.30 * diameter, 0.08, 0.4))
    trunk = _draw_rod(rng, diameter * float(rng.uniform(2.0, 4.0)), width, 0.06)
    fork = trunk[len(trunk) // 2][0]
    branch = _draw_rod(rng, diameter * float(rng.uniform(1.0, 2.0)), 0.9 * width, 0.06)
    start = branch[0][0]
    # Branches leave at 30 to 60 degrees, in any plane.
    angle, plane = rng.uniform(0.5, 1.0), rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    p, q = np.cos(plane), np.sin(plane)
    turn = np.array([[c, -s, 0.0], [s * p, c * p, -q], [s * q, c * q, p]])
    return _make_beads(trunk) + _make_beads(
        [(turn @ (point - start) + fork, r) for point, r in branch]
    )


def _draw_large_rod(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    return _make_beads(
        _draw_rod(rng, diameter * float(rng.uniform(4.0, 9.0)), diameter, 0.02, 0.06)
    )


def _draw_rim(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    turn = draw_rotation(rng)
    axes = 0.5 * diameter * rng.uniform(0.85, 1.1, 3)
    wall = 0.06 + 0.06 * min(diameter, 3.0)
    shell = (make_ellipsoid(axes, turn), make_ellipsoid(axes - wall, turn, weight=-0.96))
    if diameter < _LARGE_RIM_MM:
        return shell
    # The wall of an oil cyst calcifies in plaques: thick in some places, hardly in others.
    thin = (shell[0], make_ellipsoid(axes - 0.5 * wall, turn, weight=-1.0))
    return (*thin, *(_draw_plaque(rng, axes, turn, wall) for _ in range(int(6 + 5 * diameter))))


_LARGE_RIM_MM = 1.5


def _draw_plaque(rng: np.random.Generator, axes: Vector, turn: Vector, wall: float) -> Ellipsoid:
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    size = wall * rng.uniform(0.3, 1.1, 3)
    return make_ellipsoid(size, draw_rotation(rng), turn @ ((axes - 0.6 * wall) * direction))


def _draw_dystrophic(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    if diameter > 0.8 and rng.random() < 0.4:
        return _draw_rim(rng, diameter)
    return _draw_lumpy(rng, diameter)


def _draw_settled(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    # Milk of calcium settles in the lowest part of a small cyst: a teacup from the side, with a
    # round bottom and a level top, and a faint smudge from above.
    radius = 0.5 * diameter * float(rng.uniform(0.9, 1.2))
    heights = np.linspace(-0.95, -0.62, 5)
    return tuple(
        make_ellipsoid(
            (radius * np.sqrt(1 - h * h), radius * np.sqrt(1 - h * h), 0.09 * radius),
            offset=(0.0, 0.0, (h + 0.8) * radius),
            weight=0.9,
        )
        for h in heights
    )


def _draw_popcorn(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    # A degenerated fibroadenoma: many lumps of different sizes grown together.
    count = int(rng.integers(24, 40))
    places = rng.normal(size=(count, 3))
    places *= (
        0.38
        * diameter
        * rng.random((count, 1)) ** 0.4
        / np.linalg.norm(places, axis=1, keepdims=True)
    )
    return tuple(
        make_ellipsoid(
            diameter * rng.uniform(0.05, 0.15, 3),
            draw_rotation(rng),
            place,
            weight=float(rng.uniform(0.25, 0.9)),
        )
        for place in places
    )


def _draw_suture(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    # Calcified thread: part of a loop, in pieces, perhaps with a knot.
    radius, width = 3.0 * diameter, 0.45 * diameter
    begin, sweep = rng.uniform(0, 2 * np.pi), rng.uniform(2.0, 4.5)
    angles = begin + np.linspace(0, sweep, int(3 * sweep * radius / width))
    turn = draw_rotation(rng)
    flat = np.stack([np.cos(angles), 0.7 * np.sin(angles), 0.1 * np.sin(2 * angles)], axis=-1)
    points = radius * (flat - flat.mean(axis=0)) @ turn.T
    is_calcified = np.convolve(rng.random(len(points)) < 0.75, np.ones(5) / 5, "same") > 0.5
    thread = _make_beads([(p, 0.5 * width) for p in points[is_calcified]], 0.8)
    knot = [(points[0] + rng.normal(0, 0.5 * width, 3), 0.6 * width) for _ in range(4)]
    return thread + _make_beads(knot)


def _draw_plate(rng: np.random.Generator, diameter: float) -> tuple[Ellipsoid, ...]:
    # A piece of a vessel's wall; the first axis runs along the vessel.
    return _make_beads(
        _draw_rod(rng, diameter * float(rng.uniform(2.0, 6.0)), 0.7 * diameter, 0.03), 0.7
    )


SHAPERS: dict[Morphology, Shaper] = {
    Morphology.ROUND: _draw_round,
    Morphology.PUNCTATE: _draw_round,
    Morphology.AMORPHOUS: _draw_amorphous,
    Morphology.COARSE_HETEROGENEOUS: _draw_lumpy,
    Morphology.FINE_PLEOMORPHIC: _draw_angular,
    Morphology.FINE_LINEAR: _draw_fine_linear,
    Morphology.FINE_LINEAR_BRANCHING: _draw_branching,
    Morphology.DYSTROPHIC: _draw_dystrophic,
    Morphology.EGGSHELL: _draw_rim,
    Morphology.LUCENT_CENTERED: _draw_rim,
    Morphology.SKIN: _draw_rim,
    Morphology.COARSE: _draw_popcorn,
    Morphology.LARGE_ROD_LIKE: _draw_large_rod,
    Morphology.SUTURE: _draw_suture,
    Morphology.MILK_OF_CALCIUM: _draw_settled,
    Morphology.VASCULAR: _draw_plate,
}
"""How a single calcification of each type is drawn."""
