"""Finding the breast: side, area and outline of simulated shapes, and what is not breast."""

import numpy as np
import pytest

from secondread.detect import breast
from secondread.detect.breast import BreastRegion
from secondread.geometry import SpacingMm
from tests.unit.detect.pictures import breast_image

PITCH = SpacingMm(0.2, 0.2)  # coarse pixels keep the test images small
ELLIPSE_CM2 = np.pi / 2 * (0.45 * 1000 * 0.02) * (0.7 * 800 * 0.02)


def find_region(image: np.ndarray, pitch: SpacingMm = PITCH) -> BreastRegion:
    region = breast.find_breast(image.astype(np.float32), pitch)
    assert region is not None
    return region


@pytest.mark.parametrize("side", ["left", "right"])
def test_side_area_and_box_are_those_of_the_shape(side: str) -> None:
    region = find_region(breast_image(side=side)).breast

    assert region.chest_wall_side == side
    assert region.area_cm2 == pytest.approx(ELLIPSE_CM2, rel=0.03)
    top, bottom, left, right = region.box
    assert (top, bottom) == pytest.approx((50, 950), abs=8)
    expected = (0, 560) if side == "left" else (240, 800)
    assert (left, right) == pytest.approx(expected, abs=8)


def test_rows_and_columns_may_have_different_spacing() -> None:
    region = find_region(breast_image(), SpacingMm(0.1, 0.2)).breast

    assert region.area_cm2 == pytest.approx(ELLIPSE_CM2 / 2, rel=0.03)


def test_a_burned_in_label_is_no_breast_even_where_it_touches_it() -> None:
    image = breast_image(label=False)
    image[495:505, 540:800] = 4095  # a bar of 2 mm from the skin to the other border

    region = find_region(image)

    assert region.breast.area_cm2 == pytest.approx(ELLIPSE_CM2, rel=0.03)
    assert not region.tissue[:, -10:].any()


def test_holes_of_dark_fat_belong_to_the_breast() -> None:
    image = breast_image()
    image[400:500, 100:200] = 0

    assert find_region(image).breast.area_cm2 == pytest.approx(ELLIPSE_CM2, rel=0.03)


def test_bright_noisy_air_is_still_air() -> None:
    image = breast_image(label=False).astype(np.float32)
    air = image == 0
    image[air] = np.random.default_rng(1).normal(300, 15, int(air.sum()))

    assert find_region(image).breast.area_cm2 == pytest.approx(ELLIPSE_CM2, rel=0.03)


@pytest.mark.parametrize("air", [-16383.0, 200.0, 659.0, 65535.0])
@pytest.mark.parametrize("side", ["left", "right"])
def test_air_of_one_value_is_air_whatever_the_value(side: str, air: float) -> None:
    # Averaged, equal values differ by rounding, of which neither tissue nor side may be made.
    # Chest wall bands of air alone: the breast covers less than half of the border.
    image = np.zeros((1731, 1037), np.float32)
    inner = breast_image(850, 700, label=False, side=side).astype(np.float32)
    columns = slice(0, 700) if side == "left" else slice(337, 1037)
    image[300:1150, columns] = inner

    expected = find_region(image)
    region = find_region(image + np.float32(air))

    assert expected.breast.chest_wall_side == side
    assert region.breast == expected.breast
    assert np.array_equal(region.tissue, expected.tissue)


def test_the_interior_keeps_clear_of_skin_and_image_border_but_not_of_the_chest_wall() -> None:
    region = find_region(breast_image())
    coarse_mm = 1000 * 0.2 / region.tissue.shape[0]
    middle = region.tissue.shape[0] // 2
    tissue, interior = (np.flatnonzero(mask[middle]) for mask in (region.tissue, region.interior))

    assert (tissue[-1] - interior[-1]) * coarse_mm == pytest.approx(breast.SKIN_MM, abs=0.8)
    assert (interior[0] - tissue[0]) * coarse_mm == pytest.approx(breast.FRAME_MM, abs=0.6)


def test_an_empty_image_has_no_breast() -> None:
    assert breast.find_breast(np.zeros((400, 300), np.float32), PITCH) is None


def test_a_shape_in_the_middle_that_touches_no_side_is_no_breast() -> None:
    image = np.zeros((400, 300), np.float32)
    image[100:300, 80:220] = 1000

    assert breast.find_breast(image, PITCH) is None


def test_a_negative_has_low_polarity_and_a_positive_high() -> None:
    image = breast_image().astype(np.float32)

    assert breast.measure_polarity(image) > 0.9
    assert breast.measure_polarity(4095 - image) < 0.1


@pytest.mark.parametrize("offset", [0, -65535])
def test_polarity_does_not_depend_on_where_the_scale_begins(offset: int) -> None:
    # Low contrast: a hundredth of the offset.
    image = breast_image(label=False).astype(np.float32) * np.float32(0.01) + np.float32(offset)

    assert breast.measure_polarity(image) > 0.9
    assert breast.measure_polarity(-image) < 0.1


def test_a_mask_is_cut_and_enlarged_to_the_pixel() -> None:
    mask = np.zeros((40, 30), np.uint8)
    mask[10:20, 5:15] = 1

    large = breast.resample_mask(mask, (400, 300), (50, 250, 0, 200), (200, 200))

    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    assert (rows[0], rows[-1] + 1) == pytest.approx((50, 150), abs=1)
    assert (columns[0], columns[-1] + 1) == pytest.approx((50, 150), abs=1)


def test_the_whole_image_can_stand_for_the_breast() -> None:
    region = breast.take_whole_image(np.ones((400, 300), np.float32), PITCH)

    assert region.breast.box == (0, 400, 0, 300)
    assert region.breast.area_cm2 == pytest.approx(48.0)
