"""Stored values to brightness, to the detector's input, and to grey levels for people.

In *brightness* calcifications are bright, whatever the header's polarity, and For Processing
values are logarithms of exposure, so that contrast does not depend on thickness. All steps that
act on single values are tables over the stored values: an image has millions of pixels and at
most 65536 values.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from secondread.assemble import header_attributes
from secondread.assemble.header_values import read_text, read_whole_number
from secondread.assemble.mammogram import Intent, Mammogram
from secondread.assemble.pixel_layout import read_pixel_layout
from secondread.detect import lookup
from secondread.detect.breast import Brightness, Mask
from secondread.detect.decode import StoredValues
from secondread.detect.manifest import InputNormalisation
from secondread.errors import PixelError

Display = npt.NDArray[np.uint8]
_Table = npt.NDArray[np.float32]

_DISPLAY_QUANTILES = (0.001, 0.999)  # of tissue, where no window is given
_MOST_BITS = 16
_NO_LEVELS = lookup.DisplayLevels(None, is_senseless=False)
_GREY_BINS = 48
_MINIMUM_IN_BIN = 200
_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class GreyScale:
    """How the stored values of one image become brightness, from its header."""

    lowest: int
    """The lowest possible stored value; index 0 of the tables."""
    bright: _Table
    """Brightness of each possible stored value, from 0 on; padding has that of the darkest one."""
    window: _Table | None
    """Display level 0-1 of each stored value; None where the header gives no VOI."""
    padding: tuple[int, int] | None
    """First and last stored value that stands for "no measurement here"."""
    is_window_senseless: bool
    """Whether the header gives a VOI, but none that can be applied."""

    @classmethod
    def from_dataset(cls, ds: Dataset, mammogram: Mammogram) -> "GreyScale":
        """Read Modality LUT, VOI, padding and intensity relationship (PS3.3 C.7.5.1, C.11).

        Raises
        ------
        PixelError
            The Modality LUT cannot be applied.
        """
        layout = read_pixel_layout(ds)
        if layout.bits_stored > _MOST_BITS:
            raise PixelError(f"Bits Stored is {layout.bits_stored}")
        count = 2**layout.bits_stored
        lowest = -count // 2 if layout.signed else 0
        domain = np.arange(lowest, lowest + count, dtype=np.float64)
        modality = lookup.apply_modality(domain, ds)
        if mammogram.intent is Intent.PROCESSING:
            bright, display = _convert_exposure(modality, ds, mammogram), _NO_LEVELS
        else:
            bright = -modality if mammogram.is_inverted else modality
            display = lookup.find_display_levels(modality, ds)
        padding = lookup.read_padding(ds, lowest, count)
        if padding is not None:
            outside = (domain < padding[0]) | (domain > padding[1])
            bright = np.where(outside, bright, bright[outside].min())
        # From 0 on: float32 has the most digits there, and air of an inverted image is then 0 too.
        bright = bright - bright.min()
        levels = display.levels
        if levels is not None:
            levels = 1 - levels if mammogram.is_inverted else levels
        return cls(
            lowest,
            bright.astype(np.float32),
            None if levels is None else levels.astype(np.float32),
            padding,
            display.is_senseless,
        )

    def to_brightness(self, stored: StoredValues) -> Brightness:
        """Return the brightness of every pixel."""
        bright: Brightness = self.bright[self._index(stored)]
        return bright

    def render(self, stored: StoredValues, bright: Brightness, tissue: Mask | None) -> Display:
        """Return grey levels for people, calcifications white.

        Parameters
        ----------
        stored, bright
            The image and its brightness.
        tissue
            Breast mask at any resolution; used where the header gives no window.
        """
        if self.window is not None:
            levels = self.window
        else:
            sample = bright[::8, ::8]
            if tissue is not None and tissue.any():
                small = cv2.resize(tissue, sample.shape[::-1], interpolation=cv2.INTER_NEAREST)
                sample = sample[small > 0] if (small > 0).any() else sample
            low, high = np.quantile(sample, _DISPLAY_QUANTILES)
            levels = np.clip((self.bright - low) / max(high - low, 1e-6), 0, 1)
        table = np.rint(levels * 255).astype(np.uint8)
        if self.padding is not None:
            first, last = (value - self.lowest for value in self.padding)
            table[max(first, 0) : last + 1] = 0
        display: Display = table[self._index(stored)]
        return display

    def _index(self, stored: StoredValues) -> npt.NDArray[np.integer]:
        return stored if self.lowest == 0 else stored.astype(np.int32) - self.lowest


def _convert_exposure(
    modality: npt.NDArray[np.float64], ds: Dataset, mammogram: Mammogram
) -> npt.NDArray[np.float64]:
    # PS3.3 C.8.11.3.1.2: sign 1 means that lower values are less exposure, that is denser tissue.
    relationship, sign_source = header_attributes.INTENSITY.sources
    sign = read_whole_number(ds, sign_source)
    dense_is_low = sign == 1 if sign in {1, -1} else mammogram.is_inverted
    exposure = modality if dense_is_low else modality.max() + modality.min() - modality
    if read_text(ds, relationship).upper() == "LOG":
        return -exposure
    return -np.log(np.maximum(exposure, 1.0))


def normalise(bright: Brightness, tissue: Mask, parameters: InputNormalisation) -> Brightness:
    """Return the detector's input: local contrast in units of the local noise.

    The standard deviation of the noise is estimated as a function of grey level, from the finest
    residual of the tissue; dividing by it makes thresholds mean the same in bright and dark
    tissue and for different dose and look-up tables (Bria et al., noise equalisation). The local
    mean of tissue is subtracted, so that structure larger than calcifications is near zero.

    Parameters
    ----------
    bright
        Brightness, at about the model's spacing.
    tissue
        Breast mask of the same shape.
    parameters
        The manifest's parameters.

    Returns
    -------
    ndarray
        Same shape, float32, clipped as the manifest says; exactly 0 outside the tissue and
        nowhere else but where the local contrast is zero.
    """
    smooth = np.asarray(cv2.GaussianBlur(bright, (0, 0), 1.0), np.float32)
    noise = _Noise.from_image(bright, smooth, tissue)
    mean = _compute_local_mean(bright, tissue, parameters.local_mean_sigma_px)
    # A few rows at a time stay in the processor's cache from step to step. The smooth image is
    # needed no longer once its rows have given their noise, so that the result takes its place.
    for first in range(0, len(smooth), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        sigma = noise.look_up(smooth[rows])
        local = cv2.subtract(bright[rows], mean.interpolate(rows))
        cv2.divide(local, sigma, dst=local)
        np.clip(local, parameters.clip_low, parameters.clip_high, out=local)
        np.multiply(local, tissue[rows], out=smooth[rows])
    return smooth


@dataclass(frozen=True, slots=True)
class _Noise:
    """Standard deviation of the noise by grey level."""

    low: float
    scale: float
    """Grey levels to the table's indices."""
    table: _Table
    """(256,)."""

    @classmethod
    def from_image(cls, bright: Brightness, smooth: Brightness, tissue: Mask) -> "_Noise":
        inside = tissue[::2, ::2] > 0  # a quarter of the pixels is plenty for medians
        grey = smooth[::2, ::2][inside]
        if grey.size < _MINIMUM_IN_BIN:
            raise PixelError("too little tissue to estimate its noise")
        low, high = (float(value) for value in np.quantile(grey[::7], (0.001, 0.999)))
        scale = 255 / max(high - low, 1e-6)
        residual = np.abs(bright[::2, ::2][inside] - grey)
        return cls(low, scale, _tabulate_noise(_to_levels(grey, low, scale), residual))

    def look_up(self, smooth: Brightness) -> Brightness:
        """Return the noise where the smoothed image has these grey levels."""
        return np.asarray(cv2.LUT(_to_levels(smooth, self.low, self.scale), self.table), np.float32)


def _to_levels(grey: Brightness, low: float, scale: float) -> npt.NDArray[np.uint8]:
    # Values below the lowest level are lifted first: OpenCV's conversion takes absolute values.
    lifted = np.maximum(grey, np.float32(low))
    levels = cv2.convertScaleAbs(lifted, alpha=scale, beta=-low * scale)
    return np.asarray(levels, np.uint8).reshape(grey.shape)


def _tabulate_noise(level: npt.NDArray[np.uint8], residual: Brightness) -> _Table:
    """Return the noise at 256 grey levels: medians in bins of about equal count, linear between."""
    bins = min(_GREY_BINS, max(1, level.size // _MINIMUM_IN_BIN))
    # Whole levels: a level that fills several bins alone is one bin.
    sizes = np.bincount(level, minlength=256).cumsum()
    firsts = np.floor(np.arange(bins) / bins * (level.size - 1))
    starts = np.unique(np.searchsorted(sizes, firsts, side="right"))
    bin_of_level = (np.searchsorted(starts, np.arange(256), side="right") - 1).astype(np.uint8)
    which = bin_of_level[level]
    # A stable sort of bytes is a radix sort, many times as fast as that of wider integers.
    order = np.argsort(which, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(which, minlength=starts.size))[:-1])
    centers = [float(level[part].mean()) for part in parts]
    # The median of |residual| is 0.6745 standard deviations for a normal distribution. Where it
    # is 0 (few bits, flat processing) the mean still shows how often a pixel differs.
    deviations = [
        max(float(np.median(residual[part])) / 0.6745, float(residual[part].mean()) * 0.5)
        for part in parts
    ]
    # Lower noise than a tenth of the usual one is a flat patch: contrast there is no signal.
    floor = max(0.1 * float(np.median(deviations)), 1e-6)
    table = np.interp(np.arange(256), centers, np.maximum(deviations, floor))
    return table.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _LocalMean:
    """The mean of tissue around each pixel, computed at a quarter of the resolution."""

    coarse: Brightness
    shape: tuple[int, int]

    def interpolate(self, rows: slice) -> Brightness:
        """Return the mean at every pixel of some rows."""
        height, width = self.shape
        per_row, per_column = self.coarse.shape[0] / height, self.coarse.shape[1] / width
        first, last, _ = rows.indices(height)
        # From pixel centres to pixel centres of the coarse image: (i + 0.5) * scale - 0.5.
        left, top = 0.5 * per_column - 0.5, (first + 0.5) * per_row - 0.5
        matrix = np.array([[per_column, 0, left], [0, per_row, top]])
        mean = cv2.warpAffine(
            self.coarse,
            matrix,
            (width, last - first),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(mean, np.float32)


def _compute_local_mean(bright: Brightness, tissue: Mask, sigma_px: float) -> _LocalMean:
    # At a quarter of the resolution, since a Gaussian this wide passes nothing finer. Air counts
    # for nothing: it is 0 in the sum, and has no weight.
    rows, columns = bright.shape
    small = (max(1, columns // 4), max(1, rows // 4))
    weight = cv2.resize(tissue.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    value = cv2.resize(cv2.copyTo(bright, tissue), small, interpolation=cv2.INTER_AREA)
    weight = cv2.GaussianBlur(weight, (0, 0), sigma_px / 4)
    value = cv2.GaussianBlur(value, (0, 0), sigma_px / 4)
    return _LocalMean(np.asarray(value / np.maximum(weight, 1e-3), np.float32), (rows, columns))
