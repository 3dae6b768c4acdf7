"""From a data set to the detector's input: brightness, breast, and the breast's box."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.detect import breast, gates
from secondread.detect.breast import BreastRegion, Brightness, Mask
from secondread.detect.decode import StoredValues, decode_pixels, have_pixels_lost_information
from secondread.detect.gates import GateMeasurement, PixelMeasurements
from secondread.detect.landmarks import add_landmarks
from secondread.detect.pixels import Display, GreyScale
from secondread.geometry import PointPx, SpacingMm

_SAMPLING = 2  # every second row and column: a quarter of the pixels is enough for the gates
_FINE_SHARE = 0.9  # images finer than this share of the model's spacing are averaged down


def read_mammogram(ds: Dataset) -> Mammogram:
    """Return the typed header of an image, and in it what its pixel data say of their own loss.

    Raises
    ------
    HeaderError
        A UID is missing that identifies it.
    """
    mammogram = Mammogram.from_dataset(ds)
    return replace(mammogram, is_lossy=mammogram.is_lossy or have_pixels_lost_information(ds))


@dataclass(frozen=True, slots=True)
class BreastImage:
    """The brightness of one image, and where the breast is in it."""

    bright: Brightness
    region: BreastRegion
    spacing: SpacingMm


@dataclass(frozen=True, slots=True)
class PreparedImage(BreastImage):
    """One image, decoded and measured, ready for the graphs."""

    measurements: tuple[GateMeasurement, ...]
    display: Display


def prepare_image(ds: Dataset, mammogram: Mammogram, model_mm: float) -> PreparedImage:
    """Decode an image, find the breast, and measure what the pixel gates need.

    An image without spacing, or without a breast, comes here only so that its gates can be
    overridden: it is then taken at the model's spacing, and as tissue from border to border.

    Raises
    ------
    PixelError
        The pixels cannot be decoded or do not fit the header.
    """
    stored = decode_pixels(ds)
    grey = GreyScale.from_dataset(ds, mammogram)
    bright = grey.to_brightness(stored)
    spacing = mammogram.spacing or SpacingMm(model_mm, model_mm)
    region = breast.find_breast(bright, spacing)
    breast_found = region is not None
    if region is None:
        region = breast.take_whole_image(bright, spacing)
    else:
        is_oblique = mammogram.view is not None and mammogram.view.is_mlo_like
        region = add_landmarks(
            region, bright, spacing, oblique=is_oblique, upside_down=mammogram.is_upside_down
        )
    pixels = _measure_pixels(stored, bright, grey, region, spacing, breast_found=breast_found)
    return PreparedImage(
        bright,
        region,
        spacing,
        (
            *gates.check_pixels(pixels, mammogram.bits_stored),
            gates.check_display(
                by_window=grey.window is not None, is_senseless=grey.is_window_senseless
            ),
        ),
        grey.render(stored, bright, region.tissue),
    )


def find_breast_image(ds: Dataset, mammogram: Mammogram, model_mm: float) -> BreastImage:
    """Return the part of `prepare_image` that the graphs see, without what gates and people need.

    Raises
    ------
    PixelError
        The pixels cannot be decoded or do not fit the header.
    """
    bright = GreyScale.from_dataset(ds, mammogram).to_brightness(decode_pixels(ds))
    spacing = mammogram.spacing or SpacingMm(model_mm, model_mm)
    region = breast.find_breast(bright, spacing) or breast.take_whole_image(bright, spacing)
    return BreastImage(bright, region, spacing)


def _measure_pixels(
    stored: StoredValues,
    bright: Brightness,
    grey: GreyScale,
    region: BreastRegion,
    spacing: SpacingMm,
    *,
    breast_found: bool,
) -> PixelMeasurements:
    """Measure an image for the gates; without a breast, `region` is the whole image."""
    sample = bright[::_SAMPLING, ::_SAMPLING]
    inside = cv2.resize(region.interior, sample.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    saturated = np.asarray((sample >= grey.bright.max()) & inside, np.uint8)
    pixel_cm2 = _SAMPLING**2 * spacing.between_rows * spacing.between_columns / 100
    tissue = region.tissue
    borders = {
        "left": tissue[:, 0], "right": tissue[:, -1], "top": tissue[0], "bottom": tissue[-1],
    }  # fmt: skip
    return PixelMeasurements(
        area_cm2=region.breast.area_cm2 if breast_found else None,
        borders={side: float(border.mean()) for side, border in borders.items()},
        chest_wall_side=region.breast.chest_wall_side,
        saturated_share=float(np.count_nonzero(saturated)) / max(int(np.count_nonzero(inside)), 1),
        saturated_cm2=_count_largest_part(saturated) * pixel_cm2,
        levels=int(np.unique(stored[::_SAMPLING, ::_SAMPLING][inside]).size),
        polarity=breast.measure_polarity(bright),
    )


def _count_largest_part(mask: Mask) -> int:
    """Return the number of pixels of the largest connected part."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))  # row 0 is the background


@dataclass(frozen=True, slots=True)
class InputGrid:
    """Where the pixels of the detector's input are in the stored image."""

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


class DetectorInput(NamedTuple):
    """The breast's box at the model's spacing; all arrays have the same shape."""

    bright: Brightness
    grid: InputGrid
    tissue: Mask
    """The breast."""
    interior: Mask
    """The breast without its skin."""


def cut_detector_input(image: BreastImage, model_mm: float) -> DetectorInput:
    """Return the breast's box at the model's spacing, its grid, and both masks of that shape."""
    box = image.region.breast.box
    cut, grid = crop_to_spacing(image.bright, box, image.spacing, model_mm)
    tissue, interior = (
        breast.resample_mask(mask, image.bright.shape, box, cut.shape)
        for mask in (image.region.tissue, image.region.interior)
    )
    return DetectorInput(cut, grid, tissue, interior)


def crop_to_spacing(
    bright: Brightness, box: tuple[int, int, int, int], spacing: SpacingMm, model_mm: float
) -> tuple[Brightness, InputGrid]:
    """Cut out the box and average it down to the model's spacing where it is finer."""
    top, bottom, left, right = box
    cut = bright[top:bottom, left:right]
    rows, columns = cut.shape
    input_rows = _count_input_px(rows, spacing.between_rows, model_mm)
    input_columns = _count_input_px(columns, spacing.between_columns, model_mm)
    if (input_rows, input_columns) != (rows, columns):
        small = cv2.resize(cut, (input_columns, input_rows), interpolation=cv2.INTER_AREA)
        cut = np.asarray(small, np.float32)
    per_row, per_column = rows / input_rows, columns / input_columns
    input_spacing = SpacingMm(spacing.between_rows * per_row, spacing.between_columns * per_column)
    grid = InputGrid(top, left, per_row, per_column, input_spacing)
    return np.ascontiguousarray(cut, np.float32), grid


def _count_input_px(stored_px: int, spacing_mm: float, model_mm: float) -> int:
    if spacing_mm >= _FINE_SHARE * model_mm:
        return stored_px
    return max(1, round(stored_px * spacing_mm / model_mm))
