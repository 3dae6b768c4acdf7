"""Close-ups of one place in two exams, side by side, a millimetre equally long in both."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from secondread.geometry import Outline, PointPx, SpacingMm, bounding_box
from secondread.report.pages.drawing import (
    MUTED,
    PANEL_EDGE,
    Box,
    Color,
    HaloedLines,
    draw_text,
    measure_badge,
)
from secondread.report.pages.panels import DisplayArray, Placement

MIN_WIDTH_MM = 16.0
"""A close-up shows at least this much tissue across."""

_ROOM = 1.5  # a cluster takes at most two thirds of its close-up
_GAP = 12
_QUANTILES = (0.5, 99.9)  # per cent of the tile's greys that become black and white


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


def draw_close_ups(page: Image.Image, area: Box, shown: Sequence[CloseUp]) -> None:
    """Draw as many close-ups as the area has room for, one below the other.

    Each has the prior at the left and the current exam at the right.
    """
    size = int((area.width - _GAP) / 2)
    most = max(int((area.height + _GAP) // (size + _GAP)), 1)
    for index, one in enumerate(shown[:most]):
        top = area.top + index * (size + _GAP)
        across = max(_across_mm(one.prior), _across_mm(one.current), MIN_WIDTH_MM)
        for place, left in ((one.prior, area.left), (one.current, area.left + size + _GAP)):
            _tile(page, Box(left, top, left + size, top + size), place, across, one.color)
        width, height = measure_badge(one.number, 20)
        corners = (area.left + 6, top + 6, area.left + 6 + width, top + 6 + height)
        ImageDraw.Draw(page).rounded_rectangle(corners, radius=5, fill=one.color)
        middle = (area.left + 6 + width / 2, top + 6 + height / 2)
        draw_text(page, middle, one.number, 20, (0, 0, 0), anchor="mm")


def _across_mm(place: CloseUpView) -> float:
    if not place.outline:
        return 0.0
    first, last = bounding_box(place.outline)
    wide = (last.col - first.col) * place.spacing.between_columns
    high = (last.row - first.row) * place.spacing.between_rows
    return _ROOM * max(wide, high)


def _tile(page: Image.Image, box: Box, place: CloseUpView, across_mm: float, color: Color) -> None:
    frame = (box.left - 1, box.top - 1, box.right, box.bottom)
    if not place.outline:
        middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        draw_text(page, middle, "not shown in this image", 18, MUTED, anchor="mm")
        ImageDraw.Draw(page).rectangle(frame, outline=PANEL_EDGE)
        return
    first, last = bounding_box(place.outline)
    middle_px = PointPx((first.col + last.col) / 2, (first.row + last.row) / 2)
    size = round(box.width)
    step = across_mm / size
    per = (step / place.spacing.between_columns, step / place.spacing.between_rows)
    left, top = middle_px.col - per[0] * size / 2, middle_px.row - per[1] * size / 2
    matrix = np.array(
        [
            [per[0], 0, left + per[0] / 2 - 0.5],
            [0, per[1], top + per[1] / 2 - 0.5],
        ]
    )
    cut = cv2.warpAffine(
        np.ascontiguousarray(place.display),
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    low, high = np.percentile(cut, _QUANTILES)
    spread = np.clip((cut - low) * (255 / max(high - low, 40.0)), 0, 255).astype(np.uint8)
    corner = (round(box.left), round(box.top))
    page.paste(Image.fromarray(spread).convert("RGB"), corner)
    strokes = HaloedLines(Box(corner[0], corner[1], corner[0] + size, corner[1] + size))
    placement = Placement(corner[0] - left / per[0], corner[1] - top / per[1], 1 / per[0])
    strokes.add_line(placement.place_outline(place.outline, 8), 1.3)
    strokes.paint(page, color)
    ImageDraw.Draw(page).rectangle(frame, outline=PANEL_EDGE)
