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
from secondread.followup.calcification_pairs import PAIR_MM
from secondread.followup.calcifications import Calcifications
from secondread.followup.registration.frame import PointsMm

SEARCH_ERRORS = 2.45
"""A radius of so many standard errors holds 95 % of places whose errors are normal in both
directions."""
LEAST_SEARCH_MM, MOST_SEARCH_MM = 5.0, 25.0
"""Limits of the search radius. The upper one is the mean and two standard deviations of regional
registration on real pairs (8.5 +/- 6.2 mm; Hadjiiski et al., ADA420484)."""

_UNLIKE = 0.15  # cost of a factor of e in number, against 1 for the whole search radius squared
_NO_MATCH = 100.0  # far above the cost of any match, and finite, as the assignment needs it
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
    """Indices of the prior's findings, the best first; empty where nothing matches."""
    is_part: bool = False
    """Whether another current cluster is the better match of the same prior one."""


def match_clusters(
    current: Sequence[MappedCluster],
    prior: Calcifications,
    clusters: Sequence[int],
    area_mm2: float,
) -> tuple[Match, ...]:
    """Match current clusters with prior ones, in the order given.

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
    taken = set(best.values())
    loose = prior.exclude_findings(clusters)
    matches = []
    for number, cluster in enumerate(current):
        own = best.get(number)
        if own is not None:
            rest = _find_parts(cluster, prior, [c for c in clusters if c not in taken], own)
            taken.update(rest)
            matches.append(Match(cluster, (own, *rest)))
            continue
        whole = _find_whole(cluster, prior, sorted(set(best.values())))
        if whole is not None:
            matches.append(Match(cluster, (whole,), is_part=True))
            continue
        few = find_sparse(cluster.mapped, cluster.radius_mm, loose, area_mm2)
        matches.append(Match(cluster, few))
    return tuple(matches)


def _match_one_to_one(
    current: Sequence[MappedCluster], prior: Calcifications, clusters: Sequence[int]
) -> dict[int, int]:
    """Return the prior cluster of each current one that has one, by the least total cost."""
    if not current or not clusters:
        return {}
    cost = np.full((len(current), len(clusters)), _NO_MATCH)
    for row, cluster in enumerate(current):
        for column, finding in enumerate(clusters):
            other = prior.select_findings([finding])
            if not len(other) or not len(cluster.calcifications):
                continue
            share = _measure_distance(cluster.mapped, other.centers) / cluster.radius_mm
            if share <= 1:
                unlike = abs(float(np.log(len(cluster.calcifications) / len(other))))
                cost[row, column] = share**2 + _UNLIKE * unlike
    rows, columns = linear_sum_assignment(cost)
    return {
        int(row): clusters[int(column)]
        for row, column in zip(rows, columns, strict=True)
        if cost[row, column] < _NO_MATCH
    }


def _measure_distance(here: PointsMm, there: PointsMm) -> float:
    """Return how far the smaller cluster's calcifications are from the other's, in the median."""
    between = cdist(here, there)
    return float(min(np.median(between.min(axis=1)), np.median(between.min(axis=0))))


def _find_parts(
    cluster: MappedCluster, prior: Calcifications, free: Sequence[int], own: int
) -> tuple[int, ...]:
    """Return further prior clusters that are within a matched current one."""
    base = prior.select_findings([own])
    # The matched cluster shows what the registration is off by here.
    off = base.centers.mean(axis=0) - cluster.mapped.mean(axis=0) if len(base) else np.zeros(2)
    off = off if np.hypot(*off) <= cluster.radius_mm else np.zeros(2)
    return tuple(
        finding
        for finding in free
        if _is_within(prior.select_findings([finding]).centers, cluster.mapped + off)
    )


def _find_whole(
    cluster: MappedCluster, prior: Calcifications, matched: Sequence[int]
) -> int | None:
    """Return the matched prior cluster that holds a current one which is left over."""
    for finding in matched:
        other = prior.select_findings([finding])
        if len(other) and _is_within(cluster.mapped, other.centers):
            return finding
    return None


def _is_within(part: PointsMm, whole: PointsMm) -> bool:
    """Whether most calcifications of a part are as near to the whole as one cluster links them."""
    return len(part) > 0 and float(np.median(cdist(part, whole).min(axis=1))) <= LINK_MM / 2


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
    if float(poisson.sf(len(near) - 1, expected)) > _BY_CHANCE:
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
