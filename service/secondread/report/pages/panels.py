"""The pictures of a capture: a whole view with its outlines, and insets at stored resolution."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from secondread.findings.finding import Finding
from secondread.geometry import Outline, PointPx, SpacingMm, bounding_box, padded_hull
from secondread.report.pages.drawing import (
    MARK,
    MUTED,
    PANEL_EDGE,
    Box,
    HaloedLines,
    draw_badge,
    draw_scale_bar,
    draw_text,
    find_bounds,
    find_leader,
    measure_badge,
    place_label,
)

DisplayArray = npt.NDArray[np.uint8]
"""An image as it is looked at: (rows, columns), calcifications white, 0 black, unflipped."""

CAPTION_HEIGHT = 40
"""Height of the strip below a picture, for number and scale bar; nothing is written on tissue."""

_LARGEST_ZOOM = 4
# How much of its surroundings an inset shows: the cluster takes at most this share of it.
_CLUSTER_SHARE = 0.62
# More gain would show noise rather than calcifications.
_LARGEST_GAIN = 1.8
_BADGE_TEXT = 22


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the stored image lies on the page, and at which scale."""

    x: float
    """Column of the page at which the image's first column begins."""
    y: float
    scale: float
    """Columns of the page for one column of the image."""
    stretch: float = 1.0
    """Rows of the page for one row of the image, in units of `scale`."""
    across: int = 1
    """1, or -1 where the picture is mirrored."""
    down: int = 1
    """1, or -1 where the picture is upside down."""

    def __call__(self, point: PointPx) -> tuple[float, float]:
        """Return where a point of the image is on the page."""
        return (
            self.x + self.across * point.col * self.scale,
            self.y + self.down * point.row * self.scale * self.stretch,
        )

    def place_outline(self, outline: Outline, margin: float) -> list[tuple[float, float]]:
        """Return an outline on the page, moved outward by `margin` pixels of the page.

        A line drawn there does not touch what the outline encloses.
        """
        pixels = SpacingMm(self.stretch, 1.0)
        return [self(p) for p in padded_hull(outline[:-1], pixels, margin / self.scale)]


def draw_view(
    page: Image.Image,
    box: Box,
    display: DisplayArray,
    findings: Sequence[Finding],
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
    findings
        What is outlined.
    spacing
        Of the stored image, at the detector plane; None leaves out the scale bar.

    Returns
    -------
    Box
        Where the view is, at the left of its place.
    """
    rows, columns = display.shape
    room = Box(box.left, box.top, box.right, box.bottom - CAPTION_HEIGHT)
    scale = min(room.width / columns, room.height / rows)
    size = (max(int(columns * scale), 1), max(int(rows * scale), 1))
    left, top = round(room.left), round(room.top)
    small = Image.fromarray(np.ascontiguousarray(display)).resize(
        size, Image.Resampling.LANCZOS, reducing_gap=3.0
    )
    page.paste(small.convert("RGB"), (left, top))
    frame = Box(left, top, left + size[0], top + size[1])
    _edge(page, frame)
    _number_findings(page, frame, Placement(left, top, scale), findings)
    if spacing is not None:
        strip = (frame.left, frame.bottom + CAPTION_HEIGHT / 2)
        draw_scale_bar(page, strip, scale / spacing.between_columns, frame.width * 0.35)
    return frame


def _number_findings(
    page: Image.Image, frame: Box, placement: Placement, findings: Sequence[Finding]
) -> None:
    outlines = [placement.place_outline(finding.outline, 7) for finding in findings]
    targets = [find_bounds(outline) for outline in outlines]
    labels: list[Box] = []
    strokes = HaloedLines(frame)
    for index, (finding, outline) in enumerate(zip(findings, outlines, strict=True)):
        others = [*targets[:index], *targets[index + 1 :], *labels]
        size = measure_badge(finding.number, _BADGE_TEXT)
        labels.append(place_label(page, targets[index], size, frame, others))
        strokes.add_line(outline, 1.6)
        strokes.add_line(find_leader(labels[-1], outline), 1.3)
    strokes.paint(page, MARK)
    for finding, label in zip(findings, labels, strict=True):
        draw_badge(page, label, finding.number, _BADGE_TEXT)


def draw_inset(
    page: Image.Image,
    box: Box,
    display: DisplayArray,
    finding: Finding,
    spacing: SpacingMm | None,
    name: str = "",
) -> None:
    """Draw a finding and its surroundings: every stored pixel, at 1:1 or an integer zoom.

    The grey scale is stretched to what the inset holds, since a capture cannot be windowed. It
    is labelled with a name, by default the finding's number.
    """
    room = Box(box.left, box.top, box.right, box.bottom - CAPTION_HEIGHT)
    zoom, complete = _zoom(finding.outline, room)
    width, height = int(room.width) // zoom, int(room.height) // zoom
    left, top = _corner(display, finding, width, height)
    crop = Image.fromarray(stretch_contrast(_cropped(display, top, left, height, width)))
    size = (width * zoom, height * zoom)
    x, y = round(room.left), round(room.top)
    page.paste(crop.resize(size, Image.Resampling.BICUBIC).convert("RGB"), (x, y))
    frame = Box(x, y, x + size[0], y + size[1])
    strokes = HaloedLines(frame)
    strokes.add_line(
        Placement(x - left * zoom, y - top * zoom, zoom).place_outline(finding.outline, 9), 1.6
    )
    strokes.paint(page, MARK)
    _edge(page, frame)
    _caption(page, frame, name or finding.number, zoom, spacing)
    magnified = f"{zoom}:1" if complete else f"{zoom}:1, a part"
    draw_text(page, (frame.right, frame.bottom + CAPTION_HEIGHT / 2), magnified, 20, MUTED, "rm")


def _caption(
    page: Image.Image, frame: Box, number: str, zoom: int, spacing: SpacingMm | None
) -> None:
    middle = frame.bottom + CAPTION_HEIGHT / 2
    width, height = measure_badge(number, 20)
    label = Box(frame.left, middle - height / 2, frame.left + width, middle + height / 2)
    draw_badge(page, label, number, 20)
    if spacing is not None:
        bar = (label.right + 18, middle)
        draw_scale_bar(page, bar, zoom / spacing.between_columns, frame.width * 0.38)


def _zoom(outline: Outline, room: Box) -> tuple[int, bool]:
    """Return the zoom for an outline, and whether the room then holds all of it."""
    first, last = bounding_box(outline)
    fits = min(
        room.width / max(last.col - first.col, 1), room.height / max(last.row - first.row, 1)
    )
    return min(max(int(fits * _CLUSTER_SHARE), 1), _LARGEST_ZOOM), fits >= 1


def _corner(display: DisplayArray, finding: Finding, width: int, height: int) -> tuple[int, int]:
    """Return column and row of the crop's corner: centred, moved into the image if it fits."""
    first, last = bounding_box(finding.outline)
    rows, columns = display.shape
    left = round((first.col + last.col - width) / 2)
    top = round((first.row + last.row - height) / 2)
    return (
        min(max(left, 0), max(columns - width, 0)),
        min(max(top, 0), max(rows - height, 0)),
    )


def _cropped(display: DisplayArray, top: int, left: int, height: int, width: int) -> DisplayArray:
    """Return a part of the image, black where it reaches beyond."""
    part = display[top : top + height, left : left + width]
    return np.pad(part, ((0, height - part.shape[0]), (0, width - part.shape[1])))


def stretch_contrast(part: DisplayArray) -> DisplayArray:
    """Return the part with its greys spread over the scale, at most `_LARGEST_GAIN` times."""
    low, high = np.percentile(part, (0.5, 99.9))
    gain = float(np.clip(255 / max(high - low, 1), 1, _LARGEST_GAIN))
    # In the middle of the scale, but its darkest never brighter than before: black stays black.
    darkest = min(max((255 - (high - low) * gain) / 2, 0), low)
    spread = np.clip(np.rint((part - low) * gain + darkest), 0, 255)
    greys: DisplayArray = spread.astype(np.uint8)
    return greys


def _edge(page: Image.Image, frame: Box) -> None:
    corners = (frame.left - 1, frame.top - 1, frame.right, frame.bottom)
    ImageDraw.Draw(page).rectangle(corners, outline=PANEL_EDGE)
