"""Structured reports explained: the tree, its marks by image, and the picture of them."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from secondread.codes import RenderingIntent
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread.report.pages.drawing import MARK
from secondread.report.pages.marks_picture import count_items, draw_marks
from secondread.report.readback.explain import (
    ReportMark,
    explain_report,
    format_lines,
    list_images,
    list_marks,
)
from tests.conftest import EXAMS
from tests.unit.report.readings import make_header
from tests.worlds.faulty_reports import build_valid

TID1500 = EXAMS.parent / "sr" / "tid1500_comprehensive3d.dcm"
LCC = str(make_header("LCC").SOPInstanceUID)


def test_a_report_is_told_line_by_line_with_positions() -> None:
    lines = list(format_lines(explain_report(build_valid("mixed"))))
    assert lines[0] == "Mammography CAD SR Storage"
    assert "1 Mammography CAD Report" in lines
    assert any(line.startswith("1.3.4.5       Single Image Finding: Calc") for line in lines)
    assert any("selected from: see 1.2.2 (Left breast, cranio-caudal)" in line for line in lines)
    assert any("Certainty of Finding: 82.2 %" in line for line in lines)


def test_nothing_of_the_patient_is_told() -> None:
    ds = build_valid("mixed")
    text = json.dumps(explain_report(ds))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
        assert str(ds[keyword].value) not in text


def test_as_json_it_holds_every_number() -> None:
    document = explain_report(build_valid("mixed"))
    assert json.loads(json.dumps(document)) == document
    finding = document["content"]["children"][2]["children"][3]["children"][4]
    center = next(c for c in finding["children"] if (c["concept"] or {}).get("value") == "111010")
    assert center["value"] == {"graphic": "POINT", "points": [[300.5, 420.5]]}
    assert center["children"] == [
        {
            "position": center["position"] + ".1",
            "relation": "SELECTED FROM",
            "refers_to": "1.2.2",
        }
    ]


def test_marks_are_those_of_the_image_and_parts_share_their_number() -> None:
    marks = list_marks(build_valid("mixed"), LCC)
    assert {mark.number for mark in marks} == {1, 2, 3}
    first = [mark for mark in marks if mark.number == 1]
    assert [mark.concept for mark in first] == ["Center", "Outline", "Center", "Center", "Center"]
    assert first[0].points == (PointPx(300.5, 420.5),)
    assert {mark.intent for mark in first} == {RenderingIntent.REQUIRED}
    assert list_marks(build_valid("mixed"), str(make_header("RCC").SOPInstanceUID)) == ()


def test_images_are_named_once_each() -> None:
    assert len(list_images(build_valid("followed"))) == 4


@pytest.mark.skipif(not TID1500.is_file(), reason="no reference report beside the repository")
def test_a_report_of_another_template_is_told_too() -> None:
    ds = pydicom.dcmread(TID1500)
    lines = list(format_lines(explain_report(ds)))
    assert lines[0] == "Comprehensive 3D SR Storage"
    marks = [mark for uid in list_images(ds) for mark in list_marks(ds, uid)]
    assert marks
    assert {mark.label for mark in marks} == {"Calcification Cluster"}


@pytest.mark.parametrize("ds", [Dataset(), make_header("LCC")], ids=["empty", "an image"])
def test_what_is_no_report_is_said(ds: Dataset) -> None:
    with pytest.raises(InputError, match="not a structured report"):
        explain_report(ds)


def make_mark(
    graphic: str, *points: tuple[float, float], intent: RenderingIntent | None = None
) -> ReportMark:
    return ReportMark(1, "Cluster", "Outline", graphic, tuple(PointPx(*p) for p in points), intent)


def is_colored(
    picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], at: tuple[int, int]
) -> bool:
    """Whether there is colour around a place, (column, row)."""
    col, row = at
    patch = picture[row - 2 : row + 3, col - 2 : col + 3].astype(int)
    return bool((patch.max(axis=2) - patch.min(axis=2)).max() > 60)


@pytest.mark.parametrize(
    ("graphic", "where"),
    [
        (make_mark("POLYLINE", (50, 60), (150, 60), (150, 160), (50, 160), (50, 60)), (100, 60)),
        (make_mark("CIRCLE", (100, 100), (140, 100)), (100, 140)),
        (make_mark("ELLIPSE", (50, 100), (150, 100), (100, 80), (100, 120)), (100, 120)),
        (make_mark("POINT", (100.5, 100.5)), (107, 100)),
    ],
    ids=["polyline", "circle", "ellipse", "point"],
)
def test_a_graphic_is_drawn_where_it_lies(graphic: ReportMark, where: tuple[int, int]) -> None:
    grey = np.full((300, 240), 90, dtype=np.uint8)
    picture = np.asarray(draw_marks(grey, [graphic]))
    assert is_colored(picture, where)
    assert not is_colored(picture, (220, 280))


@pytest.mark.parametrize(
    ("intent", "is_shown"),
    [
        (None, True),
        (RenderingIntent.REQUIRED, True),
        (RenderingIntent.OPTIONAL, False),
        (RenderingIntent.NOT, False),
    ],
)
def test_only_what_is_for_presentation_is_drawn_as_shown_and_counted(
    intent: RenderingIntent | None, is_shown: bool
) -> None:
    grey = np.full((300, 340), 90, dtype=np.uint8)
    corners = (50, 60), (150, 60), (150, 160), (50, 160), (50, 60)
    mark = make_mark("POLYLINE", *corners, intent=intent)
    picture = np.asarray(draw_marks(grey, [mark]))
    assert (picture == MARK).all(axis=2).any() == is_shown
    hidden = "0 marked items, 1 more not for presentation by default"
    assert count_items([mark]) == ("1 marked item" if is_shown else hidden)


def test_a_large_image_is_made_smaller_and_its_marks_with_it() -> None:
    grey = np.full((4400, 200), 90, dtype=np.uint8)
    outline = make_mark("POLYLINE", (100, 4000), (160, 4000), (160, 4100), (100, 4100), (100, 4000))
    picture = np.asarray(draw_marks(grey, [outline]))
    assert picture.shape[0] < 2300
    assert is_colored(picture, (65, 2000))


def test_the_picture_of_an_image_without_marks_is_the_image(tmp_path: Path) -> None:
    grey = np.full((120, 90), 90, dtype=np.uint8)
    picture = draw_marks(grey, [])
    picture.save(tmp_path / "x.png")
    assert (np.asarray(picture)[:120] == 90).all()
