"""One candidate of the score maps, and the patch of the input around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate, in (fractional) array indices and pixels of the detector's input."""

    row: float
    column: float
    score: float
    mark_class: MarkClass
    diameter_px: float
    contrast: float
    elongation: float

    @property
    def center(self) -> tuple[float, float]:
        """Row and column."""
        return self.row, self.column


def cut_patches(
    image: Brightness, centers: Sequence[tuple[float, float]], size: int
) -> npt.NDArray[np.float32]:
    """Cut a (centers, 1, size, size) batch around places, 0 beyond the image.

    Parameters
    ----------
    image
        The detector's normalised input.
    centers
        (Fractional) row and column of each, inside the image.
    size
        Height and width of a patch, odd.
    """
    rows, columns = image.shape
    patches = np.zeros((len(centers), 1, size, size), np.float32)
    for patch, (row, column) in zip(patches[:, 0], centers, strict=True):
        top, left = round(row) - size // 2, round(column) - size // 2
        inside = image[
            max(top, 0) : min(top + size, rows), max(left, 0) : min(left + size, columns)
        ]
        patch_row, patch_column = max(-top, 0), max(-left, 0)
        patch[
            patch_row : patch_row + inside.shape[0], patch_column : patch_column + inside.shape[1]
        ] = inside
    return patches
