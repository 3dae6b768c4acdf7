"""Strokes: thin structures of the breast, as samples that are added to a map with their mass.

A duct, a ligament or the wall of a fat lobule is given as points, each with a volume of tissue.
Added up per pixel and blurred to their width, the volumes become line integrals: the points of a
sheet that is seen edge-on fall together and show it as a line, as on a mammogram.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread_lab.simulate.fields import Map

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Canvas:
    """A map that strokes are added to: its pitch, and the view coordinates of its corner."""

    pitch_mm: float
    top_mm: float
    """Height of the upper border."""
    front_mm: float
    """Depth of the left border; depth grows to the right."""
    shape: tuple[int, int]

    def make_coarse_raster(self, pitch_mm: float) -> tuple[tuple[int, int], Map, Map]:
        """Return shape, depths and heights of a coarser raster that covers the same canvas."""
        height, width = (n * self.pitch_mm for n in self.shape)
        shape = (max(int(height / pitch_mm), 8), max(int(width / pitch_mm), 8))
        depth = self.front_mm + (np.arange(shape[1]) + 0.5) * (width / shape[1])
        across = self.top_mm - (np.arange(shape[0]) + 0.5) * (height / shape[0])
        return (
            shape,
            np.broadcast_to(depth[None, :], shape).astype(np.float32),
            np.broadcast_to(across[:, None], shape).astype(np.float32),
        )


@dataclass(frozen=True, slots=True)
class TissueStrokes:
    """Samples of thin structures; the arrays have equal lengths."""

    points: Array
    """Shape (n, 3): depth, lateral, superior, in mm; after `project` (n, 2): depth, across."""
    volume: Array
    """Tissue at each sample, in mm3 of gland."""
    width_mm: Array
    """Width of the structure at each sample."""

    def project(self, axes: npt.NDArray[np.float64]) -> "TissueStrokes":
        """Return the strokes in the coordinates of a view, see `projection.compute_beam_axes`."""
        depth, lateral, superior = self.points.T
        # Depth is the same in every view, so that a full matrix product is not needed.
        across = lateral * np.float32(axes[1, 1]) + superior * np.float32(axes[1, 2])
        return TissueStrokes(np.stack([depth, across], axis=-1), self.volume, self.width_mm)


def join_strokes(parts: Iterable[TissueStrokes]) -> TissueStrokes:
    """Return the samples of several strokes as one."""
    columns = zip(*((part.points, part.volume, part.width_mm) for part in parts), strict=True)
    return TissueStrokes(*(np.concatenate(column) for column in columns))


def number_samples(
    counts: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for each sample the number of its structure, and its own number within it.

    Parameters
    ----------
    counts
        Number of samples of each structure.
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - first[owner]


_WIDTHS_MM = np.array([0.2, 0.4, 0.8, 1.6, 3.2])
"""Widths that are blurred together; a sample is shared between the two next to its own."""


def integrate_strokes(strokes: TissueStrokes, canvas: Canvas) -> Map:
    """Return the line integral through strokes in view coordinates, in mm of gland."""
    rows, columns = canvas.shape
    x = ((strokes.points[:, 0] - np.float32(canvas.front_mm)) / canvas.pitch_mm).astype(np.int32)
    y = ((np.float32(canvas.top_mm) - strokes.points[:, 1]) / canvas.pitch_mm).astype(np.int32)
    on_map = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    pixel = y[on_map] * columns + x[on_map]
    line = strokes.volume[on_map] / np.float32(canvas.pitch_mm**2)
    octave = np.log2(np.clip(strokes.width_mm[on_map], _WIDTHS_MM[0], _WIDTHS_MM[-1]))
    octave -= np.float32(np.log2(_WIDTHS_MM[0]))
    lower = octave.astype(np.int64)
    share = octave - lower
    total = np.zeros(canvas.shape, np.float32)
    for number, width in enumerate(_WIDTHS_MM):
        layer = np.zeros(rows * columns)
        for chosen, part in ((lower == number, 1 - share), (lower == number - 1, share)):
            if chosen.any():
                layer += np.bincount(pixel[chosen], (line * part)[chosen], rows * columns)
        sharp = layer.reshape(canvas.shape).astype(np.float32)
        # A Gaussian of a third of the width is about as wide at its half height.
        total += cv2.GaussianBlur(sharp, (0, 0), max(0.36 * float(width) / canvas.pitch_mm, 0.6))
    return total
