"""Which cluster of the prior a current cluster is: one to one, then the parts that are left.

Distances are between calcifications, not centres: a cluster that has grown, or of which the
detector saw half, is still where its old calcifications are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import poisson

from secondread.findings.clusters import LINK_MM
from secondread.followup.calcifications import Calcifications
from secondread.followup.pairing import PAIR_MM
from secondread.followup.registration.frame import PointsMm

SEARCH_ERRORS = 2.45
"""A radius of so many standard errors holds 95 % of places whose errors are normal in both
directions."""
LEAST_SEARCH_MM, MOST_SEARCH_MM = 5.0, 25.0
"""Limits of the search radius. The upper one is the mean and two standard deviations of regional
registration on real pairs (8.5 +/- 6.2 mm; Hadjiiski et al., ADA420484)."""

_UNLIKE = 0.15  # cost of a factor of e in number, against 1 for the whole search radius squared
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
    radius_mm: float


@dataclass(frozen=True, slots=True)
class Match:
    """A current cluster, and what of the prior it is."""

    cluster: MappedCluster
    prior: tuple[int, ...]
    """Indices of the prior's findings, the best first; empty where there is none."""
    is_part: bool = False
    """Whether another current cluster is the better match of the same prior one."""


def match_clusters(
    groups: Sequence[MappedCluster], prior: Calcifications, clusters: Sequence[int], area_mm2: float
) -> tuple[Match, ...]:
    """Match current clusters with prior ones, in the order given.

    Parameters
    ----------
    groups
        The current clusters that the prior's image shows the place of.
    prior
        All calcifications of the prior's image.
    clusters
        Indices of its findings that are clusters.
    area_mm2
        Of the breast in the prior's image.
    """
    best = _one_to_one(groups, prior, clusters)
    taken = set(best.values())
    matches = []
    for number, group in enumerate(groups):
        own = best.get(number)
        if own is not None:
            rest = _parts(group, prior, [c for c in clusters if c not in taken], own)
            taken.update(rest)
            matches.append(Match(group, (own, *rest)))
            continue
        whole = _part_of(group, prior, sorted(set(best.values())))
        if whole is not None:
            matches.append(Match(group, (whole,), is_part=True))
            continue
        few = find_sparse(group.mapped, group.radius_mm, prior, clusters, area_mm2)
        matches.append(Match(group, few))
    return tuple(matches)


def _one_to_one(
    groups: Sequence[MappedCluster], prior: Calcifications, clusters: Sequence[int]
) -> dict[int, int]:
    """Return the prior cluster of each current one that has one, by the least total cost."""
    if not groups or not clusters:
        return {}
    cost = np.full((len(groups), len(clusters)), _NO_MATCH)
    for row, group in enumerate(groups):
        for column, cluster in enumerate(clusters):
            other = prior.select_findings([cluster])
            if not len(other) or not len(group.calcifications):
                continue
            share = _distance(group.mapped, other.at) / group.radius_mm
            if share <= 1:
                unlike = abs(float(np.log(len(group.calcifications) / len(other))))
                cost[row, column] = share**2 + _UNLIKE * unlike
    rows, columns = linear_sum_assignment(cost)
    return {
        int(row): clusters[int(column)]
        for row, column in zip(rows, columns, strict=True)
        if cost[row, column] < _NO_MATCH
    }


_NO_MATCH = 100.0


def _distance(here: PointsMm, there: PointsMm) -> float:
    """Return how far the smaller group's calcifications are from the other's, in the median."""
    between = cdist(here, there)
    return float(min(np.median(between.min(axis=1)), np.median(between.min(axis=0))))


def _parts(
    group: MappedCluster, prior: Calcifications, free: Sequence[int], own: int
) -> tuple[int, ...]:
    """Return further prior clusters that lie within a matched current one."""
    base = prior.select_findings([own])
    # What the registration is off by here, the matched cluster shows.
    off = base.at.mean(axis=0) - group.mapped.mean(axis=0) if len(base) else np.zeros(2)
    off = off if np.hypot(*off) <= group.radius_mm else np.zeros(2)
    found = []
    for cluster in free:
        other = prior.select_findings([cluster])
        if len(other) and _nearest(other.at, group.mapped + off) <= LINK_MM / 2:
            found.append(cluster)
    return tuple(found)


def _part_of(group: MappedCluster, prior: Calcifications, matched: Sequence[int]) -> int | None:
    """Return the matched prior cluster in which a left over current one lies."""
    for cluster in matched:
        other = prior.select_findings([cluster])
        if len(other) and _nearest(group.mapped, other.at) <= LINK_MM / 2:
            return cluster
    return None


def _nearest(here: PointsMm, there: PointsMm) -> float:
    return float(np.median(cdist(here, there).min(axis=1)))


def find_sparse(
    at: PointsMm, radius_mm: float, others: Calcifications, clusters: Sequence[int], area_mm2: float
) -> tuple[int, ...]:
    """Return findings of an image that have calcifications, too few for a cluster, at a place.

    Only where the registration is good, and they are more than chance would put there.

    Parameters
    ----------
    at, radius_mm
        A cluster of the other image, in this one's frame, and how well its place is known.
    others
        The calcifications of this image.
    clusters
        Indices of its findings that are clusters: those are matched, and not counted here.
    area_mm2
        Of the breast in this image, over which chance would spread them.
    """
    loose = _loose(others, clusters)
    near = find_at_place(at, others, clusters)
    if len(near) < _LEAST_SPARSE or radius_mm > LEAST_SEARCH_MM:
        return ()
    # As if no two of the discs around its calcifications overlapped: never too small.
    near_mm2 = len(at) * np.pi * PAIR_MM**2
    expected = len(loose) * near_mm2 / max(area_mm2, near_mm2)
    if float(poisson.sf(len(near) - 1, expected)) > _BY_CHANCE:
        return ()
    return tuple(dict.fromkeys(int(owner) for owner in near.owner))


def find_at_place(at: PointsMm, others: Calcifications, clusters: Sequence[int]) -> Calcifications:
    """Return the calcifications of an image that lie where a cluster of the other image did.

    Parameters
    ----------
    at
        The calcifications of that cluster, in this image's frame.
    others
        The calcifications of this image.
    clusters
        Indices of its findings that are clusters: theirs are not among the answer.
    """
    loose = _loose(others, clusters)
    if not len(at) or not len(loose):
        return loose.select_findings(())
    return loose.select(cdist(at, loose.at).min(axis=0) <= PAIR_MM)


def _loose(others: Calcifications, clusters: Sequence[int]) -> Calcifications:
    return others.select(~np.isin(others.owner, np.asarray(clusters, np.int64)))


def find_unmatched(clusters: Sequence[int], matches: Sequence[Match]) -> list[int]:
    """Return the prior clusters that no current cluster is."""
    used = {number for one in matches for number in one.prior}
    return [number for number in clusters if number not in used]
