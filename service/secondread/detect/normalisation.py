"""Brightness to the detector's input: local contrast in units of the local noise."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.detect.breast import Brightness, Mask
from secondread.detect.manifest import InputNormalisation
from secondread.errors import PixelError

_Table = npt.NDArray[np.float32]

_GREY_BINS = 48
_MINIMUM_IN_BIN = 200
_ROWS_AT_ONCE = 64


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
    glare = parameters.clip_high if parameters.normaliser == "noise-equalised.v2" else None
    mean = _compute_local_mean(bright, tissue, parameters.local_mean_sigma_px, noise, glare)
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


def _compute_local_mean(
    bright: Brightness, tissue: Mask, sigma_px: float, noise: _Noise, glare: float | None
) -> _LocalMean:
    """Return the mean of tissue; with a glare, of tissue that is not brighter than this."""
    # At a quarter of the resolution, since a Gaussian this wide passes nothing finer. Air counts
    # for nothing: it is 0 in the sum, and has no weight.
    rows, columns = bright.shape
    small = (max(1, columns // 4), max(1, rows // 4))
    weight = cv2.resize(tissue.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    value = cv2.resize(cv2.copyTo(bright, tissue), small, interpolation=cv2.INTER_AREA)
    if glare is not None:
        coarse = np.asarray(value / np.maximum(weight, 1e-3), np.float32)
        glaring = _find_glare(coarse, weight > 0, noise, glare)
        weight[glaring] = value[glaring] = 0.0
    weight = cv2.GaussianBlur(weight, (0, 0), sigma_px / 4)
    value = cv2.GaussianBlur(value, (0, 0), sigma_px / 4)
    return _LocalMean(np.asarray(value / np.maximum(weight, 1e-3), np.float32), (rows, columns))


_GLARE_PX = 9
"""Narrower things than this glare, in pixels of a quarter of the resolution: 2.5 mm."""
_USUAL_SHARE, _UNUSUAL = 0.97, 1.5
"""Share of the breast that nothing unusual covers, and how much brighter what is unusual is."""


def _find_glare(
    coarse: Brightness, inside: npt.NDArray[np.bool_], noise: _Noise, limit: float
) -> npt.NDArray[np.bool_]:
    """Return where narrow things outshine what is around them by more than a number of sigmas.

    In the mean around a clip or a coarse calcification its own brightness would count, and what
    lies beside it would seem to lie in a pit, darker than the darkest input.
    """
    kernel = np.ones((_GLARE_PX, _GLARE_PX), np.uint8)
    # Air is neither the darkest neighbour of tissue nor the brightest.
    around = cv2.erode(np.where(inside, coarse, coarse.max()), kernel)
    around = cv2.dilate(np.where(inside, around, around.min()), kernel)
    outshining = (coarse - around) / noise.look_up(np.asarray(around, np.float32))
    # In an image with next to no noise ordinary strands outshine what is around them, too.
    usual = np.quantile(outshining[inside][::7], _USUAL_SHARE) if inside.any() else 0.0
    is_glaring = inside & (outshining > max(limit, _UNUSUAL * float(usual)))
    # The pixels around it are bright in part.
    return cv2.dilate(is_glaring.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
