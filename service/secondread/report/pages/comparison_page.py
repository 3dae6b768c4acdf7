"""Pictures of a comparison: a view beside its prior with the same numbers, and a blink pair."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from secondread.findings.changes import StudyComparison
from secondread.findings.image_names import format_label
from secondread.followup.registration.frame import PointsMm, ViewFrame
from secondread.followup.registration.register import Registration
from secondread.report.pages.breast_panel import (
    CAPTION_ROOM,
    DrawnImage,
    choose_scale,
    draw_captioned_breast,
    find_drawing_spacing,
)
from secondread.report.pages.closeups import CloseUp, CloseUpView, draw_close_ups
from secondread.report.pages.compared_marks import (
    BADGE_TEXT,
    ComparedFinding,
    draw_color_badge,
    draw_outlines,
    list_compared,
)
from secondread.report.pages.drawing import (
    BACKGROUND,
    MUTED,
    PANEL_EDGE,
    WARNING,
    Box,
    draw_text,
    measure_badge,
    shorten_text,
)
from secondread.report.pages.panels import DisplayArray
from secondread.report.sr.wording import DISCLAIMER, PURPOSE, pluralize

PAGE_SIZE = (1800, 1400)
"""Columns and rows of a page."""
MOST_LINES = 6
"""Clusters beyond these are outlined and counted."""
BLINK_PIXEL_MM = 0.2
"""Pixel spacing of a blink pair."""

_MARGIN, _HEAD, _FOOT, _GUTTER, _LINE = 40, 116, 24, 30, 58
_VIEW_WIDTH = 545


def draw_comparison_page(
    current: DrawnImage, prior: DrawnImage, comparison: StudyComparison
) -> Image.Image:
    """Return a page with a view beside its prior.

    The same number and colour name a cluster in both. A full outline is a finding; a broken one
    is where the other exam's finding would lie.
    """
    page = Image.new("RGB", PAGE_SIZE, BACKGROUND)
    entries = list_compared(current.image, prior.image, comparison)
    _head(page, current, comparison)
    lines = min(len(entries), MOST_LINES) + (len(entries) > MOST_LINES)
    bottom = page.height - _FOOT - max(lines, 1) * _LINE - 16
    left = Box(_MARGIN, _HEAD + 16, _MARGIN + _VIEW_WIDTH, bottom)
    right = Box(left.right + _GUTTER, left.top, left.right + _GUTTER + _VIEW_WIDTH, bottom)
    details = Box(right.right + _GUTTER, left.top + CAPTION_ROOM, page.width - _MARGIN, bottom)
    # One millimetre is equally long in both pictures, whatever the pitches.
    scale = min(choose_scale(shown, left) for shown in (current, prior))
    panels = [
        draw_captioned_breast(page, box, shown, scale)
        for box, shown in ((left, prior), (right, current))
    ]
    draw_outlines(page, panels[0], [(e, e.prior, e.is_prior_finding) for e in entries])
    draw_outlines(page, panels[1], [(e, (e.current,), e.is_current_finding) for e in entries])
    draw_close_ups(page, details, [_close_up(entry, current, prior) for entry in entries])
    middle = details.top - CAPTION_ROOM / 2
    draw_text(page, (details.left, middle), "Prior and current, own contrast", 20, MUTED, "lm")
    _legend(page, bottom + 16, entries)
    return page


def _close_up(entry: ComparedFinding, current: DrawnImage, prior: DrawnImage) -> CloseUp:
    places = [
        CloseUpView(shown.display, find_drawing_spacing(shown.image), outline)
        for shown, outline in (
            (prior, entry.prior[0] if entry.prior else ()),
            (current, entry.current),
        )
    ]
    return CloseUp(entry.number, entry.color, places[0], places[1])


def _head(page: Image.Image, current: DrawnImage, comparison: StudyComparison) -> None:
    right = page.width - _MARGIN
    draw_text(page, (_MARGIN, 76), format_label(current.image.mammogram.label), 50)
    view = next(
        v
        for v in comparison.views
        if v.sop_instance_uid == current.image.mammogram.sop_instance_uid
    )
    how = "tissue found again" if view.aligned else "laid on each other by skin and nipple alone"
    known = f"places known to {view.error_mm:.1f} mm" if view.error_mm is not None else ""
    unit = "same unit" if view.same_unit else "another unit or processing, wider limits"
    facts = ", ".join(part for part in (comparison.basis, unit, how, known) if part)
    note = view.why_not or facts
    draw_text(page, (_MARGIN, 104), shorten_text(note, 20, right - _MARGIN - 340), 20, MUTED)
    draw_text(page, (right, 54), DISCLAIMER, 30, WARNING, anchor="rs")
    draw_text(page, (right, 86), PURPOSE, 22, MUTED, anchor="rs")
    ImageDraw.Draw(page).line((_MARGIN, _HEAD, right, _HEAD), fill=PANEL_EDGE)


def _legend(page: Image.Image, top: float, entries: Sequence[ComparedFinding]) -> None:
    y = top + 16
    room = page.width - 2 * _MARGIN - 60
    for entry in entries[:MOST_LINES]:
        width, height = measure_badge(entry.number, BADGE_TEXT)
        box = Box(_MARGIN, y - height / 2, _MARGIN + width, y + height / 2)
        draw_color_badge(page, box, entry)
        draw_text(page, (_MARGIN + 60, y), shorten_text(entry.text, 24, room), 24, anchor="lm")
        draw_text(
            page, (_MARGIN + 60, y + 26), shorten_text(entry.context, 20, room), 20, MUTED, "lm"
        )
        y += _LINE
    if len(entries) > MOST_LINES:
        rest = pluralize(len(entries) - MOST_LINES, "more cluster")
        draw_text(page, (_MARGIN + 60, y), f"{rest} outlined", 22, MUTED, anchor="lm")
    if not entries:
        draw_text(page, (_MARGIN, y), "No cluster is shown in either exam", 24, MUTED, anchor="lm")


def make_blink_pair(
    current: DisplayArray, prior: DisplayArray, registration: Registration
) -> tuple[Image.Image, Image.Image]:
    """Return both images over each other, for looking at in turns: the current one, the prior.

    The prior is bent onto the current one, and has its greys; both hang as the current one.
    """
    frame = registration.current
    shape = (round(frame.height_mm / BLINK_PIXEL_MM), round(frame.width_mm / BLINK_PIXEL_MM))
    x, y = (np.arange(n) + 0.5 for n in (shape[1], shape[0]))
    here = np.stack(np.meshgrid(x, y), axis=-1) * BLINK_PIXEL_MM
    now = _sampled(current, here, frame)
    then = _sampled(prior, registration.map_mm(here), registration.prior)
    outline = np.round(frame.outline() / BLINK_PIXEL_MM).astype(np.int32)
    inside = cv2.fillPoly(np.zeros(shape, np.uint8), [outline], 1) > 0
    pair = [now, _like(then, now, inside)]
    if frame.mirrored:
        pair = [picture[:, ::-1] for picture in pair]
    if frame.upside_down:
        pair = [picture[::-1] for picture in pair]
    first, second = (Image.fromarray(np.ascontiguousarray(picture)) for picture in pair)
    return first, second


def _sampled(display: DisplayArray, points: PointsMm, frame: ViewFrame) -> DisplayArray:
    at = (frame.to_columns_rows(points) - 0.5).astype(np.float32)
    # What is finer than the picture's pixels would shimmer.
    reach = BLINK_PIXEL_MM / frame.spacing.mean
    smooth = cv2.GaussianBlur(display, (0, 0), reach / 3) if reach > 1.5 else display
    column, row = (np.ascontiguousarray(at[..., axis]) for axis in (0, 1))
    return np.asarray(cv2.remap(smooth, column, row, cv2.INTER_LINEAR), np.uint8)


def _like(
    picture: DisplayArray, model: DisplayArray, inside: npt.NDArray[np.bool_]
) -> DisplayArray:
    """Return a picture with the greys of another one, matched by their ranks in the breast."""
    both = inside & (picture > 0)
    if not both.any():
        return picture
    ranks = np.linspace(0, 1, 33)
    have, want = np.quantile(picture[both], ranks), np.quantile(model[both], ranks)
    # Equal ranks of the one, as in saturated tissue, would make the table ambiguous.
    have = np.maximum.accumulate(have + 1e-3 * np.arange(len(have)))
    table = np.interp(np.arange(256), have, want)
    table[0] = 0
    return np.asarray(np.clip(np.rint(table), 0, 255).astype(np.uint8)[picture])
