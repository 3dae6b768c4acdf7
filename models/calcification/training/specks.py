"""The spots of regions as clouds of points, and how they are varied each time they are seen.

A vessel is one long line of spots, and a few hundred vessels are soon learnt by heart. So the
spots of a region are turned, stretched and thinned out anew; that needs no pixels, and costs next
to nothing.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.calcification.training.regions import HEADS
from secondread.codes import MarkClass
from secondread.detect import neighbours

CALCIFICATION, VESSEL = (
    1 + HEADS.index(each) for each in (MarkClass.CALCIFICATION, MarkClass.VASCULAR)
)
"""The right answers that are told apart."""

_STRETCHED = 0.1  # standard deviation of the logarithm
_MOST_LEFT_OUT = 0.4  # share of the spots that are not asked about
_DOUBT = 0.5  # standard deviation of the logit of each share


@dataclass(frozen=True, slots=True)
class Specks:
    """Candidates of regions, those of one region together."""

    region: npt.NDArray[np.int64]
    at_mm: npt.NDArray[np.float64]
    """(n, 2): row and column in the region, in mm."""
    shares: npt.NDArray[np.float32]
    """(n, heads): what the rescoring network says."""
    target: npt.NDArray[np.int64]
    """The right answer, nothing being 0; -1 where it is not asked."""


def vary_specks(
    spots: Specks, rng: np.random.Generator | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """Return the calcifications and vessels that are asked about, and their features.

    Parameters
    ----------
    spots
        Of several regions.
    rng
        Varies each region as a whole; None leaves all as it is.

    Raises
    ------
    ValueError
        None is asked about.
    """
    numbers, features = [], []
    edges = np.flatnonzero(np.diff(spots.region, prepend=-1, append=-1))
    for first, last in pairwise(edges):
        places, shares = spots.at_mm[first:last], spots.shares[first:last]
        asked = _select_asked(shares, spots.target[first:last])
        if not len(asked):
            continue
        left = np.arange(len(places))
        if rng is not None:
            left = _thin(len(places), asked, rng)
            places, shares = _move(places[left], rng), _disturb(shares[left], rng)
        own = np.searchsorted(left, asked)
        numbers.append(first + asked)
        features.append(neighbours.compute_features(places, shares, HEADS, own).astype(np.float16))
    if not numbers:
        raise ValueError("no calcification or vessel of these regions is asked about")
    return np.concatenate(numbers), np.concatenate(features)


def _select_asked(
    shares: npt.NDArray[np.float32], target: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the indices of the spots that are one or the other: what else there is stays so."""
    asked = neighbours.select_spots(shares, HEADS)
    return np.asarray(asked[np.isin(target[asked], (CALCIFICATION, VESSEL))])


def _thin(
    count: int, asked: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the indices of the spots that are left, those that are asked about among them."""
    is_left = rng.random(count) >= rng.uniform(0, _MOST_LEFT_OUT)
    is_left[asked] = True
    return np.flatnonzero(is_left)


def _move(at: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    turn = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin], [sin, cos]]) * (1, rng.choice((-1, 1)))
    return np.asarray(at @ matrix.T * np.exp(rng.normal(0, _STRETCHED)))


def _disturb(shares: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return shares as another network might have given them."""
    nothing = np.clip(1 - shares.sum(axis=1, keepdims=True), 1e-3, 1)
    logits = np.log(np.maximum(np.concatenate([nothing, shares], axis=1), 1e-3))
    logits += rng.normal(0, _DOUBT, logits.shape)
    odds = np.exp(logits)
    return np.asarray((odds / odds.sum(axis=1, keepdims=True))[:, 1:], np.float32)


def weigh_draws(spots: Specks) -> npt.NDArray[np.float64]:
    """Return how often each spot is drawn: many of one nature in one region less often each."""
    asked = _select_asked(spots.shares, spots.target)
    pairs = np.stack([spots.region[asked], spots.target[asked]], axis=1)
    _, inverse, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    weights = np.zeros(len(spots.region))
    weights[asked] = counts[inverse.ravel()] ** -0.5
    return weights
