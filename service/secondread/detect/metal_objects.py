"""Objects of the metal map: its connected regions, and the spots whose nature they leave open.

A piece of metal is far larger than a calcification, and the maxima along it are its own edge. But
a fine linear calcification looks like a bit of wire to a network that sees only so much. Small
objects are therefore contested: their spots are kept until the rescoring graph has seen them, and
if it does not call them metal, they stay and the object goes.
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
Flags = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class MetalObjects:
    """What the metal head shows as objects.

    An object is named by its index in `marks`. -1 stands for no object, and the arrays that are
    indexed by it have a last element for that.
    """

    marks: tuple[Candidate, ...]
    is_contested: Flags
    """(objects + 1,)."""
    is_solid: Flags
    """(objects + 1,): bright all over, as one thing is and a heap of grains is not."""
    _labels: Labels
    """Of a window that holds all objects, in the map's pixels: n + 1 in ``marks[n]``."""
    _corner: tuple[int, int]
    """The window's first row and column."""
    _borders: cKDTree
    """(row, column), in the window, of the objects' outermost pixels; those inside are many."""
    _border_owner: Indices
    """(border pixels + 1,): the object that each is of."""
    _reach_px: float

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
        pixels = np.column_stack([row, column]) - self._corner
        # The margin keeps a pixel at exactly the reach, which the query would leave out. For one
        # that is near nothing it gives an infinite distance and, as index, the tree's size.
        away, nearest = self._borders.query(pixels, distance_upper_bound=self._reach_px + 1e-6)
        in_window = ((pixels >= 0) & (pixels < self._labels.shape)).all(axis=1)
        inside = np.full(len(pixels), -1)
        inside[in_window] = self._labels[pixels[in_window, 0], pixels[in_window, 1]] - 1
        is_inside = inside >= 0
        owner = np.where(is_inside, inside, self._border_owner[nearest])
        return owner, np.where(is_inside, 0.0, away)


def find_objects(
    maps: ScoreMaps, channel: int, image: Brightness, interior: Mask, spacing_mm: float
) -> MetalObjects:
    """Return the objects of the metal head.

    Parameters
    ----------
    maps, channel
        The dense graph's answers, and the head's number.
    image
        The normalised input; contrast is measured on it.
    interior
        Where objects may be, in the input's pixels.
    spacing_mm
        Pixel spacing of the input.
    """
    scores = maps.scores[channel]
    region = np.asarray(cv2.inRange(scores, OBJECT_SCORE, np.inf), np.uint8)
    cv2.min(region, maps.reduce_mask(interior), dst=region)
    left, top, width, height = cv2.boundingRect(region)
    # Without objects, a window of one pixel, since OpenCV takes no empty image.
    window = region[top : top + max(height, 1), left : left + max(width, 1)]
    count, labelled, stats, _ = cv2.connectedComponentsWithStats(window)
    labels = np.asarray(labelled, np.int32)
    shapes = [_find_pixels(labels, label, stats[label], (top, left)) for label in range(1, count)]
    marks = tuple(_make_mark(maps, scores, image, *shape) for shape in shapes)
    inner = cv2.erode(window, np.ones((3, 3), np.uint8), borderValue=0)
    rows, columns = np.nonzero((labels > 0) & (inner == 0))
    return MetalObjects(
        marks,
        np.array([*(m.diameter_px * spacing_mm <= CONTESTED_MM for m in marks), False]),
        np.array([*(_is_solid(maps, image, *shape) for shape in shapes), False]),
        labels,
        (top, left),
        cKDTree(np.column_stack([rows, columns])),
        np.append(labels[rows, columns].astype(np.int64) - 1, -1),
        OBJECT_MARGIN_MM / spacing_mm / maps.stride,
    )


def _find_pixels(
    labels: Labels, label: int, stats: npt.NDArray[np.generic], corner: tuple[int, int]
) -> tuple[Indices, Indices]:
    """Return rows and columns, in the map, of an object's pixels."""
    left, top, width, height, _ = (int(value) for value in stats)
    rows, columns = np.nonzero(labels[top : top + height, left : left + width] == label)
    return rows + top + corner[0], columns + left + corner[1]


def _make_mark(
    maps: ScoreMaps,
    scores: npt.NDArray[np.float32],
    image: Brightness,
    rows: Indices,
    columns: Indices,
) -> Candidate:
    row, column = (maps.to_input(float(index.mean())) for index in (rows, columns))
    center = image[
        max(round(row) - 1, 0) : round(row) + 2, max(round(column) - 1, 0) : round(column) + 2
    ]
    return Candidate(
        row=row,
        column=column,
        score=float(scores[rows, columns].max()),
        mark_class=MarkClass.METAL,
        diameter_px=2 * float(np.sqrt(len(rows) / np.pi)) * maps.stride,
        contrast=float(center.max()),
        elongation=_measure_elongation(rows, columns),
    )


def _is_solid(maps: ScoreMaps, image: Brightness, rows: Indices, columns: Indices) -> bool:
    row, column = (
        np.minimum(((index + 0.5) * maps.stride).astype(np.int64), side - 1)
        for index, side in zip((rows, columns), image.shape, strict=True)
    )
    values = image[row, column]
    return bool(np.quantile(values, SOLID_QUANTILE) >= SOLID_SHARE * values.max())


def _measure_elongation(rows: Indices, columns: Indices) -> float:
    yy, xx = (float(index.var()) for index in (rows, columns))
    xy = float(((rows - rows.mean()) * (columns - columns.mean())).mean())
    # The eigenvalues of the second moments are middle +- radius. A square pixel adds a twelfth,
    # its own second moment, without which a line one pixel wide would be infinitely long.
    middle, radius = (xx + yy) / 2 + 1 / 12, float(np.hypot((xx - yy) / 2, xy))
    return float(np.sqrt((middle + radius) / max(middle - radius, 1 / 12)))
