"""Calcification by calcification: which of one exam are those of the other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from secondread.followup.calcifications import LOW_CERTAINTY, Calcifications
from secondread.followup.registration.frame import PointsMm

PAIR_MM = 1.2
"""A calcification is found again when it is this near to where its cluster's shift puts it. That
allows for what a cluster turns and bends by from one compression to the next, and for errors of
both marks."""

_MOST_TRIED = 40  # of the surest calcifications of each exam, when the common shift is sought


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Calcifications of one place in both exams."""

    current: Calcifications
    prior: Calcifications
    pairs: npt.NDArray[np.int64]
    """(n, 2): indices of current and prior ones that are the same."""
    shift_mm: npt.NDArray[np.float64]
    """(2,): what the registration was off by here, as far as the pairs show."""

    @property
    def counted_current(self) -> npt.NDArray[np.bool_]:
        """Which current ones are counted: the sure ones, and those whose partner is sure."""
        return _count(self.current, self.pairs[:, 0], self.prior.sure[self.pairs[:, 1]])

    @property
    def counted_prior(self) -> npt.NDArray[np.bool_]:
        """Which prior ones are counted, by the same rule."""
        return _count(self.prior, self.pairs[:, 1], self.current.sure[self.pairs[:, 0]])

    def select(self, current: npt.NDArray[np.bool_], prior: npt.NDArray[np.bool_]) -> "Pairing":
        """Return the chosen ones of both exams, with the pairs whose calcifications are both."""
        kept = self.pairs[current[self.pairs[:, 0]] & prior[self.pairs[:, 1]]]
        numbers = np.stack(
            [np.cumsum(current)[kept[:, 0]] - 1, np.cumsum(prior)[kept[:, 1]] - 1], axis=1
        )
        return Pairing(
            self.current.select(current), self.prior.select(prior), numbers, self.shift_mm
        )


def _count(
    calcifications: Calcifications,
    paired: npt.NDArray[np.int64],
    partner_is_sure: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    # A calcification that one exam shows surely and the other faintly neither appeared nor went.
    counted = calcifications.sure.copy()
    counted[paired[partner_is_sure]] = True
    return counted


def pair_calcifications(
    current: Calcifications, mapped: PointsMm, prior: Calcifications, reach_mm: float
) -> Pairing:
    """Pair the calcifications of a current cluster with those of a prior one.

    Parameters
    ----------
    current, prior
        Both clusters.
    mapped
        The current ones in the prior's frame, by the registration.
    reach_mm
        How far off the registration may be; the cluster is shifted as a whole by at most this.
    """
    shift = _find_common_shift(current, mapped, prior, reach_mm)
    pairs = _assign_pairs(mapped + shift, prior.centers, PAIR_MM)
    return Pairing(current, prior, pairs, shift)


def find_unpaired(pairing: Pairing, mapped: PointsMm, reach_mm: float) -> npt.NDArray[np.bool_]:
    """Return which current calcifications have no partner in the prior, however far it moved.

    Parameters
    ----------
    pairing
        Of the whole cluster; a calcification that is paired is nobody else's partner.
    mapped
        The current ones in the prior's frame, by the registration.
    reach_mm
        How far a partner may be from where the cluster's shift puts it.
    """
    unpaired = np.ones(len(pairing.current), np.bool_)
    unpaired[pairing.pairs[:, 0]] = False
    likely = pairing.prior.certainty >= LOW_CERTAINTY
    likely[pairing.pairs[:, 1]] = False
    free = pairing.prior.centers[likely]
    left = np.flatnonzero(unpaired)
    found = _assign_pairs(mapped[left] + pairing.shift_mm, free, reach_mm)
    unpaired[left[found[:, 0]]] = False
    return unpaired


def _find_common_shift(
    current: Calcifications, mapped: PointsMm, prior: Calcifications, reach_mm: float
) -> npt.NDArray[np.float64]:
    """Return the shift under which most calcifications find a partner; the least of equals.

    All shifts are tried that put one calcification where another one is. Each calcification of
    either exam adds to the score of a shift: 1 for a partner in the same place, falling to 0 at
    `PAIR_MM`. A far shift loses up to half a calcification, so that of equals the least wins.
    """
    here = mapped[np.argsort(-current.certainty, kind="stable")[:_MOST_TRIED]]
    there = prior.centers[np.argsort(-prior.certainty, kind="stable")[:_MOST_TRIED]]
    no_shift = np.zeros(2)
    if not len(here) or not len(there):
        return no_shift
    tried = (there[None, :, :] - here[:, None, :]).reshape(-1, 2)
    tried = np.vstack([no_shift, tried[np.hypot(*tried.T) <= reach_mm]])
    best, best_score = no_shift, -np.inf
    for shift in tried:
        distance = cdist(here + shift, there)
        current_miss = np.minimum(distance.min(axis=1), PAIR_MM) / PAIR_MM
        prior_miss = np.minimum(distance.min(axis=0), PAIR_MM) / PAIR_MM
        away = float(np.hypot(*shift)) / max(reach_mm, PAIR_MM)
        score = float((1 - current_miss).sum() + (1 - prior_miss).sum()) - 0.5 * away
        if score > best_score + 1e-9:
            best, best_score = shift, score
    pairs = _assign_pairs(here + best, there, PAIR_MM)
    if len(pairs) == 0:
        return no_shift
    # The mean over all pairs, because the shift of one pair carries the errors of its two marks.
    return np.asarray(np.mean(there[pairs[:, 1]] - here[pairs[:, 0]], axis=0))


def _assign_pairs(here: PointsMm, there: PointsMm, reach_mm: float) -> npt.NDArray[np.int64]:
    if not len(here) or not len(there):
        return np.empty((0, 2), np.int64)
    distance = cdist(here, there)
    # Capped, so that the assignment gives up no near pair to shorten the way of two far ones.
    rows, columns = linear_sum_assignment(np.minimum(distance, reach_mm))
    near = distance[rows, columns] < reach_mm
    return np.stack([rows[near], columns[near]], axis=1).astype(np.int64)
