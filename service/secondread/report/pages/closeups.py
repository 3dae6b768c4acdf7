"""Close-ups of one place in two exams, side by side, a millimetre equally long in both."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from secondread.geometry import Outline, SpacingMm, bounding_box
from secondread.report.pages.breast_panel import DrawnImage, find_drawing_spacing
from secondread.report.pages.compared_marks import ComparedFinding
from secondread.report.pages.display_array import DisplayArray, spread_greys
from secondread.report.pages.drawing import MUTED, Box, Color, draw_edge, draw_text
from secondread.report.pages.labels import draw_color_badge, measure_badge
from secondread.report.pages.outlines import IN_CLOSE_UP, Panel, Placement, draw_outline

MIN_WIDTH_MM = 16.0
"""A close-up shows at least this much tissue across."""

_ROOM = 1.5  # a cluster takes at most two thirds of its close-up
_GAP = 12
_BLACK: Color = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class CloseUpView:
    """One place in one exam."""

    display: DisplayArray
    spacing: SpacingMm
    outline: Outline
    """Around the finding, or around where it would be; empty where the image does not show it."""


@dataclass(frozen=True, slots=True)
class CloseUp:
    """One cluster in both exams."""

    number: str
    color: Color
    prior: CloseUpView
    current: CloseUpView


def make_close_up(entry: ComparedFinding, current: DrawnImage, prior: DrawnImage) -> CloseUp:
    """Return the close-up of a cluster in a view and its prior."""
    prior_view, current_view = (
        CloseUpView(picture.display, find_drawing_spacing(picture.image), outline)
        for picture, outline in (
            (prior, entry.prior[0] if entry.prior else ()),
            (current, entry.current),
        )
    )
    return CloseUp(entry.number, entry.color, prior_view, current_view)


def draw_close_ups(page: Image.Image, area: Box, close_ups: Sequence[CloseUp]) -> None:
    """Draw as many close-ups as the area has room for, one below the other.

    Each has the prior at the left and the current exam at the right.
    """
    size = int((area.width - _GAP) / 2)
    capacity = max(int((area.height + _GAP) // (size + _GAP)), 1)
    for index, pair in enumerate(close_ups[:capacity]):
        top = area.top + index * (size + _GAP)
        width_mm = max(_needed_mm(pair.prior), _needed_mm(pair.current), MIN_WIDTH_MM)
        for view, left in ((pair.prior, area.left), (pair.current, area.left + size + _GAP)):
            box = Box(left, top, left + size, top + size)
            _draw_view(page, box, view, width_mm, pair.color)
        left, top = area.left + 6, top + 6
        width, height = measure_badge(pair.number, 20)
        badge = Box(left, top, left + width, top + height)
        draw_color_badge(page, badge, pair.number, pair.color, 20, _BLACK)


def _needed_mm(view: CloseUpView) -> float:
    """Return how much tissue a view shows across, to have its outline in it."""
    if not view.outline:
        return 0.0
    first, last = bounding_box(view.outline)
    wide = (last.col - first.col) * view.spacing.between_columns
    high = (last.row - first.row) * view.spacing.between_rows
    return _ROOM * max(wide, high)


def _draw_view(
    page: Image.Image, box: Box, view: CloseUpView, width_mm: float, color: Color
) -> None:
    if not view.outline:
        middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        draw_text(page, middle, "not shown in this image", 18, MUTED, anchor="mm")
        draw_edge(page, box)
        return
    first, last = bounding_box(view.outline)
    size = round(box.width)
    # Columns and rows of the image for one pixel of the page.
    step = width_mm / size
    across, down = step / view.spacing.between_columns, step / view.spacing.between_rows
    left = (first.col + last.col) / 2 - across * size / 2
    top = (first.row + last.row) / 2 - down * size / 2
    # From pixels of the page to those of the image. Both are counted from their centers here,
    # and `left` and `top` from the corner of the first pixel: half a pixel of each in between.
    matrix = np.array(
        [[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]],
    )
    part = cv2.warpAffine(
        np.ascontiguousarray(view.display),
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    x, y = round(box.left), round(box.top)
    page.paste(Image.fromarray(spread_greys(np.asarray(part, np.uint8))).convert("RGB"), (x, y))
    placement = Placement(x - left / across, y - top / down, 1 / across)
    panel = Panel(Box(x, y, x + size, y + size), placement)
    draw_outline(page, panel, view.outline, IN_CLOSE_UP, color)
    draw_edge(page, box)
