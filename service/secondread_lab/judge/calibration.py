"""Reliability of certainties: whether one of 70 is right seven times in ten."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread_lab.judge.bootstrap import Values

BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Marks of about the same certainty."""

    low: float
    high: float
    """Certainties, 0-1."""
    count: int
    stated: float
    """Mean certainty."""
    observed: float
    """Share that is right."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated against observed certainty, and their mean distance."""

    bins: tuple[ReliabilityBin, ...]
    """Those with marks."""
    ece: float | None
    """Expected calibration error: mean distance of stated and observed, weighted by marks
    (Naeini et al., 2015). None without marks."""
    brier: float | None
    count: int


def measure_reliability(
    certainty: Values, right: npt.NDArray[np.bool_], bins: int = BINS
) -> Reliability:
    """Compare certainties, 0-1, with the share of marks that are right.

    Bins are of equal width; the last holds certainty 1 too.
    """
    if not len(certainty):
        return Reliability((), None, None, 0)
    which = np.minimum((certainty * bins).astype(np.int64), bins - 1)
    filled: list[ReliabilityBin] = []
    for number in range(bins):
        inside = which == number
        if inside.any():
            filled.append(
                ReliabilityBin(
                    number / bins,
                    (number + 1) / bins,
                    int(inside.sum()),
                    float(certainty[inside].mean()),
                    float(right[inside].mean()),
                )
            )
    distance = sum(
        filled_bin.count * abs(filled_bin.stated - filled_bin.observed) for filled_bin in filled
    )
    return Reliability(
        tuple(filled),
        distance / len(certainty),
        float(np.mean((certainty - right) ** 2)),
        len(certainty),
    )
