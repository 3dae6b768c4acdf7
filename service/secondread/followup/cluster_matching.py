"""Which cluster of the prior a current cluster is: one to one, then the parts that are left.

Distances are between calcifications, not centres: a cluster that has grown, or of which the
detector saw half, is still where its old calcifications are. What was one cluster and is in parts
now, or the reverse, is matched as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.special import pdtrc

from secondread.findings.clusters import LINK_MM, MINIMUM_MEMBERS, OUTLINE_MARGIN_MM
from secondread.followup.calcification_pairs import PAIR_MM, find_unpaired, pair_calcifications
from secondread.followup.calcifications import Calcifications, join_calcifications
from secondread.followup.registration.frame import PointsMm

SEARCH_ERRORS = 2.45
"""A radius of so many standard errors holds 95 % of places whose errors are normal in both
directions."""
LEAST_SEARCH_MM, MOST_SEARCH_MM = 5.0, 25.0
"""Limits of the search radius. The upper one is the mean and two standard deviations of regional
registration on real pairs (8.5 +/- 6.2 mm; Hadjiiski et al., ADA420484)."""

_UNLIKE = 0.15  # cost of a factor of e in number, against 1 for the whole search radius squared
_NO_MATCH = 100.0  # far above the cost of any match, and finite, as the assignment needs it
_IS_PART = 0.25  # cost of leaving a part to its whole: a match within half the radius is better
_BY_CHANCE = 0.01
_LEAST_SPARSE = 2


def search_radius_mm(error_mm: float) -> float:
    """Return how far from its mapped place a cluster is looked for in the prior."""
    return min(max(SEARCH_ERRORS * error_mm, LEAST_SEARCH_MM), MOST_SEARCH_MM)


@dataclass(frozen=True, slots=True)
class MappedCluster:
    """A current cluster, in the prior's frame."""

    finding: int
    """Index among the image's findings."""
    calcifications: Calcifications
    mapped: PointsMm
    error_mm: float
    """Standard error of its place in the prior, in each direction."""

    @property
    def radius_mm(self) -> float:
        """How far from its mapped place it is looked for."""
        return search_radius_mm(self.error_mm)

    @property
    def partner_mm(self) -> float:
        """How far from its mapped place one of its calcifications may be in the prior."""
        return max(PAIR_MM, SEARCH_ERRORS * self.error_mm)

    @property
    def margin_mm(self) -> float:
        """How far from a whole's calcifications a part's may be.

        That is within the outline that is drawn around it, and the uncertainty of the place.
        """
        return min(OUTLINE_MARGIN_MM + self.error_mm, LINK_MM)


@dataclass(frozen=True, slots=True)
class Match:
    """One whole: the current clusters and those of the prior that are the same."""

    parts: tuple[MappedCluster, ...]
    """At least one, the best match of the first prior finding before the others."""
    prior: tuple[int, ...]
    """Indices of the prior's findings, the best first; empty where nothing matches."""


def match_clusters(
    current: Sequence[MappedCluster],
    prior: Calcifications,
    clusters: Sequence[int],
    area_mm2: float,
) -> tuple[Match, ...]:
    """Match current clusters with prior ones; each is in exactly one match.

    Parameters
    ----------
    current
        The current clusters that the prior's image shows the place of.
    prior
        All calcifications of the prior's image.
    clusters
        Indices of its findings that are clusters.
    area_mm2
        Of the breast in the prior's image.
    """
    best = _match_one_to_one(current, prior, clusters)
    wholes = {number: Match((current[number],), (own,)) for number, own in best.items()}
    shifts = {number: _find_shift(match, prior) for number, match in wholes.items()}
    for finding in (c for c in clusters if c not in best.values()):
        at = prior.select_findings([finding]).centers
        reach = {
            number: _measure_reach(at, current[number].mapped + shift, current[number])
            for number, shift in shifts.items()
        }
        if (number := _find_nearest(reach)) is not None:
            whole = wholes[number]
            wholes[number] = replace(whole, prior=(*whole.prior, finding))
    single: list[Match] = []
    loose = prior.exclude_findings(clusters)
    for number, part in enumerate(current):
        if number in best:
            continue
        reach = {
            other: _measure_reach(
                part.mapped + shifts[other],
                prior.select_findings(whole.prior).centers,
                part,
            )
            for other, whole in wholes.items()
        }
        nearest = _find_nearest(reach)
        if nearest is not None and not _is_new(wholes[nearest], part, prior):
            wholes[nearest] = replace(wholes[nearest], parts=(*wholes[nearest].parts, part))
        else:
            few = find_sparse(part.mapped, part.radius_mm, loose, area_mm2)
            single.append(Match((part,), few))
    return (*wholes.values(), *single)


def _match_one_to_one(
    current: Sequence[MappedCluster], prior: Calcifications, clusters: Sequence[int]
) -> dict[int, int]:
    """Return the prior cluster of each current one that has one, by the least total cost."""
    if not current or not clusters:
        return {}
    rows, columns = len(current), len(clusters)
    # The rows and columns beyond the clusters' own stand for being left over.
    cost = np.full((rows + columns, rows + columns), _NO_MATCH)
    cost[rows:, columns:] = 0.0
    within = np.zeros((rows, columns, 2), bool)
    for row, cluster in enumerate(current):
        for column, finding in enumerate(clusters):
            other = prior.select_findings([finding]).centers
            if not len(other) or not len(cluster.mapped):
                continue
            share = measure_distance(cluster.mapped, other) / cluster.radius_mm
            if share <= 1:
                unlike = abs(float(np.log(len(cluster.mapped) / len(other))))
                cost[row, column] = share**2 + _UNLIKE * unlike
            within[row, column] = (
                _measure_reach(cluster.mapped, other, cluster) <= 1,
                _measure_reach(other, cluster.mapped, cluster) <= 1,
            )
    # What is a part of something is rather left to that than matched with what is farther away.
    cost[:rows, columns:] = np.where(within[..., 0].any(axis=1), _IS_PART, _NO_MATCH)[:, None]
    cost[rows:, :columns] = np.where(within[..., 1].any(axis=0), _IS_PART, _NO_MATCH)[None, :]
    chosen = zip(*linear_sum_assignment(cost), strict=True)
    return {
        int(row): clusters[int(column)]
        for row, column in chosen
        if row < rows and column < columns and cost[row, column] < _NO_MATCH
    }


def measure_distance(here: PointsMm, there: PointsMm) -> float:
    """Return how far the smaller cluster's calcifications are from the other's, in the median."""
    between = cdist(here, there)
    return float(min(np.median(between.min(axis=1)), np.median(between.min(axis=0))))


def _find_shift(match: Match, prior: Calcifications) -> npt.NDArray[np.float64]:
    """Return what the registration is off by at a matched cluster, (2,)."""
    (cluster,) = match.parts
    there = prior.select_findings(match.prior)
    return pair_calcifications(
        cluster.calcifications, cluster.mapped, there, cluster.radius_mm
    ).shift_mm


def _measure_reach(part: PointsMm, whole: PointsMm, cluster: MappedCluster) -> float:
    """Return how far most calcifications of a part are from a whole, as a share of the margin."""
    if not len(part) or not len(whole):
        return np.inf
    return float(np.median(cdist(part, whole).min(axis=1))) / cluster.margin_mm


def _find_nearest(reach: dict[int, float]) -> int | None:
    """Return the whole that something is a part of; None where it is none's."""
    within = {number: share for number, share in reach.items() if share <= 1}
    return min(within, key=within.__getitem__, default=None)


def _is_new(whole: Match, part: MappedCluster, prior: Calcifications) -> bool:
    """Whether most of a part's calcifications are a cluster that the prior does not show.

    Each calcification of the whole has one partner in the prior at most.
    """
    parts = (*whole.parts, part)
    both = join_calcifications([cluster.calcifications for cluster in parts])
    mapped = np.concatenate([cluster.mapped for cluster in parts])
    pairing = pair_calcifications(both, mapped, prior.select_findings(whole.prior), part.radius_mm)
    unpaired = find_unpaired(pairing, mapped, part.partner_mm)
    of_part = int(np.count_nonzero(unpaired[-len(part.mapped) :]))
    return of_part >= MINIMUM_MEMBERS and 2 * of_part > len(part.mapped)


def find_sparse(
    at: PointsMm, radius_mm: float, loose: Calcifications, area_mm2: float
) -> tuple[int, ...]:
    """Return findings of an image that have calcifications, too few for a cluster, at a place.

    Only where the registration is good, and they are more than chance would put there.

    Parameters
    ----------
    at, radius_mm
        A cluster of the other image, in this one's frame, and how well its place is known.
    loose
        The calcifications of this image that belong to no cluster; clusters are matched.
    area_mm2
        Of the breast in this image, over which chance would spread them.
    """
    near = find_at_place(at, loose)
    if len(near) < _LEAST_SPARSE or radius_mm > LEAST_SEARCH_MM:
        return ()
    # How many chance would put near the cluster: Poisson, with the density of the whole breast,
    # over the area of the discs around the cluster's calcifications. That the discs do not
    # overlap is assumed, so the expected number is never too small.
    near_mm2 = len(at) * np.pi * PAIR_MM**2
    expected = len(loose) * near_mm2 / max(area_mm2, near_mm2)
    # pdtrc(k, m): the chance of more than k. scipy.stats would add a fifth to a worker's start.
    if float(pdtrc(len(near) - 1, expected)) > _BY_CHANCE:
        return ()
    return tuple(dict.fromkeys(near.finding.tolist()))


def find_at_place(at: PointsMm, loose: Calcifications) -> Calcifications:
    """Return the calcifications of an image that are where a cluster of the other image was.

    Parameters
    ----------
    at
        The calcifications of that cluster, in this image's frame.
    loose
        The calcifications of this image that belong to no cluster.
    """
    if not len(at) or not len(loose):
        return loose.select_findings(())
    return loose.select(cdist(at, loose.centers).min(axis=0) <= PAIR_MM)


def find_unmatched(clusters: Sequence[int], matches: Sequence[Match]) -> list[int]:
    """Return the prior clusters that no current cluster is."""
    used = {number for match in matches for number in match.prior}
    return [number for number in clusters if number not in used]
