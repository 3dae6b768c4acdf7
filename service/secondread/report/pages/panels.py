"""The pictures of a capture: a whole view with its outlines, and insets at stored resolution."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from secondread.findings.finding import Finding
from secondread.geometry import Outline, SpacingMm, bounding_box
from secondread.report.pages.cards import STRIP
from secondread.report.pages.display_array import DisplayArray, cut_out, stretch_contrast
from secondread.report.pages.drawing import (
    LEAST_TEXT,
    MUTED,
    Box,
    Color,
    draw_edge,
    draw_scale_bar,
    draw_text,
)
from secondread.report.pages.outlines import (
    IN_INSET,
    NumberedOutline,
    Panel,
    Placement,
    draw_numbered_outlines,
    draw_outline,
)

_MAX_ZOOM = 4
_CLUSTER_SHARE = 0.62  # of an inset, that the cluster takes at most


def draw_view(
    page: Image.Image,
    box: Box,
    display: DisplayArray,
    marks: Sequence[NumberedOutline],
    spacing: SpacingMm | None,
) -> Box:
    """Draw a whole view with a thin outline and a number for each finding.

    Parameters
    ----------
    page
        Where to draw.
    box
        The place for it, with the caption strip.
    display
        The image.
    marks
        What is outlined, with number and colour.
    spacing
        Of the stored image, at the detector plane; None leaves out the scale bar.

    Returns
    -------
    Box
        Where the view is, at the left of its place.
    """
    rows, columns = display.shape
    room = Box(box.left, box.top, box.right, box.bottom - STRIP)
    scale = min(room.width / columns, room.height / rows)
    size = (max(int(columns * scale), 1), max(int(rows * scale), 1))
    left, top = round(room.left), round(room.top)
    small = Image.fromarray(np.ascontiguousarray(display)).resize(
        size, Image.Resampling.LANCZOS, reducing_gap=3.0
    )
    page.paste(small.convert("RGB"), (left, top))
    frame = Box(left, top, left + size[0], top + size[1])
    draw_edge(page, frame)
    draw_numbered_outlines(page, Panel(frame, Placement(left, top, scale)), marks)
    if spacing is not None:
        strip = (frame.left, frame.bottom + STRIP / 2)
        draw_scale_bar(page, strip, scale / spacing.between_columns, frame.width * 0.35)
    return frame


def draw_inset(
    page: Image.Image,
    box: Box,
    *,
    display: DisplayArray,
    finding: Finding,
    spacing: SpacingMm | None,
    color: Color,
) -> None:
    """Draw a finding and its surroundings: every stored pixel, at 1:1 or an integer zoom.

    The grey scale is stretched to what the inset holds, since a capture cannot be windowed. Scale
    and zoom stand below.
    """
    room = Box(box.left, box.top, box.right, box.bottom - STRIP)
    zoom, is_complete = _choose_zoom(finding.outline, room)
    width, height = int(room.width) // zoom, int(room.height) // zoom
    left, top = _choose_corner(display, finding, width, height)
    crop = Image.fromarray(stretch_contrast(cut_out(display, left, top, width, height)))
    size = (width * zoom, height * zoom)
    x, y = round(room.left), round(room.top)
    page.paste(crop.resize(size, Image.Resampling.BICUBIC).convert("RGB"), (x, y))
    frame = Box(x, y, x + size[0], y + size[1])
    panel = Panel(frame, Placement(x - left * zoom, y - top * zoom, zoom))
    draw_outline(page, panel, finding.outline, IN_INSET, color)
    draw_edge(page, frame)
    middle = frame.bottom + STRIP / 2
    if spacing is not None:
        bar = (frame.left, middle)
        draw_scale_bar(page, bar, zoom / spacing.between_columns, frame.width * 0.3)
    magnification = f"{zoom}:1" if is_complete else f"{zoom}:1, a part"
    draw_text(page, (frame.right, middle), magnification, LEAST_TEXT, MUTED, "rm")


def _choose_zoom(outline: Outline, room: Box) -> tuple[int, bool]:
    """Return the zoom for an outline, and whether the room then holds all of it."""
    first, last = bounding_box(outline)
    largest = min(
        room.width / max(last.col - first.col, 1), room.height / max(last.row - first.row, 1)
    )
    return min(max(int(largest * _CLUSTER_SHARE), 1), _MAX_ZOOM), largest >= 1


def _choose_corner(
    display: DisplayArray, finding: Finding, width: int, height: int
) -> tuple[int, int]:
    """Return column and row of the crop's corner: centred, moved into the image if it fits."""
    first, last = bounding_box(finding.outline)
    rows, columns = display.shape
    left = round((first.col + last.col - width) / 2)
    top = round((first.row + last.row - height) / 2)
    return (
        min(max(left, 0), max(columns - width, 0)),
        min(max(top, 0), max(rows - height, 0)),
    )
