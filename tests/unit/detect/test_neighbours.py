"""What lies around a spot: lines are told from clouds, on whichever side and however turned."""

import numpy as np
import numpy.typing as npt
import pytest

from secondread.codes import MarkClass
from secondread.detect import neighbours
from secondread.detect.manifest import GraphRole, load_manifest
from secondread.detect.neighbours import (
    DIRECTIONS,
    NATURE_COUNT,
    RINGS_MM,
    VALUES_AROUND,
    VALUES_PER_DIRECTION,
)
from secondread.detect.session import GraphSession

HEADS = (MarkClass.CALCIFICATION, MarkClass.VASCULAR, MarkClass.METAL, MarkClass.SKIN)
Points = npt.NDArray[np.float64]


def shares(calcification: float, vascular: float, count: int) -> npt.NDArray[np.float32]:
    return np.tile(np.array([calcification, vascular, 0, 0], np.float32), (count, 1))


def sum_around_first(
    at: Points, given: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return (direction, sum or lesser, ring, nature) and (ring, nature) for the first spot."""
    (row,) = neighbours.compute_features(at, given, HEADS, np.array([0]))
    sums = np.expm1(row[: DIRECTIONS * VALUES_PER_DIRECTION + VALUES_AROUND]) / 3
    lines = sums[: DIRECTIONS * VALUES_PER_DIRECTION].reshape(
        DIRECTIONS, 2, len(RINGS_MM), NATURE_COUNT
    )
    return lines, sums[DIRECTIONS * VALUES_PER_DIRECTION :].reshape(len(RINGS_MM), NATURE_COUNT)


def line(angle: float, *, both: bool) -> Points:
    """A spot, and others a millimetre apart on one or both sides of it."""
    along = np.arange(0.75, 9.5, 1.0)
    steps = np.concatenate([[0.0], along, -along if both else []])
    return np.stack([steps * np.sin(angle), steps * np.cos(angle)], axis=1) + 50


@pytest.mark.parametrize("direction", [0, 3, 8, 15])
def test_a_line_shows_in_its_own_direction(direction: int) -> None:
    at = line(np.pi * direction / DIRECTIONS, both=True)

    lines, around = sum_around_first(at, shares(0.0, 0.5, len(at)))

    vascular = lines[:, 0, :, 1].sum(axis=1)
    assert vascular.argmax() == direction
    assert vascular[direction] == pytest.approx(0.5 * (len(at) - 1), rel=0.01)
    assert vascular[(direction + 8) % DIRECTIONS] < 0.3 * vascular[direction]
    assert around[:, 1].sum() == pytest.approx(0.5 * (len(at) - 1), rel=1e-5)


def test_the_end_of_a_line_has_nothing_on_its_other_side() -> None:
    middle, _ = sum_around_first(at := line(0.0, both=True), shares(0.5, 0.0, len(at)))
    end, _ = sum_around_first(at := line(0.0, both=False), shares(0.5, 0.0, len(at)))

    assert end[0, 0, :, 0].sum() > 4
    assert end[0, 1].sum() == 0
    assert middle[0, 1, :, 0].sum() > 4


def test_rings_tell_near_from_far_and_what_is_beyond_does_not_count() -> None:
    at = np.array([[50, 50], [50, 51], [50, 54.5], [50, 65.1], [50.2, 50.2]])

    _, around = sum_around_first(at, shares(0.5, 0.0, len(at)))

    assert around[:, 0].tolist() == pytest.approx([0.5, 0, 0.5, 0, 0])


def test_unlikely_spots_are_no_neighbours() -> None:
    at = np.array([[50.0, 50.0], [50.0, 52.0]])
    given = np.array([[0.5, 0, 0, 0], [0.09, 0.09, 0.2, 0]], np.float32)

    lines, around = sum_around_first(at, given)

    assert not lines.any()
    assert not around.any()


def test_a_spot_brings_its_own_shares_and_that_of_nothing() -> None:
    given = np.array([[0.5, 0.2, 0.1, 0.0]], np.float32)

    row = neighbours.compute_features(np.array([[1.0, 1.0]]), given, HEADS, np.array([0]))

    assert row.shape == (1, neighbours.count_features(4))
    assert row[0, -5:].tolist() == pytest.approx([0.2, 0.5, 0.2, 0.1, 0.0])


def test_likely_calcifications_are_asked_about() -> None:
    given = np.array([[0.09, 0.9, 0, 0], [0.1, 0, 0, 0], [0.9, 0, 0, 0]], np.float32)

    assert neighbours.select_spots(given, HEADS).tolist() == [1, 2]


def test_what_is_asked_of_some_is_what_is_asked_of_all() -> None:
    rng = np.random.default_rng(1)
    at = rng.uniform(0, 60, (300, 2))
    given = rng.dirichlet(np.ones(5), 300)[:, 1:].astype(np.float32)

    every = neighbours.compute_features(at, given, HEADS, np.arange(300))
    some = neighbours.compute_features(at, given, HEADS, np.array([7, 200]))

    np.testing.assert_allclose(some, every[[7, 200]], rtol=1e-6)


def run_shipped_graph(given: npt.NDArray[np.float32], at: Points) -> npt.NDArray[np.float32]:
    """Return what the graph of the shipped model says of all spots."""
    manifest = load_manifest()
    graph = manifest.find_graph(GraphRole.NEIGHBOURS)
    assert graph is not None
    chosen = np.arange(len(at))
    session = GraphSession(manifest, graph)
    return session.run_patches(neighbours.compute_features(at, given, graph.heads, chosen))


def test_the_shipped_graph_shares_out_between_calcification_and_vessel_alone() -> None:
    rng = np.random.default_rng(4)
    given = rng.dirichlet(np.ones(5), 60).astype(np.float32)[:, 1:]

    rescored = run_shipped_graph(given, rng.uniform(0, 40, (60, 2)))

    np.testing.assert_allclose(rescored[:, 2:], given[:, 2:], atol=1e-6)
    np.testing.assert_allclose(rescored[:, :2].sum(axis=1), given[:, :2].sum(axis=1), atol=1e-6)
    assert np.abs(rescored[:, 0] - given[:, 0]).max() > 0.05


def test_the_shipped_graph_takes_a_long_line_for_a_vessel_before_a_cloud() -> None:
    rng = np.random.default_rng(4)
    given = shares(0.5, 0.4, 40)
    steps = np.sort(rng.uniform(0, 40, 40))

    along = run_shipped_graph(given, np.stack([0.6 * steps, 0.8 * steps], axis=1))
    cloud = run_shipped_graph(given, rng.normal(0, 4, (40, 2)))

    assert np.median(along[:, 0]) < 0.5 * np.median(cloud[:, 0])
