"""The marks of a report on their image, as a picture: outlines numbered, the image as stored."""

from collections.abc import Sequence
from itertools import accumulate, islice

import numpy as np
from PIL import Image

from secondread.report.pages.display_array import DisplayArray
from secondread.report.pages.drawing import LEAST_TEXT, Box, HaloedLines, draw_text, find_bounds
from secondread.report.pages.labels import draw_badge, measure_badge, place_label
from secondread.report.readback.explain import ReportMark

_MAX_SIDE = 2200
"""Longer sides are made smaller: a full mammogram does not fit a screen."""
_NUMBER_SIZE = 26
_DOT_PX, _LINE_PX = 7.0, 2.2
_FAINT = (96, 104, 112)
"""Of what is not presented by default."""
_MARGIN = 46
_MOST_POINTS, _MOST_NUMBERED = 20_000, 99
"""More of a hostile report are not drawn, or not numbered."""

_Points = list[tuple[float, float]]
"""(x, y) of the page."""


def draw_marks(display: DisplayArray, marks: Sequence[ReportMark]) -> Image.Image:
    """Return an image with the marks of a report.

    Parameters
    ----------
    display
        The stored image as grey levels for people.
    marks
        On this image. What is not for presentation, or for presentation at a workstation's choice
        alone, is drawn fainter and without a number.
    """
    picture = Image.fromarray(np.ascontiguousarray(display)).convert("RGB")
    scale = min(1.0, _MAX_SIDE / max(picture.size))
    if scale < 1:
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    page = Image.new("RGB", (picture.width, picture.height + _MARGIN))
    page.paste(picture, (0, 0))
    panel = Box(0, 0, picture.width, picture.height)
    graphics = [(mark, _trace(mark, scale)) for mark in _choose_drawn(marks)]
    for is_hidden in (True, False):
        lines = HaloedLines(panel)
        for mark, points in graphics:
            if mark.is_shown is not is_hidden:
                lines.add_line(points, _LINE_PX)
        if lines.lines:
            lines.paint(page, _FAINT) if is_hidden else lines.paint(page)
    # Each item is numbered beside all of its graphics.
    by_number: dict[int, _Points] = {}
    for mark, points in graphics:
        if mark.is_shown:
            by_number.setdefault(mark.number, []).extend(points)
    _draw_numbers(page, panel, by_number)
    left_out = "" if len(graphics) == len(marks) else f", {len(graphics)} graphics drawn"
    words = f"{count_items(marks)}{left_out} - NOT FOR DIAGNOSIS"
    draw_text(page, (12, page.height - 14), words, LEAST_TEXT, width=page.width - 24)
    return page


def _choose_drawn(marks: Sequence[ReportMark]) -> list[ReportMark]:
    """Return the first marks that can be drawn in a few seconds: all of any real report."""
    ends = accumulate(len(mark.points) for mark in marks)
    return [mark for mark, end in zip(marks, ends, strict=True) if end <= _MOST_POINTS]


def count_items(marks: Sequence[ReportMark]) -> str:
    """Return how many items of a report are shown, and how many are there and are not.

    As ``3 marked items, 5 more not for presentation by default``.
    """
    shown = {mark.number for mark in marks if mark.is_shown}
    hidden = {mark.number for mark in marks} - shown
    more = f", {len(hidden)} more not for presentation by default" if hidden else ""
    return f"{len(shown)} marked item{'' if len(shown) == 1 else 's'}{more}"


def _trace(mark: ReportMark, scale: float) -> _Points:
    """Return a graphic as the line that is drawn; of a point, a small circle."""
    points = [(point.col * scale, point.row * scale) for point in mark.points]
    if mark.graphic == "CIRCLE" and len(points) == 2:
        return _trace_circle(points[0], float(np.hypot(*np.subtract(points[1], points[0]))))
    if mark.graphic == "ELLIPSE" and len(points) == 4:
        return _trace_ellipse(points)
    return _trace_circle(points[0], _DOT_PX) if len(points) == 1 else points


def _trace_circle(center: tuple[float, float], radius: float) -> _Points:
    angles = np.linspace(0, 2 * np.pi, 49)
    return [(center[0] + radius * np.cos(a), center[1] + radius * np.sin(a)) for a in angles]


def _trace_ellipse(ends: _Points) -> _Points:
    """Return the ellipse of the end points of its long and of its short axis (PS3.3 C.18.6)."""
    major, minor = (np.subtract(ends[i + 1], ends[i]) / 2 for i in (0, 2))
    center = np.add(ends[0], ends[1]) / 2
    angles = np.linspace(0, 2 * np.pi, 73)
    points = [center + np.cos(a) * major + np.sin(a) * minor for a in angles]
    return [(float(x), float(y)) for x, y in points]


def _draw_numbers(page: Image.Image, panel: Box, by_number: dict[int, _Points]) -> None:
    boxes = {str(number): find_bounds(points) for number, points in by_number.items()}
    occupied = list(islice(boxes.values(), 2 * _MOST_NUMBERED))
    for number, box in islice(boxes.items(), _MOST_NUMBERED):
        size = measure_badge(number, _NUMBER_SIZE)
        others = [other for other in occupied if other is not box]
        label = place_label(page, box, size, panel, others)
        draw_badge(page, label, number, _NUMBER_SIZE)
        occupied.append(label)
