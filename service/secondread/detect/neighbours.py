"""What lies around a spot among the other spots of its image: the input of the neighbours graph.

Within a patch of 3 mm, a piece of a vessel's wall and a fine linear calcification are alike.
What tells them apart is a line of dozens of others through the place. So for each spot is summed
up, for some directions and distances, how much of each nature lies there; no pixel is needed.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from secondread.codes import MarkClass

FEATURES_VERSION = "spots.v1"
"""Names what follows; a change of it that changes a feature changes the name."""

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
"""A spot with this share of calcification or more is asked about."""

_LEAST_LIKELY, _LEAST_SOLID = 0.1, 0.3  # shares from which on a spot is a neighbour at all
_HALF_WIDTH_MM, _WIDER = 0.35, 0.08  # of the strip along a direction, and its growth per mm
_STRENGTH = 3.0
_ABEAM_MM = 1e-3

SpotShares = npt.NDArray[np.float32]
"""(spots, heads): how likely a spot is of each nature, 0-1; what is missing to 1 is nothing."""


def count_features(heads: int) -> int:
    """Return how many values `compute_features` gives for one spot, for so many heads."""
    return DIRECTIONS * VALUES_PER_DIRECTION + VALUES_AROUND + 1 + heads


def select_spots(shares: SpotShares, heads: Sequence[MarkClass]) -> npt.NDArray[np.int64]:
    """Return the indices of the spots whose neighbours are looked at."""
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
        What the rescoring graph says of all spots, and what its columns stand for.
    chosen
        Indices of the spots that are asked about.

    Returns
    -------
    ndarray
        (chosen, features_length): for each direction, `VALUES_PER_DIRECTION` values as (sum or
        lesser, distance, nature); then `VALUES_AROUND` values as (distance, nature), all of them
        ``log(1 + 3 s)`` of a sum ``s`` of shares; then the spot's own shares, nothing first.
    """
    natures = _natures(shares, heads)
    likely = np.maximum(natures[:, 0], natures[:, 1]) >= _LEAST_LIKELY
    kept = likely | (natures[:, 3] >= _LEAST_SOLID)
    own = shares[chosen]
    nothing = np.clip(1 - own.sum(axis=1, keepdims=True), 0, 1)
    sums = np.log1p(_STRENGTH * _sums(at_mm[chosen], at_mm[kept], natures[kept]))
    return np.concatenate([sums, nothing, own], axis=1).astype(np.float32)


def _natures(shares: SpotShares, heads: Sequence[MarkClass]) -> npt.NDArray[np.float32]:
    """Return (spots, NATURES)."""
    of = dict(zip(heads, shares.T, strict=True))
    none = np.zeros(len(shares), np.float32)
    calcification, vascular, metal, skin = (
        of.get(head, none)
        for head in (MarkClass.CALCIFICATION, MarkClass.VASCULAR, MarkClass.METAL, MarkClass.SKIN)
    )
    either, solid = calcification + vascular, np.maximum(metal, skin)
    return np.stack([calcification, vascular, either, solid], axis=1)


def _sums(
    here: npt.NDArray[np.float64],
    others: npt.NDArray[np.float64],
    natures: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Return, for each place, the shares of the others along each direction, and around it."""
    near = cKDTree(here).sparse_distance_matrix(
        cKDTree(others), RINGS_MM[-1][1], output_type="ndarray"
    )
    near = near[near["v"] >= RINGS_MM[0][0]]
    ring = np.searchsorted([last for _, last in RINGS_MM], near["v"], "right")
    # A distance of exactly the last ring's end is beyond it.
    near, ring = near[ring < len(RINGS_MM)], ring[ring < len(RINGS_MM)]
    apart, angles = others[near["j"]] - here[near["i"]], np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    across = apart[:, :1] * np.cos(angles) - apart[:, 1:] * np.sin(angles)
    along = apart[:, :1] * np.sin(angles) + apart[:, 1:] * np.cos(angles)
    width = (_HALF_WIDTH_MM + _WIDER * near["v"])[:, None]
    weight = np.exp(-0.5 * (across / width) ** 2)
    # Places sit on a grid, and many are exactly abeam of each other: those are on neither side.
    sides = [weight * ahead for ahead in (along > _ABEAM_MM, along < -_ABEAM_MM)]
    nature = natures[near["j"]].astype(np.float64)
    summed = _summed(near["i"] * len(RINGS_MM) + ring, len(here) * len(RINGS_MM))
    both = np.stack(
        [
            summed @ (side[:, :, None] * nature[:, None]).reshape(-1, DIRECTIONS * NATURE_COUNT)
            for side in sides
        ]
    ).reshape(2, len(here), len(RINGS_MM), DIRECTIONS, NATURE_COUNT)
    lines = np.stack([both.sum(axis=0), both.min(axis=0)], axis=1).transpose(0, 3, 1, 2, 4)
    around = summed @ nature
    return np.concatenate(
        [lines.reshape(len(here), -1), around.reshape(len(here), -1)], axis=1
    ).astype(np.float32)


def _summed(rows: npt.NDArray[np.int64], count: int) -> csr_array:
    """Return the matrix that adds up the entries of each row number."""
    ones = np.ones(len(rows))
    return csr_array((ones, (rows, np.arange(len(rows)))), shape=(count, len(rows)))
