"""Solids keep their volume, their shape and their place to a fraction of a pixel."""

import numpy as np
import pytest

from secondread.codes import Morphology
from secondread.geometry import PointPx
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.shapes import SHAPERS, draw_calcification, draw_clip
from secondread_lab.simulate.solids import (
    MU_CALCIFICATION,
    Solid,
    draw_rotation,
    make_ellipsoid,
    rasterise_solid,
)

PITCH = 0.07


def _sphere(diameter: float) -> Solid:
    return Solid(np.zeros(3), (make_ellipsoid((diameter / 2,) * 3),))


def test_the_attenuation_of_a_sphere_adds_up_to_its_volume() -> None:
    patch = rasterise_solid(_sphere(0.6), PointPx(50.3, 60.8), np.eye(3), PITCH, supersampling=8)
    assert patch is not None
    volume = float(patch.attenuation.sum()) * PITCH**2 / MU_CALCIFICATION
    assert volume == pytest.approx(np.pi / 6 * 0.6**3, rel=0.01)


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.9])
def test_the_centre_of_mass_follows_the_sub_pixel_phase(phase: float) -> None:
    patch = rasterise_solid(_sphere(0.3), PointPx(40 + phase, 70 - phase), np.eye(3), PITCH)
    assert patch is not None
    weights = patch.attenuation / patch.attenuation.sum()
    rows, columns = (np.arange(n) + 0.5 for n in weights.shape)
    assert patch.column + weights.sum(axis=0) @ columns == pytest.approx(40 + phase, abs=0.02)
    assert patch.row + weights.sum(axis=1) @ rows == pytest.approx(70 - phase, abs=0.02)


def test_a_rod_is_long_from_the_side_and_deep_from_its_end() -> None:
    rod = Solid(np.zeros(3), (make_ellipsoid((1.0, 0.1, 0.1)),))
    side = rasterise_solid(rod, PointPx(50, 50), np.eye(3), PITCH)
    end = rasterise_solid(rod, PointPx(50, 50), np.eye(3)[[1, 2, 0]], PITCH)
    assert side is not None
    assert end is not None
    assert (side.attenuation > 0).sum() > 3 * (end.attenuation > 0).sum()
    assert end.attenuation.max() > 4 * side.attenuation.max()


def test_a_hollow_calcification_is_brighter_at_its_rim() -> None:
    rim = draw_calcification(seed_stream(1, "rim"), Morphology.EGGSHELL, np.zeros(3), 2.0)
    patch = rasterise_solid(rim, PointPx(50.5, 50.5), np.eye(3), PITCH)
    assert patch is not None
    rows, columns = patch.middle
    middle = float(patch.attenuation[rows - patch.row, columns - patch.column])
    assert 0 < middle < 0.6 * float(patch.attenuation.max())


@pytest.mark.parametrize("morphology", list(SHAPERS), ids=lambda one: one.name)
def test_every_type_can_be_drawn_at_about_its_size(morphology: Morphology) -> None:
    rng = seed_stream(3, morphology.name)
    solid = draw_calcification(rng, morphology, np.zeros(3), 0.5)
    patch = rasterise_solid(solid, PointPx(100, 100), draw_rotation(rng), PITCH)
    assert patch is not None
    assert 0.2 < solid.size_mm < 6.0
    assert 0.02 < float(patch.attenuation.max()) < 2.0


def test_a_solid_scales_about_its_centre() -> None:
    solid = draw_calcification(seed_stream(1, "x"), Morphology.FINE_PLEOMORPHIC, np.ones(3), 0.4)
    assert solid.scale(0.5).size_mm == pytest.approx(0.5 * solid.size_mm)
    assert solid.scale(0.5).centre is solid.centre


def test_milk_of_calcium_is_flat_from_the_side_and_round_from_above() -> None:
    cup = draw_calcification(seed_stream(1, "cup"), Morphology.MILK_OF_CALCIUM, np.zeros(3), 2.0)
    above = rasterise_solid(cup, PointPx(50, 50), np.eye(3), PITCH)
    side = rasterise_solid(cup, PointPx(50, 50), np.eye(3)[[0, 2, 1]], PITCH)
    assert above is not None
    assert side is not None
    heights = [int((one.attenuation > 0).any(axis=1).sum()) for one in (above, side)]
    assert heights[1] < 0.5 * heights[0]
    assert side.attenuation.max() > 2 * above.attenuation.max()


def test_a_turned_solid_keeps_its_size() -> None:
    rod = draw_calcification(seed_stream(1, "rod"), Morphology.LARGE_ROD_LIKE, np.zeros(3), 0.6)
    turned = rod.rotate(draw_rotation(seed_stream(1, "turn")))
    assert turned.size_mm == pytest.approx(rod.size_mm)
    assert turned.parts[0].offset != rod.parts[0].offset


def test_a_clip_stops_most_of_the_beam() -> None:
    patch = rasterise_solid(
        draw_clip(seed_stream(1, "clip"), np.zeros(3)), PointPx(99, 99), np.eye(3), PITCH
    )
    assert patch is not None
    assert float(patch.attenuation.max()) > 1.0
