"""Tables from score to certainty: isotonic regression, smoothed to a few knots."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedMarks:
    """Scores, 0-1, of marks, and whether each was right."""

    score: Values
    right: npt.NDArray[np.bool_]


def fit_certainties(marks: JudgedMarks, knots: int = 14) -> list[list[float]]:
    """Return (score, certainty) pairs: isotonic regression, smoothed to a few knots.

    Knots are spaced by log odds, since scores crowd near 1. Two marks of half a weight, a right one
    above all others and a wrong one below, fix the ends.
    """
    order = np.argsort(marks.score, kind="stable")
    odds = _compute_log_odds(marks.score[order])
    right = np.concatenate([[0.0], marks.right[order].astype(np.float64), [1.0]])
    fitted = np.asarray(isotonic_regression(right, weights=_make_weights(len(right))).x)
    knot_odds = np.linspace(odds[0], odds[-1], knots)
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


def find_certainty(points: Sequence[Sequence[float]], score: float) -> float:
    """Return the certainty, 0-100, of a score."""
    return float(np.interp(score, [p[0] for p in points], [p[1] for p in points]))
