"""Objects of a score map: its connected regions, and the spots whose nature they leave open.

A piece of metal is far larger than a calcification, and what lies along it is its own edge. But
a fine linear calcification looks like a bit of wire to a network that sees only so much. Small
objects are therefore contested: their spots are kept until the second look at them, and what it
calls no metal brings them back.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import Candidate
from secondread.detect.strips import ScoreMaps

OBJECT_SCORE = 0.5
"""From this score on, touching pixels of the metal head are one object."""
OBJECT_MARGIN_MM = 0.7
"""Calcifications this near to a metal object are its own edges."""
ON_OBJECT_MM = 0.2
"""Spots this near to an object are pieces of it, whatever it is."""
CONTESTED_MM = 2.5
"""Diameter of a disc of an object's area up to which it is contested."""
SOLID_QUANTILE, SOLID_SHARE = 0.25, 0.5
"""An object is solid if all but this share of it are above this share of its highest value."""

Indices = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class MetalObjects:
    """What one head shows as objects."""

    marks: tuple[Candidate, ...]
    _is_contested: npt.NDArray[np.bool_]
    _is_solid: npt.NDArray[np.bool_]
    """Whether each is bright all over, as one thing is and a heap of grains is not."""
    _labels: Labels
    """Of a window that holds all objects, in the map's pixels: n + 1 in ``marks[n]``."""
    _corner: tuple[int, int]
    """The window's first row and column."""
    _borders: cKDTree | None
    """(row, column), in the window, of the objects' outermost pixels; those inside are many."""
    _owner: npt.NDArray[np.int64]
    """The object of each of them."""
    _reach_px: float

    def is_contested(self, within: Indices) -> npt.NDArray[np.bool_]:
        """Return whether each of these indices names an object that is contested."""
        return np.append(self._is_contested, False)[within]

    def is_solid(self, within: Indices) -> npt.NDArray[np.bool_]:
        """Return whether each of these indices names an object that is one solid thing."""
        return np.append(self._is_solid, False)[within]

    def find_nearest(
        self, row: Indices, column: Indices
    ) -> tuple[Indices, npt.NDArray[np.float64]]:
        """Return the object that each pixel of the map is in or near, and how far it is.

        Returns
        -------
        ndarray of int
            Index of the object, -1 for none.
        ndarray of float
            Distance to its nearest pixel in pixels of the map, infinite where there is none.
        """
        if self._borders is None or not len(row):
            return np.full(len(row), -1), np.full(len(row), np.inf)
        at = np.column_stack([row, column]) - self._corner
        away, nearest = self._borders.query(at, distance_upper_bound=self._reach_px + 1e-6)
        near = np.isfinite(away)
        owner = np.where(near, self._owner[np.where(near, nearest, 0)], -1)
        known = ((at >= 0) & (at < self._labels.shape)).all(axis=1)
        own = np.zeros(len(at), np.int64)
        own[known] = self._labels[at[known, 0], at[known, 1]]
        return np.where(own > 0, own - 1, owner), np.where(own > 0, 0.0, away)


def find_objects(
    maps: ScoreMaps, channel: int, image: Brightness, interior: Mask, spacing_mm: float
) -> MetalObjects:
    """Return the objects of a head.

    Parameters
    ----------
    maps, channel
        The dense graph's answers, and the head's number.
    image
        The normalised input; contrast is measured on it.
    interior
        Where objects may lie, in the input's pixels.
    spacing_mm
        Pixel spacing of the input.
    """
    reach = OBJECT_MARGIN_MM / spacing_mm / maps.stride
    region = np.asarray(cv2.inRange(maps.scores[channel], OBJECT_SCORE, np.inf), np.uint8)
    cv2.min(region, maps.reduce_mask(interior), dst=region)
    left, top, width, height = cv2.boundingRect(region)
    if not width:
        none = np.zeros(0, np.bool_)
        empty = np.zeros((0, 0), np.int32)
        return MetalObjects((), none, none, empty, (0, 0), None, np.zeros(0, np.int64), reach)
    window = np.s_[top : top + height, left : left + width]
    count, found, stats, _ = cv2.connectedComponentsWithStats(region[window])
    labels = np.asarray(found, np.int32)
    scores = maps.scores[channel]
    each = [_pixels_of(labels, label, stats[label], (top, left)) for label in range(1, count)]
    inner = cv2.erode(region[window], np.ones((3, 3), np.uint8), borderValue=0)
    rows, columns = np.nonzero((labels > 0) & (inner == 0))
    marks = tuple(_object(maps, scores, image, *one) for one in each)
    return MetalObjects(
        marks,
        np.array([one.diameter_px * spacing_mm <= CONTESTED_MM for one in marks]),
        np.array([_is_solid(maps, image, *one) for one in each]),
        labels,
        (top, left),
        cKDTree(np.column_stack([rows, columns])),
        labels[rows, columns].astype(np.int64) - 1,
        reach,
    )


def _pixels_of(
    labels: Labels, label: int, stats: npt.NDArray[np.generic], corner: tuple[int, int]
) -> tuple[Indices, Indices]:
    """Return rows and columns, in the map, of an object's pixels."""
    left, top, width, height, _ = (int(value) for value in stats)
    rows, columns = np.nonzero(labels[top : top + height, left : left + width] == label)
    return rows + top + corner[0], columns + left + corner[1]


def _object(
    maps: ScoreMaps,
    scores: npt.NDArray[np.float32],
    image: Brightness,
    rows: Indices,
    columns: Indices,
) -> Candidate:
    row, column = (maps.to_input(float(index.mean())) for index in (rows, columns))
    near = image[
        max(round(row) - 1, 0) : round(row) + 2, max(round(column) - 1, 0) : round(column) + 2
    ]
    return Candidate(
        row=row,
        column=column,
        score=float(scores[rows, columns].max()),
        mark_class=MarkClass.METAL,
        diameter_px=2 * float(np.sqrt(len(rows) / np.pi)) * maps.stride,
        contrast=float(near.max()),
        elongation=_elongation(rows, columns),
    )


def _is_solid(maps: ScoreMaps, image: Brightness, rows: Indices, columns: Indices) -> bool:
    row, column = (
        np.minimum(((index + 0.5) * maps.stride).astype(np.int64), side - 1)
        for index, side in zip((rows, columns), image.shape, strict=True)
    )
    values = image[row, column]
    return bool(np.quantile(values, SOLID_QUANTILE) >= SOLID_SHARE * values.max())


def _elongation(rows: Indices, columns: Indices) -> float:
    yy, xx = (float(index.var()) for index in (rows, columns))
    xy = float(((rows - rows.mean()) * (columns - columns.mean())).mean())
    middle, radius = (xx + yy) / 2 + 1 / 12, float(np.hypot((xx - yy) / 2, xy))
    return float(np.sqrt((middle + radius) / max(middle - radius, 1 / 12)))
