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
)
from secondread.report.pages.closeups import draw_close_ups, make_close_up
from secondread.report.pages.compared_marks import ComparedFinding, list_compared
from secondread.report.pages.display_array import DisplayArray
from secondread.report.pages.drawing import (
    BACKGROUND,
    MUTED,
    PANEL_EDGE,
    WARNING,
    Box,
    draw_text,
)
from secondread.report.pages.labels import draw_color_badge, place_badge
from secondread.report.pages.outlines import NUMBER_SIZE, draw_compared_outlines
from secondread.report.sr.wording import DISCLAIMER, PURPOSE, pluralize

PAGE_SIZE = (1800, 1400)
"""Columns and rows of a page."""
MAX_LINES = 6
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
    is where the other exam's finding would be.
    """
    page = Image.new("RGB", PAGE_SIZE, BACKGROUND)
    entries = list_compared(current.image, prior.image, comparison)
    _draw_head(page, current, comparison)
    lines = min(len(entries), MAX_LINES) + (len(entries) > MAX_LINES)
    bottom = page.height - _FOOT - max(lines, 1) * _LINE - 16
    left = Box(_MARGIN, _HEAD + 16, _MARGIN + _VIEW_WIDTH, bottom)
    right = Box(left.right + _GUTTER, left.top, left.right + _GUTTER + _VIEW_WIDTH, bottom)
    details = Box(right.right + _GUTTER, left.top + CAPTION_ROOM, page.width - _MARGIN, bottom)
    # One millimetre is equally long in both pictures, whatever the pitches.
    scale = min(choose_scale(picture, left) for picture in (current, prior))
    prior_panel = draw_captioned_breast(page, left, prior, scale)
    current_panel = draw_captioned_breast(page, right, current, scale)
    draw_compared_outlines(page, prior_panel, [entry.in_prior for entry in entries])
    draw_compared_outlines(page, current_panel, [entry.in_current for entry in entries])
    draw_close_ups(page, details, [make_close_up(entry, current, prior) for entry in entries])
    middle = details.top - CAPTION_ROOM / 2
    draw_text(page, (details.left, middle), "Prior and current, own contrast", 20, MUTED, "lm")
    _draw_legend(page, bottom + 16, entries)
    return page


def _draw_head(page: Image.Image, current: DrawnImage, comparison: StudyComparison) -> None:
    right, mammogram = page.width - _MARGIN, current.image.mammogram
    draw_text(page, (_MARGIN, 76), format_label(mammogram.label), 50)
    view = next(v for v in comparison.views if v.sop_instance_uid == mammogram.sop_instance_uid)
    how = "tissue found again" if view.aligned else "laid on each other by skin and nipple alone"
    error = f"places known to {view.error_mm:.1f} mm" if view.error_mm is not None else ""
    unit = "same unit" if view.same_unit else "another unit or processing, wider limits"
    facts = ", ".join(filter(None, (comparison.basis, unit, how, error)))
    width = right - _MARGIN - 340
    draw_text(page, (_MARGIN, 104), view.why_not or facts, 20, MUTED, width=width)
    draw_text(page, (right, 54), DISCLAIMER, 30, WARNING, anchor="rs")
    draw_text(page, (right, 86), PURPOSE, 22, MUTED, anchor="rs")
    ImageDraw.Draw(page).line((_MARGIN, _HEAD, right, _HEAD), fill=PANEL_EDGE)


def _draw_legend(page: Image.Image, top: float, entries: Sequence[ComparedFinding]) -> None:
    x, y = _MARGIN + 60, top + 16
    room = page.width - 2 * _MARGIN - 60
    for entry in entries[:MAX_LINES]:
        badge = place_badge(_MARGIN, y, entry.number, NUMBER_SIZE)
        draw_color_badge(page, badge, entry.number, entry.color, NUMBER_SIZE)
        draw_text(page, (x, y), entry.text, 24, anchor="lm", width=room)
        draw_text(page, (x, y + 26), entry.context, 20, MUTED, "lm", width=room)
        y += _LINE
    if len(entries) > MAX_LINES:
        more = pluralize(len(entries) - MAX_LINES, "more cluster")
        draw_text(page, (x, y), f"{more} outlined", 22, MUTED, anchor="lm")
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
