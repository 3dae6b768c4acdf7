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


def patches(image: Brightness, found: Sequence[Candidate], size: int) -> npt.NDArray[np.float32]:
    """Cut a (candidates, 1, size, size) batch around the candidates, 0 beyond the image."""
    half = size // 2
    padded = np.pad(image, half)
    out = np.empty((len(found), 1, size, size), np.float32)
    for number, mark in enumerate(found):
        row, column = round(mark.row), round(mark.column)
        out[number, 0] = padded[row : row + size, column : column + size]
    return out
