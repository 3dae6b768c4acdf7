import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread.geometry import (
    PointPx,
    SpacingMm,
    bounding_box,
    clamp_to_image,
    close_outline,
    convex_hull,
    padded_hull,
)

points = st.lists(
    st.builds(PointPx, st.floats(0, 4000), st.floats(0, 4000)), min_size=1, max_size=30
)


@pytest.mark.parametrize("value", [0.0, -0.1, math.nan, math.inf])
def test_a_spacing_is_positive_and_finite(value: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        SpacingMm(0.1, value)


def test_distances_use_the_spacing_of_their_direction() -> None:
    spacing = SpacingMm(between_rows=0.1, between_columns=0.2)

    assert spacing.distance_mm(PointPx(0, 0), PointPx(10, 0)) == pytest.approx(2.0)
    assert spacing.distance_mm(PointPx(0, 0), PointPx(0, 10)) == pytest.approx(1.0)


@given(points)
def test_a_padded_hull_is_closed_and_keeps_its_margin(cloud: list[PointPx]) -> None:
    spacing = SpacingMm(0.07, 0.09)
    outline = padded_hull(cloud, spacing, margin_mm=1.5)

    assert outline[0] == outline[-1]
    assert min(spacing.distance_mm(v, p) for v in outline for p in cloud) >= 1.5 - 1e-6
    low, high = bounding_box(outline)
    assert all(low.col < p.col < high.col and low.row < p.row < high.row for p in cloud)


def test_points_inside_are_no_part_of_the_hull() -> None:
    from secondread.geometry import PointMm

    square = [PointMm(0, 0), PointMm(2, 0), PointMm(2, 2), PointMm(0, 2), PointMm(1, 1)]

    assert set(convex_hull(square)) == set(square[:4])


def test_an_outline_needs_three_vertices() -> None:
    with pytest.raises(ValueError, match="three"):
        close_outline([PointPx(0, 0), PointPx(1, 1)])


def test_a_point_outside_is_moved_to_the_border() -> None:
    assert clamp_to_image(PointPx(-3, 1200), rows=1000, columns=800) == PointPx(0, 1000)
