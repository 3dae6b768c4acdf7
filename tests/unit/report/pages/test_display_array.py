"""Greys of an image as it is looked at."""

import numpy as np

from secondread.report.pages.display_array import stretch_contrast


def test_low_contrast_is_stretched_and_stays_in_order() -> None:
    part = np.tile(np.arange(120, 160, dtype=np.uint8), (20, 1))
    stretched = stretch_contrast(part).astype(int)
    assert np.ptp(stretched) > 1.5 * np.ptp(part)
    assert (np.diff(stretched[0]) >= 0).all()


def test_black_stays_black_and_full_contrast_stays_as_it_is() -> None:
    dark = np.zeros((20, 20), np.uint8)
    dark[5:] = 90
    assert stretch_contrast(dark)[0, 0] == 0
    full = np.tile(np.arange(256, dtype=np.uint8), (8, 1))
    assert abs(stretch_contrast(full).astype(int) - full).max() <= 2
