"""Band statistics and noise of full-size simulated views beside those of real mammograms."""

from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest

from secondread_lab.simulate.detail_statistics import (
    REAL_RATIOS,
    DetailStatistics,
    measure_statistics,
)
from secondread_lab.simulate.exam import ExamSpec, Seeds, simulate_exam
from secondread_lab.simulate.phantom import Density

CASES: list[tuple[str, Density, str, int]] = [
    ("alpha", "b", "LCC", 21),
    ("alpha", "c", "RMLO", 23),
    ("beta", "c", "LMLO", 25),
    ("gamma", "d", "RCC", 26),
    ("delta", "a", "LCC", 27),
]
"""Every family of units and every density, both views."""

REAL = ("a-ffdm-cc/LCC", "a-ffdm-cc/RCC", "b-ffdm-cc-clip/LCC", "c-ffdm-4view/RMLO")


@pytest.fixture(scope="module")
def simulated() -> list[DetailStatistics]:
    made = []
    for vendor, density, view, seed in CASES:
        spec = ExamSpec(
            date(2026, 6, 1),
            Seeds(seed, 1, 1),
            prior_years=None,
            views=(view,),
            density=density,
            vendor=vendor,
        )
        ds = simulate_exam(spec).views[0].instances[0][1]
        made.append(measure_statistics(ds, f"{vendor} {density} {view}"))
    return made


@pytest.fixture(scope="module")
def real(exams: Path) -> list[DetailStatistics]:
    return [measure_statistics(pydicom.dcmread(exams / f"{name}.dcm"), name) for name in REAL]


def _near(one: DetailStatistics) -> bool:
    """Whether all bands lie within a third of the range of real ones: what vendors differ by."""
    return all(
        low * 0.67 < ratio < high * 1.5
        for ratio, (low, high) in zip(one.ratios, REAL_RATIOS, strict=True)
    )


def test_every_family_and_density_has_the_strength_of_detail_of_real_mammograms(
    simulated: list[DetailStatistics],
) -> None:
    assert [one.name for one in simulated if not _near(one)] == []


def test_the_range_of_real_exams_is_as_recorded(real: list[DetailStatistics]) -> None:
    # An exam of another unit, of 8 bits, lies a little above the five that the range is of.
    assert all(_near(one) for one in real)


def test_simulated_bands_spread_about_the_real_ones(
    simulated: list[DetailStatistics], real: list[DetailStatistics]
) -> None:
    ours, theirs = (np.array([one.ratios for one in group]) for group in (simulated, real))
    assert np.median(ours, axis=0) == pytest.approx(np.median(theirs, axis=0), rel=0.25)


def test_the_noise_rises_with_grey_as_on_real_mammograms(
    simulated: list[DetailStatistics], real: list[DetailStatistics]
) -> None:
    def at(one: DetailStatistics, grey: float) -> float:
        return float(np.interp(grey, one.curve.grey, one.curve.deviation))

    for grey in (0.15, 0.25, 0.35):
        theirs = [at(one, grey) for one in real]
        for one in simulated:
            assert 0.6 * min(theirs) < at(one, grey) < 1.6 * max(theirs), (one.name, grey)
