"""Features of a group of calcifications: the layout of its members, and what they are like.

The describing graph sees each member alone. Groups also differ in how much their members differ
from each other in size, contrast and form, in their number and in their layout. Names and units
of the features are in `detect.groups`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import ConvexHull, KDTree
from scipy.spatial.distance import pdist, squareform

from secondread.detect.marks import Mark
from secondread.findings.clusters import label_chains, positions_mm
from secondread.geometry import SpacingMm

FloatArray = npt.NDArray[np.float64]

LEAST_SHARE = 0.01
"""Share that no type falls below: a single member never rules a type out."""
AROUND_MM = 15.0
"""How far from a member other calcifications count."""
WIDE_LINK_MM = 12.0
"""Longest link of the chains that join pieces of a cluster that is spread out."""
_CLOSEST_MM = 0.1
"""Positions are not known more exactly than this."""
_LEAST_CONTRAST = 0.5
_SUREST = 1e-3
"""No score is nearer to 0 or 1 than this."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All calcifications of an image, in mm."""

    at_mm: FloatArray
    """(marks, 2): across and down."""
    chain: npt.NDArray[np.int64]
    """Number of the chain of wide links that each is part of."""

    @classmethod
    def from_marks(cls, marks: Sequence[Mark], spacing: SpacingMm) -> Self:
        """Measure the marks of an image."""
        return cls.from_positions(positions_mm(marks, spacing))

    @classmethod
    def from_positions(cls, at_mm: FloatArray) -> Self:
        """Measure places."""
        return cls(at_mm, label_chains(at_mm, WIDE_LINK_MM))


def measure_group(
    members: Sequence[Mark], spacing: SpacingMm, surroundings: Surroundings
) -> dict[str, float]:
    """Return the features of a group.

    Parameters
    ----------
    members
        At least two calcifications.
    spacing
        Of the stored image at the detector plane.
    surroundings
        All calcifications of the image, the members among them.

    Returns
    -------
    dict
        Values by name, as `detect.groups` describes them; shares of types only where the members
        have them.
    """
    layout = measure_layout(positions_mm(members, spacing), surroundings)
    return {**layout, **_measure_members(members), **_measure_types(members)}


def measure_layout(at_mm: FloatArray, surroundings: Surroundings) -> dict[str, float]:
    """Return the features of the members' places, (members, 2), and of the marks around them."""
    tree = KDTree(at_mm)
    # Of two neighbours the first is the member itself.
    nearest = np.maximum(np.asarray(tree.query(at_mm, 2)[0])[:, 1], _CLOSEST_MM)
    away, member = (np.asarray(column) for column in tree.query(surroundings.at_mm, 1))
    around = int(((away > 0) & (away <= AROUND_MM)).sum())  # members are at distance 0
    # All members are in one wide chain: that of the mark which is the first member.
    chain = surroundings.chain[int(np.argmin(np.where(member == 0, away, np.inf)))]
    wide_mm = surroundings.at_mm[surroundings.chain == chain]
    wide = {f"wide_{name}": value for name, value in _measure_spread(wide_mm).items()}
    edges = minimum_spanning_tree(squareform(np.maximum(pdist(at_mm), _CLOSEST_MM))).data
    return {
        **_measure_spread(at_mm),
        **wide,
        "spacing": float(np.log(np.median(nearest))),
        "spacing_spread": float(np.log(nearest).std()),
        "gap": float(np.log(edges.max())),
        "hull": float(np.log(_measure_hull_mm2(at_mm))),
        "around": float(np.log1p(around)),
    }


def _measure_spread(at_mm: FloatArray) -> dict[str, float]:
    low, high = np.linalg.eigvalsh(np.cov(at_mm.T))
    return {
        "count": float(np.log(len(at_mm))),
        "extent": float(np.log(max(pdist(at_mm).max(), _CLOSEST_MM))),
        "major": float(np.log(max(high, _CLOSEST_MM**2)) / 2),
        "minor": float(np.log(max(low, _CLOSEST_MM**2)) / 2),
    }


def _measure_hull_mm2(at_mm: FloatArray) -> float:
    # Points on a line have no hull: each is a square of the width to which it is known.
    corners = _CLOSEST_MM / 2 * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
    return float(
        ConvexHull((at_mm[:, None] + corners).reshape(-1, 2)).volume
    )  # in two dimensions, the area


def _measure_members(members: Sequence[Mark]) -> dict[str, float]:
    score = np.clip([mark.score for mark in members], _SUREST, 1.0 - _SUREST)
    odds = np.log(score / (1.0 - score))
    values = {"certainty": float(np.median(odds)), "certainty_spread": float(odds.std())}
    for name, column in (
        ("diameter", np.log([max(mark.diameter_mm, _CLOSEST_MM) for mark in members])),
        ("contrast", np.log([max(mark.contrast, _LEAST_CONTRAST) for mark in members])),
        ("elongation", np.log([max(mark.elongation, 1.0) for mark in members])),
    ):
        values[name] = float(np.median(column))
        values[f"{name}_spread"] = float(column.std())
        values[f"{name}_largest"] = float(column.max())
    return values


def average_log_shares(members: Sequence[Mark]) -> FloatArray:
    """Return the mean logarithm of each type's share, members weighted by their score."""
    log_shares = np.log(np.maximum(_stack_shares(members), LEAST_SHARE))
    return np.asarray(_weigh(members) @ log_shares, np.float64)


def _stack_shares(members: Sequence[Mark]) -> FloatArray:
    return np.array([[share for _, share in mark.morphology] for mark in members], np.float64)


def _weigh(members: Sequence[Mark]) -> FloatArray:
    weights = np.array([max(mark.score, _SUREST) for mark in members], np.float64)
    return np.asarray(weights / weights.sum(), np.float64)


def _measure_types(members: Sequence[Mark]) -> dict[str, float]:
    typed = [mark for mark in members if mark.morphology]
    if not typed:
        return {}
    mixed = np.log(np.maximum(_weigh(typed) @ _stack_shares(typed), LEAST_SHARE))
    kinds = [kind.name.lower() for kind, _ in typed[0].morphology]
    return {
        f"{measure}_{kind}": float(value)
        for measure, row in (("share", average_log_shares(typed)), ("mixed", mixed))
        for kind, value in zip(kinds, row.tolist(), strict=True)
    }
