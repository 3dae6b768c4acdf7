"""Which mark lies on what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread_lab.judge.mark_matching import (
    UNMATCHED,
    compute_iou,
    count_matches,
    find_inside,
    match_points,
)

coordinate = st.floats(0, 20, allow_nan=False)
point = st.tuples(coordinate, coordinate)
points = st.lists(point, max_size=25, unique=True)


def as_points(pairs: list[tuple[float, float]]) -> np.ndarray:
    return np.array(pairs, np.float64).reshape(-1, 2)


def test_the_higher_mark_finds_a_calcification_and_the_other_is_neither_found_nor_false() -> None:
    marks = as_points([(1.0, 1.0), (1.1, 1.0), (5.0, 5.0)])
    match = match_points(marks, np.array([0.4, 0.9, 0.8]), as_points([(1.0, 1.0)]), np.array([0.3]))

    assert match.owner.tolist() == [UNMATCHED, 0, UNMATCHED]
    assert match.near.tolist() == [True, True, False]


def test_a_mark_between_two_goes_to_the_nearer_that_is_free() -> None:
    marks = as_points([(0.0, 0.0), (0.1, 0.0)])
    reference = as_points([(0.05, 0.0), (0.3, 0.0)])
    match = match_points(marks, np.array([0.9, 0.5]), reference, np.array([0.3, 0.3]))

    assert match.owner.tolist() == [0, 1]


def test_the_reach_is_each_calcifications_own() -> None:
    marks = as_points([(0.5, 0.0), (10.5, 0.0)])
    reference = as_points([(0.0, 0.0), (10.0, 0.0)])
    match = match_points(marks, np.array([0.9, 0.5]), reference, np.array([0.3, 0.6]))

    assert match.owner.tolist() == [UNMATCHED, 1]


@given(points, points, st.randoms())
def test_the_order_of_marks_changes_nothing(
    marks: list[tuple[float, float]], reference: list[tuple[float, float]], chance: object
) -> None:
    scores = np.round(np.linspace(0, 1, len(marks)), 1)  # with ties
    reach = np.full(len(reference), 0.7)
    first = match_points(as_points(marks), scores, as_points(reference), reach)
    order = np.array(chance.sample(range(len(marks)), len(marks)), np.int64)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    again = match_points(as_points(marks)[order], scores[order], as_points(reference), reach)

    assert again.owner.tolist() == first.owner[order].tolist()


@given(points, points)
def test_marks_added_below_change_nothing_above(
    marks: list[tuple[float, float]], reference: list[tuple[float, float]]
) -> None:
    scores = np.linspace(1, 0.5, len(marks))
    reach = np.full(len(reference), 0.7)
    kept = len(marks) // 2
    few = match_points(as_points(marks[:kept]), scores[:kept], as_points(reference), reach)
    all_ = match_points(as_points(marks), scores, as_points(reference), reach)

    assert all_.owner[:kept].tolist() == few.owner.tolist()


@given(points)
def test_every_calcification_is_found_by_a_mark_upon_it(places: list[tuple[float, float]]) -> None:
    at = as_points(places)
    assert count_matches(at, at, np.full(len(at), 0.3)) == len(at)


@given(point, point, point, point)
def test_overlap_is_the_same_from_both_sides_and_a_share(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]
) -> None:
    one = (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
    other = (min(c[0], d[0]), min(c[1], d[1]), max(c[0], d[0]), max(c[1], d[1]))

    assert compute_iou(one, other) == pytest.approx(compute_iou(other, one))
    assert 0.0 <= compute_iou(one, other) <= 1.0


def test_a_box_overlaps_itself_wholly_and_another_not_at_all() -> None:
    assert compute_iou((1, 2, 5, 9), (1, 2, 5, 9)) == 1.0
    assert compute_iou((0, 0, 1, 1), (1, 0, 2, 1)) == 0.0


def test_a_point_on_the_border_lies_inside() -> None:
    boxes = np.array([[0.0, 0.0, 1.0, 1.0], [5.0, 5.0, 6.0, 6.0]])
    assert find_inside(as_points([(1.0, 0.5), (5.5, 5.5), (3.0, 3.0)]), boxes).tolist() == [
        True,
        True,
        False,
    ]
    assert find_inside(as_points([(1.0, 1.0)]), np.empty((0, 4))).tolist() == [False]
