"""Pictures of whole breasts at a common scale, as they are stored or hung as people hang them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from secondread.codes import Laterality
from secondread.findings.finding import ImageReading
from secondread.geometry import SpacingMm
from secondread.report.pages.display_array import DisplayArray
from secondread.report.pages.drawing import TEXT, Box, draw_edge, draw_scale_bar, draw_text
from secondread.report.pages.outlines import Panel, Placement

CAPTION_ROOM = 44
"""Height of the strip above a picture."""

_AIR_MM = 14.0  # in front of the breast: room for the numbers
_TYPICAL = SpacingMm(0.1, 0.1)


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """One image of a view, as it is drawn."""

    image: ImageReading
    display: DisplayArray
    caption: str = ""
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
    is_right = mammogram.laterality is Laterality.RIGHT
    if mammogram.orientation is None:
        side = "right" if is_right else "left"
        return Flips(mirrored=breast is not None and breast.chest_wall_side != side)
    along_rows, along_columns = mammogram.orientation
    # Letters of the directions in which columns and rows grow. Hung, the right breast's anterior
    # end is at the left; down is medial in cranio-caudal views and the feet in all others.
    is_cc = mammogram.view is not None and mammogram.view.is_cc_like
    up = ("R" if is_right else "L") if is_cc else "H"
    return Flips(along_rows[0] == ("A" if is_right else "P"), along_columns[0] == up)


def find_drawing_spacing(image: ImageReading) -> SpacingMm:
    """Return the pixel spacing that an image is drawn with; a typical one where it has none."""
    return image.mammogram.spacing or _TYPICAL


def _find_part(picture: DrawnImage) -> tuple[int, int, int, int]:
    """Return the part of an image that is drawn: first row, end row, first column, end column."""
    rows, columns = picture.display.shape
    breast, spacing = picture.image.breast, find_drawing_spacing(picture.image)
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


def _measure_part(picture: DrawnImage) -> tuple[float, float]:
    """Return width and height in millimetres of the part of an image that is drawn."""
    top, bottom, left, right = _find_part(picture)
    spacing = find_drawing_spacing(picture.image)
    return (right - left) * spacing.between_columns, (bottom - top) * spacing.between_rows


def choose_scale(picture: DrawnImage, box: Box) -> float:
    """Return the largest scale at which an image fits a place, in pixels of the page per mm."""
    width_mm, height_mm = _measure_part(picture)
    return min(box.width / width_mm, (box.height - CAPTION_ROOM) / height_mm)


def measure_breast(picture: DrawnImage, per_mm: float) -> tuple[int, int]:
    """Return width and height of an image's picture on the page."""
    width_mm, height_mm = _measure_part(picture)
    return max(int(width_mm * per_mm), 1), max(int(height_mm * per_mm), 1)


def draw_breast(
    page: Image.Image,
    corner: tuple[int, int],
    picture: DrawnImage,
    per_mm: float,
    flips: Flips = AS_STORED,
) -> Panel:
    """Draw an image with its upper left corner at a place of the page."""
    top, bottom, left, right = _find_part(picture)
    width, height = size = measure_breast(picture, per_mm)
    part = np.ascontiguousarray(picture.display[top:bottom, left:right])
    small = Image.fromarray(part).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if flips.mirrored:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if flips.upside_down:
        small = small.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    page.paste(small.convert("RGB"), corner)
    frame = Box(corner[0], corner[1], corner[0] + width, corner[1] + height)
    draw_edge(page, frame)
    scale, row_scale = width / (right - left), height / (bottom - top)
    across, down = (-1 if flipped else 1 for flipped in (flips.mirrored, flips.upside_down))
    # The image's first column and row are off the picture by the part that is left out, at the
    # side from which the picture counts them.
    placement = Placement(
        (frame.right if flips.mirrored else frame.left) - across * left * scale,
        (frame.bottom if flips.upside_down else frame.top) - down * top * row_scale,
        scale,
        row_scale / scale,
        across,
        down,
    )
    return Panel(frame, placement)


def draw_captioned_breast(page: Image.Image, box: Box, picture: DrawnImage, per_mm: float) -> Panel:
    """Draw an image as it is stored in the middle of a place, with caption and scale above it."""
    width, _ = measure_breast(picture, per_mm)
    corner = (round(box.left + (box.width - width) / 2), round(box.top) + CAPTION_ROOM)
    panel = draw_breast(page, corner, picture, per_mm)
    left, middle = panel.frame.left, panel.frame.top - CAPTION_ROOM / 2
    bar = box.right - 180
    draw_text(page, (left, middle), picture.caption, 24, TEXT, "lm", width=bar - 16 - left)
    draw_scale_bar(page, (bar, middle), per_mm, 100)
    return panel
