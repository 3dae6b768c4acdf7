"""Where things of the stored image come to lie on a page."""

import math
from itertools import pairwise

import numpy as np
import pytest

from secondread.geometry import PointPx, close_outline
from secondread.report.pages.outlines import Placement

SQUARE = close_outline([PointPx(10, 10), PointPx(30, 10), PointPx(30, 30), PointPx(10, 30)])


def test_a_point_of_the_image_is_scaled_and_moved() -> None:
    assert Placement(100, 50, 0.5)(PointPx(30, 10)) == (115, 55)


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_a_drawn_outline_keeps_its_margin_on_the_page(scale: float) -> None:
    placement = Placement(100, 50, scale)
    drawn = placement.place_outline(SQUARE, margin=9)
    assert drawn[0] == drawn[-1]
    for x, y in sample_edges(drawn):
        assert measure_distance(placement, x, y) >= 9 - 1e-9


def sample_edges(polygon: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [
        (x0 + t * (x1 - x0), y0 + t * (y1 - y0))
        for (x0, y0), (x1, y1) in pairwise(polygon)
        for t in np.linspace(0, 1, 9)
    ]


def measure_distance(placement: Placement, x: float, y: float) -> float:
    """How far a point of the page is from the square; 0 inside."""
    left, top = placement(SQUARE[0])
    right, bottom = placement(SQUARE[2])
    return math.hypot(max(left - x, 0, x - right), max(top - y, 0, y - bottom))
