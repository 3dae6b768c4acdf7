"""One candidate of the score maps, and the patch of the input around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Placed(Protocol):
    """What has a place in the detector's input."""

    @property
    def row(self) -> float:
        """(Fractional) array index."""
        ...

    @property
    def column(self) -> float:
        """(Fractional) array index."""
        ...


def cut_patches(image: Brightness, found: Sequence[Placed], size: int) -> npt.NDArray[np.float32]:
    """Cut a (places, 1, size, size) batch around places, 0 beyond the image."""
    half = size // 2
    rows, columns = image.shape
    out = np.zeros((len(found), 1, size, size), np.float32)
    for number, mark in enumerate(found):
        top, left = round(mark.row) - half, round(mark.column) - half
        first_row, first_column = max(-top, 0), max(-left, 0)
        inside = image[
            max(top, 0) : min(top + size, rows), max(left, 0) : min(left + size, columns)
        ]
        out[
            number,
            0,
            first_row : first_row + inside.shape[0],
            first_column : first_column + inside.shape[1],
        ] = inside
    return out
