"""The imaging chain: noise as strong as it is said to be, grey scales the right way round."""

from dataclasses import replace

import numpy as np
import pytest

from secondread_lab.simulate.acquisition import (
    Exposure,
    XRayDetector,
    compute_noise_sigma,
    expose,
    store_for_processing,
)
from secondread_lab.simulate.processing import render_for_presentation
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.vendors import VENDORS

DETECTOR = XRayDetector(rows=300, columns=300, pitch_mm=0.07, blur_mm=0.045)


def _flat(level: float = 2.0) -> np.ndarray:
    return np.full((300, 300), level, np.float32)


@pytest.mark.parametrize("blur", [0.0, 0.45, 0.8])
@pytest.mark.parametrize("attenuation", [2.0, 3.0])
def test_the_noise_is_as_strong_as_it_is_said_to_be(blur: float, attenuation: float) -> None:
    detector = replace(DETECTOR, noise_blur_px=blur, scatter=0.0)
    image = expose(_flat(attenuation), 2.0, detector, Exposure(5e5), seed_stream(1, "noise"))
    measured = float(np.log(image.quanta).std())
    assert compute_noise_sigma(attenuation, 2.0, detector, 5e5) == pytest.approx(measured, rel=0.08)


def test_an_exposure_without_noise_is_the_same_for_every_stream() -> None:
    first, second = (
        expose(_flat(), 2.0, DETECTOR, Exposure(5e5, noise=False), seed_stream(n, "noise"))
        for n in (1, 2)
    )
    assert np.array_equal(first.quanta, second.quanta)


def test_for_processing_values_are_linear_in_exposure() -> None:
    detector = replace(DETECTOR, scatter=0.0)
    thin, thick = (
        store_for_processing(
            expose(_flat(level), 2.0, detector, Exposure(5e5, noise=False), seed_stream(1, "n")),
            detector,
        )
        for level in (2.0, 2.0 + np.log(2))
    )
    assert int(thin[9, 9]) == pytest.approx(2 * int(thick[9, 9]), abs=2)


@pytest.mark.parametrize("name", list(VENDORS))
def test_what_attenuates_more_is_shown_brighter(name: str) -> None:
    vendor = VENDORS[name]
    detector = replace(vendor.detector, rows=700, columns=500)
    columns = np.arange(500, dtype=np.float32)[None, :] + np.zeros((700, 1), np.float32)
    breast = np.where(columns < 300, 2.2, 0.0).astype(np.float32)
    breast[200:260, 60:120] += 0.4
    signal = expose(breast, 2.2, detector, Exposure(5e5, noise=False), seed_stream(1, "n"))
    shown = render_for_presentation(signal, vendor.processing, detector.pitch_mm).astype(float)
    if vendor.processing.photometric == "MONOCHROME1":
        shown = 2**vendor.processing.bits - 1 - shown
    assert shown[230, 90] > 1.2 * shown[450, 90]
    assert shown[450, 90] > 10 * max(shown[450, 450], 1.0)


def test_a_detector_of_another_pitch_covers_the_same_area() -> None:
    small = VENDORS["alpha"].detector.with_pitch(0.28)
    assert (small.rows, small.columns) == (832, 640)
