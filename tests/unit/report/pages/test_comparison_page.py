import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from secondread.findings.changes import Recheck
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import follow_up
from secondread.followup.registration.frame import find_frame
from secondread.followup.registration.register import register
from secondread.report.pages.breast_panel import DrawnImage, draw_captioned_breast
from secondread.report.pages.compared_marks import describe_change, list_compared
from secondread.report.pages.comparison_page import (
    BLINK_PIXEL_MM,
    draw_comparison_pages,
    make_blink_pair,
)
from secondread.report.pages.drawing import Box
from secondread.report.pages.page_layout import VIEW_PAGE_SIZE
from tests.unit.followup.breasts import Lie, group, reading

NOW = Lie(right=True)
THEN = replace(NOW, study="1.2.2", date="20250105", nipple_mm=(82.0, 118.0), turn_deg=2.0)
SPOTS = group(45.0, 20.0)


def make_display(lie: Lie) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.clip(lie.picture(), 0, 255).astype(np.uint8)


def test_the_same_number_and_colour_stand_in_both_pictures() -> None:
    prior = reading((THEN, []))
    now = reading((NOW, SPOTS))
    done = follow_up(now, compare_with_priors(now, [prior]))

    (page,) = draw_comparison_pages(
        DrawnImage(done.images[0], make_display(NOW), "now"),
        DrawnImage(prior.images[0], make_display(THEN), "then"),
        done.comparisons[0],
    )

    assert page.size == VIEW_PAGE_SIZE
    amber = (np.asarray(page) == (255, 182, 72)).all(axis=-1)
    left, right = amber[130:1250, :900], amber[130:1250, 900:]
    assert left.sum() > 300
    assert right.sum() > 300


def test_a_line_gives_the_numbers_behind_the_word() -> None:
    prior = reading((THEN, SPOTS[:4]))
    now = reading((NOW, SPOTS))
    done = follow_up(now, compare_with_priors(now, [prior]))
    finding = done.images[0].shown_findings[0]
    change = done.comparisons[0].find_change(done.images[0].mammogram.sop_instance_uid, finding.id)
    assert change is not None

    line = describe_change(finding, change, done.comparisons[0])

    assert line.startswith("increased in number since 2025-01-05, 4 -> 8 calcifications")
    assert re.search(r"extent \d\.\d -> \d\.\d mm", line)


def test_the_caption_of_a_picture_ends_before_its_scale() -> None:
    def drawn(caption: str) -> npt.NDArray[np.uint8]:
        page = Image.new("RGB", (600, 900))
        shown = DrawnImage(reading((NOW, [])).images[0], make_display(NOW), caption)
        panel = draw_captioned_breast(page, Box(0, 0, 560, 880), shown, 1.6)
        return np.asarray(page)[: int(panel.frame.top) - 1, 560 - 180 - 14 :]

    # A long caption touches nothing of the scale, whatever the width of the picture.
    assert np.array_equal(drawn("Prior 2022-01-10   A manufacturer of a long name"), drawn(""))


def test_a_blink_pair_lies_on_each_other_and_hangs_as_the_current_image() -> None:
    here, there = (find_frame(reading((lie, [])).images[0]) for lie in (NOW, THEN))
    assert here is not None
    assert there is not None

    now, then = make_blink_pair(make_display(NOW), make_display(THEN), register(here, there))

    assert now.size == then.size == (round(170 / BLINK_PIXEL_MM), round(220 / BLINK_PIXEL_MM))
    a, b = np.asarray(now, np.float64), np.asarray(then, np.float64)
    assert a[:, -100:].mean() > 5 * a[:, :100].mean()  # the chest wall stays at the right
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.97


def test_what_has_appeared_in_an_old_cluster_has_an_outline_of_its_own() -> None:
    prior = reading((THEN, SPOTS))
    now = reading((NOW, SPOTS))
    (comparison,) = compare_with_priors(now, [prior])
    (change,) = comparison.changes
    new = tuple(member.center for member in now.images[0].shown_findings[0].members[:3])
    appeared = replace(
        change, unpaired=new, recheck=Recheck(seen=False, other_places=40, as_similar=9)
    )

    (before,), (after,) = (
        list_compared(now.images[0], prior.images[0], replace(comparison, changes=(entry,)))
        for entry in (change, appeared)
    )

    assert len(before.in_current.outlines) == 1
    assert len(after.in_current.outlines) == 2
    assert "3 calcifications new, not in the prior's pixels either" in after.text
