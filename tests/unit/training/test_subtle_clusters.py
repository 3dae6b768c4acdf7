"""The clusters that detectors miss are drawn as they are described."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import cdist

from models.calcification.training.placed_solids import PlacedSolid
from models.calcification.training.subtle_clusters import (
    draw_cluster_at_metal,
    draw_faint_cluster,
    draw_few,
    draw_metal_in_scar,
    draw_wide_cluster,
)
from secondread.codes import MarkClass

Maker = Callable[[np.random.Generator, float, int], Iterator[PlacedSolid]]
SEEDS = range(12)


def draw(make: Maker, seed: int) -> list[PlacedSolid]:
    return list(make(np.random.default_rng(seed), 18.0, 7))


def places_of(placed: list[PlacedSolid], mark_class: MarkClass) -> npt.NDArray[np.float64]:
    return np.array([solid.at_mm for solid in placed if solid.mark_class is mark_class])


@pytest.mark.parametrize("seed", SEEDS)
def test_members_of_a_wide_cluster_are_3_to_6_mm_from_their_nearest(seed: int) -> None:
    places = places_of(draw(draw_wide_cluster, seed), MarkClass.CALCIFICATION)
    apart = cdist(places, places) + 99 * np.eye(len(places))

    assert 3 <= len(places) <= 7
    assert apart.min() > 2.8
    assert apart.min(axis=1).max() < 6.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cluster_of_few_has_three_to_five_members(seed: int) -> None:
    assert 3 <= len(draw(draw_few, seed)) <= 5


def test_a_faint_cluster_is_fainter_than_one_of_few() -> None:
    faint, few = (
        np.median([solid.solid.mu for seed in SEEDS for solid in draw(make, seed)])
        for make in (draw_faint_cluster, draw_few)
    )
    assert faint < 0.7 * few


def test_beside_metal_lies_a_cluster_of_its_own_group() -> None:
    distances = []
    for seed in SEEDS:
        placed = draw(draw_cluster_at_metal, seed)
        groups = {solid.mark_class: solid.group for solid in placed if solid.mark_class}
        assert groups == {MarkClass.METAL: 7, MarkClass.CALCIFICATION: 8}
        metal = places_of(placed, MarkClass.METAL)
        distances.append(cdist(metal, places_of(placed, MarkClass.CALCIFICATION)).min())
    assert np.median(distances) < 5.0


def test_scars_hold_metal_with_a_cluster_and_without_one() -> None:
    for seed in SEEDS:
        classes = {solid.mark_class for solid in draw(draw_metal_in_scar, seed)}
        assert classes == {MarkClass.METAL, None}
    scarred = [None in {s.mark_class for s in draw(draw_cluster_at_metal, n)} for n in SEEDS]
    assert 2 < sum(scarred) < 10
