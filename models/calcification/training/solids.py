"""What is put into a region: clusters of every type, single calcifications, vessels, skin, metal.

Positions are millimetres in the region's plane and along the beam. Every group is turned at
random in space, so that the network meets each shape from every side. Sizes and contrasts are
drawn wider than in nature: a detector that has seen more than occurs is sure of what occurs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, MarkClass, Morphology
from secondread.simulate.curves import wander
from secondread.simulate.shapes import calcification, clip, lead_ball, wire
from secondread.simulate.solids import Solid, random_turn

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
calcifications are round ones below half a millimetre and are called so by size."""

_SHARES = np.array([12, 20, 14, 14, 15, 13, 6, 3, 4, 2, 2, 3], dtype=np.float64)
"""How often each is drawn: the suspicious ones oftener than in nature, and above all those that
are few, small, or like something else (amorphous ones; linear ones, which look like vessels)."""
_DIAMETERS_MM = {
    Morphology.ROUND: (0.15, 0.8),
    Morphology.AMORPHOUS: (0.16, 0.9),
    Morphology.COARSE_HETEROGENEOUS: (0.35, 1.3),
    Morphology.FINE_PLEOMORPHIC: (0.17, 0.65),
    Morphology.FINE_LINEAR: (0.15, 0.8),
    Morphology.FINE_LINEAR_BRANCHING: (0.15, 0.8),
    Morphology.DYSTROPHIC: (0.5, 3.0),
    Morphology.EGGSHELL: (0.8, 6.0),
    Morphology.LARGE_ROD_LIKE: (0.35, 0.9),
    Morphology.COARSE: (2.0, 7.0),
    Morphology.SUTURE: (0.4, 0.9),
    Morphology.MILK_OF_CALCIUM: (0.3, 1.2),
}
_FEW = {Morphology.EGGSHELL, Morphology.COARSE, Morphology.SUTURE}
_DISTRIBUTIONS = (
    (Distribution.GROUPED, 0.60, (1.0, 0.85, 0.85), (4.0, 18.0)),
    (Distribution.LINEAR, 0.15, (2.0, 0.15, 0.15), (8.0, 30.0)),
    (Distribution.SEGMENTAL, 0.12, (1.8, 0.6, 0.6), (15.0, 40.0)),
    (Distribution.REGIONAL, 0.13, (1.2, 1.2, 1.2), (20.0, 45.0)),
)
"""Distribution, its share, shape along three axes, range of extents in mm."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One solid in a region."""

    solid: Solid
    at_mm: tuple[float, float]
    """Where its centre is seen: across the columns and down the rows, from the region's middle."""
    turn: npt.NDArray[np.float64]
    """From the solid's axes to (column, row, beam)."""
    mark_class: MarkClass
    group: int
    """Number of the group in its region; -1 for one that stands alone."""
    morphology: int = -1
    """Index in `MORPHOLOGIES`; -1 for other classes."""


def drawn(rng: np.random.Generator, half_mm: float) -> list[Placed]:
    """Draw what one region holds.

    Parameters
    ----------
    half_mm
        Half the side of the region.
    """
    placed: list[Placed] = []
    for share, make in _KINDS:
        if rng.random() < share:
            placed.extend(make(rng, half_mm, len(placed)))
    return placed


def _cluster(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[Placed]:
    index = int(rng.choice(len(MORPHOLOGIES), p=_SHARES / _SHARES.sum()))
    morphology = MORPHOLOGIES[index]
    _, _, shape, extents = _DISTRIBUTIONS[
        int(rng.choice(len(_DISTRIBUTIONS), p=[share for _, share, _, _ in _DISTRIBUTIONS]))
    ]
    count = int(rng.integers(1, 4)) if morphology in _FEW else int(3 + rng.exponential(9.0))
    extent = float(rng.uniform(*extents))
    spread = np.array(shape) * extent / 4.0
    offsets = np.clip(rng.normal(size=(min(count, 45), 3)), -1.9, 1.9) * spread
    turn = random_turn(rng)
    middle = _middle(rng, half_mm)
    low, high = _DIAMETERS_MM[morphology]
    # One cluster's calcifications are of about one size and density; clusters differ.
    typical = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    faint = float(np.exp(rng.uniform(np.log(0.3), np.log(1.3))))
    for offset in offsets @ turn.T:
        diameter = float(np.clip(typical * np.exp(rng.normal(0, 0.3)), 0.7 * low, 1.3 * high))
        solid = _fainter(calcification(rng, morphology, np.zeros(3), diameter), faint)
        yield Placed(solid, _seen(middle + offset), turn, MarkClass.CALCIFICATION, group, index)


def _singles(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[Placed]:
    del group
    types = (Morphology.ROUND, Morphology.DYSTROPHIC, Morphology.AMORPHOUS)
    for _ in range(int(rng.integers(1, 7))):
        morphology = types[int(rng.integers(len(types)))]
        diameter = float(np.exp(rng.uniform(np.log(0.15), np.log(1.5))))
        solid = calcification(rng, morphology, np.zeros(3), diameter)
        yield Placed(
            _fainter(solid, float(rng.uniform(0.3, 1.2))),
            _seen(_middle(rng, half_mm)),
            random_turn(rng),
            MarkClass.CALCIFICATION,
            -1,
            MORPHOLOGIES.index(morphology),
        )


def _vessel(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[Placed]:
    """Line the walls of an artery with plates: tram tracks, with gaps."""
    length = float(rng.uniform(12.0, 60.0))
    points = wander(rng, np.zeros(3), np.append(rng.normal(size=2), 0.0), length, 0.04)
    points = points - points.mean(axis=0) + _middle(rng, half_mm)
    steps = np.gradient(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    width = float(rng.uniform(1.2, 4.0))
    size = float(rng.uniform(0.2, 0.7))
    dense = float(rng.uniform(0.4, 2.2))
    faint = float(rng.uniform(0.3, 1.0))
    for _ in range(int(dense * length)):
        number = int(rng.integers(len(points)))
        wall = np.cross(steps[number], rng.normal(size=3))
        wall *= 0.5 * width / max(float(np.linalg.norm(wall)), 1e-6)
        diameter = size * float(np.exp(rng.normal(0, 0.25)))
        plate = calcification(rng, Morphology.VASCULAR, np.zeros(3), diameter)
        yield Placed(
            _fainter(plate, faint),
            _seen(points[number] + wall),
            _along(steps[number]),
            MarkClass.VASCULAR,
            group,
        )


def _skin(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[Placed]:
    middle = _middle(rng, half_mm)
    for _ in range(int(rng.integers(1, 8))):
        diameter = float(rng.uniform(0.4, 1.6))
        ring = calcification(rng, Morphology.SKIN, np.zeros(3), diameter)
        at = middle + rng.normal(0, 5.0, 3)
        yield Placed(
            _fainter(ring, float(rng.uniform(0.4, 1.1))),
            _seen(at),
            random_turn(rng),
            MarkClass.SKIN,
            group,
        )


def _metal(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[Placed]:
    kinds = (_clips, _clips, _staples, _thread, _ball, _biopsy_marker)
    middle = _middle(rng, half_mm)
    for solid, offset in kinds[int(rng.integers(len(kinds)))](rng):
        at = _seen(middle + offset)
        yield Placed(solid, at, random_turn(rng), MarkClass.METAL, group)


def _clips(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    for _ in range(int(rng.integers(1, 6))):
        solid = clip(rng, np.zeros(3))
        yield (
            Solid(solid.centre, solid.parts, solid.mu * float(rng.uniform(0.5, 1.4))),
            rng.normal(0, 8.0, 3),
        )


def _staples(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """A row of skin staples, or of the fine ones of a stapler."""
    width = float(rng.uniform(1.5, 6.5))
    radius = float(rng.uniform(0.1, 0.28))
    steps = np.linspace(-0.5, 0.5, max(int(2.0 * width / radius), 8))
    bar = np.stack([width * steps, 0 * steps, 0 * steps], axis=-1)
    legs = [
        np.stack([np.full(8, side * width / 2), np.linspace(0, 0.4 * width, 8), np.zeros(8)], -1)
        for side in (-1.0, 1.0)
    ]
    row = rng.normal(size=3)
    row *= float(rng.uniform(3.0, 8.0)) / float(np.linalg.norm(row))
    for number in range(int(rng.integers(2, 9))):
        yield wire(np.concatenate([bar, *legs]), radius, np.zeros(3)), row * number


def _thread(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """A localisation wire, or one stuck on the scar."""
    length = float(rng.uniform(10.0, 60.0))
    points = wander(rng, np.zeros(3), rng.normal(size=3), length, 0.02)
    points -= points.mean(axis=0)
    radius = float(rng.uniform(0.12, 0.35))
    # Beads must be closer than they are wide.
    at = np.linspace(0, len(points) - 1, max(int(length / radius), len(points)))
    fine = np.stack([np.interp(at, np.arange(len(points)), axis) for axis in points.T], axis=-1)
    yield wire(fine, radius, np.zeros(3)), np.zeros(3)


def _ball(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    ball = lead_ball(np.zeros(3))
    yield ball.scaled(float(rng.uniform(0.4, 1.3))), np.zeros(3)


def _biopsy_marker(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """A coil, a ring or a bent piece of wire, 2 to 4 mm."""
    size = float(rng.uniform(0.8, 2.0))
    turns = float(rng.uniform(0.4, 3.0))
    angles = np.linspace(0, 2 * np.pi * turns, 40)
    rise = float(rng.uniform(0.0, 2.0)) * size * angles / angles[-1]
    points = np.stack([size * np.cos(angles), 0.7 * size * np.sin(angles), rise], axis=-1)
    yield (
        wire(points - points.mean(axis=0), float(rng.uniform(0.12, 0.3)), np.zeros(3)),
        np.zeros(3),
    )


_Maker = Callable[[np.random.Generator, float, int], Iterator[Placed]]

_KINDS: tuple[tuple[float, _Maker], ...] = (
    (0.65, _cluster),
    (0.15, _cluster),
    (0.35, _singles),
    (0.28, _vessel),
    (0.22, _skin),
    (0.35, _metal),
)
"""How often a region holds each kind; several may come together."""


def _middle(rng: np.random.Generator, half_mm: float) -> Vector:
    return np.append(rng.uniform(-0.85 * half_mm, 0.85 * half_mm, 2), 0.0)


def _seen(point: Vector) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def _along(direction: Vector) -> npt.NDArray[np.float64]:
    """Return a rotation that turns the first axis to a direction."""
    first = direction / np.linalg.norm(direction)
    helper = np.array([0.0, 0.0, 1.0]) if abs(first[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    second = np.cross(helper, first)
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def _fainter(solid: Solid, factor: float) -> Solid:
    return Solid(solid.centre, solid.parts, solid.mu * factor)
