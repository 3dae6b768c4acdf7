"""Free-response curves: sensitivity against false marks, and thresholds of given rates.

The threshold of a rate is the lowest one at which no more false marks remain; no point is
interpolated. Equal scores are accepted or excluded together, so that the order of images does not
matter.
"""

import math
from dataclasses import dataclass

import numpy as np

from secondread_lab.judge.bootstrap import (
    MINIMUM_PATIENTS,
    Draws,
    Owners,
    Values,
    count_within_limits,
    resample_share_above,
)


@dataclass(frozen=True, slots=True)
class FalseMarks:
    """False marks, and what they were counted over."""

    scores: Values
    owners: Owners
    """Patient of each mark."""
    exposure: Values
    """Of each patient, what false marks are counted over: views, or cm2 of breast."""

    @property
    def ends_at(self) -> float:
        """The rate at the lowest score of the model; the curve ends there."""
        total = float(self.exposure.sum())
        return len(self.scores) / total if total else math.nan


def find_first_excluded(false: FalseMarks, rates: Values, draws: Draws) -> Values:
    """Return, for each rate, the highest score that is not accepted; higher ones are.

    Returns
    -------
    ndarray
        Shape (rates, resamples); minus infinity where every mark is accepted, NaN where nothing
        was drawn to count over.
    """
    order = np.argsort(-false.scores, kind="stable")
    scores = np.append(false.scores[order], -np.inf)
    exposure = draws @ false.exposure
    accepted = count_within_limits(false.owners[order], draws, np.outer(rates, exposure))
    return np.where(exposure > 0, scores[accepted], np.nan)


@dataclass(frozen=True, slots=True)
class FrocCurve:
    """A free-response curve with its band, NaN where there are too few patients for one."""

    rates: tuple[float, ...]
    sensitivity: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    ends_at: float


def compute_curve(
    scores: Values, owners: Owners, false: FalseMarks, rates: Values, draws: Draws
) -> FrocCurve:
    """Return sensitivity at each rate, with 95 % intervals by patient.

    Parameters
    ----------
    scores, owners
        Of every target: the score of its highest mark (minus infinity where missed), and its
        patient.
    """
    limits = find_first_excluded(false, rates, draws)
    table = np.stack([resample_share_above(scores, limit, owners, draws) for limit in limits])
    enough = len(np.unique(owners)) >= MINIMUM_PATIENTS
    rest = table[:, 1:] if enough else table[:, :0]
    low, high = (_compute_percentiles(rest, q) for q in (2.5, 97.5))
    return FrocCurve(
        tuple(float(r) for r in rates),
        tuple(float(v) for v in table[:, 0]),
        tuple(float(v) for v in low),
        tuple(float(v) for v in high),
        false.ends_at,
    )


def _compute_percentiles(table: Values, q: float) -> Values:
    rows = (row[np.isfinite(row)] for row in table)
    return np.array([np.percentile(row, q) if len(row) else np.nan for row in rows])
