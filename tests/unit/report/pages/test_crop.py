"""The small picture that is kept of a finding."""

import io

import numpy as np
import pytest
from PIL import Image

from secondread.geometry import Outline, PointPx, SpacingMm
from secondread.report.pages.crop import MAX_SIDE_PX, SIDE_KEYWORD, encode_crop

TENTH = SpacingMm(0.1, 0.1)


def make_outline(left: float, top: float, right: float, bottom: float) -> Outline:
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return tuple(PointPx(col, row) for col, row in corners)


def open_png(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_crop_shows_the_finding_in_its_middle_pixel_by_pixel() -> None:
    display = np.zeros((600, 500), np.uint8)
    display[320, 240] = 200

    crop = open_png(encode_crop(display, make_outline(230, 310, 251, 331), TENTH))

    assert (crop.mode, crop.size) == ("L", (200, 200))
    assert crop.info[SIDE_KEYWORD] == "20.0"
    assert np.argwhere(np.asarray(crop) == 200).tolist() == [[100, 100]]


def test_a_crop_at_the_border_is_black_beyond_the_image() -> None:
    crop = np.asarray(
        open_png(encode_crop(np.full((300, 300), 90, np.uint8), make_outline(0, 0, 10, 10), TENTH))
    )

    assert (crop[:94] == 0).all()
    assert (crop[96:, 96:] == 90).all()


@pytest.mark.parametrize("spacing", [TENTH, SpacingMm(0.1, 0.2)])
def test_a_large_finding_is_reduced_and_its_length_is_told(spacing: SpacingMm) -> None:
    display = np.zeros((2000, 2000), np.uint8)

    crop = open_png(encode_crop(display, make_outline(100, 100, 900, 900), spacing))

    assert crop.size == (MAX_SIDE_PX, MAX_SIDE_PX)
    assert float(crop.info[SIDE_KEYWORD]) == pytest.approx(
        1.4 * 800 * spacing.between_columns, abs=0.1
    )


def test_the_same_finding_gives_the_same_bytes() -> None:
    display = np.random.default_rng(1).integers(0, 255, (400, 400), np.uint8)

    assert encode_crop(display, make_outline(150, 150, 250, 250), TENTH) == encode_crop(
        display, make_outline(150, 150, 250, 250), TENTH
    )
