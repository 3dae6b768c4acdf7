"""The marks of a report on their image, as a picture: outlines numbered, the image as stored."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from secondread.codes import RenderingIntent
from secondread.report.pages.drawing import (
    Box,
    HaloedLines,
    draw_badge,
    draw_text,
    find_bounds,
    measure_badge,
    place_label,
)
from secondread.report.readback.explain import ReportMark

_LONGEST = 2200
"""Longer sides are made smaller: a full mammogram does not fit a screen."""
_NUMBER_SIZE = 26
_DOT_PX, _LINE_PX = 7.0, 2.2
_FAINT = (120, 160, 190)
"""Of what is not to be presented."""
_MARGIN = 46


def draw_marks(display: npt.NDArray[np.uint8], marks: Sequence[ReportMark]) -> Image.Image:
    """Return an image with the marks of a report.

    Parameters
    ----------
    display
        The stored image as grey levels for people.
    marks
        On this image. What is Not for Presentation is drawn fainter.
    """
    picture = Image.fromarray(np.ascontiguousarray(display)).convert("RGB")
    scale = min(1.0, _LONGEST / max(picture.size))
    if scale < 1:
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    page = Image.new("RGB", (picture.width, picture.height + _MARGIN))
    page.paste(picture, (0, 0))
    panel = Box(0, 0, picture.width, picture.height)
    for hidden in (True, False):
        strokes = HaloedLines(panel)
        for mark in marks:
            if (mark.intent is RenderingIntent.NOT) is hidden:
                strokes.add_line(_line(mark, scale), _LINE_PX)
        if strokes.lines:
            strokes.paint(page, _FAINT) if hidden else strokes.paint(page)
    _add_numbers(page, marks, scale, panel)
    numbers = len({mark.number for mark in marks})
    said = f"{numbers} marked item{'' if numbers == 1 else 's'}"
    draw_text(page, (12, page.height - 14), said + " - NOT FOR DIAGNOSIS", 20)
    return page


def _line(mark: ReportMark, scale: float) -> list[tuple[float, float]]:
    points = [(point.col * scale, point.row * scale) for point in mark.points]
    if mark.graphic == "CIRCLE" and len(points) == 2:
        return _circle(points[0], float(np.hypot(*np.subtract(points[1], points[0]))))
    if mark.graphic == "ELLIPSE" and len(points) == 4:
        return _ellipse(points)
    return _circle(points[0], _DOT_PX) if len(points) == 1 else points


def _circle(center: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, 49)
    return [(center[0] + radius * np.cos(a), center[1] + radius * np.sin(a)) for a in angles]


def _ellipse(ends: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the ellipse of the end points of its long and of its short axis (PS3.3 C.18.6)."""
    long_, short = (np.subtract(ends[i + 1], ends[i]) / 2 for i in (0, 2))
    center = np.add(ends[0], ends[1]) / 2
    turns = [center + np.cos(a) * long_ + np.sin(a) * short for a in np.linspace(0, 2 * np.pi, 73)]
    return [(float(x), float(y)) for x, y in turns]


def _add_numbers(page: Image.Image, marks: Sequence[ReportMark], scale: float, panel: Box) -> None:
    """Number each item beside all of its graphics."""
    points: dict[int, list[tuple[float, float]]] = {}
    for mark in marks:
        points.setdefault(mark.number, []).extend(_line(mark, scale))
    boxes = {number: find_bounds(several) for number, several in points.items()}
    taken = list(boxes.values())
    for number, box in boxes.items():
        size = measure_badge(str(number), _NUMBER_SIZE)
        label = place_label(page, box, size, panel, [one for one in taken if one is not box])
        draw_badge(page, label, str(number), _NUMBER_SIZE)
        taken.append(label)
