"""Certainty above its table: it goes on rising, never to 100, and never falls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from secondread.codes import MarkClass
from secondread.detect.calibration import Calibration, Tail

TABLE = ((0.0, 0.5), (0.6, 50.0), (0.9, 95.0))
CALIBRATION = Calibration(
    calibrated=True,
    on="x",
    points=((0.0, 0.0), (1.0, 100.0)),
    by_class={MarkClass.CLUSTER: TABLE},
    tail_by_class={MarkClass.CLUSTER: Tail(slope=1.0, limit=99.99)},
)


@pytest.mark.parametrize(("score", "certainty"), [(0.9, 95.0), (0.99, 99.52), (0.999, 99.95)])
def test_above_the_table_log_odds_rise_with_those_of_the_score(
    score: float, certainty: float
) -> None:
    # 19 to one at odds of 9: tail odds are 19 / 9 times those of the score.
    assert CALIBRATION.calibrate(MarkClass.CLUSTER, score) == pytest.approx(certainty, abs=0.005)


def test_nothing_is_certain_however_high_its_score() -> None:
    assert CALIBRATION.calibrate(MarkClass.CLUSTER, 1.0) == 99.99


@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_certainty_never_falls_from_the_table_into_the_tail(low: float, high: float) -> None:
    low, high = sorted((low, high))
    lower, higher = (CALIBRATION.calibrate(MarkClass.CLUSTER, score) for score in (low, high))
    assert lower <= higher


def test_a_tail_needs_the_table_that_it_goes_on_from() -> None:
    tail = Tail(slope=1.0, limit=99.99)
    values = {"calibrated": True, "on": "x", "points": TABLE}

    with pytest.raises(ValidationError, match="tail_by_class"):
        Calibration(**values, tail_by_class={MarkClass.CLUSTER: tail})  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="exam_tail"):
        Calibration(**values, exam_tail=tail)  # type: ignore[arg-type]
