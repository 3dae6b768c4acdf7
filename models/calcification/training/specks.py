"""The specks of regions as points, and their variation each time they are used.

A vessel is one long line of specks, and a few hundred vessels are soon learnt by heart. So the
specks of a region are turned, stretched and thinned anew each time, which needs no pixels and takes
next to no time.
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
"""The right answers that the network separates."""

_STRETCHED = 0.1  # standard deviation of the logarithm
_MOST_LEFT_OUT = 0.4  # share of the specks that are not asked about
_DOUBT = 0.5  # standard deviation of the logit of each share


@dataclass(frozen=True, slots=True)
class Specks:
    """Candidates of regions, those of one region together."""

    region: npt.NDArray[np.int64]
    at_mm: npt.NDArray[np.float64]
    """(n, 2): row and column in the region, in mm."""
    shares: npt.NDArray[np.float32]
    """(n, heads): scores of the rescoring network."""
    target: npt.NDArray[np.int64]
    """The right answer, 0 for nothing; -1 where it is unknown."""


def vary_specks(
    specks: Specks, rng: np.random.Generator | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """Return the calcifications and vessels to learn from, and their features.

    Parameters
    ----------
    specks
        Of several regions.
    rng
        Varies each region as a whole; None leaves all as it is.

    Raises
    ------
    ValueError
        There are none.
    """
    numbers, features = [], []
    edges = np.flatnonzero(np.diff(specks.region, prepend=-1, append=-1))
    for first, last in pairwise(edges):
        places, shares = specks.at_mm[first:last], specks.shares[first:last]
        asked = _select_asked(shares, specks.target[first:last])
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
        raise ValueError("these regions have no calcification or vessel to learn from")
    return np.concatenate(numbers), np.concatenate(features)


def _select_asked(
    shares: npt.NDArray[np.float32], target: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the indices of calcifications and vessels; the network does not change others."""
    asked = neighbours.select_spots(shares, HEADS)
    return np.asarray(asked[np.isin(target[asked], (CALCIFICATION, VESSEL))])


def _thin(
    count: int, asked: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the indices of the remaining specks, with all those to learn from."""
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


def weigh_draws(specks: Specks) -> npt.NDArray[np.float64]:
    """Return the weight of each speck: the more of its kind in its region, the less."""
    asked = _select_asked(specks.shares, specks.target)
    pairs = np.stack([specks.region[asked], specks.target[asked]], axis=1)
    _, inverse, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    weights = np.zeros(len(specks.region))
    weights[asked] = counts[inverse.ravel()] ** -0.5
    return weights
