"""Clouds of spots: regions stay whole, and what is varied is still the same spots."""

import numpy as np

from models.calcification.training.regions import HEADS
from models.calcification.training.specks import Specks, vary_specks, weigh_draws
from secondread.detect.neighbours import count_features

SPOTS = 24


def regions(count: int) -> Specks:
    """Return lines, which are vessels, and clouds, which are calcifications, turn by turn."""
    rng = np.random.default_rng(1)
    places, right = [], []
    for number in range(count):
        steps = rng.uniform(-12, 12, SPOTS)
        is_line = number % 2 == 1
        line = np.stack([steps * 0.6, steps * 0.8], axis=1)
        places.append(line if is_line else rng.normal(0, 3, (SPOTS, 2)))
        right.append(np.full(SPOTS, 1 + is_line))
    shares = np.tile(np.array([0.4, 0.4, 0, 0], np.float32), (SPOTS * count, 1))
    target = np.concatenate(right)
    return Specks(
        np.repeat(np.arange(count), SPOTS),
        np.concatenate(places),
        shares,
        target,
    )


def test_what_is_varied_are_the_calcifications_and_vessels_in_order() -> None:
    spots = regions(6)
    spots.target[5:8] = -1, 0, 3  # nobody knows; nothing is there; metal
    spots.shares[40] = (0.05, 0.9, 0, 0)  # no likely calcification
    asked = [number for number in range(6 * SPOTS) if number not in {5, 6, 7, 40}]

    numbers, plain = vary_specks(spots, None)
    again, moved = vary_specks(spots, np.random.default_rng(1))

    assert numbers.tolist() == again.tolist() == asked
    assert plain.shape == moved.shape == (len(asked), count_features(len(HEADS)))
    assert np.isfinite(moved.astype(np.float32)).all()
    assert not np.allclose(plain, moved, atol=0.1)


def test_the_spots_of_another_region_are_no_neighbours() -> None:
    spots = regions(2)
    alone = Specks(*(getattr(spots, name)[:SPOTS] for name in spots.__slots__))

    _, together = vary_specks(spots, None)
    _, first = vary_specks(alone, None)

    np.testing.assert_array_equal(together[:SPOTS], first)


def test_many_of_one_kind_in_a_region_are_drawn_less_often_each() -> None:
    spots = regions(2)
    spots.target[: SPOTS - 1] = 2
    spots.target[-1] = -1

    weights = weigh_draws(spots)

    assert weights[SPOTS - 1] == 1
    assert weights[0] == (SPOTS - 1) ** -0.5
    assert weights[-1] == 0
