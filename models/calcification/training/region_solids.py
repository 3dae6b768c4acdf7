"""The solids of a region: clusters of every type, single calcifications, vessels, skin, metal.

Positions are millimetres in the region's plane and along the beam. Every group is turned at
random in space, so that the network sees each shape from every side. Sizes and contrasts have
wider ranges than in nature, so that what occurs in nature is well within what was learnt.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from models.calcification.training.metal_solids import draw_metal_pieces
from models.calcification.training.placed_solids import (
    DIAMETERS_MM,
    MORPHOLOGIES,
    PlacedSolid,
    Vector,
    draw_middle,
    project,
)
from models.calcification.training.subtle_clusters import (
    draw_cluster_at_metal,
    draw_faint_cluster,
    draw_few,
    draw_metal_in_scar,
    draw_wide_cluster,
)
from secondread.codes import MarkClass, Morphology
from secondread_lab.simulate.curves import draw_wandering_line
from secondread_lab.simulate.shapes import draw_calcification, turn_first_axis
from secondread_lab.simulate.solids import Solid, draw_rotation, make_ellipsoid
from secondread_lab.simulate.tissue import MU_FAT, MU_GLAND

_SHARES = np.array([12, 20, 14, 14, 15, 13, 6, 3, 4, 2, 2, 3], dtype=np.float64)
"""How often each is drawn: suspicious types more often than in nature, above all those that are
rare, small, or similar to something else (amorphous ones; linear ones, which look like vessels)."""
_FEW = {Morphology.EGGSHELL, Morphology.COARSE, Morphology.SUTURE}
_LAYOUTS = (
    (0.60, (1.0, 0.85, 0.85), (4.0, 18.0)),
    (0.15, (2.0, 0.15, 0.15), (8.0, 30.0)),
    (0.12, (1.8, 0.6, 0.6), (15.0, 40.0)),
    (0.13, (1.2, 1.2, 1.2), (20.0, 45.0)),
)
"""Of each distribution: its share, shape along three axes, range of extents in mm."""


def draw_solids(rng: np.random.Generator, half_mm: float) -> list[PlacedSolid]:
    """Draw the solids of one region.

    Parameters
    ----------
    half_mm
        Half the side of the region.
    """
    placed: list[PlacedSolid] = []
    for share, make in _KINDS:
        if rng.random() < share:
            placed.extend(make(rng, half_mm, len(placed)))
    return placed


def _draw_cluster(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[PlacedSolid]:
    index = int(rng.choice(len(MORPHOLOGIES), p=_SHARES / _SHARES.sum()))
    morphology = MORPHOLOGIES[index]
    layout = int(rng.choice(len(_LAYOUTS), p=[share for share, _, _ in _LAYOUTS]))
    _, shape, extents = _LAYOUTS[layout]
    count = int(rng.integers(1, 4)) if morphology in _FEW else int(3 + rng.exponential(9.0))
    extent = float(rng.uniform(*extents))
    spread = np.array(shape) * extent / 4.0
    offsets = np.clip(rng.normal(size=(min(count, 45), 3)), -1.9, 1.9) * spread
    turn = draw_rotation(rng)
    middle = draw_middle(rng, half_mm)
    low, high = DIAMETERS_MM[morphology]
    # The calcifications of one cluster have about one size and density; clusters differ.
    typical = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    faint = float(np.exp(rng.uniform(np.log(0.3), np.log(1.3))))
    for offset in offsets @ turn.T:
        diameter = float(np.clip(typical * np.exp(rng.normal(0, 0.3)), 0.7 * low, 1.3 * high))
        solid = draw_calcification(rng, morphology, np.zeros(3), diameter).scale_contrast(faint)
        place = project(middle + offset)
        yield PlacedSolid(solid, place, turn, MarkClass.CALCIFICATION, group, index, layout)


def _draw_singles(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[PlacedSolid]:
    del group
    types = (Morphology.ROUND, Morphology.DYSTROPHIC, Morphology.AMORPHOUS)
    for _ in range(int(rng.integers(1, 7))):
        morphology = types[int(rng.integers(len(types)))]
        diameter = float(np.exp(rng.uniform(np.log(0.15), np.log(1.5))))
        solid = draw_calcification(rng, morphology, np.zeros(3), diameter)
        yield PlacedSolid(
            solid.scale_contrast(float(rng.uniform(0.3, 1.2))),
            project(draw_middle(rng, half_mm)),
            draw_rotation(rng),
            MarkClass.CALCIFICATION,
            -1,
            MORPHOLOGIES.index(morphology),
        )


def _draw_vessel(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[PlacedSolid]:
    """Draw an artery, a branch now and then, and line parts of their walls with plates.

    The vessel itself is a strand of soft tissue over its whole length; the plates begin and end
    along it. Both a few scattered plates, as at the beginning, and the closed tram tracks of old
    age occur, and walls as near to each other as half a millimetre.
    """
    width = float(np.exp(rng.uniform(np.log(0.5), np.log(4.0))))
    heading = np.append(rng.normal(size=2), 0.5 * rng.normal())
    points = draw_wandering_line(
        rng, np.zeros(3), heading, float(rng.uniform(25.0, 80.0)), _draw_bend(rng)
    )
    points = points - points.mean(axis=0) + draw_middle(rng, half_mm)
    plated = _Plates.draw(rng, width)
    yield from _draw_artery(rng, points, width, plated, group)
    if rng.random() < 0.35:
        branching_point = int(rng.integers(len(points) // 5, 4 * len(points) // 5))
        aside = points[branching_point + 1] - points[branching_point] + rng.normal(0, 0.6, 3)
        branch = draw_wandering_line(
            rng, points[branching_point], aside, float(rng.uniform(10.0, 40.0)), _draw_bend(rng)
        )
        narrow = replace(plated, wall_mm=0.7 * plated.wall_mm)
        yield from _draw_artery(rng, branch, 0.6 * width, narrow, group)


def _draw_bend(rng: np.random.Generator) -> float:
    """Return how much a vessel bends: some run straight, and small old arteries curl."""
    return float(np.exp(rng.uniform(np.log(0.015), np.log(0.6))))


@dataclass(frozen=True, slots=True)
class _Plates:
    """The calcification of a vessel's walls."""

    wall_mm: float
    """Distance of a wall from the vessel's middle."""
    diameter_mm: float
    per_mm: float
    """Plates along a millimetre where the wall is calcified."""
    covered: float
    """Share of the length that is calcified, in runs."""
    faint: float
    at_edges: float
    """Share of the plates on the two walls that are seen from the side, as with calcium all around;
    the others are anywhere on the wall."""

    @classmethod
    def draw(cls, rng: np.random.Generator, width_mm: float) -> Self:
        is_track = bool(rng.random() < 0.35)
        # Closed tracks are denser than single plates, and in old age as bright as metal.
        per_mm = np.exp(rng.uniform(*np.log((2.0, 16.0) if is_track else (0.25, 2.5))))
        return cls(
            0.5 * width_mm,
            float(rng.uniform(0.15, 0.45) if is_track else rng.uniform(0.18, 0.6)),
            float(per_mm),
            float(rng.uniform(0.3, 1.0)),
            float(np.exp(rng.uniform(*np.log((0.25, 1.6 if is_track else 1.0))))),
            float(rng.uniform(0.5, 1.0)) if is_track else 0.0,
        )


def _draw_artery(
    rng: np.random.Generator, points: Vector, width_mm: float, plates: _Plates, group: int
) -> Iterator[PlacedSolid]:
    middle = points[int(np.hypot(points[:, 0], points[:, 1]).argmin())]
    strand = _draw_strand(rng, points - middle, width_mm)
    yield PlacedSolid(strand, project(middle), np.eye(3), None, -1)
    steps = np.gradient(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    calcified = _draw_runs(rng, len(points), plates.covered)
    for _ in range(int(plates.per_mm * len(calcified))):
        number = int(calcified[int(rng.integers(len(calcified)))])
        is_edge = rng.random() < plates.at_edges
        around = np.array([0.0, 0.0, 1.0]) if is_edge else rng.normal(size=3)
        wall = np.cross(steps[number], around) * (1.0 if rng.random() < 0.5 else -1.0)
        wall *= plates.wall_mm / max(float(np.linalg.norm(wall)), 1e-6)
        diameter = plates.diameter_mm * float(np.exp(rng.normal(0, 0.25)))
        plate = draw_calcification(rng, Morphology.VASCULAR, np.zeros(3), diameter)
        place = points[number] + rng.uniform(-0.5, 0.5) * steps[number] + wall
        yield PlacedSolid(
            plate.scale_contrast(plates.faint),
            project(place),
            turn_first_axis(steps[number]),
            MarkClass.VASCULAR,
            group,
        )


def _draw_strand(rng: np.random.Generator, points: Vector, width_mm: float) -> Solid:
    """Return the vessel itself: blood and wall within fat, narrowing to its end."""
    positions = np.arange(0.0, len(points) - 1, max(0.2 * width_mm, 0.15))
    fine = np.stack(
        [np.interp(positions, np.arange(len(points)), axis) for axis in points.T], axis=-1
    )
    radii = 0.5 * width_mm * np.linspace(1.0, float(rng.uniform(0.4, 1.0)), len(positions))
    beads = tuple(
        make_ellipsoid((radius,) * 3, offset=point)
        for radius, point in zip(radii.tolist(), fine, strict=True)
    )
    return Solid(np.zeros(3), beads, (MU_GLAND - MU_FAT) * float(rng.uniform(0.3, 1.6)))


def _draw_runs(rng: np.random.Generator, length: int, covered: float) -> npt.NDArray[np.int64]:
    """Return the indices of the points, a millimetre apart, where a vessel is calcified."""
    smooth = np.convolve(rng.normal(size=length + 16), np.hanning(17), "valid")
    return np.flatnonzero(smooth >= np.quantile(smooth, 1.0 - covered))


def _draw_skin(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[PlacedSolid]:
    middle = draw_middle(rng, half_mm)
    for _ in range(int(rng.integers(1, 8))):
        diameter = float(rng.uniform(0.4, 1.6))
        ring = draw_calcification(rng, Morphology.SKIN, np.zeros(3), diameter)
        place = middle + rng.normal(0, 5.0, 3)
        yield PlacedSolid(
            ring.scale_contrast(float(rng.uniform(0.4, 1.1))),
            project(place),
            draw_rotation(rng),
            MarkClass.SKIN,
            group,
        )


def _draw_metal(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[PlacedSolid]:
    middle = draw_middle(rng, half_mm)
    for solid, offset in draw_metal_pieces(rng):
        place = project(middle + offset)
        yield PlacedSolid(solid, place, draw_rotation(rng), MarkClass.METAL, group)


_Maker = Callable[[np.random.Generator, float, int], Iterator[PlacedSolid]]

_KINDS: tuple[tuple[float, _Maker], ...] = (
    (0.45, _draw_cluster),
    (0.10, _draw_cluster),
    (0.15, draw_wide_cluster),
    (0.20, draw_faint_cluster),
    (0.20, draw_few),
    (0.18, draw_cluster_at_metal),
    (0.12, draw_metal_in_scar),
    (0.35, _draw_singles),
    (0.36, _draw_vessel),
    (0.22, _draw_skin),
    (0.25, _draw_metal),
)
"""How often a region holds each kind; several may come together."""
