"""The operating point of one site, from its own exams without calcifications.

Where no exam has a cluster, every cluster shown is false, and no annotation is needed to count
them. The rate behind a count is uncertain in two ways: false clusters are few, and a woman who has
one in one view has them in others. The exact interval of a Poisson count (Garwood, Biometrika
1936) covers the first, the resampling of whole women the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from secondread_lab.judge.bootstrap import RESAMPLES, SEED, draw_resamples

MINIMUM_EXAMS = 10
"""With fewer exams there is no calibration."""
WANTED_EXAMS = 50
"""From this number on the rate is reliable."""
LOOKS_REAL = 90.0
"""A person should look at a cluster of this certainty (0-100) in an exam that should have none."""

_STEP = 0.05  # certainties of findings are rounded to 0.1; half of that separates two of them
_SLACK = 1e-9  # products of decimals may fall just short of a whole number

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ViewScores:
    """The candidate clusters of one view that was read."""

    woman: str
    """A pseudonym: only which views are of the same woman matters."""
    exam: str
    certainties: tuple[float, ...]
    """Of all candidate clusters, 0-100."""


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """A minimum certainty for clusters, and its uncertainty."""

    minimum_certainty: float
    wanted_per_view: float
    clusters: int
    """Shown at that certainty on the views at hand."""
    per_view: float
    interval: tuple[float, float]
    """Of the rate: 95 %, exact for a Poisson count."""
    left_out_per_view: float
    """Rate on each woman's views at the certainty from the other women's views: the rate to expect
    for the next woman, whereas `per_view` was fitted."""
    certainty_interval: tuple[float, float]
    """Of the minimum certainty: 95 %, by resampling women."""
    exams: int
    women: int
    views: int

    @property
    def exceeds(self) -> bool:
        """Whether more is shown than wanted, because the highest certainties are equal."""
        return self.clusters > self.wanted_per_view * self.views + _SLACK


def calibrate_site(
    views: Sequence[ViewScores],
    wanted_per_view: float,
    lowest: float,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> CalibrationResult:
    """Find the lowest certainty that shows no more false clusters than wanted.

    Parameters
    ----------
    views
        All views that were read, those without a candidate included.
    wanted_per_view
        False clusters per view, on average.
    lowest
        The least certainty of any candidate that the model lists; the minimum certainty is this
        where there are fewer candidates than wanted.
    resamples, seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        There are no views.
    """
    if not views:
        raise ValueError("no view was read")
    women = sorted({view.woman for view in views})
    owner = {woman: number for number, woman in enumerate(women)}
    of_views = np.array([owner[view.woman] for view in views])
    pairs = sorted(((c, owner[v.woman]) for v in views for c in v.certainties), reverse=True)
    ranked = _RankedCandidates(
        np.array([certainty for certainty, _ in pairs], np.float64),
        np.array([woman for _, woman in pairs], np.int64),
        np.bincount(of_views, minlength=len(women)).astype(np.float64),
    )
    draws = draw_resamples(len(women), resamples, seed).astype(np.float64)
    minimums = np.array([ranked.find_minimum(row, wanted_per_view, lowest) for row in draws])
    minimum = float(minimums[0])
    count = int(np.count_nonzero(ranked.certainties >= minimum))
    low, high = np.percentile(minimums[1:], (2.5, 97.5))
    return CalibrationResult(
        minimum_certainty=minimum,
        wanted_per_view=wanted_per_view,
        clusters=count,
        per_view=count / len(views),
        interval=compute_poisson_interval(count, len(views)),
        left_out_per_view=_count_left_out(ranked, wanted_per_view, lowest) / len(views),
        certainty_interval=(float(low), float(high)),
        exams=len({view.exam for view in views}),
        women=len(women),
        views=len(views),
    )


def compute_poisson_interval(count: int, views: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the rate per view behind a count (Garwood 1936).

    >>> tuple(round(limit, 3) for limit in compute_poisson_interval(0, 10))
    (0.0, 0.369)
    """
    tail = (1 - level) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low / views, float(gammaincinv(count + 1, 1 - tail)) / views


@dataclass(frozen=True, slots=True)
class _RankedCandidates:
    """All candidates by falling certainty, and the number of views of each woman."""

    certainties: Values
    owners: npt.NDArray[np.int64]
    views: Values

    def find_minimum(self, weights: Values, wanted_per_view: float, lowest: float) -> float:
        """Return the minimum certainty, where each woman counts with a weight."""
        allowed = wanted_per_view * float(weights @ self.views) + _SLACK
        counts = np.cumsum(weights[self.owners])
        first_out = int(np.searchsorted(counts, allowed, side="right"))
        if first_out == len(counts):
            return lowest
        return round(min(float(self.certainties[first_out]) + _STEP, 100.0), 2)


def _count_left_out(ranked: _RankedCandidates, wanted_per_view: float, lowest: float) -> int:
    """Return the number of clusters shown where each woman's own exams are left out of the fit."""
    women = len(ranked.views)
    if women == 1:
        return int(np.count_nonzero(ranked.certainties >= lowest))
    clusters = 0
    for woman in range(women):
        others = np.ones(women)
        others[woman] = 0.0
        minimum = ranked.find_minimum(others, wanted_per_view, lowest)
        own = ranked.certainties[ranked.owners == woman]
        clusters += int(np.count_nonzero(own >= minimum))
    return clusters
