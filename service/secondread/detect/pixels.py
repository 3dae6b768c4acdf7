"""Stored values to brightness, and to grey levels for people.

In *brightness* calcifications are bright, whatever the header's polarity, and For Processing
values are logarithms of exposure, so that contrast does not depend on thickness. All steps that
act on single values are tables over the stored values: an image has millions of pixels and at
most 65536 values.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from secondread.assemble import header_attributes
from secondread.assemble.header_values import read_text, read_whole_number
from secondread.assemble.intent import Intent
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.pixel_layout import read_pixel_layout
from secondread.detect import lookup
from secondread.detect.breast import Brightness, Mask
from secondread.detect.decode import StoredValues
from secondread.errors import PixelError

Display = npt.NDArray[np.uint8]
_Table = npt.NDArray[np.float32]

_DISPLAY_QUANTILES = (0.001, 0.999)  # of tissue, where no window is given
_MOST_BITS = 16
_NO_LEVELS = lookup.DisplayLevels(None, is_senseless=False)


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
        bright: Brightness = self._look_up(self.bright, stored)
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
        display: Display = self._look_up(table, stored)
        return display

    def _look_up(self, table: npt.NDArray[Any], stored: StoredValues) -> npt.NDArray[Any]:
        """Return what a table has for each stored value."""
        if self.lowest == 0 and stored.dtype == np.uint16 and _LOOKS_UP_WORDS:
            # In less than half the time of an index. It needs an entry for every word.
            return np.asarray(cv2.LUT(stored, np.pad(table, (0, _WORDS - table.size))))
        return table[stored if self.lowest == 0 else stored.astype(np.int32) - self.lowest]


def _looks_up_words() -> bool:
    """Return whether this OpenCV has tables for 16 bits."""
    try:
        cv2.LUT(np.zeros((1, 1), np.uint16), np.zeros(_WORDS, np.float32))
    except cv2.error:
        return False
    return True


_WORDS = 2**16
_LOOKS_UP_WORDS = _looks_up_words()


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
