"""Strokes keep their volume, and sheets show as lines where the beam grazes them."""

import numpy as np
import pytest

from secondread.codes import Laterality
from secondread_lab.simulate.curves import TaperedCurve, sample_curves
from secondread_lab.simulate.lobules import Foam, draw_lobules
from secondread_lab.simulate.phantom import SimulatedBreast, draw_breast
from secondread_lab.simulate.strokes import Canvas, TissueStrokes, integrate_strokes, number_samples

CANVAS = Canvas(pitch_mm=0.1, top_mm=20.0, front_mm=0.0, shape=(400, 500))
FOAM = Foam("test", 14.0, 1.2, 0.6, 0.2, 0.7, 0.5, reach=0.7)


@pytest.fixture(scope="module")
def breast() -> SimulatedBreast:
    return draw_breast(4, Laterality.LEFT, size=0.6)


def _everywhere(points: np.ndarray) -> np.ndarray:
    return np.ones(len(points))


def test_what_is_laid_adds_up_to_the_volume() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform((10, -10), (40, 10), (500, 2)).astype(np.float32)
    widths = rng.uniform(0.1, 3.0, 500).astype(np.float32)
    strokes = TissueStrokes(points, np.full(500, 0.5, np.float32), widths)
    assert float(integrate_strokes(strokes, CANVAS).sum()) * 0.1**2 == pytest.approx(
        250.0, rel=0.01
    )


def test_what_lies_outside_the_map_is_left_out() -> None:
    strokes = TissueStrokes(
        *(np.array(a, np.float32) for a in ([[-5, 0], [5, 30]], [1, 1], [1, 1]))
    )
    assert not integrate_strokes(strokes, CANVAS).any()


def test_a_curve_is_as_wide_as_it_is_and_fades_at_its_ends() -> None:
    points = np.array([[5.0, 0.0, 0.0], [45.0, 0.0, 0.0]])
    line = integrate_strokes(
        sample_curves([TaperedCurve(points, 1.0, 1.0)]).project(np.eye(3)), CANVAS
    )
    across = line[:, 250]
    assert across.argmax() in {199, 200}
    assert 0.7 <= 0.1 * (across > 0.5 * across.max()).sum() <= 1.3
    assert line[:, 52].max() < 0.3 * across.max()


def test_a_foam_is_the_same_in_every_view(breast: SimulatedBreast) -> None:
    def shown(points: np.ndarray) -> np.ndarray:
        return (points[:, 1] > 0).astype(float)

    beam = np.array([0.0, 0.0, 1.0])
    whole, half = (draw_lobules(breast, FOAM, beam, weight) for weight in (_everywhere, shown))
    known = {tuple(p) for p in np.round(whole.points, 3).tolist()}
    edges = np.round(half.points[: len(half.points) // 4], 3).tolist()
    assert len(half.points) < 0.8 * len(whole.points)
    assert sum(tuple(p) in known for p in edges) > 0.95 * len(edges)


def test_walls_that_the_beam_meets_face_on_are_left_out(breast: SimulatedBreast) -> None:
    lying, standing = (
        draw_lobules(breast, FOAM, np.array(beam), _everywhere)
        for beam in ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    )
    assert not np.array_equal(lying.points[-99:], standing.points[-99:])
    assert 0 < float(lying.volume.sum()) < 2 * float(standing.volume.sum())


def test_samples_are_numbered_within_their_owner() -> None:
    owner, number = number_samples(np.array([2, 0, 3]))
    assert owner.tolist() == [0, 0, 2, 2, 2]
    assert number.tolist() == [0, 1, 0, 1, 2]
