"""Marks to groups: single link in millimetres, as radiologists count.

BI-RADS calls calcifications grouped when a few lie within a small portion of tissue, historically
five within 1 cm; three within single-link reach is the high-sensitivity setting used here and
named in the report's algorithm parameters.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from secondread.detect.marks import Mark
from secondread.geometry import SpacingMm

LINK_MM = 5.0
"""Two calcifications closer than this belong to the same group."""

MINIMUM_MEMBERS = 3
"""Fewer calcifications than this make no cluster."""

OUTLINE_MARGIN_MM = 1.5
"""Room between the outermost calcification and the outline, so that the line covers none."""


def group(
    marks: Sequence[Mark], spacing: SpacingMm, link_mm: float = LINK_MM
) -> tuple[tuple[Mark, ...], ...]:
    """Return the marks in groups, each by falling score, the largest group first.

    Two marks are in the same group when a chain of marks joins them, each closer than `link_mm`
    to the next (single-link clustering), at the detector plane.
    """
    if not marks:
        return ()
    at = _positions_mm(marks, spacing)
    pairs = KDTree(at).sparse_distance_matrix(KDTree(at), link_mm, output_type="coo_matrix")
    _, labels = connected_components(pairs, directed=False)
    groups: dict[int, list[Mark]] = {}
    for mark, label in zip(marks, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(mark)
    ordered = [tuple(sorted(members, key=_by_score)) for members in groups.values()]
    return tuple(sorted(ordered, key=lambda members: (-len(members), _by_score(members[0]))))


def _positions_mm(marks: Sequence[Mark], spacing: SpacingMm) -> npt.NDArray[np.float64]:
    points = [spacing.to_mm(mark.center) for mark in marks]
    return np.array([(p.x, p.y) for p in points], dtype=np.float64)


def _by_score(mark: Mark) -> tuple[float, float, float]:
    # Position breaks ties, so that the order never depends on how the marks came.
    return -mark.score, mark.center.row, mark.center.col
