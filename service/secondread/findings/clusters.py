"""Marks to groups: single-link clustering in millimetres, as radiologists count.

BI-RADS calls calcifications grouped when a few lie within a small portion of tissue, historically
five within 1 cm; three within single-link reach is the high-sensitivity setting used here and
named in the report's algorithm parameters.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist, pdist

from secondread.codes import Morphology
from secondread.detect.marks import Mark, TypeShares
from secondread.geometry import PointPx, SpacingMm

LINK_MM = 5.0
"""Two calcifications closer than this belong to the same group."""

MINIMUM_MEMBERS = 3
"""Fewer calcifications than this make no cluster."""

PIECE_MM = 0.9
"""Marks of a large calcification closer than this are pieces of one."""

OVERLAP = 0.5
"""Marks overlap if this many others have their centre within the radius of each, on average.

Set on 174 validation views: with 0.35 to 0.5 as many clusters are found at the same rate of false
ones, 0.7 changes next to nothing, and 0.2 joins calcifications that lie close together.
"""

STRAIGHT_MM, LINE_ELONGATION = 0.1, 2.5
"""Marks on one line lie within this standard deviation from it, and are as long themselves."""

LARGE_TYPES = frozenset(
    {
        Morphology.COARSE,
        Morphology.DYSTROPHIC,
        Morphology.EGGSHELL,
        Morphology.LARGE_ROD_LIKE,
        Morphology.SUTURE,
    }
)
"""Types whose calcifications are so much larger than a mark that one gets many."""

CLOSE_MM = 5.0
"""Calcifications this near to one of them count together: within 1 cm of tissue."""

GROUPED_MEMBERS = 5
"""Fewer calcifications within 1 cm were historically not called grouped (BI-RADS, 5th edition)."""

SURE = 0.5
"""Probability from which on a calcification is rather there than not."""

OUTLINE_MARGIN_MM = 1.5
"""Room between the outermost calcification and the outline, so that the line covers none."""


def group_marks(
    marks: Sequence[Mark], spacing: SpacingMm, link_mm: float = LINK_MM
) -> tuple[tuple[Mark, ...], ...]:
    """Return the marks in groups, each by falling score, the largest group first.

    Two marks are in the same group when a chain of marks joins them, each closer than `link_mm`
    to the next (single-link clustering), at the detector plane.
    """
    if not marks:
        return ()
    labels = label_chains(positions_mm(marks, spacing), link_mm)
    groups: dict[int, list[Mark]] = {}
    for mark, label in zip(marks, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(mark)
    ordered = [tuple(sorted(members, key=_by_score)) for members in groups.values()]
    return tuple(sorted(ordered, key=lambda members: (-len(members), _by_score(members[0]))))


def join_pieces(marks: Sequence[Mark], spacing: SpacingMm) -> tuple[Mark, ...]:
    """Return the marks with those that are pieces of one calcification joined to one.

    A rim of fat necrosis gets dozens of marks and is one calcification, not a cluster of dozens.
    So is a bright disc, of whatever type, whose marks overlap: two solids cannot. And so is a line
    on which three long marks or more lie in a row, as a linear calcification or a fibre gets them.
    """
    joined: list[Mark] = []
    for pieces in group_marks(marks, spacing, PIECE_MM):
        types = _average_types(pieces)
        is_large = bool(types) and max(types, key=lambda item: item[1])[0] in LARGE_TYPES
        if len(pieces) > 1 and (is_large or _overlap(pieces, spacing) or _is_row(pieces, spacing)):
            joined.append(_join(pieces, types, spacing))
        else:
            joined += pieces
    return tuple(sorted(joined, key=_by_score))


def _overlap(marks: Sequence[Mark], spacing: SpacingMm) -> bool:
    at_mm = positions_mm(marks, spacing)
    radius = np.array([mark.diameter_mm / 2 for mark in marks])
    # Each mark is within its own radius, which does not count.
    others = int((cdist(at_mm, at_mm) < radius[:, None]).sum()) - len(marks)
    return others >= OVERLAP * len(marks)


def _is_row(marks: Sequence[Mark], spacing: SpacingMm) -> bool:
    if len(marks) < MINIMUM_MEMBERS:  # any two are on a line
        return False
    if float(np.median([mark.elongation for mark in marks])) < LINE_ELONGATION:
        return False
    across = np.linalg.eigvalsh(np.cov(positions_mm(marks, spacing).T))[0]
    return bool(across <= STRAIGHT_MM**2)


def _average_types(pieces: Sequence[Mark]) -> TypeShares:
    shares = [dict(mark.morphology) for mark in pieces if mark.morphology]
    kinds = [kind for kind, _ in pieces[0].morphology] if shares else []
    return tuple((kind, sum(s.get(kind, 0.0) for s in shares) / len(shares)) for kind in kinds)


def _join(pieces: Sequence[Mark], types: TypeShares, spacing: SpacingMm) -> Mark:
    at_mm = positions_mm(pieces, spacing)
    extent = float(np.linalg.norm(at_mm.max(axis=0) - at_mm.min(axis=0)))
    return replace(
        pieces[0],
        center=average_points([mark.center for mark in pieces]),
        diameter_mm=max(extent, *(mark.diameter_mm for mark in pieces)),
        contrast=max(mark.contrast for mark in pieces),
        morphology=types,
    )


def estimate_presence_of_three(
    presence: npt.NDArray[np.float64], at_mm: npt.NDArray[np.float64]
) -> float:
    """Return how likely a group is a cluster by its members: that its surest three are real, 0-1.

    The three lie close together, and each is taken as independent. Further ones add nothing,
    because texture makes many that are faint.

    Parameters
    ----------
    presence
        Probability of each calcification, 0-1.
    at_mm
        Their places, (n, 2).

    Examples
    --------
    >>> at_mm = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [8.0, 0.0]])
    >>> estimate_presence_of_three(np.array([0.9, 0.8, 0.5, 0.9]), at_mm)
    0.36
    """
    near = cdist(at_mm, at_mm) <= CLOSE_MM
    surest = np.sort(np.where(near, presence, 0.0), axis=1)[:, -MINIMUM_MEMBERS:]
    return round(float(surest.prod(axis=1).max()), 6)


def join_regions(
    groups: Sequence[tuple[Mark, ...]],
    presence: Sequence[npt.NDArray[np.float64]],
    spacing: SpacingMm,
) -> tuple[tuple[Mark, ...], ...]:
    """Return groups with the loose ends of a region joined to it.

    Calcifications that are scattered over more than 1 cm have gaps, and the few beyond a gap are no
    group of their own: too few, no denser than the region, and within 1 cm of it. What is denser
    stays apart, for it may be new in a region of old ones.

    Parameters
    ----------
    groups
        Marks, in order.
    presence
        Probability of each mark of each group, 0-1.
    spacing
        Between pixel centres.
    """
    sure = [
        positions_mm(marks, spacing)[known >= SURE]
        for marks, known in zip(groups, presence, strict=True)
    ]
    joined = {number: list(marks) for number, marks in enumerate(groups)}
    regions = [number for number, places in enumerate(sure) if _is_region(places)]
    for number, places in enumerate(sure):
        if not 2 <= len(places) < GROUPED_MEMBERS:
            continue
        near = [
            (float(cdist(places, sure[region]).min()), region)
            for region in regions
            if _measure_spacing(places) >= _measure_spacing(sure[region])
        ]
        away, region = min(near, default=(np.inf, -1))
        if away <= 2 * CLOSE_MM:
            joined[region] += joined.pop(number)
    return tuple(tuple(sorted(marks, key=_by_score)) for marks in joined.values())


def _is_region(places: npt.NDArray[np.float64]) -> bool:
    return len(places) >= GROUPED_MEMBERS and float(pdist(places).max()) > 2 * CLOSE_MM


def _measure_spacing(places: npt.NDArray[np.float64]) -> float:
    """Return the median distance, in mm, from a place to the nearest other."""
    return float(np.median(np.sort(cdist(places, places), axis=1)[:, 1]))


def average_points(points: Sequence[PointPx]) -> PointPx:
    """Return the mean of some points."""
    return PointPx(
        sum(point.col for point in points) / len(points),
        sum(point.row for point in points) / len(points),
    )


def label_chains(at_mm: npt.NDArray[np.float64], link_mm: float) -> npt.NDArray[np.int64]:
    """Return for each place, (n, 2), the number of its chain of links no longer than this."""
    tree = KDTree(at_mm)
    pairs = tree.sparse_distance_matrix(tree, link_mm, output_type="coo_matrix")
    return np.asarray(connected_components(pairs, directed=False)[1], np.int64)


def positions_mm(marks: Sequence[Mark], spacing: SpacingMm) -> npt.NDArray[np.float64]:
    """Return the centres of marks, (marks, 2): across and down, in mm."""
    points = [spacing.to_mm(mark.center) for mark in marks]
    return np.array([(p.x, p.y) for p in points], dtype=np.float64).reshape(-1, 2)


def _by_score(mark: Mark) -> tuple[float, float, float]:
    # Position breaks ties, so that the order never depends on that of the marks.
    return -mark.score, mark.center.row, mark.center.col
