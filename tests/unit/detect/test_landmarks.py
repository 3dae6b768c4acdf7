from dataclasses import replace

import numpy as np
import pytest

from secondread.codes import View
from secondread.detect.anatomy import Anatomy, Overview
from secondread.detect.landmarks import trace_skin
from secondread.geometry import PointPx
from tests.unit.followup.breasts import HALF_MM, Lie, found_in

CC, MLO = Lie(), Lie(view=View.MLO)


def anatomy(lie: Lie) -> Anatomy:
    landmarks = found_in(lie).anatomy
    assert landmarks is not None
    return landmarks


@pytest.mark.parametrize(
    "lie",
    [CC, replace(CC, right=True), replace(CC, nipple_mm=(80.0, 125.0)), replace(CC, pitch_mm=0.2)],
)
def test_the_nipple_is_found_where_it_stands_out(lie: Lie) -> None:
    nipple = anatomy(lie).nipple

    assert nipple is not None
    assert lie.spacing.distance_mm(nipple.point, lie.at(-5.0, 0.0)) < 3.0
    assert nipple.error_mm < 5


def test_the_pectoral_muscle_is_found_in_oblique_views_alone() -> None:
    pectoral = anatomy(MLO).pectoral

    assert anatomy(CC).pectoral is None
    assert pectoral is not None
    top, foot = (MLO.spacing.to_mm(end) for end in pectoral)
    assert top.x == pytest.approx(45, abs=6)
    assert foot.y == pytest.approx(120, abs=12)
    assert (top.y, foot.x) == (0, 0)


@pytest.mark.parametrize("right", [False, True])
def test_of_an_image_that_is_stored_upside_down_the_same_is_found(right: bool) -> None:
    usual = replace(MLO, right=right)
    turned = replace(usual, upside_down=True)
    upright, other = anatomy(usual), anatomy(turned)

    assert upright.nipple is not None
    assert other.nipple is not None
    assert upright.pectoral is not None
    assert other.pectoral is not None
    stored = (other.nipple.point, *other.pectoral)
    for a, b in zip((upright.nipple.point, *upright.pectoral), stored, strict=True):
        mirrored = PointPx(b.col, turned.header().rows - b.row)
        assert usual.spacing.distance_mm(a, mirrored) < 2.5


def test_the_skin_line_leaves_out_the_borders_of_the_image() -> None:
    width, height = (side * CC.pitch_mm for side in (CC.header().columns, CC.header().rows))
    outline = np.array([(point.col, point.row) for point in anatomy(CC).outline]) * CC.pitch_mm

    line = trace_skin(outline, width, height)

    assert line[:, 0].min() > 1
    assert line[0, 1] < line[-1, 1]
    assert np.ptp(line[:, 1]) == pytest.approx(2 * HALF_MM, abs=4)


def test_landmarks_survive_the_way_between_processes() -> None:
    for lie in (CC, MLO):
        landmarks = anatomy(lie)
        assert Anatomy.from_json(landmarks.as_json()) == landmarks


def test_an_overview_is_small_and_knows_air_from_breast() -> None:
    overview = anatomy(CC).overview
    picture = overview.unpack()

    assert len(overview.packed) < 60_000
    assert picture.shape == (overview.rows, overview.columns)
    assert picture[5, 5] == 0
    assert (picture > 0).mean() == pytest.approx(found_in(CC).tissue_fraction, abs=0.02)


def test_a_broken_overview_is_an_error_of_its_own_kind() -> None:
    with pytest.raises(ValueError, match="cannot be unpacked"):
        Overview(4, 4, "AAAA").unpack()


def test_an_outline_without_skin_has_no_skin_line() -> None:
    whole = np.array([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)], np.float64)

    assert len(trace_skin(whole, 100.0, 100.0)) == 0
