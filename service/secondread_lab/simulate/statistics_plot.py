"""A picture of band ratios and noise curves, simulated and real images in two colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from secondread_lab.simulate.detail_statistics import DetailStatistics

Canvas = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

SIMULATED: Color = (190, 110, 20)
REAL: Color = (40, 40, 210)
"""Blue, green, red, as OpenCV orders them."""

_GREY: Color = (150, 150, 150)
_BLACK: Color = (30, 30, 30)
_BANDS = ("1.5-3 px", "3-6 px", "6-12 px", "12-24 px")


@dataclass(frozen=True, slots=True)
class _Axes:
    """A rectangle of the picture and the ranges of values that it spans."""

    left: int
    top: int
    width: int
    height: int
    x_max: float
    y_max: float

    def to_pixel(self, x: float, y: float) -> tuple[int, int]:
        """Return the pixel of a point; values beyond the range lie on its border."""
        across = min(max(x / self.x_max, 0.0), 1.0)
        up = min(max(y / self.y_max, 0.0), 1.0)
        return round(self.left + across * self.width), round(self.top + (1 - up) * self.height)


def draw_comparison(
    simulated: Sequence[DetailStatistics], real: Sequence[DetailStatistics], path: Path
) -> None:
    """Write a PNG: left the octave bands' strength, right the noise at each grey.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    picture = np.full((460, 1120, 3), 255, np.uint8)
    ratios = _Axes(70, 60, 440, 320, 4.0, 1.6)
    noise = _Axes(640, 60, 440, 320, 1.0, 0.06)
    _draw_frame(picture, ratios, "octave band / finest band", [f"{0.4 * n:.1f}" for n in range(5)])
    _draw_frame(
        picture, noise, "noise (share of range) at grey", [f"{0.015 * n:.3f}" for n in range(5)]
    )
    for n, band in enumerate(_BANDS):
        _write_text(picture, band, ratios.to_pixel(n + 0.2, 0.0), down=22)
    for n in range(5):
        _write_text(picture, f"{0.25 * n:.2f}", noise.to_pixel(0.25 * n, 0.0), down=22)
    for group, color in ((simulated, SIMULATED), (real, REAL)):
        for statistics in group:
            _draw_line(
                picture,
                [ratios.to_pixel(n + 0.5, v) for n, v in enumerate(statistics.ratios)],
                color,
            )
            points = zip(statistics.curve.grey, statistics.curve.deviation, strict=True)
            _draw_line(picture, [noise.to_pixel(float(x), float(y)) for x, y in points], color)
    _write_text(picture, f"simulated ({len(simulated)})", (70, 440), color=SIMULATED)
    _write_text(picture, f"real ({len(real)})", (240, 440), color=REAL)
    written, data = cv2.imencode(".png", picture)
    if not written:
        raise OSError(f"{path}: the picture cannot be encoded")
    path.write_bytes(data.tobytes())


def _draw_frame(picture: Canvas, axes: _Axes, title: str, marks: Sequence[str]) -> None:
    cv2.rectangle(picture, axes.to_pixel(0, axes.y_max), axes.to_pixel(axes.x_max, 0), _GREY, 1)
    _write_text(picture, title, (axes.left, axes.top - 14))
    for n, mark in enumerate(marks):
        x, y = axes.to_pixel(0, axes.y_max * n / (len(marks) - 1))
        _write_text(picture, mark, (x - 50, y + 4))


def _draw_line(picture: Canvas, points: Sequence[tuple[int, int]], color: Color) -> None:
    cv2.polylines(picture, [np.array(points, np.int32)], False, color, 1, cv2.LINE_AA)
    for point in points:
        cv2.circle(picture, point, 3, color, -1, cv2.LINE_AA)


def _write_text(
    picture: Canvas, text: str, place: tuple[int, int], *, down: int = 0, color: Color = _BLACK
) -> None:
    place = (place[0], place[1] + down)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1, cv2.LINE_AA)
