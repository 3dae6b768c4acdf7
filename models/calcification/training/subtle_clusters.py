"""Clusters that detectors miss: wide apart, faint, of few members, and beside metal.

The kinds of `region_solids` hold all of these too, but rarely. Metal lies in a scar without any
cluster as often as beside one, so that nearness to metal or to a scar says nothing by itself.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from models.calcification.training.metal_solids import draw_biopsy_marker, draw_clips
from models.calcification.training.placed_solids import (
    DIAMETERS_MM,
    MORPHOLOGIES,
    PlacedSolid,
    Vector,
    draw_middle,
    project,
)
from secondread.codes import MarkClass, Morphology
from secondread_lab.simulate.shapes import draw_calcification
from secondread_lab.simulate.solids import Solid, draw_rotation, make_ellipsoid
from secondread_lab.simulate.tissue import MU_FAT, MU_GLAND

_GROUPED = 0
"""Index of the distribution of all of these."""

_WIDE_TYPES = {
    Morphology.COARSE_HETEROGENEOUS: 0.7,
    Morphology.ROUND: 0.15,
    Morphology.DYSTROPHIC: 0.15,
}
_FAINT_TYPES = {
    Morphology.AMORPHOUS: 0.6,
    Morphology.FINE_LINEAR: 0.15,
    Morphology.FINE_PLEOMORPHIC: 0.1,
    Morphology.ROUND: 0.15,
}
_FEW_TYPES = {
    Morphology.AMORPHOUS: 0.2,
    Morphology.COARSE_HETEROGENEOUS: 0.2,
    Morphology.FINE_PLEOMORPHIC: 0.2,
    Morphology.FINE_LINEAR: 0.15,
    Morphology.FINE_LINEAR_BRANCHING: 0.1,
    Morphology.ROUND: 0.15,
}

_Range = tuple[float, float]


def draw_wide_cluster(
    rng: np.random.Generator, half_mm: float, group: int
) -> Iterator[PlacedSolid]:
    """Draw a cluster whose members lie 3 to 6 mm apart, most of them coarse."""
    morphology = _draw_type(rng, _WIDE_TYPES)
    places = [draw_middle(rng, half_mm)]
    for _ in range(int(rng.integers(2, 6))):
        places.append(_draw_neighbour(rng, places))
    diameters = np.maximum(DIAMETERS_MM[morphology], 0.25) * (1.0, 0.8)
    yield from _place(rng, morphology, places, tuple(diameters), (0.2, 1.1), group)


def draw_faint_cluster(
    rng: np.random.Generator, half_mm: float, group: int
) -> Iterator[PlacedSolid]:
    """Draw a cluster most of whose members hardly stand out from the noise."""
    morphology = _draw_type(rng, _FAINT_TYPES)
    low, high = DIAMETERS_MM[morphology]
    count = int(5 + rng.exponential(8.0))
    places = _scatter(rng, draw_middle(rng, half_mm), min(count, 35), (4.0, 14.0))
    yield from _place(rng, morphology, places, (low, 0.7 * high), (0.12, 0.5), group)


def draw_few(rng: np.random.Generator, half_mm: float, group: int) -> Iterator[PlacedSolid]:
    """Draw a cluster of three to five members."""
    morphology = _draw_type(rng, _FEW_TYPES)
    places = _scatter(rng, draw_middle(rng, half_mm), int(rng.integers(3, 6)), (3.0, 11.0))
    yield from _place(rng, morphology, places, DIAMETERS_MM[morphology], (0.2, 1.0), group)


def draw_cluster_at_metal(
    rng: np.random.Generator, half_mm: float, group: int
) -> Iterator[PlacedSolid]:
    """Draw clips or the marker of a biopsy, in a scar or not, with a cluster beside them."""
    middle = draw_middle(rng, half_mm)
    yield from _draw_metal_with_scar(rng, middle, group, scarred=0.5)
    morphology = _draw_type(rng, _FEW_TYPES)
    aside = rng.normal(size=3) * (1.0, 1.0, 0.3)
    aside *= float(rng.uniform(0.0, 7.0)) / float(np.linalg.norm(aside))
    places = _scatter(rng, middle + aside, min(int(3 + rng.exponential(6.0)), 25), (3.0, 12.0))
    # Members are numbered after the pieces of metal, which are a group of their own.
    yield from _place(rng, morphology, places, DIAMETERS_MM[morphology], (0.2, 1.1), group + 1)


def draw_metal_in_scar(
    rng: np.random.Generator, half_mm: float, group: int
) -> Iterator[PlacedSolid]:
    """Draw clips or the marker of a biopsy in a scar, and no calcification."""
    yield from _draw_metal_with_scar(rng, draw_middle(rng, half_mm), group, scarred=1.0)


def _draw_type(rng: np.random.Generator, shares: dict[Morphology, float]) -> Morphology:
    return tuple(shares)[int(rng.choice(len(shares), p=tuple(shares.values())))]


def _draw_neighbour(rng: np.random.Generator, places: Sequence[Vector]) -> Vector:
    """Return a place 3 to 6 mm from one of the others, and as near to none."""
    while True:
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(3.0, 6.0)
        beside = places[int(rng.integers(len(places)))]
        place = beside + away * np.array([np.cos(angle), np.sin(angle), 0.0])
        if min(float(np.linalg.norm(place - other)) for other in places) > 2.8:
            return place


def _scatter(rng: np.random.Generator, middle: Vector, count: int, extents: _Range) -> list[Vector]:
    extent = float(rng.uniform(*extents))
    shape = np.exp(rng.normal(0.0, 0.35, 3)) * extent / 4.0
    offsets = np.clip(rng.normal(size=(count, 3)), -1.9, 1.9) * shape
    return list(middle + offsets @ draw_rotation(rng).T)


def _place(
    rng: np.random.Generator,
    morphology: Morphology,
    places: Sequence[Vector],
    diameters: Sequence[float],
    contrasts: _Range,
    group: int,
) -> Iterator[PlacedSolid]:
    """Place calcifications of one type: those of a cluster have about one size and density."""
    low, high = diameters
    typical = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    faint = float(np.exp(rng.uniform(*np.log(contrasts))))
    turn = draw_rotation(rng)
    for place in places:
        diameter = float(np.clip(typical * np.exp(rng.normal(0, 0.3)), 0.7 * low, 1.3 * high))
        solid = draw_calcification(rng, morphology, np.zeros(3), diameter).scale_contrast(faint)
        yield PlacedSolid(
            solid,
            project(place),
            turn,
            MarkClass.CALCIFICATION,
            group,
            MORPHOLOGIES.index(morphology),
            _GROUPED,
        )


_Metal = Callable[[np.random.Generator], Iterator[tuple[Solid, Vector]]]


def _draw_metal_with_scar(
    rng: np.random.Generator, middle: Vector, group: int, scarred: float
) -> Iterator[PlacedSolid]:
    draw: _Metal = draw_clips if rng.random() < 0.75 else draw_biopsy_marker
    if rng.random() < scarred:
        scar = _draw_scar(rng)
        yield PlacedSolid(scar, project(middle), draw_rotation(rng), None, -1)
    for solid, offset in draw(rng):
        # Nearer to each other than clips elsewhere: they mark one bed.
        place = project(middle + 0.6 * offset)
        yield PlacedSolid(solid, place, draw_rotation(rng), MarkClass.METAL, group)


def _draw_scar(rng: np.random.Generator) -> Solid:
    """Return dense tissue: lumps within lumps, and strands that run out of them."""
    radius = float(np.exp(rng.uniform(np.log(3.0), np.log(9.0))))
    lumps = [
        make_ellipsoid(
            radius * rng.uniform(0.3, 0.8, 3), draw_rotation(rng), rng.normal(0, 0.3 * radius, 3)
        )
        for _ in range(int(rng.integers(3, 9)))
    ]
    strands = [
        make_ellipsoid(
            (radius * float(rng.uniform(0.8, 2.2)), *rng.uniform(0.2, 0.6, 2)),
            draw_rotation(rng),
            rng.normal(0, 0.2 * radius, 3),
        )
        for _ in range(int(rng.integers(4, 14)))
    ]
    return Solid(
        np.zeros(3), (*lumps, *strands), (MU_GLAND - MU_FAT) * float(rng.uniform(0.4, 1.4))
    )
