"""A breast's outline, composition and relation to the other breast."""

import numpy as np
import pytest

from secondread.codes import Laterality, View
from secondread_lab.simulate.phantom import Density, draw_breast, draw_gland_volume


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("view", [View.CC, View.MLO])
def test_the_skin_recedes_from_the_nipple_without_a_jump(seed: int, view: View) -> None:
    outline = draw_breast(seed, Laterality.LEFT).find_outline(view)
    heights = np.linspace(
        -0.8 * outline.lower.half_width_mm, 0.8 * outline.upper.half_width_mm, 999
    )
    edge = outline.find_edge(heights)
    assert float(edge.min()) == pytest.approx(0.0, abs=0.05)
    assert abs(float(heights[edge.argmin()])) < 3.0
    assert float(np.abs(np.diff(edge)).max()) < 2.5


def test_both_breasts_of_one_woman_resemble_each_other() -> None:
    left, right = (draw_breast(3, side) for side in (Laterality.LEFT, Laterality.RIGHT))
    assert left.density == right.density
    assert left.depth_mm == pytest.approx(right.depth_mm, rel=0.1)
    assert left.cc != right.cc


def test_denser_letters_have_more_gland() -> None:
    letters: tuple[Density, ...] = ("a", "b", "c", "d")
    shares = []
    for letter in letters:
        volume = draw_gland_volume(draw_breast(3, Laterality.LEFT, density=letter, size=0.6))
        shares.append(float(volume.gland.sum() / volume.inside.sum()))
    assert shares == sorted(shares)
    assert shares[0] < 0.12
    assert shares[3] > 0.30
