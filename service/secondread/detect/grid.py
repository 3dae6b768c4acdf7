"""The detector's grid: the breast's box at the model's pixel spacing, and the way back."""

from dataclasses import dataclass

import cv2
import numpy as np

from secondread.detect.breast import Brightness
from secondread.geometry import PointPx, SpacingMm

_FINE_MARGIN = 0.9  # images finer than this share of the model's spacing are averaged down


@dataclass(frozen=True, slots=True)
class InputGrid:
    """Where the pixels of the detector's input lie in the stored image."""

    first_row: int
    first_column: int
    rows_per_px: float
    """Stored rows per row of the input: 1, or more where the image was averaged down."""
    columns_per_px: float
    spacing: SpacingMm
    """Of the input."""

    def to_stored(self, row: float, column: float) -> PointPx:
        """Return the point of the stored image at a (fractional) array index of the input.

        An index names the centre of its pixel, half a pixel from the corner, on both grids.
        """
        return PointPx(
            (column + 0.5) * self.columns_per_px + self.first_column,
            (row + 0.5) * self.rows_per_px + self.first_row,
        )

    def to_input(self, point: PointPx) -> tuple[float, float]:
        """Return the (fractional) row and column of the input at a point of the stored image."""
        return (
            (point.row - self.first_row) / self.rows_per_px - 0.5,
            (point.col - self.first_column) / self.columns_per_px - 0.5,
        )


def crop_to_spacing(
    bright: Brightness, box: tuple[int, int, int, int], spacing: SpacingMm, model_mm: float
) -> tuple[Brightness, InputGrid]:
    """Cut out the box and average it down to the model's spacing where it is finer."""
    top, bottom, left, right = box
    cut = bright[top:bottom, left:right]
    rows, columns = cut.shape
    out_rows = _resampled(rows, spacing.between_rows, model_mm)
    out_columns = _resampled(columns, spacing.between_columns, model_mm)
    if (out_rows, out_columns) != (rows, columns):
        small = cv2.resize(cut, (out_columns, out_rows), interpolation=cv2.INTER_AREA)
        cut = np.asarray(small, np.float32)
    per_row, per_column = rows / out_rows, columns / out_columns
    grid = InputGrid(
        top,
        left,
        per_row,
        per_column,
        SpacingMm(spacing.between_rows * per_row, spacing.between_columns * per_column),
    )
    return np.ascontiguousarray(cut, np.float32), grid


def _resampled(count: int, spacing_mm: float, model_mm: float) -> int:
    if spacing_mm >= _FINE_MARGIN * model_mm:
        return count
    return max(1, round(count * spacing_mm / model_mm))
