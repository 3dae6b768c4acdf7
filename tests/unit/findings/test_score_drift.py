"""When the scores of a device's exams count as moved, and when not."""

import random
from collections.abc import Callable

import pytest

from secondread.findings.score_drift import (
    EARLIER_EXAMS,
    FEWEST_EARLIER,
    RECENT_EXAMS,
    compare_scores,
)
from secondread.log_odds import from_log_odds


def draw_scores(number: int, shift: float = 0.0, seed: int = 1) -> list[float]:
    """Draw scores as exams without a cluster get them, and every seventh as one with."""
    drawn = random.Random(seed)
    scores = []
    for index in range(number):
        center, spread = (3.0, 2.0) if index % 7 == 0 else (-3.0, 1.5)
        scores.append(100 * from_log_odds(drawn.gauss(center, spread) + shift))
    return scores


def test_equals_have_not_moved() -> None:
    change = compare_scores(draw_scores(RECENT_EXAMS + EARLIER_EXAMS))
    assert change is not None
    assert not change.is_moved
    assert (change.recent_exams, change.earlier_exams) == (RECENT_EXAMS, EARLIER_EXAMS)


@pytest.mark.parametrize("shift", [2.0, -2.0])
def test_scores_of_another_processing_have(shift: float) -> None:
    change = compare_scores(draw_scores(RECENT_EXAMS, shift, 2) + draw_scores(EARLIER_EXAMS))
    assert change is not None
    assert change.is_moved
    assert (change.recent_median > change.earlier_median) == (shift > 0)


def test_too_few_exams_say_nothing() -> None:
    fewest = RECENT_EXAMS + FEWEST_EARLIER
    assert compare_scores(draw_scores(fewest - 1)) is None
    assert compare_scores(draw_scores(fewest)) is not None


def test_what_was_long_ago_does_not_count() -> None:
    compared: Callable[[list[float]], object] = compare_scores
    latest = draw_scores(RECENT_EXAMS + EARLIER_EXAMS)
    assert compared(latest) == compared(latest + draw_scores(1000, 3.0))


def test_a_device_of_which_every_exam_has_one_score_has_not_moved() -> None:
    change = compare_scores([0.5] * (RECENT_EXAMS + EARLIER_EXAMS))
    assert change is not None
    assert not change.is_moved
