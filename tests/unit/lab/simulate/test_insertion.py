"""Calcifications put into an image whose exposure is known, so that the outcome is too."""

import numpy as np
import numpy.typing as npt
import pytest

from secondread.codes import Distribution, Morphology
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.insertion import (
    GroupSpec,
    draw_group,
    insert_patches,
    measure_noise_scale,
)
from secondread_lab.simulate.solids import Patch

PITCH = 0.07
SIDE = 500
NOISE = 0.03
"""Of a pixel, in line integrals."""


def shown(lines: npt.NDArray[np.float64]) -> Map:
    """Return grey levels: a steep grey scale that flattens at both ends."""
    return np.asarray(4095 / (1 + np.exp(-4 * (lines - 0.5))), np.float32)


def lines_of(bright: Map) -> npt.NDArray[np.float64]:
    share = np.clip(bright.astype(np.float64) / 4095, 1e-6, 1 - 1e-6)
    return np.asarray(0.5 + np.log(share / (1 - share)) / 4)


@pytest.fixture(scope="module")
def bright() -> Map:
    """Tissue that grows denser from left to right, with noise that is even in exposure."""
    rng = np.random.default_rng(4)
    dense = np.tile(np.linspace(0.0, 1.0, SIDE), (SIDE, 1))
    return shown(dense + rng.normal(0, NOISE, (SIDE, SIDE)))


TISSUE = np.ones((SIDE, SIDE), np.bool_)
DISC = np.zeros((9, 9), np.float32)
DISC[2:7, 2:7] = 0.3


@pytest.mark.parametrize("column", [60, 250, 380])
def test_the_contrast_in_exposure_is_the_same_wherever_the_grey_scale_is_steep_or_flat(
    bright: Map, column: int
) -> None:
    result = insert_patches(bright, TISSUE, PITCH, [Patch(245, column, DISC)], cnr=8.0)
    (footprint,) = result.footprints
    assert footprint is not None

    rise = lines_of(result.bright) - lines_of(bright)
    assert footprint.cnr == pytest.approx(8.0)
    assert rise.max() / NOISE == pytest.approx(8.0, rel=0.2)
    assert abs(footprint.centre.row - 249.5) < 0.01
    assert abs(footprint.centre.col - (column + 4.5)) < 0.01


def test_only_pixels_under_a_calcification_change_and_only_upwards(bright: Map) -> None:
    before = bright.copy()
    result = insert_patches(bright, TISSUE, PITCH, [Patch(245, 250, DISC)], cnr=8.0)
    changed = result.bright != bright

    rows, columns = np.nonzero(changed)
    assert rows.min() >= 240 and rows.max() < 260  # noqa: PT018 - one range
    assert columns.min() >= 245 and columns.max() < 265  # noqa: PT018 - one range
    assert (result.bright[changed] > bright[changed]).all()
    assert np.array_equal(bright, before)


def test_without_a_wanted_contrast_mineral_and_noise_decide(bright: Map) -> None:
    def cnr(strength: float) -> float:
        patch = Patch(245, 250, DISC * np.float32(strength))
        (footprint,) = insert_patches(bright, TISSUE, PITCH, [patch]).footprints
        assert footprint is not None
        return footprint.cnr

    assert cnr(0.5) == pytest.approx(0.5 * cnr(1.0), rel=1e-3)


def test_a_group_keeps_its_members_proportions(bright: Map) -> None:
    patches = [
        Patch(100, 250, DISC),
        Patch(200, 250, DISC * np.float32(0.5)),
        Patch(300, 250, DISC),
    ]
    result = insert_patches(bright, TISSUE, PITCH, patches, cnr=6.0)
    peaks = [one.cnr for one in result.footprints if one is not None]
    assert peaks == pytest.approx([6.0, 3.0, 6.0], rel=1e-3)


def test_a_patch_outside_the_tissue_or_over_the_border_is_left_out(bright: Map) -> None:
    tissue = TISSUE.copy()
    tissue[:, 300:] = False
    result = insert_patches(
        bright, tissue, PITCH, [Patch(245, 400, DISC), Patch(2, 100, DISC)], cnr=6.0
    )

    assert result.footprints == (None, None)
    assert np.array_equal(result.bright, bright)


def test_at_the_end_of_the_grey_scale_the_contrast_that_fits_is_told(bright: Map) -> None:
    white = bright.copy()
    white[200:300, 200:300] = bright.max() - 1
    result = insert_patches(white, TISSUE, PITCH, [Patch(245, 250, DISC)], cnr=8.0)
    (footprint,) = result.footprints
    assert footprint is not None
    assert footprint.cnr < 1.0
    assert result.bright.max() <= bright.max()


def test_noise_is_measured_where_it_is(bright: Map) -> None:
    scale = measure_noise_scale(bright, TISSUE)
    dark, middle = np.interp(
        (600, 4095 / 2), scale.grey[1:], np.diff(scale.grey) / np.diff(scale.steps)
    )
    # In the middle of the grey scale, 4095 levels rise by 4 / 4 = 1 for each line integral.
    assert middle == pytest.approx(4095 * NOISE, rel=0.15)
    assert dark < 0.7 * middle


def test_an_image_without_noise_is_refused() -> None:
    with pytest.raises(InputError, match="noise"):
        measure_noise_scale(
            np.tile(np.linspace(0, 4095, SIDE, dtype=np.float32), (SIDE, 1)) // 256, TISSUE
        )
    with pytest.raises(InputError, match="tissue"):
        measure_noise_scale(np.zeros((20, 20), np.float32), np.zeros((20, 20), np.bool_))


@pytest.mark.parametrize("morphology", [Morphology.ROUND, Morphology.FINE_LINEAR_BRANCHING])
def test_a_group_lies_about_its_middle_within_its_extent(morphology: Morphology) -> None:
    spec = GroupSpec(morphology, count=12, extent_mm=8.0)
    members = draw_group(spec, PointPx(250, 250), PITCH, np.random.default_rng(1))
    middles = np.array([member.patch.middle for member in members])

    assert len(members) == 12
    assert np.linalg.norm(middles.mean(axis=0) - 250) * PITCH < 3.0
    assert np.ptp(middles, axis=0).max() * PITCH < 9.0
    again = draw_group(spec, PointPx(250, 250), PITCH, np.random.default_rng(1))
    assert all(
        np.array_equal(a.patch.attenuation, b.patch.attenuation)
        for a, b in zip(members, again, strict=True)
    )


def test_a_linear_group_runs_along_its_direction() -> None:
    spec = GroupSpec(Morphology.ROUND, Distribution.LINEAR, count=12, extent_mm=10.0)
    members = draw_group(spec, PointPx(250, 250), PITCH, np.random.default_rng(1), along_rad=0.0)
    rows, columns = np.array([member.patch.middle for member in members]).T
    assert np.ptp(columns) > 4 * np.ptp(rows)
