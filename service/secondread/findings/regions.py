"""Two levels of groups: a region of calcifications, and the denser clusters inside it.

Each calcification is in one group. What stands out of a group is a group of its own, and what is
left is the region around it, or, where it lies beside and not around it, a neighbour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from secondread.detect.marks import Mark
from secondread.findings.clusters import (
    CLOSE_MM,
    MINIMUM_MEMBERS,
    SURE,
    join_regions,
    positions_mm,
    sort_by_score,
)
from secondread.findings.dense_parts import LEAST_SPACING_RATIO, find_dense_parts
from secondread.findings.linking import link_calcifications
from secondread.geometry import Outline, PointPx, SpacingMm, is_inside, padded_hull

EstimatePresence = Callable[[Sequence[Mark]], npt.NDArray[np.float64]]

LIKELY = 0.3
"""Probability from which on a calcification tells how dense a region is: texture below it is dense
anywhere."""
BESIDE_MM = 2.0
"""A part whose middle is farther outside of the rest's hull is beside it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Calcifications that are described together."""

    members: tuple[Mark, ...]
    """By falling score."""
    inner: tuple["Group", ...] = ()
    """The clusters inside it, whose calcifications are not among its members."""

    @property
    def enclosed(self) -> tuple[Mark, ...]:
        """Its calcifications and those of the clusters inside it."""
        return (*self.members, *(mark for group in self.inner for mark in group.members))


def form_groups(
    marks: Sequence[Mark],
    landmarks: Sequence[Mark],
    spacing: SpacingMm,
    estimate_presence: EstimatePresence,
) -> tuple[tuple[Group, ...], tuple[Mark, ...]]:
    """Return the groups of an image's calcifications in two levels, and those that are in none.

    Parameters
    ----------
    marks
        Calcifications, pieces joined.
    landmarks
        The other marks of the image.
    spacing
        Between pixel centres.
    estimate_presence
        Gives the probability, 0-1, of each of some calcifications.
    """
    linked = link_calcifications(marks, landmarks, spacing)
    several = [group for group in linked if len(group) >= MINIMUM_MEMBERS]
    single = tuple(mark for group in linked if len(group) < MINIMUM_MEMBERS for mark in group)
    joined = join_regions(several, [estimate_presence(group) for group in several], spacing)
    split = (split_group(members, estimate_presence(members), spacing) for members in joined)
    groups = tuple(chain.from_iterable(split))
    return _nest_groups(groups, spacing, estimate_presence), single


def _nest_groups(
    groups: Sequence[Group], spacing: SpacingMm, estimate_presence: EstimatePresence
) -> tuple[Group, ...]:
    """Return groups with those inside that lie in the gaps of a region, out of reach of its links.

    A group is inside of one that is twice as long or more, longer than 1 cm, and far less dense.
    """
    measured = [_measure_group(group, spacing, estimate_presence) for group in groups]
    outer = {
        number: index
        for number, group in enumerate(groups)
        if not group.inner and (index := _find_outer(group, measured[number], measured)) is not None
    }
    inside: dict[int, list[Group]] = {}
    for number, index in outer.items():
        top = index
        while top in outer:  # there are two levels, not three
            top = outer[top]
        inside.setdefault(top, []).append(groups[number])
    return tuple(
        replace(group, inner=(*group.inner, *inside.get(number, ())))
        for number, group in enumerate(groups)
        if number not in outer
    )


def _find_outer(
    group: Group, own: "_Measured | None", others: Sequence["_Measured | None"]
) -> int | None:
    """Return the smallest region that a group lies in the gap of; None for none."""
    if own is None:
        return None
    middle = _find_middle(group)
    around = [
        (other.extent_mm, index)
        for index, other in enumerate(others)
        if other is not None
        and other.extent_mm > max(2 * own.extent_mm, 2 * CLOSE_MM)
        and other.spacing_mm >= LEAST_SPACING_RATIO * own.spacing_mm
        and is_inside(middle, other.hull)
    ]
    return min(around)[1] if around else None


@dataclass(frozen=True, slots=True)
class _Measured:
    """How large and how dense a group is, by its likely members."""

    extent_mm: float
    spacing_mm: float
    """Median distance to the nearest other."""
    hull: Outline


def _measure_group(
    group: Group, spacing: SpacingMm, estimate_presence: EstimatePresence
) -> _Measured | None:
    """Return the measures of a group; None where fewer are likely than make a cluster."""
    presence = estimate_presence(group.members)
    likely = [m for m, p in zip(group.members, presence.tolist(), strict=True) if p >= LIKELY]
    if len(likely) < MINIMUM_MEMBERS:
        return None
    at_mm = positions_mm(likely, spacing)
    apart = cdist(at_mm, at_mm)
    nearest = float(np.median(np.sort(apart, axis=1)[:, 1]))
    hull = padded_hull([mark.center for mark in likely], spacing, BESIDE_MM)
    return _Measured(float(apart.max()), max(nearest, 0.1), hull)


def split_group(
    members: Sequence[Mark], presence: npt.NDArray[np.float64], spacing: SpacingMm
) -> tuple[Group, ...]:
    """Return a group in two levels: what it is without its dense parts, and these.

    Likely calcifications decide, and three in a part are sure. An unlikely one belongs to the part
    that is nearest to it, if it is no farther away than the part's own are from each other.

    Parameters
    ----------
    members
        One group.
    presence
        Probability of each, 0-1.
    spacing
        Between pixel centres.

    Returns
    -------
    tuple of Group
        One, with or without clusters inside, or several that lie beside each other.
    """
    at_mm = positions_mm(members, spacing)
    diameters = np.array([mark.diameter_mm for mark in members])
    likely = np.flatnonzero(presence >= LIKELY)
    parts = [likely[part] for part in find_dense_parts(at_mm[likely], diameters[likely])]
    parts = [part for part in parts if (presence[part] >= SURE).sum() >= MINIMUM_MEMBERS]
    owner = _share_out(at_mm, parts, likely).tolist()
    shares: list[list[Mark]] = [[] for _ in range(len(parts) + 1)]
    for mark, number in zip(members, owner, strict=True):
        shares[number].append(mark)
    rest = shares.pop()  # of number -1
    if not parts or len(rest) < MINIMUM_MEMBERS:
        return (Group(tuple(members)),)
    groups = [Group(sort_by_score(share)) for share in shares]
    around = padded_hull([mark.center for mark in rest], spacing, BESIDE_MM)
    inner = [group for group in groups if is_inside(_find_middle(group), around)]
    beside = [group for group in groups if group not in inner]
    return (Group(sort_by_score(rest), tuple(inner)), *beside)


def _share_out(
    at_mm: npt.NDArray[np.float64],
    parts: Sequence[npt.NDArray[np.int64]],
    likely: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Return for each calcification the number of its part; -1 for the rest."""
    owner = np.full(len(at_mm), -1)
    for number, part in enumerate(parts):
        owner[part] = number
    unlikely = np.setdiff1d(np.arange(len(at_mm)), likely)
    if not len(unlikely) or not parts:
        return owner
    away = cdist(at_mm[unlikely], at_mm[likely])
    nearest = likely[away.argmin(axis=1)]
    reach = np.array([_measure_reach(at_mm[part]) for part in parts])
    own = owner[nearest]
    is_near = (own >= 0) & (away.min(axis=1) <= reach[np.maximum(own, 0)])
    owner[unlikely[is_near]] = own[is_near]
    return owner


def _measure_reach(at_mm: npt.NDArray[np.float64]) -> float:
    """Return the longest distance, mm, from a member of a part to the nearest other."""
    return float(np.sort(cdist(at_mm, at_mm), axis=1)[:, 1].max())


def _find_middle(group: Group) -> PointPx:
    columns, rows = zip(*((m.center.col, m.center.row) for m in group.members), strict=True)
    return PointPx(float(np.median(columns)), float(np.median(rows)))
