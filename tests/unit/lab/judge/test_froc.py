"""Free-response curves and their intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread_lab.judge.bootstrap import (
    count_within_limits,
    draw_resamples,
    estimate_interval,
    resample_mean,
    resample_share_above,
)
from secondread_lab.judge.froc import FalseMarks, compute_curve, find_first_excluded

ONE = draw_resamples(1, resamples=3)
scores = st.lists(st.integers(0, 9).map(lambda n: n / 10), max_size=30)


def false_marks(values: list[float], exposure: float = 10.0) -> FalseMarks:
    return FalseMarks(
        np.array(values, np.float64), np.zeros(len(values), np.int64), np.array([exposure])
    )


def sensitivity(found: list[float], false: FalseMarks, rates: list[float]) -> list[float]:
    owners = np.zeros(len(found), np.int64)
    return list(compute_curve(np.array(found), owners, false, np.array(rates), ONE).sensitivity)


def test_a_hand_made_curve() -> None:
    # Ten views with four false clusters; three of five are found, at 95, 70 and 60.
    found = [95.0, 70.0, 60.0, -np.inf, -np.inf]
    false = false_marks([90.0, 80.0, 65.0, 50.0])

    assert sensitivity(found, false, [0.0, 0.1, 0.2, 0.3, 0.4, 1.0]) == [
        0.2,  # only what is above 90
        0.2,  # above 80
        0.4,  # above 65
        0.6,  # above 50
        0.6,
        0.6,
    ]


def test_equal_scores_rise_and_fall_together() -> None:
    # At most two false marks are allowed, but three have the same score: none of them is.
    false = false_marks([70.0, 70.0, 70.0])
    assert sensitivity([70.0, 75.0], false, [0.2]) == [0.5]
    assert sensitivity([70.0, 75.0], false, [0.3]) == [1.0]


def test_a_perfect_detector_finds_everything_without_false_marks() -> None:
    assert sensitivity([99.0, 98.0], false_marks([]), [0.0, 0.1]) == [1.0, 1.0]
    assert sensitivity([99.0, 98.0], false_marks([1.0, 2.0]), [0.0]) == [1.0]


@given(scores, scores)
def test_the_curve_never_falls(found: list[float], false: list[float]) -> None:
    values = sensitivity([*found, -np.inf], false_marks(false), [0.0, 0.1, 0.5, 1.0, 3.0])
    assert values == sorted(values)
    assert values[-1] == pytest.approx(len(found) / (len(found) + 1))


@given(scores, scores, st.randoms())
def test_the_order_of_marks_changes_nothing(
    found: list[float], false: list[float], chance: object
) -> None:
    shuffled = chance.sample(false, len(false))  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    rates = [0.1, 0.2, 0.4]
    assert sensitivity([*found, 0.5], false_marks(false), rates) == sensitivity(
        [*found, 0.5], false_marks(shuffled), rates
    )


def test_where_nothing_was_counted_over_there_is_no_threshold() -> None:
    limit = find_first_excluded(false_marks([], exposure=0.0), np.array([0.3]), ONE)
    assert np.isnan(limit).all()
    assert np.isnan(resample_share_above(np.array([5.0]), limit[0], np.array([0]), ONE)).all()


def test_the_curve_says_where_the_model_gives_no_more_candidates() -> None:
    assert false_marks([0.5, 0.6, 0.7], exposure=10.0).ends_at == pytest.approx(0.3)


def test_whole_patients_are_drawn_and_the_first_draw_is_the_original() -> None:
    drawn = draw_resamples(7, resamples=50)
    assert drawn.shape == (51, 7)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 7).all()
    assert np.array_equal(drawn, draw_resamples(7, resamples=50))


def test_an_interval_widens_when_images_of_one_patient_are_alike() -> None:
    rng = np.random.default_rng(1)
    hits = (rng.random(60) < 0.5).astype(float)
    alone = estimate_interval(resample_mean(hits, np.arange(60), draw_resamples(60)), np.arange(60))
    four_each = np.repeat(np.arange(60), 4)
    alike = estimate_interval(
        resample_mean(np.repeat(hits, 4), four_each, draw_resamples(60)), four_each
    )

    assert alone.low is not None
    assert alone.high is not None
    assert alike.low is not None
    assert alike.high is not None
    # Four copies of each image say no more than one.
    assert alike.high - alike.low == pytest.approx(alone.high - alone.low, abs=0.02)
    assert alike.patients == 60
    assert alike.items == 240


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    owners = np.arange(80)
    drawn = draw_resamples(80, resamples=300)
    covered = 0
    for _ in range(200):
        hits = (rng.random(80) < 0.6).astype(float)
        estimate = estimate_interval(resample_mean(hits, owners, drawn), owners)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.6 <= estimate.high
    assert 0.90 <= covered / 200 <= 0.99


def test_few_patients_have_no_interval() -> None:
    owners = np.array([0, 0, 1])
    estimate = estimate_interval(
        resample_mean(np.array([1.0, 0.0, 1.0]), owners, draw_resamples(2)), owners
    )
    assert estimate.value == pytest.approx(2 / 3)
    assert estimate.low is None
    assert estimate.high is None
    assert str(estimate) == "0.67"


def test_nothing_measured_has_no_value() -> None:
    nothing = np.array([], np.int64)
    assert (
        estimate_interval(resample_mean(np.array([]), nothing, draw_resamples(3)), nothing).value
        is None
    )


def test_counting_stops_before_the_limit_is_passed() -> None:
    drawn = np.array([[1, 1], [2, 0]], np.float32)
    owners = np.array([0, 1, 0])
    assert count_within_limits(owners, drawn, np.array([[2.0, 2.0]])).tolist() == [[2, 2]]


@given(st.integers(0, 3000), st.integers(1, 9), st.floats(0, 4000), st.integers(0, 99))
def test_counting_in_blocks_is_counting_one_by_one(
    items: int, patients: int, limit: float, seed: int
) -> None:
    owners = np.random.default_rng(seed).integers(patients, size=items)
    drawn = draw_resamples(patients, resamples=4, seed=seed)
    counted = count_within_limits(owners, drawn, np.full((1, 5), limit))[0]
    one_by_one = [int((np.cumsum(row[owners]) <= limit + 1e-6).sum()) for row in drawn]
    assert counted.tolist() == one_by_one
