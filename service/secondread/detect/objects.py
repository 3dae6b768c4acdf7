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
from secondread.detect.strips import Maps

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


@dataclass(frozen=True, slots=True)
class Objects:
    """What one head shows as objects."""

    marks: tuple[Candidate, ...]
    is_solid: npt.NDArray[np.bool_]
    """(objects,): whether it is bright all over, as one thing is and a heap of grains is not."""
    _is_contested: npt.NDArray[np.bool_]
    _pixels: cKDTree | None
    """(row, column) of all pixels of all objects, in the map."""
    _owner: npt.NDArray[np.int64]
    """The object of each of them."""
    _reach_px: float

    def is_open(self, within: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return whether each of these indices names an object that is contested."""
        return np.append(self._is_contested, False)[within]

    def of(
        self, row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the object that each pixel of the map is in or near, and how far it is.

        Returns
        -------
        ndarray of int
            Index of the object, -1 for none.
        ndarray of float
            Distance to its nearest pixel in pixels of the map, infinite where there is none.
        """
        if self._pixels is None or not len(row):
            return np.full(len(row), -1), np.full(len(row), np.inf)
        away, nearest = self._pixels.query(
            np.column_stack([row, column]), distance_upper_bound=self._reach_px + 1e-6
        )
        near = np.isfinite(away)
        owner = np.where(near, self._owner[np.where(near, nearest, 0)], -1)
        return owner, np.asarray(away, np.float64)


def objects(
    maps: Maps, channel: int, image: Brightness, interior: Mask, spacing_mm: float
) -> Objects:
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
    cv2.min(region, maps.inside(interior), dst=region)
    left, top, width, height = cv2.boundingRect(region)
    if not width:
        none = np.zeros(0, np.bool_)
        return Objects((), none, none, None, np.zeros(0, np.int64), reach)
    window = np.s_[top : top + height, left : left + width]
    count, labels, stats, centers = cv2.connectedComponentsWithStats(region[window])
    scores = maps.scores[channel][window]
    marks = tuple(
        _object(maps, scores, image, labels, label, stats[label], centers[label] + (left, top))
        for label in range(1, count)
    )
    rows, columns = np.nonzero(labels)
    contested = [one.diameter_px * spacing_mm <= CONTESTED_MM for one in marks]
    solid = [
        _is_solid(image, maps, labels, label, (top, left), stats[label])
        for label in range(1, count)
    ]
    return Objects(
        marks,
        np.array(solid),
        np.array(contested),
        cKDTree(np.column_stack([rows + top, columns + left])),
        labels[rows, columns].astype(np.int64) - 1,
        reach,
    )


def _object(
    maps: Maps,
    scores: npt.NDArray[np.float32],
    image: Brightness,
    labels: npt.NDArray[np.generic],
    label: int,
    stats: npt.NDArray[np.generic],
    center: npt.NDArray[np.float64],
) -> Candidate:
    """Return one object as a candidate; its centre is the maps', its place that in the window."""
    left, top, width, height, area = (int(value) for value in stats)
    window = np.s_[top : top + height, left : left + width]
    own = labels[window] == label
    row, column = (maps.to_input(float(value)) for value in center[::-1])
    near = image[
        max(round(row) - 1, 0) : round(row) + 2, max(round(column) - 1, 0) : round(column) + 2
    ]
    return Candidate(
        row=row,
        column=column,
        score=float(scores[window][own].max()),
        mark_class=MarkClass.METAL,
        diameter_px=2 * float(np.sqrt(area / np.pi)) * maps.stride,
        contrast=float(near.max()),
        elongation=_elongation(own),
    )


def _is_solid(
    image: Brightness,
    maps: Maps,
    labels: npt.NDArray[np.generic],
    label: int,
    corner: tuple[int, int],
    stats: npt.NDArray[np.generic],
) -> bool:
    left, top, width, height, _ = (int(value) for value in stats)
    rows, columns = np.nonzero(labels[top : top + height, left : left + width] == label)
    rows, columns = (
        np.clip(((index + first + 0.5) * maps.stride).astype(np.int64), 0, side - 1)
        for index, first, side in (
            (rows, corner[0] + top, image.shape[0]),
            (columns, corner[1] + left, image.shape[1]),
        )
    )
    values = image[rows, columns]
    return bool(np.quantile(values, SOLID_QUANTILE) >= SOLID_SHARE * values.max())


def _elongation(region: npt.NDArray[np.bool_]) -> float:
    moments = cv2.moments(region.astype(np.uint8), binaryImage=True)
    area = moments["m00"]
    xx, yy, xy = (moments[key] / area for key in ("mu20", "mu02", "mu11"))
    middle, radius = (xx + yy) / 2 + 1 / 12, float(np.hypot((xx - yy) / 2, xy))
    return float(np.sqrt((middle + radius) / max(middle - radius, 1 / 12)))
