"""The coarse picture around a candidate, and two looks joined to one."""

import numpy as np
import pytest

from secondread.codes import MarkClass
from secondread.detect.surroundings import CELL_PX, CHANNELS, HEADS, cells, cut, together

HEADS_OF_GRAPH = (MarkClass.METAL, MarkClass.CALCIFICATION)


def picture_of_one_bright_pixel(row: int, column: int) -> np.ndarray:
    image = np.zeros((40, 60), np.float32)
    image[row, column] = 16.0
    scores = np.zeros((2, 40, 60), np.float32)
    scores[1, row, column] = 0.5
    return cells(image, scores, HEADS_OF_GRAPH)


def test_a_cell_holds_the_highest_and_the_mean_of_its_pixels() -> None:
    picture = picture_of_one_bright_pixel(17, 30)

    assert picture.shape == (CHANNELS, 10, 15)
    assert picture[0, 4, 7] == 16.0
    assert picture[1, 4, 7] == pytest.approx(16.0 / CELL_PX**2)
    assert np.count_nonzero(picture[0]) == 1


def test_scores_are_found_by_their_head_and_a_head_that_is_lacking_is_nothing() -> None:
    picture = picture_of_one_bright_pixel(17, 30)

    calcification = 2 + HEADS.index(MarkClass.CALCIFICATION)
    assert picture[calcification, 4, 7] == pytest.approx(10.0)
    others = [n for n in range(2, CHANNELS) if n != calcification]
    assert not picture[others].any()


def test_pixels_beyond_the_last_whole_cell_are_left_out() -> None:
    image = np.ones((41, 63), np.float32)

    picture = cells(image, np.zeros((1, 41, 63), np.float32), (MarkClass.METAL,))

    assert picture.shape == (CHANNELS, 10, 15)
    assert np.all(picture[0] == 1)


@pytest.mark.parametrize("place", [(17.4, 30.2), (0.0, 0.0), (39.0, 59.0)])
def test_the_candidate_lies_in_the_middle_of_its_surroundings(place: tuple[float, float]) -> None:
    row, column = (int(value) for value in place)

    batch = cut(picture_of_one_bright_pixel(row, column), [place], 8)

    assert batch.shape == (1, CHANNELS, 8, 8)
    assert batch[0, 0, 4, 4] == 16.0
    assert np.count_nonzero(batch[0, 0]) == 1


def test_an_image_smaller_than_a_cell_has_empty_surroundings() -> None:
    empty = cells(np.ones((3, 3), np.float32), np.ones((1, 3, 3), np.float32), (MarkClass.SKIN,))

    assert not cut(empty, [(1.0, 1.0)], 8).any()


def test_a_look_that_knows_nothing_changes_nothing() -> None:
    before = np.array([[0.7, 0.1, 0.1, 0.05]], np.float32)
    # Four heads and nothing, all alike.
    after = together(before, np.full((1, 4), 0.2, np.float32))

    assert after == pytest.approx(before, abs=1e-6)


def test_a_look_that_is_sure_of_a_vessel_overturns_a_doubtful_calcification() -> None:
    doubtful = np.array([[0.6, 0.3, 0.0, 0.0]], np.float32)
    sure = np.array([[0.04, 0.94, 0.0, 0.0]], np.float32)

    (shares,) = together(doubtful, sure)

    assert shares[1] > 0.8
    assert shares[0] < 0.1
    assert shares.sum() == pytest.approx(0.9)


def test_the_surroundings_never_say_that_nothing_is_there() -> None:
    plain = np.array([[0.9, 0.05, 0.0, 0.0]], np.float32)
    nothing_at_all = np.zeros((1, 4), np.float32)

    assert together(plain, nothing_at_all) == pytest.approx(plain, abs=1e-6)
