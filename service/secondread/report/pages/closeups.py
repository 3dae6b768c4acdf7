"""Close-ups of a place, alone or beside the prior: a millimetre is equally long in both."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from PIL import Image

from secondread.geometry import Outline, bounding_box
from secondread.report.pages.breast_panel import DrawnImage, find_drawing_spacing
from secondread.report.pages.cards import STRIP, DrawPicture
from secondread.report.pages.compared_marks import ComparedFinding
from secondread.report.pages.display_array import spread_greys
from secondread.report.pages.drawing import (
    LEAST_TEXT,
    MUTED,
    Box,
    Color,
    draw_edge,
    draw_scale_bar,
    draw_text,
    wrap_text,
)
from secondread.report.pages.outlines import IN_CLOSE_UP, Panel, Placement, draw_outline

MIN_WIDTH_MM = 16.0
"""A close-up shows at least this much tissue across."""

_ROOM = 1.5  # a cluster takes at most two thirds of its close-up


@dataclass(frozen=True, slots=True)
class _Place:
    """One place in one exam."""

    picture: DrawnImage
    outlines: tuple[Outline, ...]
    """Around the finding in its parts, or around where it would be; empty where the image does not
    show it."""


def make_close_ups(
    entries: Sequence[ComparedFinding], current: DrawnImage, prior: DrawnImage | None = None
) -> tuple[DrawPicture, ...]:
    """Return what draws a finding in the prior, where there is one, and in the current exam.

    Parameters
    ----------
    entries
        The finding, or its parts.
    current, prior
        The images of the view; a caption stands below its close-up, else the scale does.
    """
    outlines = [outline for entry in entries for outline in entry.in_current.outlines if outline]
    places = [_Place(current, tuple(outlines))]
    if prior is not None:
        # Parts of what was one finding have the same outline there.
        of_prior = dict.fromkeys(outline for entry in entries for outline in entry.prior)
        places.insert(0, _Place(prior, tuple(of_prior)))
    width_mm = max(MIN_WIDTH_MM, *map(_needed_mm, places))
    color = entries[0].color
    return tuple(partial(_draw, place=place, width_mm=width_mm, color=color) for place in places)


def _needed_mm(place: _Place) -> float:
    """Return how much tissue a picture shows across, to have all outlines in it."""
    if not place.outlines:
        return 0.0
    spacing = find_drawing_spacing(place.picture.image)
    first, last = bounding_box([point for outline in place.outlines for point in outline])
    wide = (last.col - first.col) * spacing.between_columns
    high = (last.row - first.row) * spacing.between_rows
    return _ROOM * max(wide, high)


def _draw(page: Image.Image, box: Box, *, place: _Place, width_mm: float, color: Color) -> None:
    """Draw a square picture at the top of a box, and its scale and caption below."""
    picture, size = place.picture, round(box.width)
    frame = Box(round(box.left), round(box.top), round(box.left) + size, round(box.top) + size)
    strip = frame.bottom + STRIP / 2
    draw_text(page, (frame.right, strip), picture.caption, LEAST_TEXT, MUTED, "rm")
    if not place.outlines:
        lines = wrap_text("not shown in this image", LEAST_TEXT, size - 16)
        middle = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
        for index, line in enumerate(lines):
            y = middle[1] + 28 * (index - (len(lines) - 1) / 2)
            draw_text(page, (middle[0], y), line, LEAST_TEXT, MUTED, "mm")
        draw_edge(page, frame)
        return
    spacing = find_drawing_spacing(picture.image)
    first, last = bounding_box([point for outline in place.outlines for point in outline])
    # Columns and rows of the image for one pixel of the page.
    step = width_mm / size
    across, down = step / spacing.between_columns, step / spacing.between_rows
    left = (first.col + last.col) / 2 - across * size / 2
    top = (first.row + last.row) / 2 - down * size / 2
    # From pixels of the page to those of the image. Both are counted from their centers here,
    # and `left` and `top` from the corner of the first pixel: half a pixel of each in between.
    matrix = np.array(
        [[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]],
    )
    part = cv2.warpAffine(
        np.ascontiguousarray(picture.display),
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    x, y = round(frame.left), round(frame.top)
    page.paste(Image.fromarray(spread_greys(np.asarray(part, np.uint8))).convert("RGB"), (x, y))
    placement = Placement(x - left / across, y - top / down, 1 / across)
    for outline in place.outlines:
        draw_outline(page, Panel(frame, placement), outline, IN_CLOSE_UP, color)
    draw_edge(page, frame)
    if picture.image.mammogram.spacing is not None and not picture.caption:
        draw_scale_bar(page, (frame.left, strip), size / width_mm, size * 0.3)
