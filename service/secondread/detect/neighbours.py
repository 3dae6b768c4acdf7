"""The spots around a spot of an image: the input of the neighbours graph.

Within a patch of 3 mm, a piece of a vessel's wall and a fine linear calcification are alike. The
difference is a line of dozens of other spots through the place. So for each spot, and for some
directions and distances, the shares of the spots there are summed by their nature; no pixel is
needed.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from secondread.codes import MarkClass

FEATURES_VERSION = "spots.v1"
"""Names the features below; a change that alters one of them changes the name."""

DIRECTIONS = 16
"""Through half a turn: a line has two ends and one direction."""
RINGS_MM = ((0.5, 1.5), (1.5, 3.0), (3.0, 6.0), (6.0, 10.0), (10.0, 15.0))
"""Rings around a spot, each from and to. What is nearer than the first is the spot itself."""
NATURE_COUNT = 4
"""Calcification, vascular, either of them, and metal or skin."""
VALUES_PER_DIRECTION = 2 * len(RINGS_MM) * NATURE_COUNT
"""Values of one direction: the sum of both sides, and the lesser of the two."""
VALUES_AROUND = len(RINGS_MM) * NATURE_COUNT
"""Values of all directions together."""
LEAST_CALCIFICATION = 0.1
"""A spot with this share of calcification or more is rescored by its neighbours."""

_LEAST_LIKELY, _LEAST_SOLID = 0.1, 0.3  # shares from which on a spot is a neighbour at all
_HALF_WIDTH_MM, _WIDER = 0.35, 0.08  # of the strip along a direction, and its growth per mm
_STRENGTH = 3.0  # logarithms of sums grow about linearly up to a third of a spot
_ABEAM_MM = 1e-3

SpotShares = npt.NDArray[np.float32]
"""(spots, heads): how likely a spot is of each class, 0-1; the rest to 1 is the share of none."""


def count_features(heads: int) -> int:
    """Return how many values `compute_features` gives for one spot, for so many heads."""
    return DIRECTIONS * VALUES_PER_DIRECTION + VALUES_AROUND + 1 + heads


def select_spots(shares: SpotShares, heads: Sequence[MarkClass]) -> npt.NDArray[np.int64]:
    """Return the indices of the spots that are rescored by their neighbours."""
    share = shares[:, list(heads).index(MarkClass.CALCIFICATION)]
    return np.flatnonzero(share >= LEAST_CALCIFICATION)


def compute_features(
    at_mm: npt.NDArray[np.float64],
    shares: SpotShares,
    heads: Sequence[MarkClass],
    chosen: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Return the graph's input for some spots of an image.

    Parameters
    ----------
    at_mm
        (spots, 2), rows and columns of all spots, in mm.
    shares, heads
        What the rescoring graph gives for all spots, and what its columns stand for.
    chosen
        Indices of the spots whose features are wanted.

    Returns
    -------
    ndarray
        (chosen, count_features): for each direction, `VALUES_PER_DIRECTION` values as (sum or
        lesser, ring, nature); then `VALUES_AROUND` values as (ring, nature), all of them
        ``log(1 + 3 s)`` of a sum ``s`` of shares; then the spot's own shares, that of none first.
    """
    natures = _find_natures(shares, heads)
    is_likely = np.maximum(natures[:, 0], natures[:, 1]) >= _LEAST_LIKELY
    is_neighbour = is_likely | (natures[:, 3] >= _LEAST_SOLID)
    own = shares[chosen]
    none = np.clip(1 - own.sum(axis=1, keepdims=True), 0, 1)
    sums = _sum_neighbours(at_mm[chosen], at_mm[is_neighbour], natures[is_neighbour])
    return np.concatenate([np.log1p(_STRENGTH * sums), none, own], axis=1).astype(np.float32)


def _find_natures(shares: SpotShares, heads: Sequence[MarkClass]) -> npt.NDArray[np.float32]:
    """Return (spots, NATURE_COUNT); a class that the graph has no head for has no share."""
    by_head = dict(zip(heads, shares.T, strict=True))
    absent = np.zeros(len(shares), np.float32)
    calcification, vascular, metal, skin = (
        by_head.get(head, absent)
        for head in (MarkClass.CALCIFICATION, MarkClass.VASCULAR, MarkClass.METAL, MarkClass.SKIN)
    )
    either, solid = calcification + vascular, np.maximum(metal, skin)
    return np.stack([calcification, vascular, either, solid], axis=1)


def _sum_neighbours(
    here: npt.NDArray[np.float64],
    others: npt.NDArray[np.float64],
    natures: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Return, for each place, the shares of the others along each direction, and around it."""
    # One row a pair of neighbours: i is the place, j the other, v their distance.
    pairs = cKDTree(here).sparse_distance_matrix(
        cKDTree(others), RINGS_MM[-1][1], output_type="ndarray"
    )
    pairs = pairs[pairs["v"] >= RINGS_MM[0][0]]
    ring = np.searchsorted([last for _, last in RINGS_MM], pairs["v"], "right")
    # A distance of exactly the last ring's end is beyond it.
    pairs, ring = pairs[ring < len(RINGS_MM)], ring[ring < len(RINGS_MM)]
    # (pairs, DIRECTIONS): the way from the place to the other, across and along each direction. A
    # direction is an angle from the rows' course, so that it goes sin down and cos to the right.
    down, right = (others[pairs["j"]] - here[pairs["i"]]).T[:, :, None]
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    across = down * np.cos(angles) - right * np.sin(angles)
    along = down * np.sin(angles) + right * np.cos(angles)
    # A strip has soft sides and widens with the distance, since vessels bend.
    width = (_HALF_WIDTH_MM + _WIDER * pairs["v"])[:, None]
    weight = np.exp(-0.5 * (across / width) ** 2)
    # Spots are on a grid, and many are exactly abeam of each other: those are on neither side.
    sides = [weight * ahead for ahead in (along > _ABEAM_MM, along < -_ABEAM_MM)]
    nature = natures[pairs["j"]].astype(np.float64)
    # Summing all pairs of a place and a ring is one sparse product.
    row = pairs["i"] * len(RINGS_MM) + ring
    summing = csr_array(
        (np.ones(len(row)), (row, np.arange(len(row)))), (len(here) * len(RINGS_MM), len(row))
    )
    by_side = np.stack(
        [
            summing @ (side[:, :, None] * nature[:, None]).reshape(-1, DIRECTIONS * NATURE_COUNT)
            for side in sides
        ]
    ).reshape(2, len(here), len(RINGS_MM), DIRECTIONS, NATURE_COUNT)
    # The lesser of both sides is high only where a line goes through the place.
    lines = np.stack([by_side.sum(axis=0), by_side.min(axis=0)], axis=1)
    lines = lines.transpose(0, 3, 1, 2, 4).reshape(len(here), -1)
    around = (summing @ nature).reshape(len(here), -1)
    return np.concatenate([lines, around], axis=1).astype(np.float32)
