"""Matching of marks with the truth: by geometry alone, in mm at the detector plane.

No threshold enters here. Marks are matched by falling score, and the match of a mark never depends
on marks below it, so that a lower threshold can only add matches.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from secondread_lab.judge.records import Box

Points = npt.NDArray[np.float64]
"""Shape (n, 2): x, y."""
Scores = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

UNMATCHED = -1
"""Index of a mark without a match."""


@dataclass(frozen=True, slots=True)
class PointMatch:
    """The matches of point marks, in their own order."""

    owner: Indices
    """Index of the reference point that the mark has found, or `UNMATCHED`."""
    near: npt.NDArray[np.bool_]
    """Whether the mark is within reach of any reference point, already found or not."""


def match_points(marks: Points, scores: Scores, reference: Points, reach: Scores) -> PointMatch:
    """Match marks with reference points, one to one, the highest score first.

    Each mark finds the nearest reference point, in shares of its reach, that no higher mark has
    found. Marks of equal scores are matched by position, so that their order does not matter.

    Parameters
    ----------
    marks, scores
        Positions in mm, and the score of each.
    reference, reach
        Positions in mm, and how far from each a mark may be, in mm.
    """
    owner = np.full(len(marks), UNMATCHED, np.int64)
    near = np.zeros(len(marks), np.bool_)
    if not len(marks) or not len(reference):
        return PointMatch(owner, near)
    around = KDTree(reference).query_ball_point(marks, float(reach.max()))
    free = np.ones(len(reference), np.bool_)
    for mark in np.lexsort((marks[:, 0], marks[:, 1], -scores)).tolist():
        close = np.array(around[mark], np.int64)
        if not len(close):
            continue
        share = np.hypot(*(reference[close] - marks[mark]).T) / reach[close]
        near[mark] = bool((share <= 1.0).any())
        share[~free[close]] = np.inf
        best = int(share.argmin())
        if share[best] <= 1.0:
            owner[mark] = close[best]
            free[close[best]] = False
    return PointMatch(owner, near)


def count_matches(marks: Points, reference: Points, reach: Scores) -> int:
    """Return how many marks can be matched with reference points, one to one."""
    return int((match_points(marks, np.zeros(len(marks)), reference, reach).owner >= 0).sum())


def compute_iou(a: Box, b: Box) -> float:
    """Return intersection over union of two boxes.

    >>> compute_iou((0, 0, 2, 2), (0, 0, 2, 2)), compute_iou((0, 0, 4, 2), (2, 0, 6, 2))
    (1.0, 0.3333333333333333)
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def grow_box(box: Box, by: float) -> Box:
    """Return the box with a margin around it."""
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def find_inside(points: Points, boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which points are inside any of the boxes, shape (n, 4), or on their borders."""
    if not len(points) or not len(boxes):
        return np.zeros(len(points), np.bool_)
    x, y = points[:, :1], points[:, 1:]
    left, top, right, bottom = boxes.T
    return np.asarray(((x >= left) & (x <= right) & (y >= top) & (y <= bottom)).any(axis=1))
