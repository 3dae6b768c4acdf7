"""Pictures of a comparison: a view beside its prior with the same numbers, and a blink pair."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from secondread.findings.changes import StudyComparison
from secondread.followup.registration.frame import PointsMm, ViewFrame
from secondread.followup.registration.register import Registration
from secondread.report.pages.breast_panel import DrawnImage, choose_scale, draw_captioned_breast
from secondread.report.pages.cards import Badge, Card, draw_card, spread_cards
from secondread.report.pages.closeups import make_close_ups
from secondread.report.pages.compared_marks import ComparedFinding, list_compared
from secondread.report.pages.display_array import DisplayArray
from secondread.report.pages.drawing import (
    BACKGROUND,
    LEAST_TEXT,
    MUTED,
    PANEL_EDGE,
    WARNING,
    Box,
    draw_text,
    wrap_text,
)
from secondread.report.pages.outlines import draw_numbered_outlines
from secondread.report.pages.page_layout import MARGIN, VIEW_PAGE_SIZE
from secondread.report.sr.wording import DISCLAIMER, PURPOSE, capitalize, format_day

BLINK_PIXEL_MM = 0.2
"""Pixel spacing of a blink pair."""

_HEAD, _FOOT, _GUTTER = 158, 24, 30
_VIEW_WIDTH = 520
_LEAST_PICTURE = 190
"""Side of the smallest close-up: where there are more clusters, they go on the next page."""


def draw_comparison_pages(
    current: DrawnImage, prior: DrawnImage, comparison: StudyComparison
) -> list[Image.Image]:
    """Return the pages with a view beside its prior: one, more where its clusters need more.

    The same number and colour name a cluster in both. A full outline is a finding; a broken one
    is where the other exam's finding would be.
    """
    page = Image.new("RGB", VIEW_PAGE_SIZE, BACKGROUND)
    entries = list_compared(current.image, prior.image, comparison)
    _draw_head(page, current, comparison)
    left = Box(MARGIN, _HEAD + 16, MARGIN + _VIEW_WIDTH, page.height - _FOOT)
    right = Box(left.right + _GUTTER, left.top, left.right + _GUTTER + _VIEW_WIDTH, left.bottom)
    # One millimetre is equally long in both pictures, whatever the pitches.
    scale = min(choose_scale(picture, left) for picture in (current, prior))
    prior_panel = draw_captioned_breast(page, left, prior, scale)
    current_panel = draw_captioned_breast(page, right, current, scale)
    draw_numbered_outlines(page, prior_panel, [entry.in_prior for entry in entries])
    draw_numbered_outlines(page, current_panel, [entry.in_current for entry in entries])
    area = Box(right.right + _GUTTER, left.top, page.width - MARGIN, left.bottom)
    if not entries:
        words = "No cluster is shown in either exam"
        draw_text(page, (area.left, area.top + 20), words, 24, MUTED, anchor="lm")
        return [page]
    cards = [_make_card(entry, current, prior, comparison) for entry in entries]
    pages = []
    spread = spread_cards(cards, area, _LEAST_PICTURE)
    for number, placed in enumerate(spread, start=1):
        pages.append(page.copy())
        if len(spread) > 1:
            words = f"page {number} of {len(spread)}"
            draw_text(pages[-1], (page.width - MARGIN, 134), words, LEAST_TEXT, MUTED, anchor="rs")
        for card in placed:
            draw_card(pages[-1], card)
    return pages


def _make_card(
    entry: ComparedFinding, current: DrawnImage, prior: DrawnImage, comparison: StudyComparison
) -> Card:
    captioned = replace(prior, caption=format_day(comparison.prior_date, "prior"))
    pictures = make_close_ups([entry], replace(current, caption=""), captioned)
    badge = Badge(entry.number, entry.color)
    return Card((badge,), "", "", capitalize(entry.text), entry.context, pictures)


def _draw_head(page: Image.Image, current: DrawnImage, comparison: StudyComparison) -> None:
    right, mammogram = page.width - MARGIN, current.image.mammogram
    draw_text(page, (MARGIN, 62), current.image.name, 46)
    view = next(v for v in comparison.views if v.sop_instance_uid == mammogram.sop_instance_uid)
    how = "tissue found again" if view.aligned else "laid on each other by skin and nipple alone"
    error = f"places known to {view.error_mm:.1f} mm" if view.error_mm is not None else ""
    unit = "same unit" if view.same_unit else "another unit or processing, wider limits"
    facts = ", ".join(filter(None, (comparison.basis, unit, how, error)))
    lines = wrap_text(view.why_not or facts, LEAST_TEXT, right - MARGIN - 400, 2)
    for index, line in enumerate(lines):
        draw_text(page, (MARGIN, 104 + 30 * index), line, LEAST_TEXT, MUTED)
    draw_text(page, (right, 54), DISCLAIMER, 30, WARNING, anchor="rs")
    draw_text(page, (right, 86), PURPOSE, LEAST_TEXT, MUTED, anchor="rs")
    ImageDraw.Draw(page).line((MARGIN, _HEAD, right, _HEAD), fill=PANEL_EDGE)


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
    now = _sample(current, here, frame)
    then = _sample(prior, registration.map_mm(here), registration.prior)
    outline = np.round(frame.outline() / BLINK_PIXEL_MM).astype(np.int32)
    inside = cv2.fillPoly(np.zeros(shape, np.uint8), [outline], 1) > 0
    pair = [now, _match_greys(then, now, inside)]
    if frame.mirrored:
        pair = [picture[:, ::-1] for picture in pair]
    if frame.upside_down:
        pair = [picture[::-1] for picture in pair]
    first, second = (Image.fromarray(np.ascontiguousarray(picture)) for picture in pair)
    return first, second


def _sample(display: DisplayArray, points: PointsMm, frame: ViewFrame) -> DisplayArray:
    # Positions count from the corner of the first pixel; remap counts from its center.
    pixels = (frame.to_columns_rows(points) - 0.5).astype(np.float32)
    # What is finer than the picture's pixels would shimmer.
    reach = BLINK_PIXEL_MM / frame.spacing.mean
    smooth = cv2.GaussianBlur(display, (0, 0), reach / 3) if reach > 1.5 else display
    column, row = (np.ascontiguousarray(pixels[..., axis]) for axis in (0, 1))
    return np.asarray(cv2.remap(smooth, column, row, cv2.INTER_LINEAR), np.uint8)


def _match_greys(
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
