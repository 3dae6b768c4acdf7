"""Which calcifications chains of links join to a group, and which they never join.

The distance between two calcifications is that between their rims, as far as they are larger than
usual: coarse ones lie farther apart, and a group of them is seen as one. Calcifications on a vessel
or on metal, and sutures, are links among themselves and never between others: a strand of them
would join what has nothing to do with each other.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from secondread.codes import MarkClass, Morphology
from secondread.detect.marks import Mark
from secondread.findings.clusters import (
    LINK_MM,
    MINIMUM_MEMBERS,
    positions_mm,
    sort_by_score,
    sort_groups,
)
from secondread.geometry import SpacingMm

Gaps = npt.NDArray[np.float64]
"""(n, n): distances between calcifications, mm."""

USUAL_MM = 0.5
"""Calcifications up to this diameter are points; beyond it the gap between two is smaller than the
distance between their middles."""
GAP_PER_EXCESS = 3.0
"""Millimetres that a gap is smaller by, for each millimetre by which one of the two is larger.

So three of a millimetre link over 8 mm, where three points do over 5; on the validation views no
false cluster more is marked for it.
"""
MOST_NARROWED_MM = 3.0
"""By this at most: what is farther apart than 8 mm is never linked."""

VESSEL_MM = 1.5
"""A calcification with two vascular marks or more this near lies on a vessel."""
METAL_MM = 1.0
"""A calcification this near to the rim of metal is on it."""
LIKELY_SUTURE = 0.5
"""Share of the type from which on a calcification is likely one of a suture."""


class Nature(IntEnum):
    """What a calcification is likely of; only those of one nature are links between each other."""

    TISSUE = 0
    VESSEL = 1
    METAL = 2
    SUTURE = 3


def link_calcifications(
    marks: Sequence[Mark], landmarks: Sequence[Mark], spacing: SpacingMm
) -> tuple[tuple[Mark, ...], ...]:
    """Return calcifications in groups, each by falling score, the largest group first.

    Two are in one group when a chain of calcifications of one nature joins them, each gap shorter
    than `LINK_MM`. What lies on a vessel or on metal then joins the nearest group within reach, as
    one or two of a suture do, and no two groups.

    Parameters
    ----------
    marks
        Calcifications, pieces joined.
    landmarks
        The other marks of the image: vessels and metal.
    spacing
        Between pixel centres, at the detector plane.
    """
    if not marks:
        return ()
    gaps = measure_gaps(marks, spacing)
    natures = _find_natures(marks, landmarks, spacing)
    same = natures[:, None] == natures
    labels = np.asarray(connected_components((gaps < LINK_MM) & same, directed=False)[1])
    sizes = np.bincount(labels)
    # What lies on a vessel or on metal may be of the group beside it, and a suture of one or two is
    # rather a badly named member of it.
    is_suture = (natures == Nature.SUTURE) & (sizes[labels] >= MINIMUM_MEMBERS)
    settled = (natures == Nature.TISSUE) | is_suture
    joined = labels.copy()
    for index in np.flatnonzero(~settled).tolist() if settled.any() else ():
        near = np.flatnonzero(settled)[np.argmin(gaps[index, settled])]
        if gaps[index, near] < LINK_MM:
            joined[index] = labels[near]
    groups: dict[int, list[Mark]] = {}
    for mark, label in zip(marks, joined.tolist(), strict=True):
        groups.setdefault(label, []).append(mark)
    return sort_groups(tuple(sort_by_score(members)) for members in groups.values())


def measure_gaps(marks: Sequence[Mark], spacing: SpacingMm) -> Gaps:
    """Return the distances between calcifications, smaller between large ones; 0 to itself."""
    at_mm = positions_mm(marks, spacing)
    excess = np.maximum(np.array([mark.diameter_mm for mark in marks]) - USUAL_MM, 0.0)
    narrowed = np.minimum(GAP_PER_EXCESS * (excess[:, None] + excess), MOST_NARROWED_MM)
    return np.asarray(np.maximum(cdist(at_mm, at_mm) - narrowed, 0.0))


def _find_natures(
    marks: Sequence[Mark], landmarks: Sequence[Mark], spacing: SpacingMm
) -> npt.NDArray[np.int64]:
    at_mm = positions_mm(marks, spacing)
    natures = np.array([_find_own_nature(mark) for mark in marks], np.int64)
    vessels = [mark for mark in landmarks if mark.mark_class is MarkClass.VASCULAR]
    if vessels:
        near = cdist(at_mm, positions_mm(vessels, spacing)) <= VESSEL_MM
        natures[near.sum(axis=1) >= 2] = Nature.VESSEL
    metal = [mark for mark in landmarks if mark.mark_class is MarkClass.METAL]
    if metal:
        reach = METAL_MM + np.array([mark.diameter_mm / 2 for mark in metal])
        on_metal = cdist(at_mm, positions_mm(metal, spacing)) <= reach
        natures[on_metal.any(axis=1)] = Nature.METAL
    return natures


def _find_own_nature(mark: Mark) -> Nature:
    is_suture = dict(mark.morphology).get(Morphology.SUTURE, 0.0) >= LIKELY_SUTURE
    return Nature.SUTURE if is_suture else Nature.TISSUE
