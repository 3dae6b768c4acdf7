"""Dense parts of a region: calcifications that stand out of those scattered around them.

Chains of short links join what is new to what is old. Each step of the shortest tree that joins
the calcifications of a region, from its shortest link on, yields a part that might stand out:
whatever is joined by shorter links than anything around it, as in hierarchical clustering by
density. Of all these parts the one is taken whose links differ most from the rest of the tree's, by
their likelihood, if that is more than chance makes of a uniform region; then the next.

References
----------
Campello, Moulavi and Sander, Density-based clustering based on hierarchical density estimates,
PAKDD 2013: the hierarchy. The choice is a likelihood ratio instead of stability, since regions have
few members.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist, pdist, squareform

FloatArray = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

LEAST_PART = 4
"""Members of a dense part: three close together are in most regions by chance."""
LEAST_REST = 3
"""Members that a region has beside it."""
LEAST_REGION_MM = 8.0
"""Nothing smaller is a region with a part."""
LEAST_SPACING_RATIO = 1.7
"""How many times as far apart the rest of the region lies as the part, by the root mean square of
links: a density three times as high."""
LEAST_EVIDENCE = 4.5
"""Natural logarithm of the likelihood ratio, from which on a part stands out.

By `python -m tests.bench.bench_regions` fewer than one in twenty regions without a part is then
taken for one with a part, of whatever kind.
"""
LEAST_BY_SPACING = 2.5
"""What of it the links alone must give; sizes may give the rest."""

LEAST_MM = 0.6
"""Shorter links count as this long, since two marks so near are often one calcification's, and so
do smaller diameters, which are not known well. On 128 validation views, where nothing was planted,
2 groups are split then, and 6 with a tenth of it."""
AROUND_MM = 8.0
"""How far around a part its surroundings reach, of which a strand is told."""
STRAND_RATIO = 3.0
"""Ratio of the principal axes from which on calcifications are a strand: chance makes longer gaps
along a line than in an area."""

_SIZE_ERROR = 0.2  # standard error of the logarithm of a diameter
_MOST_PARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Members that shorter links join than join them to any other."""

    members: Indices
    links: FloatArray
    """Lengths of the links between them, mm."""


def find_dense_parts(at_mm: FloatArray, diameter_mm: FloatArray) -> tuple[Indices, ...]:
    """Return the members of each dense part of a region, that which stands out most first.

    Parameters
    ----------
    at_mm
        Places of the region's likely calcifications, (n, 2).
    diameter_mm
        Their diameters, (n,). A part that is closer together than the rest, and of another size,
        stands out more.

    Examples
    --------
    >>> region = np.array([[x, y] for x in range(0, 20, 4) for y in range(0, 20, 4)], float)
    >>> cluster = np.array([[6.0, 6.0], [6.5, 6.0], [6.0, 6.6], [6.6, 6.7], [7.0, 6.2]])
    >>> places = np.concatenate([region, cluster])
    >>> [part.tolist() for part in find_dense_parts(places, np.full(30, 0.4))]
    [[25, 26, 27, 28, 29]]
    >>> find_dense_parts(region, np.full(25, 0.4))
    ()
    """
    left, found = np.arange(len(at_mm)), list[Indices]()
    while len(found) < _MOST_PARTS:
        part = _find_innermost(at_mm[left], diameter_mm[left])
        if part is None:
            break
        found.append(left[part])
        left = np.delete(left, part)
    return tuple(found)


def _find_innermost(at_mm: FloatArray, diameter_mm: FloatArray) -> Indices | None:
    """Return what stands out most, or of that again: a dense middle may hide a cluster in it."""
    part = _find_densest(at_mm, diameter_mm)
    if part is None:
        return None
    inner = _find_innermost(at_mm[part], diameter_mm[part])
    return part if inner is None else part[inner]


def _find_densest(at_mm: FloatArray, diameter_mm: FloatArray) -> Indices | None:
    """Return the part with the most evidence; None where none has enough."""
    if len(at_mm) < LEAST_PART + LEAST_REST or pdist(at_mm).max() < LEAST_REGION_MM:
        return None
    parts, links = _build_hierarchy(at_mm)
    best, most = None, LEAST_EVIDENCE
    for part in parts:
        if not LEAST_PART <= len(part.members) <= len(at_mm) - LEAST_REST:
            continue
        evidence = _weigh_evidence(part, links, at_mm, diameter_mm)
        if evidence >= most:
            best, most = part.members, evidence
    return best


def _build_hierarchy(at_mm: FloatArray) -> tuple[list[_Part], FloatArray]:
    """Return the parts that links join, from the shortest on, and the lengths of all links."""
    tree = minimum_spanning_tree(squareform(np.maximum(pdist(at_mm), LEAST_MM))).tocoo()
    order = np.argsort(tree.data, kind="stable")
    part_of = {index: _Part(np.array([index]), np.empty(0)) for index in range(len(at_mm))}
    parts = []
    for index in order.tolist():
        one, other = part_of[int(tree.row[index])], part_of[int(tree.col[index])]
        members = np.sort(np.concatenate([one.members, other.members]))
        joined = _Part(members, np.concatenate([one.links, other.links, tree.data[[index]]]))
        part_of.update(dict.fromkeys(members.tolist(), joined))
        parts.append(joined)
    return parts, np.asarray(tree.data, np.float64)


def _weigh_evidence(
    part: _Part, links: FloatArray, at_mm: FloatArray, diameter_mm: FloatArray
) -> float:
    """Return how much likelier a part and a rest are than one region; 0 where too alike."""
    inside, every = part.links**2, links**2
    outside = (float(every.sum()) - float(inside.sum())) / (len(every) - len(inside))
    if outside < LEAST_SPACING_RATIO**2 * float(inside.mean()):
        return 0.0
    # The area around each of points that lie at random is exponential, and so is the gap along a
    # strand: of a length, its square or itself.
    power = 1 if _is_strand(part.members, at_mm) else 2
    by_spacing = _compare_scales(part.links**power, links**power)
    if by_spacing < LEAST_BY_SPACING:
        return 0.0
    return by_spacing + _compare_sizes(part.members, np.log(np.maximum(diameter_mm, LEAST_MM)))


def _is_strand(members: Indices, at_mm: FloatArray) -> bool:
    """Return whether a part lies on a strand, as calcifications of a duct or a vessel do."""
    near = at_mm[cdist(at_mm, at_mm[members]).min(axis=1) <= AROUND_MM]
    low, high = np.linalg.eigvalsh(np.cov(near.T))
    return bool(high >= STRAND_RATIO**2 * max(low, LEAST_MM**2))


def _compare_scales(inside: FloatArray, every: FloatArray) -> float:
    """Return the log likelihood ratio of two exponential scales against one."""
    number = len(every) - len(inside)
    outside = (every.sum() - inside.sum()) / number
    mean = every.mean()
    return float(len(inside) * np.log(mean / inside.mean()) + number * np.log(mean / outside))


def _compare_sizes(members: Indices, log_mm: FloatArray) -> float:
    """Return the log likelihood ratio of two normal means of sizes against one."""
    rest = np.delete(log_mm, members)
    apart = sum(float(((group - group.mean()) ** 2).sum()) for group in (log_mm[members], rest))
    together = float(((log_mm - log_mm.mean()) ** 2).sum())
    error = len(log_mm) * _SIZE_ERROR**2
    return 0.5 * len(log_mm) * float(np.log((together + error) / (apart + error)))
