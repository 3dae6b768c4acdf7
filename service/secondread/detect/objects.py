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

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import Candidate
from secondread.detect.strips import Maps

OBJECT_SCORE = 0.5
"""From this score on, touching pixels of the metal head are one object."""
OBJECT_MARGIN_MM = 0.7
"""Calcifications this near to a metal object are its own edges."""
CONTESTED_MM = 2.5
"""Diameter of a disc of an object's area up to which it is contested."""

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Objects:
    """What one head shows as objects."""

    marks: tuple[Candidate, ...]
    around: Labels
    """In the map's pixels: 0 beside all objects, n + 1 within the margin of ``marks[n]``."""
    is_contested: tuple[bool, ...]

    def of(self, row: int, column: int) -> int:
        """Return the index of the object that a pixel of the map is in or near, -1 for none."""
        return int(self.around[row, column]) - 1

    @property
    def contested(self) -> npt.NDArray[np.bool_]:
        """Where a contested object is, with its margin."""
        return np.asarray((self.around > 0) & ~self.settled, np.bool_)

    @property
    def settled(self) -> npt.NDArray[np.bool_]:
        """Where no spot is looked for: in and near objects that are not contested."""
        known = np.array([False, *(not contested for contested in self.is_contested)])
        return np.asarray(known[self.around], np.bool_)


def objects(
    maps: Maps, channel: int, image: Brightness, inside: Mask, spacing_mm: float
) -> Objects:
    """Return the objects of a head.

    Parameters
    ----------
    maps, channel
        The dense graph's answers, and the head's number.
    image
        The normalised input; contrast is measured on it.
    inside
        Where objects may lie, in the map's pixels.
    spacing_mm
        Pixel spacing of the input.
    """
    region = ((maps.scores[channel] >= OBJECT_SCORE) & (inside > 0)).astype(np.uint8)
    count, labels, stats, centers = cv2.connectedComponentsWithStats(region)
    marks = tuple(
        _object(maps, channel, image, label, labels, stats[label], centers[label])
        for label in range(1, count)
    )
    around = _within(region, labels, OBJECT_MARGIN_MM / spacing_mm / maps.stride)
    contested = tuple(one.diameter_px * spacing_mm <= CONTESTED_MM for one in marks)
    return Objects(marks, around, contested)


def _within(region: Mask, labels: Labels, reach_px: float) -> Labels:
    """Return the label of the nearest object of every pixel that is so near to one, else 0."""
    if not region.any():
        return np.zeros_like(labels)
    away, nearest = cv2.distanceTransformWithLabels(1 - region, cv2.DIST_L2, 3)
    # The transform numbers objects in its own way.
    own = np.zeros(int(nearest.max()) + 1, np.int32)
    own[nearest[region > 0]] = labels[region > 0]
    return np.where(away <= reach_px, own[nearest], 0).astype(np.int32)


def _object(
    maps: Maps,
    channel: int,
    image: Brightness,
    label: int,
    labels: npt.NDArray[np.generic],
    stats: npt.NDArray[np.generic],
    center: npt.NDArray[np.generic],
) -> Candidate:
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
        score=float(maps.scores[channel][window][own].max()),
        mark_class=MarkClass.METAL,
        diameter_px=2 * float(np.sqrt(area / np.pi)) * maps.stride,
        contrast=float(near.max()),
        elongation=_elongation(own),
    )


def _elongation(region: npt.NDArray[np.bool_]) -> float:
    moments = cv2.moments(region.astype(np.uint8), binaryImage=True)
    area = moments["m00"]
    xx, yy, xy = (moments[key] / area for key in ("mu20", "mu02", "mu11"))
    middle, radius = (xx + yy) / 2 + 1 / 12, float(np.hypot((xx - yy) / 2, xy))
    return float(np.sqrt((middle + radius) / max(middle - radius, 1 / 12)))
