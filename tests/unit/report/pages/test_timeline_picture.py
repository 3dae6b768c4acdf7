"""The picture of lesions over all exams."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from PIL import Image

from secondread.findings.changes import ChangeKind
from secondread.followup.timeline import LesionAbsence, LesionHistory, build_histories
from secondread.report.pages.change_colors import choose_color
from secondread.report.pages.drawing import MARK, WARNING
from secondread.report.pages.timeline_picture import (
    MAX_EXAMS,
    MAX_LESIONS,
    describe_categories,
    draw_timeline,
    summarize_lesion,
)
from tests.unit.followup.test_timeline import FIRST, SECOND


def no_crop(_: str) -> Image.Image | None:
    return None


def make_history(count: int) -> LesionHistory:
    seen = [
        replace(
            FIRST,
            study_uid=f"1.{year}",
            sop_instance_uid=f"1.{year}.1",
            study_date=date(2015, 1, 5) + timedelta(days=365 * year),
            calcifications=5 + year,
        )
        for year in range(count)
    ]
    return build_histories(seen, [], {})[0]


def count_pixels(page: Image.Image, color: tuple[int, int, int]) -> int:
    """Return how many pixels are of a color."""
    return int((np.asarray(page) == color).all(axis=2).sum())


def test_a_page_without_lesions_says_so_instead_of_failing() -> None:
    assert draw_timeline("Lesions", [], no_crop).width > 500


def test_each_exam_with_the_lesion_shows_its_kept_picture() -> None:
    asked: list[str] = []

    def crop(path: str) -> Image.Image | None:
        asked.append(path)
        return Image.new("L", (200, 200), 128)

    history = build_histories([replace(FIRST, crop="a"), replace(SECOND, crop="b")], [], {})
    draw_timeline("Lesions", history, crop)

    assert asked == ["a", "b"]


def test_a_line_follows_number_and_extent() -> None:
    single = count_pixels(draw_timeline("Lesions", [make_history(1)], no_crop), MARK)
    several = count_pixels(draw_timeline("Lesions", [make_history(4)], no_crop), MARK)

    assert several > single + 2 * 3 * 30


def test_of_many_exams_and_lesions_the_page_stays_a_page() -> None:
    most = draw_timeline("Lesions", [make_history(MAX_EXAMS)], no_crop)
    more = draw_timeline("Lesions", [make_history(MAX_EXAMS + 6)], no_crop)
    many = draw_timeline("Lesions", [make_history(2)] * (MAX_LESIONS + 5), no_crop)
    full = draw_timeline("Lesions", [make_history(2)] * MAX_LESIONS, no_crop)

    assert most.size == more.size
    assert many.width == full.width
    assert abs(many.height - full.height) < 60  # a line that counts what is not drawn


def test_what_is_gone_goes_down_to_nothing() -> None:
    gone = LesionAbsence(FIRST.lesion, "1.2", date(2026, 1, 5), "LCC", "gone")
    unseen = replace(gone, word="not-in-field-of-view")
    pages = [
        draw_timeline("Lesions", build_histories([FIRST], [absence], {}), no_crop)
        for absence in (gone, unseen)
    ]

    assert count_pixels(pages[0], MARK) > count_pixels(pages[1], MARK) + 2 * 100


def test_the_change_is_said_below_the_picture_however_much_else_is() -> None:
    def page(change: str) -> Image.Image:
        seen = [replace(FIRST, label=label, change=change) for label in ("LCC", "LMLO")]
        history = build_histories(seen, [], {(FIRST.study_uid, "L"): "4B"})
        return draw_timeline("Lesions", history, no_crop)

    new, plain = page("new"), page("")
    assert count_pixels(new, WARNING) > count_pixels(plain, WARNING) + 50
    assert count_pixels(page("gone"), choose_color(ChangeKind.GONE)) > 50


def test_the_radiologists_category_of_a_breast_stands_once() -> None:
    categories = {("1.1", "L"): "4B", ("1.2", "L"): "2"}
    second = [replace(s, lesion="2.25.2") for s in (FIRST, SECOND)]
    lesions = build_histories([FIRST, SECOND, *second], [], categories)
    assert describe_categories(lesions) == [
        f"BI-RADS category by the radiologist, L: 4B ({FIRST.study_date}), 2 ({SECOND.study_date})"
    ]


def test_no_text_of_a_long_history_is_cut_off_or_small(cut_texts: list[str]) -> None:
    seen = [
        replace(
            FIRST,
            study_uid=f"1.{year}",
            sop_instance_uid=f"1.{year}.{label}",
            study_date=date(2015 + year, 1, 5),
            label=label,
            calcifications=14 + year,
            faint=5,
            change="increased in number",
            morphology="punctate 44 %, fine pleomorphic 43 %",
            suspicion=31.0,
        )
        for year in range(9)
        for label in ("LCC", "LMLO")
    ]
    lesions = build_histories(seen, [], {("1.3", "L"): "4B"})
    draw_timeline("Lesions of one patient, exams 2015-01-05 to 2023-01-05", lesions, no_crop)
    assert cut_texts == []


def test_what_a_recheck_saw_before_is_first_marked_and_not_first_seen() -> None:
    def line(change: str) -> str:
        (lesion,) = build_histories([replace(FIRST, change=change)], [], {})
        return summarize_lesion(1, lesion)

    assert f"first seen {FIRST.study_date}" in line("new")
    assert f"first seen {FIRST.study_date}" in line("")
    words = line("increased in number")
    assert f"first marked {FIRST.study_date}, seen faintly before" in words
    assert "first seen" not in words
