"""The site's operating point: the certainty that gives a rate, and how sure it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from secondread_lab.judge.site_calibration import (
    ViewScores,
    calibrate_site,
    compute_poisson_interval,
)


def view(woman: int, *certainties: float, exam: str = "") -> ViewScores:
    return ViewScores(f"w{woman}", exam or f"e{woman}", certainties)


def test_the_certainty_lies_between_the_last_shown_and_the_first_that_is_not() -> None:
    views = [view(0, 90.0, 40.0), view(1, 70.0), view(2, 60.5), view(3)]

    found = calibrate_site(views, wanted_per_view=0.5, lowest=10.0)

    assert 60.5 < found.minimum_certainty <= 70.0
    assert (found.clusters, found.per_view, found.exceeds) == (2, 0.5, False)
    assert (found.exams, found.women, found.views) == (4, 4, 4)


def test_where_more_is_wanted_than_there_is_everything_is_shown() -> None:
    found = calibrate_site([view(0, 55.0), view(1)], wanted_per_view=2.0, lowest=12.5)

    assert (found.minimum_certainty, found.clusters) == (12.5, 1)


def test_candidates_that_cannot_be_told_apart_are_left_out_together() -> None:
    found = calibrate_site([view(n, 80.0) for n in range(4)], wanted_per_view=0.5, lowest=0.0)

    assert found.minimum_certainty > 80.0
    assert found.clusters == 0


def test_what_cannot_be_left_out_is_said_to_exceed() -> None:
    found = calibrate_site([view(n, 100.0) for n in range(4)], wanted_per_view=0.5, lowest=0.0)

    assert (found.minimum_certainty, found.clusters, found.exceeds) == (100.0, 4, True)


def test_none_wanted_shows_none() -> None:
    found = calibrate_site([view(0, 90.0), view(1, 30.0)], wanted_per_view=0.0, lowest=0.0)

    assert (found.clusters, found.interval[0]) == (0, 0.0)
    assert found.interval[1] == pytest.approx(3.689 / 2, abs=1e-3)


def test_no_view_calibrates_nothing() -> None:
    with pytest.raises(ValueError, match="no view was read"):
        calibrate_site([], 0.3, 0.0)


@given(
    st.lists(
        st.lists(st.floats(0, 99.9).map(lambda c: round(c, 1)), max_size=4), min_size=1, max_size=12
    ),
    st.sampled_from([0.0, 0.1, 0.3, 1.0]),
)
def test_never_more_is_shown_than_wanted_and_the_next_candidate_would_be_too_much(
    scores: list[list[float]], wanted: float
) -> None:
    views = [view(number, *certainties) for number, certainties in enumerate(scores)]
    found = calibrate_site(views, wanted, lowest=0.0, resamples=20)

    assert not found.exceeds
    everything = sorted((c for one in scores for c in one), reverse=True)
    hidden = [c for c in everything if c < found.minimum_certainty]
    if hidden:
        with_next = sum(c >= hidden[0] for c in everything)
        assert with_next > wanted * len(views)


def test_the_interval_is_exact_for_a_poisson_count() -> None:
    low, high = compute_poisson_interval(14, 48)

    assert poisson.sf(13, low * 48) == pytest.approx(0.025, abs=1e-6)
    assert poisson.cdf(14, high * 48) == pytest.approx(0.025, abs=1e-6)
    assert low < 14 / 48 < high


def test_a_few_women_with_many_clusters_widen_what_resampling_says() -> None:
    rng = np.random.default_rng(4)
    spread = [view(n, round(float(rng.uniform(20, 95)), 1)) for n in range(60)]
    heaped = [
        view(n, *(round(float(c), 1) for c in rng.uniform(20, 95, 10))) if n < 6 else view(n)
        for n in range(60)
    ]

    even, uneven = (calibrate_site(views, 0.3, 0.0) for views in (spread, heaped))

    def width(found: tuple[float, float]) -> float:
        return found[1] - found[0]

    assert width(uneven.certainty_interval) > 1.3 * width(even.certainty_interval)
    assert even.certainty_interval[0] < even.minimum_certainty < even.certainty_interval[1]


def test_a_woman_has_no_say_in_what_is_expected_of_her() -> None:
    # Alone, nobody else has a candidate: the others' certainty shows all of hers.
    views = [view(0, 90.0, 80.0, 70.0), view(1), view(2), view(3)]

    found = calibrate_site(views, wanted_per_view=0.25, lowest=5.0)

    assert found.per_view == 0.25
    assert found.left_out_per_view == 0.75


def test_the_same_views_give_the_same_intervals() -> None:
    views = [view(n, 10.0 * n) for n in range(10)]

    assert calibrate_site(views, 0.3, 0.0) == calibrate_site(views, 0.3, 0.0)
