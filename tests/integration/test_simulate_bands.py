"""Band statistics of a full-size simulated view beside those of real mammograms."""

from datetime import date
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from secondread.assemble.mammogram import Mammogram
from secondread.detect.breast import find, resized
from secondread.simulate.bands import band_ratios
from secondread.simulate.exam import ExamSpec, Seeds, simulate_exam

Ratios = npt.NDArray[np.float64]


def _ratios(ds: pydicom.Dataset) -> Ratios:
    mammogram = Mammogram.from_dataset(ds)
    bright = ds.pixel_array.astype(np.float32)
    if mammogram.inverted:
        bright = 2**mammogram.bits_stored - 1 - bright
    assert mammogram.spacing is not None
    region = find(bright, mammogram.spacing)
    assert region is not None
    whole = (0, bright.shape[0], 0, bright.shape[1])
    interior = resized(region.interior, bright.shape, whole, bright.shape)
    # Away from the skin: its edge is no texture.
    inner = cv2.erode(interior, np.ones((101, 101), np.uint8))
    return np.array(band_ratios(bright, inner > 0))


@pytest.fixture(scope="module")
def simulated() -> Ratios:
    spec = ExamSpec(
        date(2026, 6, 1), Seeds(21, 1, 1), prior_years=None, views=("LCC",), density="b"
    )
    return _ratios(simulate_exam(spec).views[0].instances[0][1])


def test_the_strength_of_detail_lies_where_real_mammograms_have_it(simulated: Ratios) -> None:
    # Five real digital mammograms; a third more or less is within what vendors differ by.
    low = np.array([0.40, 0.53, 0.67, 0.76]) * 0.67
    high = np.array([0.47, 0.64, 0.83, 1.03]) * 1.5
    assert np.all(simulated > low)
    assert np.all(simulated < high)


def test_the_strength_of_detail_is_that_of_the_real_exams(simulated: Ratios, exams: Path) -> None:
    paths = [exams / "a-ffdm-cc" / "LCC.dcm", exams / "b-ffdm-cc-clip" / "LCC.dcm"]
    real = np.array([_ratios(pydicom.dcmread(path)) for path in paths])
    assert simulated == pytest.approx(real.mean(axis=0), rel=0.4)
