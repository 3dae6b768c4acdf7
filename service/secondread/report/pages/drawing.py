"""Drawing on pages: text that fits, antialiased lines, scale bars.

Everything is measured in pixels of the page. Pillow's built-in scalable font is used, so that a
capture looks the same wherever it is made.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]

BACKGROUND: Color = (10, 12, 14)
PANEL_EDGE: Color = (52, 58, 66)
TEXT: Color = (232, 236, 240)
MUTED: Color = (150, 160, 170)
WARNING: Color = (255, 182, 72)
MARK: Color = (96, 214, 255)
HALO: Color = (0, 0, 0)

LEAST_TEXT = 22
"""Height of the smallest text: 11 pixels where a workstation shows the page at half its size."""

_TIE = "\N{WORD JOINER}"
_TIED_SPACE = re.compile(r"(?<=\d) (?=(?:mm|faint)\b|%)|(?<=certainty|suspicion) (?=\d)")
"""A number stays in one line with its unit or its name."""

OVERSAMPLING = 3
"""Lines and badges are drawn so many times as large, and reduced: Pillow does not antialias."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the page; right and bottom are the first column and row outside it."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Rows."""
        return self.bottom - self.top

    def expand(self, by: float) -> "Box":
        """Return the box with a margin around it."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def contains(self, other: "Box") -> bool:
        """Whether the other box is inside this one."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def shared_area(self, other: "Box") -> float:
        """Return the area that both share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0) * max(height, 0)


@cache
def load_font(size: int) -> ImageFont.FreeTypeFont:
    """Return the built-in font at a size.

    Raises
    ------
    TypeError
        Pillow was built without FreeType and has only its bitmap font.
    """
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise TypeError("Pillow lacks FreeType, which captures need for legible text")
    return loaded


@lru_cache(maxsize=1 << 14)
def measure_text(text: str, size: int) -> float:
    """Return how many columns a line of text takes."""
    return load_font(size).getlength(text)


def shorten_text(text: str, size: int, width: float) -> str:
    """Return the text, shortened with three dots where it is wider than `width`."""
    if measure_text(text, size) <= width:
        return text
    # How many characters fit beside the dots; widths only grow with the text.
    fitting = bisect_right(
        range(1, len(text)), width, key=lambda end: measure_text(text[:end] + "...", size)
    )
    return text[:fitting].rstrip(" ,;") + "..."


def wrap_text(text: str, size: int, width: float, most: int | None = None) -> list[str]:
    """Break a text into lines of at most `width`; with `most`, the last of them is shortened."""
    lines: list[str] = []
    words = [word.replace(_TIE, " ") for word in _TIED_SPACE.sub(_TIE, text).split()]
    while words and (most is None or len(lines) < most - 1):
        number = 1
        while number < len(words) and measure_text(" ".join(words[: number + 1]), size) <= width:
            number += 1
        lines.append(shorten_text(" ".join(words[:number]), size, width))
        words = words[number:]
    if words:
        lines.append(shorten_text(" ".join(words), size, width))
    return lines


def draw_text(
    page: Image.Image,
    position: tuple[float, float],
    text: str,
    size: int,
    color: Color = TEXT,
    anchor: str = "ls",
    width: float = math.inf,
) -> None:
    """Write one line, shortened where it is wider than `width`.

    `anchor` names the point of the line that `position` is, in Pillow's letters.
    """
    line = shorten_text(text, size, width)
    ImageDraw.Draw(page).text(position, line, fill=color, font=load_font(size), anchor=anchor)


@dataclass(slots=True)
class HaloedLines:
    """Lines that are drawn together, antialiased, with a dark halo against bright tissue."""

    area: Box
    """What of the page they may touch."""
    lines: list[tuple[tuple[tuple[float, float], ...], float]] = field(default_factory=list)

    def add_line(self, points: Iterable[tuple[float, float]], width: float) -> None:
        """Add a line through the points, (x, y) of the page."""
        self.lines.append((tuple(points), width))

    def paint(self, page: Image.Image, color: Color = MARK) -> None:
        """Draw the lines onto the page."""
        corner = (round(self.area.left), round(self.area.top))
        for extra, strength, paint in ((2.5, 0.55, HALO), (0.0, 1.0, color)):
            mask = self._mask(extra).point(lambda value, s=strength: int(value * s))
            page.paste(paint, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)

    def _mask(self, extra: float) -> Image.Image:
        factor = OVERSAMPLING
        size = (math.ceil(self.area.width) * factor, math.ceil(self.area.height) * factor)
        mask = Image.new("L", size)
        draw = ImageDraw.Draw(mask)
        for points, width in self.lines:
            scaled = [
                ((x - self.area.left) * factor, (y - self.area.top) * factor) for x, y in points
            ]
            draw.line(scaled, fill=255, width=round((width + extra) * factor), joint="curve")
        return mask.reduce(factor)


def draw_edge(page: Image.Image, frame: Box) -> None:
    """Draw a line around a picture."""
    corners = (frame.left - 1, frame.top - 1, frame.right, frame.bottom)
    ImageDraw.Draw(page).rectangle(corners, outline=PANEL_EDGE)


def choose_bar_length(longest_mm: float) -> float:
    """Return the longest of 1, 2, 5, 10, ... mm that is not longer than `longest_mm`.

    >>> choose_bar_length(7.3), choose_bar_length(0.4)
    (5.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(longest_mm))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= longest_mm * 1.0001)


def draw_scale_bar(
    page: Image.Image, position: tuple[float, float], pixels_per_mm: float, longest: float
) -> None:
    """Draw a bar of a round length in mm, with the length beside it.

    Parameters
    ----------
    page
        Where to draw.
    position
        Left end of the bar, on the page.
    pixels_per_mm
        Columns of the page for one mm at the detector plane.
    longest
        The bar takes at most this many columns.
    """
    length_mm = choose_bar_length(longest / pixels_per_mm)
    x, y = position
    right = x + length_mm * pixels_per_mm
    draw = ImageDraw.Draw(page)
    draw.rectangle((round(x), y - 1, round(right), y + 1), fill=TEXT)
    for end in (round(x), round(right)):
        draw.rectangle((end - 1, y - 6, end + 1, y + 6), fill=TEXT)
    draw_text(page, (right + 12, y), f"{length_mm:g} mm", LEAST_TEXT, TEXT, anchor="lm")


def find_bounds(points: Iterable[tuple[float, float]]) -> Box:
    """Return the bounding box of points of the page."""
    xs, ys = zip(*points, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))
