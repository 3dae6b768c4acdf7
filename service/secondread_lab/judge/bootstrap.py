"""Intervals by resampling patients: whole patients are drawn, since their images are alike.

Percentile intervals of Efron and Tibshirani, An Introduction to the Bootstrap, 1993. All resamples
are made at once, as counts of how often each patient was drawn; row 0 draws each patient once and
gives the value itself, so that value and interval come from the same code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
SEED = 20261122

MINIMUM_PATIENTS = 5
"""With fewer patients there is no interval, since their resamples are all alike."""

Values = npt.NDArray[np.float64]
Owners = npt.NDArray[np.int64]
"""Index of the patient that each item belongs to."""
Draws = npt.NDArray[np.float32]
"""Shape (resamples + 1, patients): how often each patient was drawn; row 0 is all ones."""

_BLOCK = 512

_CELLS = 4_000_000
"""Items times resamples that are in memory at once."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float | None
    """None where there is nothing to measure."""
    low: float | None
    high: float | None
    """Both None where there are too few patients for an interval."""
    items: int
    """Number of items behind it."""
    patients: int

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} [{self.low:.2f}-{self.high:.2f}]"


def draw_resamples(patients: int, resamples: int = RESAMPLES, seed: int = SEED) -> Draws:
    """Return how often each patient is drawn in each resample, the original first."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(patients, np.full(patients, 1.0 / patients), size=resamples)
    return np.concatenate([np.ones((1, patients)), counts]).astype(np.float32)


def estimate_interval(values: Values, owners: Owners) -> Estimate:
    """Return the first value and the 2.5 and 97.5 percentiles of the others.

    Resamples in which the figure has no value are left out.

    Parameters
    ----------
    values
        The figure in the original and in each resample; NaN where it has none.
    owners
        Of the items behind it.
    """
    rest = values[1:][np.isfinite(values[1:])]
    count, patients = len(owners), len(np.unique(owners))
    value = float(values[0]) if np.isfinite(values[0]) else None
    if value is None or patients < MINIMUM_PATIENTS or not len(rest):
        return Estimate(value, None, None, count, patients)
    low, high = np.percentile(rest, (2.5, 97.5))
    return Estimate(value, float(low), float(high), count, patients)


def resample_mean(items: Values, owners: Owners, draws: Draws) -> Values:
    """Return the mean of the items in each resample, NaN where none is drawn."""
    top = draws @ np.bincount(owners, items, draws.shape[1])
    bottom = draws @ np.bincount(owners, minlength=draws.shape[1]).astype(np.float64)
    out: Values = np.full(len(draws), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def resample_share_above(
    scores: Values, thresholds: Values, owners: Owners, draws: Draws
) -> Values:
    """Return the share of items above each resample's own threshold.

    Parameters
    ----------
    thresholds
        One for each resample, `froc.find_first_excluded`.
    """
    out = np.full(len(draws), np.nan)
    if not len(scores):
        return out
    for rows in _split_rows(len(draws), len(scores)):
        weight = draws[rows][:, owners]
        above = scores[None, :] > thresholds[rows, None]
        total = weight.sum(axis=1, dtype=np.float64)
        hit = (weight * above).sum(axis=1, dtype=np.float64)
        np.divide(hit, total, out=out[rows], where=total > 0)
    out[np.isnan(thresholds)] = np.nan
    return out


def estimate_mean(
    items: Sequence[float] | Values, owners: Owners | Sequence[int], draws: Draws
) -> Estimate:
    """Return the mean of the items with its interval."""
    patients = np.asarray(owners, np.int64)
    return estimate_interval(
        resample_mean(np.asarray(items, np.float64), patients, draws), patients
    )


def estimate_share_above(
    scores: Sequence[float] | Values, thresholds: Values, owners: Owners, draws: Draws
) -> Estimate:
    """Return the share of items above each resample's own threshold, with its interval."""
    shares = resample_share_above(np.asarray(scores, np.float64), thresholds, owners, draws)
    return estimate_interval(shares, owners)


def _split_rows(rows: int, columns: int) -> Sequence[slice]:
    step = max(_CELLS // max(columns, 1), 1)
    return [slice(first, min(first + step, rows)) for first in range(0, rows, step)]


def count_within_limits(owners: Owners, draws: Draws, limits: Values) -> npt.NDArray[np.int64]:
    """Return how many leading items fit under a limit, in each resample.

    Parameters
    ----------
    owners
        Of the items, in the order in which they are counted.
    limits
        Shape (rates, resamples): the most drawn items that may be counted.

    Returns
    -------
    ndarray
        Shape (rates, resamples): number of leading items whose sum does not exceed the limit.
    """
    count = len(owners)
    if not count:
        return np.zeros(limits.shape, np.int64)
    # Whole blocks are summed by patient; only the block in which the limit falls, item by item.
    blocks = -(-count // _BLOCK)
    patients = draws.shape[1]
    where = np.arange(count) // _BLOCK * patients + owners
    by_block = np.bincount(where, minlength=blocks * patients).reshape(blocks, patients)
    sums = np.cumsum(draws @ by_block.T, axis=1, dtype=np.float64)
    # Sums are whole numbers, limits are products of decimals that may fall just short.
    return np.stack([_count_fitting(owners, draws, sums, limit + 1e-6) for limit in limits])


def _count_fitting(
    owners: Owners, draws: Draws, sums: Values, limit: Values
) -> npt.NDArray[np.int64]:
    whole = (sums <= limit[:, None]).sum(axis=1)
    before = np.where(whole > 0, np.take_along_axis(sums, whole[:, None] - 1, axis=1)[:, 0], 0.0)
    items = whole[:, None] * _BLOCK + np.arange(_BLOCK)
    there = items < len(owners)
    weight = np.take_along_axis(draws, owners[np.where(there, items, 0)], axis=1)
    inside = np.cumsum(weight, axis=1, dtype=np.float64) + before[:, None]
    fits = there & (inside <= limit[:, None])
    return np.asarray(np.minimum(whole * _BLOCK + fits.sum(axis=1), len(owners)), np.int64)
