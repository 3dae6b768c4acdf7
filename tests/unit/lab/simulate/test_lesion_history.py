"""Lesions lie where both views show them, and their history is the one asked for."""

import numpy as np
import pytest

from secondread.codes import Change, Distribution, Laterality, MarkClass, Morphology, View
from secondread.findings.clusters import LINK_MM, label_chains
from secondread.geometry import PointPx
from secondread_lab.simulate.lesion_history import (
    Course,
    LesionSpec,
    draw_lesion,
    find_visible_place,
)
from secondread_lab.simulate.phantom import SimulatedBreast, draw_breast
from secondread_lab.simulate.projection import compute_beam_axes
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.shapes import draw_calcification
from secondread_lab.simulate.solids import rasterise_solid

LEFT = Laterality.LEFT


@pytest.fixture(scope="module")
def breast() -> SimulatedBreast:
    return draw_breast(4, LEFT)


def _spec(course: Course = "stable", **changes: object) -> LesionSpec:
    spec = LesionSpec("one", LEFT, Morphology.PUNCTATE, course=course)
    for name, value in changes.items():
        object.__setattr__(spec, name, value)
    return spec


def test_what_is_new_was_not_there_in_the_prior(breast: SimulatedBreast) -> None:
    lesion = draw_lesion(_spec("new"), breast, seed=1, prior_years=1.0)
    assert len(lesion.list_members(0.0)) == 12
    assert lesion.list_members(1.0) == ()
    assert lesion.find_change(0.0, 1.0) is Change.NEW


def test_what_is_stable_is_the_same_in_both_exams(breast: SimulatedBreast) -> None:
    lesion = draw_lesion(_spec("stable"), breast, seed=1, prior_years=2.0)
    now, then = lesion.list_members(0.0), lesion.list_members(2.0)
    assert [solid.size_mm for _, solid in now] == [solid.size_mm for _, solid in then]
    assert lesion.find_change(0.0, 2.0) is Change.UNCHANGED


def test_what_grows_has_more_members_now_and_keeps_their_numbers(breast: SimulatedBreast) -> None:
    lesion = draw_lesion(_spec("growing"), breast, seed=1, prior_years=1.0)
    now, then = dict(lesion.list_members(0.0)), dict(lesion.list_members(1.0))
    assert set(then) < set(now)
    assert all(then[number].size_mm < now[number].size_mm for number in then)
    assert lesion.find_change(0.0, 1.0) is Change.MORE


@pytest.mark.parametrize(
    ("course", "change"),
    [("enlarging", Change.LARGER), ("decreasing", Change.FEWER)],
)
def test_a_course_is_seen_by_a_comparison(
    breast: SimulatedBreast, course: Course, change: Change
) -> None:
    lesion = draw_lesion(_spec(course), breast, seed=1, prior_years=2.0)
    assert lesion.find_change(0.0, 2.0) is change
    assert {number for number, _ in lesion.list_members(0.0)} <= {
        number for number, _ in lesion.list_members(2.0)
    }


@pytest.mark.parametrize(("course", "whole"), [("splitting", 2.0), ("joining", 0.0)])
def test_two_members_link_the_halves_of_a_cluster_in_one_exam(
    breast: SimulatedBreast, course: Course, whole: float
) -> None:
    lesion = draw_lesion(_spec(course), breast, seed=1, prior_years=2.0)

    parts = {
        years: np.bincount(
            label_chains(np.array([s.centre[:2] for _, s in lesion.list_members(years)]), LINK_MM)
        )
        for years in (0.0, 2.0)
    }

    assert len(parts[whole]) == 1
    assert len(parts[2.0 - whole]) == 2
    assert parts[whole].sum() - parts[2.0 - whole].sum() == 2


def test_what_is_gone_is_in_the_prior_alone(breast: SimulatedBreast) -> None:
    lesion = draw_lesion(_spec("gone"), breast, seed=1, prior_years=1.0)
    assert lesion.list_members(0.0) == ()
    assert len(lesion.list_members(1.0)) == 12


def test_casts_of_ducts_point_to_the_nipple(breast: SimulatedBreast) -> None:
    spec = _spec(morphology=Morphology.LARGE_ROD_LIKE, count=20, diameter_mm=(0.5, 0.8))
    for _, solid in draw_lesion(spec, breast, seed=3, prior_years=1.0).list_members(0.0):
        beads = np.array([part.offset for part in solid.parts])
        along = np.linalg.svd(beads - beads.mean(axis=0))[2][0]
        assert abs(float(along @ solid.centre)) > 0.5 * float(np.linalg.norm(solid.centre))


@pytest.mark.parametrize("place", [(0.9, 0.9, 0.9), (0.02, -0.9, -0.9), (0.5, 0.1, -0.95)])
@pytest.mark.parametrize("view", [View.CC, View.MLO])
def test_a_place_is_moved_until_the_view_shows_it(
    breast: SimulatedBreast, place: tuple[float, float, float], view: View
) -> None:
    depth, across, _ = compute_beam_axes(breast, view) @ find_visible_place(place, breast)
    skin = float(breast.find_outline(view).find_edge(np.array([across]))[0])
    assert skin + 3.0 < depth < breast.depth_mm


def test_a_linear_distribution_is_longer_than_wide_and_points_to_the_nipple(
    breast: SimulatedBreast,
) -> None:
    spec = _spec(distribution=Distribution.LINEAR, count=30, extent_mm=20.0)
    lesion = draw_lesion(spec, breast, seed=2, prior_years=1.0)
    centres = np.array([solid.centre for _, solid in lesion.list_members(0.0)])
    _, spread, axes = np.linalg.svd(centres - centres.mean(axis=0))
    assert spread[0] > 4 * spread[1]
    towards = centres.mean(axis=0) / np.linalg.norm(centres.mean(axis=0))
    assert abs(float(axes[0] @ towards)) > 0.95


@pytest.mark.parametrize(
    ("morphology", "kind"),
    [
        (Morphology.VASCULAR, MarkClass.VASCULAR),
        (Morphology.SKIN, MarkClass.SKIN),
        (Morphology.DYSTROPHIC, MarkClass.CLUSTER),
    ],
)
def test_the_kind_follows_the_type(
    breast: SimulatedBreast, morphology: Morphology, kind: MarkClass
) -> None:
    spec = _spec(morphology=morphology, count=20)
    assert spec.kind is kind
    assert len(draw_lesion(spec, breast, seed=1, prior_years=1.0).list_members(0.0)) == 20


def test_another_history_seed_gives_other_calcifications(breast: SimulatedBreast) -> None:
    first, second = (draw_lesion(_spec(), breast, seed, 1.0).list_members(0.0) for seed in (1, 2))
    assert not np.allclose(first[0][1].centre, second[0][1].centre)


def test_a_diffuse_lesion_covers_the_breast(breast: SimulatedBreast) -> None:
    spec = _spec(distribution=Distribution.DIFFUSE, count=80)
    centres = np.array([s.centre for _, s in draw_lesion(spec, breast, 1, 1.0).list_members(0.0)])
    low, high = np.percentile(centres, (2, 98), axis=0)
    assert high[0] - low[0] > 0.55 * breast.depth_mm
    assert (high[1:] - low[1:]).min() > 0.8 * breast.half_width_mm


def test_less_mineral_attenuates_less_and_lies_in_the_same_place(breast: SimulatedBreast) -> None:
    full, half = (
        draw_lesion(_spec(mineral=mineral), breast, 1, 1.0).list_members(0.0)
        for mineral in (1.0, 0.5)
    )
    assert half[0][1].mu == pytest.approx(0.5 * full[0][1].mu)
    assert np.allclose(half[0][1].centre, full[0][1].centre)


@pytest.mark.parametrize("seed", range(8))
def test_a_vessel_calcifies_in_any_breast(seed: int) -> None:
    breast = draw_breast(seed, LEFT, size=0.75)
    spec = _spec(morphology=Morphology.VASCULAR, count=12, extent_mm=40.0)
    assert len(draw_lesion(spec, breast, 1, 1.0).list_members(0.0)) == 12


def test_a_large_rim_is_bright_at_its_wall_and_lucent_within() -> None:
    solid = draw_calcification(seed_stream(1, "rim"), Morphology.EGGSHELL, np.zeros(3), 6.0)
    patch = rasterise_solid(solid, PointPx(60.5, 60.5), np.eye(3), 0.1)
    assert patch is not None
    row, column = (n // 2 for n in patch.attenuation.shape)
    middle = patch.attenuation[row - 5 : row + 6, column - 5 : column + 6]
    assert float(np.median(middle)) < 0.35 * float(patch.attenuation.max())
    assert float(np.median(middle)) > 0.0
