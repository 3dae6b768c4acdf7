"""Staples, wires and biopsy markers: where they lie, and that they are of one piece."""

from itertools import pairwise

import numpy as np
import pytest

from secondread.codes import Laterality
from secondread_lab.simulate.lesion_history import find_visible_place
from secondread_lab.simulate.metal import MetalSpec, draw_metal
from secondread_lab.simulate.phantom import SimulatedBreast, draw_breast
from secondread_lab.simulate.solids import MU_METAL

LEFT = Laterality.LEFT


@pytest.fixture(scope="module")
def breast() -> SimulatedBreast:
    return draw_breast(5, LEFT)


def test_staples_lie_in_a_row_on_the_skin_above_the_place(breast: SimulatedBreast) -> None:
    spec = MetalSpec("staples", LEFT, (0.45, 0.3, 0.2), count=8)
    solids = draw_metal(spec, breast, seed=1)
    assert len(solids) == 8
    centres = np.array([solid.centre for solid in solids])
    gaps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert gaps.min() > 4.5
    assert gaps.max() < 10.0
    place = find_visible_place(spec.place, breast)
    assert np.linalg.norm(centres.mean(axis=0)[1:]) > 1.2 * np.linalg.norm(place[1:])


def test_the_pieces_of_a_wire_touch_and_end_in_a_hook_at_the_place(breast: SimulatedBreast) -> None:
    spec = MetalSpec("wire", LEFT, (0.5, -0.2, 0.1))
    pieces = draw_metal(spec, breast, seed=1)
    points = np.concatenate(
        [one.centre + np.array([part.offset for part in one.parts]) for one in pieces]
    )
    radius = pieces[0].parts[0].semi_axes[0]
    assert max(np.linalg.norm(b - a) for a, b in pairwise(points)) < 2.0 * radius
    place = find_visible_place(spec.place, breast)
    assert np.linalg.norm(points - place, axis=1).min() < 1.5
    assert 45.0 < np.linalg.norm(points[-1] - place) < 80.0
    # The hook turns back: its end is nearer to the skin than the turn.
    turn = int(np.argmax(np.linalg.norm(points - points[-1], axis=1)))
    assert 0 < turn < len(points) // 2


@pytest.mark.parametrize("seed", range(6))
def test_a_biopsy_marker_is_a_few_millimetres_of_metal(breast: SimulatedBreast, seed: int) -> None:
    (solid,) = draw_metal(MetalSpec("biopsy-marker", LEFT), breast, seed)
    assert 1.5 < solid.size_mm < 5.0
    assert solid.mu == MU_METAL


def test_another_history_seed_gives_another_wire(breast: SimulatedBreast) -> None:
    spec = MetalSpec("wire", LEFT)
    first, second = (draw_metal(spec, breast, seed)[-1].centre for seed in (1, 2))
    assert not np.allclose(first, second)
