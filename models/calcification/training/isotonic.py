"""Tables from score to certainty: isotonic regression, smoothed to a few knots, and a tail above.

Above a certainty of 95 nearly all marks are right, and a table would be fitted to the one or two
that are not. There a tail goes on (`secondread.detect.calibration`), whose slope is that of a
logistic regression over all marks: how fast wrong marks become rare, where there are some.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression, minimize

from secondread.detect.calibration import Tail, find_certainty

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedMarks:
    """Scores, 0-1, of marks, and whether each was right."""

    score: Values
    right: npt.NDArray[np.bool_]


KNOT_SPACING = 0.71
"""Distance of the knots of a table, in log odds of the score. A fixed number would not do: where
scores reach farther up, the table would be coarser in the middle, which decides what is shown."""


def fit_certainties(marks: JudgedMarks, knots: int | None = None) -> list[list[float]]:
    """Return (score, certainty) pairs: isotonic regression, smoothed to a few knots.

    Knots are spaced by log odds, since scores crowd near 1, `KNOT_SPACING` or a little less apart
    where their number is not given. Two marks of half a weight, a right one
    above all others and a wrong one below, fix the ends.
    """
    order = np.argsort(marks.score, kind="stable")
    odds = _compute_log_odds(marks.score[order])
    right = np.concatenate([[0.0], marks.right[order].astype(np.float64), [1.0]])
    fitted = np.asarray(isotonic_regression(right, weights=_make_weights(len(right))).x)
    count = knots or max(int(np.ceil((odds[-1] - odds[0]) / KNOT_SPACING)) + 1, 2)
    knot_odds = np.linspace(odds[0], odds[-1], count)
    # The mean around each knot, since the steps of an isotonic fit depend on the sample.
    around = knot_odds[:, None] + np.linspace(-0.5, 0.5, 21) * (knot_odds[1] - knot_odds[0])
    level = np.interp(around, np.concatenate([[-_FAR], odds, [_FAR]]), fitted).mean(axis=1)
    # Strictly rising, so that an operating point can separate any two scores.
    rising = np.maximum.accumulate(level) + 0.001 * np.arange(len(level))
    pairs = [
        (float(x), 100 * float(y)) for x, y in zip(_compute_score(knot_odds), rising, strict=True)
    ]
    ends = [(0.0, 0.0), *pairs, (1.0, pairs[-1][1] + 0.1)]
    return [[round(x, 4), round(min(max(y, 0.5), 99.0), 1)] for x, y in ends]


_FAR = 12.0
"""Log odds that no mark reaches."""


def _compute_log_odds(score: Values) -> Values:
    clipped = np.clip(score, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


def _compute_score(log_odds: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-log_odds)), np.float64)


def _make_weights(count: int) -> Values:
    weights = np.ones(count)
    weights[0] = weights[-1] = 0.5
    return weights


@dataclass(frozen=True, slots=True)
class FittedTable:
    """A table with its tail, as the manifest has them."""

    points: list[list[float]]
    """(score, certainty) pairs."""
    slope: float | None
    """Of the tail; None for a table that has none."""

    @property
    def tail(self) -> Tail | None:
        """The tail."""
        return None if self.slope is None else Tail(slope=self.slope, limit=HIGHEST)

    def calibrate(self, score: float) -> float:
        """Return the certainty, 0-100, of a score, as the node does."""
        return find_certainty(tuple((s, c) for s, c in self.points), self.tail, score)

    def format_tail(self) -> str:
        """Return the tail as a TOML value."""
        return f"{{ slope = {self.slope}, limit = {HIGHEST} }}"


HIGHEST = 99.99
"""Certainty never exceeds this."""

TAIL_FROM = 95.0
"""Certainty at which the table ends and its tail begins."""

_SLOPES = (0.2, 3.0)
"""Least and greatest slope of a tail."""


def fit_with_tail(marks: JudgedMarks, knots: int | None = None) -> FittedTable:
    """Return the table of `fit_certainties` up to `TAIL_FROM`, and the slope above it.

    A table that does not reach so far is returned whole, without a tail.
    """
    whole = fit_certainties(marks, knots)
    low = [point for point in whole if point[1] < TAIL_FROM]
    high = [point for point in whole if point[1] >= TAIL_FROM]
    if not low or not high or low[-1][0] >= 1.0:
        return FittedTable(whole, None)
    (s0, c0), (s1, c1) = low[-1], high[0]
    ends_at = round(s0 + (s1 - s0) * (TAIL_FROM - c0) / (c1 - c0), 5)
    if ends_at <= s0:
        return FittedTable(whole, None)
    slope = float(np.clip(_fit_slope(marks), *_SLOPES))
    return FittedTable([*low, [ends_at, TAIL_FROM]], round(slope, 3))


def _fit_slope(marks: JudgedMarks) -> float:
    """Return the slope of a logistic regression of being right on the log odds of the score.

    With a weak prior on the slope (mean 1, standard deviation 1), so that marks which a threshold
    separates have one as well.
    """
    x, y = _compute_log_odds(marks.score), marks.right.astype(np.float64)

    def measure_misfit(line: Values) -> float:
        at = line[0] + line[1] * x
        # The negative logarithm of the likelihood, in a form that does not overflow.
        return float((np.logaddexp(0.0, at) - y * at).sum() + 0.5 * (line[1] - 1.0) ** 2)

    return float(minimize(measure_misfit, np.array([0.0, 1.0])).x[1])
