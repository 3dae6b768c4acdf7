"""An image as it is looked at: parts of it, and their greys."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

DisplayArray = npt.NDArray[np.uint8]
"""An image as it is looked at: (rows, columns), calcifications white, 0 black, unflipped."""

LoadDisplay = Callable[[str], DisplayArray]
"""Gives the full-resolution display array of an image by SOP Instance UID."""

_MAX_GAIN = 1.8  # more would show noise rather than calcifications
_QUANTILES = (0.5, 99.9)  # per cent of a part's greys that become black and white
_MIN_SPREAD = 40.0  # greys between those two, at least: a uniform part stays nearly uniform


def cut_out(display: DisplayArray, left: int, top: int, columns: int, rows: int) -> DisplayArray:
    """Return a part of the image, black where it reaches beyond."""
    height, width = display.shape
    part = np.zeros((rows, columns), np.uint8)
    first_row, end_row = max(top, 0), min(top + rows, height)
    first_col, end_col = max(left, 0), min(left + columns, width)
    if first_row < end_row and first_col < end_col:
        part[first_row - top : end_row - top, first_col - left : end_col - left] = display[
            first_row:end_row, first_col:end_col
        ]
    return part


def stretch_contrast(part: DisplayArray) -> DisplayArray:
    """Return the part with its greys spread over the scale, with limited gain."""
    low, high = np.percentile(part, _QUANTILES)
    gain = float(np.clip(255 / max(high - low, 1), 1, _MAX_GAIN))
    # In the middle of the scale, but its darkest never brighter than before: black stays black.
    darkest = min(max((255 - (high - low) * gain) / 2, 0), low)
    return _to_greys(np.rint((part - low) * gain + darkest))


def spread_greys(part: DisplayArray) -> DisplayArray:
    """Return the part with its darkest and brightest greys as black and white."""
    low, high = np.percentile(part, _QUANTILES)
    return _to_greys((part - low) * (255 / max(high - low, _MIN_SPREAD)))


def _to_greys(values: npt.NDArray[np.float64]) -> DisplayArray:
    greys: DisplayArray = np.clip(values, 0, 255).astype(np.uint8)
    return greys
