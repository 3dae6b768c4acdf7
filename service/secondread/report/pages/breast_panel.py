"""Pictures of whole breasts at a common scale, as they are stored or hung as people hang them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from secondread.codes import Laterality
from secondread.findings.finding import ImageReading
from secondread.geometry import SpacingMm
from secondread.report.pages.drawing import (
    PANEL_EDGE,
    TEXT,
    Box,
    draw_scale_bar,
    draw_text,
    shorten_text,
)
from secondread.report.pages.panels import DisplayArray, Placement

CAPTION_ROOM = 44
"""Height of the strip above a picture."""

_AIR_MM = 14.0  # in front of the breast: room for the numbers
_USUAL = SpacingMm(0.1, 0.1)


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """One image of a view, as it is drawn."""

    image: ImageReading
    display: DisplayArray
    caption: str
    """Which exam it is, for people."""


@dataclass(frozen=True, slots=True)
class Flips:
    """What is done to a stored image to hang it."""

    mirrored: bool = False
    upside_down: bool = False


AS_STORED = Flips()


def choose_flips(image: ImageReading) -> Flips:
    """Return how an image is turned: chest walls back to back, the right breast at the left.

    In cranio-caudal views the lateral side is up, in all others the head. Where Patient
    Orientation (0020,0020) is not given, the chest wall is taken from the pixels, and nothing is
    known of up and down.
    """
    mammogram, breast = image.mammogram, image.breast
    right = mammogram.laterality is Laterality.RIGHT
    if mammogram.orientation is None:
        side = "right" if right else "left"
        return Flips(mirrored=breast is not None and breast.chest_wall_side != side)
    along_rows, along_columns = mammogram.orientation
    lateral, medial = ("R", "L") if right else ("L", "R")
    if mammogram.view is not None and mammogram.view.is_cc_like:
        upside_down = (
            along_columns[0] == lateral if along_columns[0] in {lateral, medial} else False
        )
    else:
        upside_down = along_columns[0] == "H"
    return Flips(along_rows[0] == ("A" if right else "P"), upside_down)


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture on a page."""

    frame: Box
    placement: Placement


def find_drawing_spacing(image: ImageReading) -> SpacingMm:
    """Return the pixel spacing that an image is drawn with; a usual one where it has none."""
    return image.mammogram.spacing or _USUAL


def cut_of(shown: DrawnImage) -> tuple[int, int, int, int]:
    """Return what is drawn: first row, row after the last, the same of columns."""
    rows, columns = shown.display.shape
    breast, spacing = shown.image.breast, find_drawing_spacing(shown.image)
    if breast is None:
        return 0, rows, 0, columns
    top, bottom, left, right = breast.box
    down, across = (round(_AIR_MM / p) for p in (spacing.between_rows, spacing.between_columns))
    return (
        max(top - down, 0),
        min(bottom + down, rows),
        max(left - across, 0),
        min(right + across, columns),
    )


def choose_scale(shown: DrawnImage, box: Box) -> float:
    """Return the largest scale at which an image fits a place."""
    top, bottom, left, right = cut_of(shown)
    spacing = find_drawing_spacing(shown.image)
    return min(
        box.width / ((right - left) * spacing.between_columns),
        (box.height - CAPTION_ROOM) / ((bottom - top) * spacing.between_rows),
    )


def draw_breast(
    page: Image.Image,
    corner: tuple[int, int],
    shown: DrawnImage,
    per_mm: float,
    hanging: Flips = AS_STORED,
) -> Panel:
    """Draw an image with its upper left corner at a place of the page."""
    top, bottom, left, right = cut_of(shown)
    width, height = size = measure_breast(shown, per_mm)
    part = np.ascontiguousarray(shown.display[top:bottom, left:right])
    small = Image.fromarray(part).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if hanging.mirrored:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if hanging.upside_down:
        small = small.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    page.paste(small.convert("RGB"), corner)
    frame = Box(corner[0], corner[1], corner[0] + width, corner[1] + height)
    edge = (frame.left - 1, frame.top - 1, frame.right, frame.bottom)
    ImageDraw.Draw(page).rectangle(edge, outline=PANEL_EDGE)
    scale, row_scale = width / (right - left), height / (bottom - top)
    across, down = (-1 if turned else 1 for turned in (hanging.mirrored, hanging.upside_down))
    placement = Placement(
        (frame.right if hanging.mirrored else frame.left) - across * left * scale,
        (frame.bottom if hanging.upside_down else frame.top) - down * top * row_scale,
        scale,
        row_scale / scale,
        across,
        down,
    )
    return Panel(frame, placement)


def measure_breast(shown: DrawnImage, per_mm: float) -> tuple[int, int]:
    """Return width and height of an image's picture on the page."""
    top, bottom, left, right = cut_of(shown)
    spacing = find_drawing_spacing(shown.image)
    return (
        max(int((right - left) * spacing.between_columns * per_mm), 1),
        max(int((bottom - top) * spacing.between_rows * per_mm), 1),
    )


def draw_captioned_breast(page: Image.Image, box: Box, shown: DrawnImage, per_mm: float) -> Panel:
    """Draw an image as it is stored in the middle of a place, with caption and scale above it."""
    width, _ = measure_breast(shown, per_mm)
    corner = (round(box.left + (box.width - width) / 2), round(box.top) + CAPTION_ROOM)
    panel = draw_breast(page, corner, shown, per_mm)
    middle = panel.frame.top - CAPTION_ROOM / 2
    bar = box.right - 180
    caption = shorten_text(shown.caption, 24, bar - 16 - panel.frame.left)
    draw_text(page, (panel.frame.left, middle), caption, 24, TEXT, "lm")
    draw_scale_bar(page, (bar, middle), per_mm, 100)
    return panel
