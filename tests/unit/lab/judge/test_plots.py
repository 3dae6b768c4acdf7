"""Pictures: what is drawn where, looked at by its pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread_lab.judge.calibration import Reliability, ReliabilityBin
from secondread_lab.judge.froc import FrocCurve
from secondread_lab.judge.plots import Axes, NamedCurve, draw_froc, draw_reliability
from secondread_lab.judge.records import Crop
from secondread_lab.judge.sheets import draw_sheets
from tests.unit.lab.judge.view_records import record

AXES = Axes((0.1, 10.0), "Clusters", "false", (0.1, 1, 10), logarithmic=True)


def test_values_lie_where_the_axes_say() -> None:
    assert AXES.to_picture(0.1, 0.0) == (AXES.left, AXES.bottom)
    assert AXES.to_picture(10.0, 1.0) == (AXES.right, AXES.top)
    middle = (AXES.left + AXES.right) / 2, (AXES.top + AXES.bottom) / 2
    assert AXES.to_picture(1.0, 0.5) == pytest.approx(middle)
    assert AXES.to_picture(100.0, 2.0) == AXES.to_picture(10.0, 1.0)


def blue(path: Path) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    with Image.open(path) as picture:
        red, green, strong = np.asarray(picture.convert("RGB")).astype(int).transpose(2, 0, 1)
    return np.asarray((strong - red > 100) & (strong - green > 50))


def test_a_curve_ends_where_the_model_gives_no_more(tmp_path: Path) -> None:
    nan = float("nan")
    curve = FrocCurve((0.1, 1.0, 10.0), (0.2, 0.5, 0.9), (nan,) * 3, (nan,) * 3, ends_at=2.0)
    draw_froc(AXES, [NamedCurve("all", curve)], tmp_path / "froc.png")
    drawn = blue(tmp_path / "froc.png")

    x, y = (round(v) for v in AXES.to_picture(1.0, 0.5))
    assert drawn[y, x]
    assert not drawn[:, x + 10 :].any()


def test_reliability_is_drawn_at_stated_and_observed(tmp_path: Path) -> None:
    found = Reliability((ReliabilityBin(0.2, 0.3, 10, 0.25, 0.75),), 0.5, 0.3, 10)
    draw_reliability({"clusters": found}, tmp_path / "r.png")
    axes = Axes((0.0, 1.0), "", "", ())
    x, y = (round(v) for v in axes.to_picture(0.25, 0.75))
    assert blue(tmp_path / "r.png")[y, x]


def test_a_sheet_shows_each_crop_with_its_outlines(tmp_path: Path) -> None:
    Image.fromarray(np.full((280, 280), 40, np.uint8)).save(tmp_path / "a.png")
    crop = Crop("a.png", "hit", "90 %", 1.0, (100, 200), (150.0, 250.0, 200.0, 300.0), None)
    gone = Crop("gone.png", "hit", "80 %", 0.5, (0, 0), None, None)
    shown = record()
    sheets = draw_sheets(
        [type(shown)(shown.key, shown.image, shown.detection, (), (), (crop, gone))],
        tmp_path,
        tmp_path,
    )

    assert sheets == {"hits": "hits.png"}
    with Image.open(tmp_path / "hits.png") as page:
        pixels = np.asarray(page.convert("RGB")).astype(int)
    # The mark's left side: 50 pixels into the crop, four further out, six of the sheet's border.
    assert pixels[6 + 75, 6 + 46].tolist() == [96, 214, 255]
    assert pixels[6 + 75, 6 + 60].tolist() == [40, 40, 40]
