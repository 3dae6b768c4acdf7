"""The views' geometry: one breast, two projections, and pixels there and back."""

import numpy as np
import pytest

from secondread.codes import Laterality, View
from secondread.geometry import PointPx, SpacingMm
from secondread_lab.simulate.phantom import draw_breast
from secondread_lab.simulate.projection import (
    Frame,
    ViewLayout,
    compute_beam_axes,
    draw_positioning,
    find_chest_wall_side,
)

VIEWS = [
    (side, view) for side in (Laterality.LEFT, Laterality.RIGHT) for view in (View.CC, View.MLO)
]


def _layout(side: Laterality, view: View, seed: int = 3) -> ViewLayout:
    breast = draw_breast(1, side)
    frame = Frame(832, 640, SpacingMm(0.28, 0.28), find_chest_wall_side(side))
    return ViewLayout(frame, draw_positioning(breast, view, frame, seed))


@pytest.mark.parametrize(("side", "view"), VIEWS)
def test_a_point_of_the_view_comes_back_from_its_pixel(side: Laterality, view: View) -> None:
    layout = _layout(side, view)
    depth, across = layout.to_view(layout.to_px(31.0, -17.0))
    assert (depth, across) == pytest.approx((31.0, -17.0), abs=1e-6)


@pytest.mark.parametrize(("side", "view"), VIEWS)
def test_the_maps_hold_what_single_points_give(side: Laterality, view: View) -> None:
    layout = _layout(side, view)
    depth, across = layout.compute_view_maps()
    expected = layout.to_view(PointPx(100.5, 300.5))
    assert (depth[300, 100], across[300, 100]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("side", "view"), VIEWS)
def test_the_nipple_points_away_from_the_chest_wall_and_lateral_is_up(
    side: Laterality, view: View
) -> None:
    layout = _layout(side, view)
    nipple, behind, above = (layout.to_px(*at) for at in ((0, 0), (40, 0), (0, 40)))
    assert (behind.col < nipple.col) == (side is Laterality.LEFT)
    assert above.row < nipple.row


def test_pixel_axes_turn_as_the_pixels_do() -> None:
    layout = _layout(Laterality.RIGHT, View.MLO)
    axes = layout.compute_pixel_axes()
    start = layout.to_px(40.0, 20.0)
    for step, axis in (((1.0, 0.0), axes[:, 0]), ((0.0, 1.0), axes[:, 1])):
        end = layout.to_px(40.0 + step[0], 20.0 + step[1])
        moved = np.array([end.col - start.col, end.row - start.row]) * 0.28
        assert moved == pytest.approx(axis[:2], abs=0.08)


def test_an_oblique_view_keeps_depth_and_shows_superior_and_lateral_upwards() -> None:
    axes = compute_beam_axes(draw_breast(1, Laterality.LEFT), View.MLO)
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)
    depth, up, _ = axes @ np.array([30.0, 10.0, 10.0])
    assert depth == pytest.approx(30.0)
    assert up == pytest.approx(10 * 2**0.5, rel=0.02)


def test_another_acquisition_seed_moves_the_breast() -> None:
    first = _layout(Laterality.LEFT, View.CC, seed=3).to_px(30.0, 10.0)
    second = _layout(Laterality.LEFT, View.CC, seed=4).to_px(30.0, 10.0)
    assert first != second
