"""Numbers of findings on pages: their badges, where they go, and the line to the outline."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageStat

from secondread.report.pages.drawing import (
    BACKGROUND,
    MARK,
    OVERSAMPLING,
    Box,
    Color,
    draw_text,
    measure_text,
)


def measure_badge(number: str, size: int) -> tuple[float, float]:
    """Return width and height of the badge with a finding's number."""
    height = size * 1.35
    return max(measure_text(number, size) + size * 0.7, height), height


def place_badge(left: float, middle: float, number: str, size: int) -> Box:
    """Return the box of a badge that begins at a column and has its middle in a row."""
    width, height = measure_badge(number, size)
    return Box(left, middle - height / 2, left + width, middle + height / 2)


def draw_badge(page: Image.Image, box: Box, number: str, size: int, color: Color = MARK) -> None:
    """Draw a finding's number in its box, in the colour of its outline."""
    scale = OVERSAMPLING
    width, height = round(box.width), round(box.height)
    tile = Image.new("RGB", (width * scale, height * scale), color)
    mask = Image.new("L", tile.size)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, tile.width - 1, tile.height - 1), radius=5 * scale, fill=255
    )
    corner = (round(box.left), round(box.top))
    page.paste(tile.reduce(scale), corner, mask.reduce(scale))
    middle = (corner[0] + width / 2, corner[1] + height / 2)
    draw_text(page, middle, number, size, BACKGROUND, anchor="mm")


def place_label(
    page: Image.Image,
    target: Box,
    size: tuple[float, float],
    panel: Box,
    occupied: Sequence[Box],
) -> Box:
    """Return where a label goes: outside its target and near it, on nothing else if there is room.

    Parameters
    ----------
    page
        What is drawn so far: dark places are preferred, so that labels stay off the tissue.
    target
        Bounding box of what is labelled.
    size
        Width and height of the label.
    panel
        The label stays inside.
    occupied
        Boxes to keep off: other targets and labels already placed.
    """
    places = [
        (distance, place)
        for distance in (22, 40, 64, 96, 140)
        for step in range(16)
        if panel.contains(place := _put_beside(target, size, distance, step * math.pi / 8))
    ]
    if not places:
        return _push_into(_put_beside(target, size, 22, 0.0), panel)
    blocked = (target, *occupied)

    def cost(candidate: tuple[int, Box]) -> float:
        # In pixels: what is covered counts ten times, and a leader of 100 as much as white
        # tissue under half of the label.
        distance, place = candidate
        covered = sum(place.expand(4).shared_area(box) for box in blocked)
        return 10 * covered + _brightness(page, place) * size[0] * size[1] + 4 * distance

    return min(places, key=cost)[1]


def _brightness(page: Image.Image, box: Box) -> float:
    part = page.crop((int(box.left), int(box.top), int(box.right), int(box.bottom)))
    return ImageStat.Stat(part.convert("L")).mean[0] / 255


def _put_beside(target: Box, size: tuple[float, float], distance: float, angle: float) -> Box:
    """Return a box at a distance from its target, in a direction counted from the right."""
    width, height = size
    x = (target.left + target.right) / 2
    y = (target.top + target.bottom) / 2
    x += math.cos(angle) * (target.width / 2 + distance + width / 2)
    y -= math.sin(angle) * (target.height / 2 + distance + height / 2)
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _push_into(box: Box, panel: Box) -> Box:
    dx = max(panel.left - box.left, 0) + min(panel.right - box.right, 0)
    dy = max(panel.top - box.top, 0) + min(panel.bottom - box.bottom, 0)
    return Box(box.left + dx, box.top + dy, box.right + dx, box.bottom + dy)


def find_leader(
    label: Box, outline: Sequence[tuple[float, float]]
) -> tuple[tuple[float, float], ...]:
    """Return the shortest straight line from a label to an outline's nearest vertex."""
    vertex = min(outline, key=lambda point: math.dist(point, _find_nearest(label, point)))
    return (_find_nearest(label, vertex), vertex)


def _find_nearest(box: Box, point: tuple[float, float]) -> tuple[float, float]:
    x, y = point
    return (min(max(x, box.left), box.right), min(max(y, box.top), box.bottom))
