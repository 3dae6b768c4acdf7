"""Curves of figures that benchmarks wrote, as pictures.

    python -m tests.bench.curves FIGURES.json ... PICTURE.png

draws what a tracker is asked against the studies in it, from files of `bench_growth`.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from secondread.report.pages.drawing import Color, load_font

SHOWN = {
    "front page": (31, 119, 180),
    "/metrics": (214, 39, 40),
    "studies list": (44, 160, 44),
    "list due": (148, 103, 189),
    "claim and results": (255, 127, 14),
    "arrival of an image": (23, 155, 175),
    "retention": (120, 120, 120),
}
"""The questions that are drawn, and their colours."""

_WIDTH, _HEIGHT = 1500, 560
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT, _BETWEEN = 90, 70, 470, 410, 100
_LEAST_MS, _MOST_MS = 0.5, 500.0
_INK: Color = (40, 44, 50)
_GRID: Color = (222, 226, 230)
_TEXT_SIZE = 20


def draw_growth(figures: Mapping[str, Any], path: Path) -> None:
    """Draw the figures of `bench_growth`: milliseconds of processor over studies, logarithmic.

    Each question is a point for each size, joined by a line; a level line costs the same however
    many studies there are. On PostgreSQL the client's processor alone is counted.
    """
    page = Image.new("RGB", (_WIDTH, _HEIGHT), (255, 255, 255))
    questions = figures["questions"]
    backends = list(dict.fromkeys(question["backend"] for question in questions))
    for number, backend in enumerate(backends):
        left = _LEFT + number * (_PLOT_WIDTH + _BETWEEN)
        drawn = [q for q in questions if q["backend"] == backend and q["name"] in SHOWN]
        _draw_plot(page, left, backend, drawn)
    _draw_names(page, _LEFT + len(backends) * (_PLOT_WIDTH + _BETWEEN) - 60)
    page.save(path, optimize=True)


def _draw_plot(
    page: Image.Image, left: int, title: str, questions: Sequence[Mapping[str, Any]]
) -> None:
    sizes = sorted({int(size) for question in questions for size in question["sizes"]})
    lowest, highest = math.log10(sizes[0]), math.log10(sizes[-1])

    def place(size: int, ms: float) -> tuple[float, float]:
        right = (math.log10(size) - lowest) / max(highest - lowest, 1e-9)
        span = math.log10(_MOST_MS / _LEAST_MS)
        up = math.log10(min(max(ms, _LEAST_MS), _MOST_MS) / _LEAST_MS) / span
        return left + right * _PLOT_WIDTH, _TOP + (1 - up) * _PLOT_HEIGHT

    draw, font = ImageDraw.Draw(page), load_font(_TEXT_SIZE)
    for ms in (1, 10, 100):
        _, level = place(sizes[0], ms)
        draw.line([(left, level), (left + _PLOT_WIDTH, level)], fill=_GRID, width=2)
        draw.text((left - 10, level), f"{ms} ms", fill=_INK, font=font, anchor="rm")
    for size in sizes:
        across, _ = place(size, _LEAST_MS)
        bottom = _TOP + _PLOT_HEIGHT
        draw.line([(across, _TOP), (across, bottom)], fill=_GRID, width=2)
        draw.text((across, bottom + 10), f"{size:,}", fill=_INK, font=font, anchor="mt")
    draw.text((left, _TOP - 40), title, fill=_INK, font=load_font(24), anchor="lt")
    below = (left + _PLOT_WIDTH / 2, _TOP + _PLOT_HEIGHT + 40)
    draw.text(below, "studies in the tracker", fill=_INK, font=font, anchor="mt")
    for question in questions:
        color = SHOWN[question["name"]]
        points = [place(size, question["sizes"][str(size)]["cpu_ms"]) for size in sizes]
        for start, end in pairwise(points):
            draw.line([start, end], fill=color, width=4)
        for across, up in points:
            draw.ellipse([across - 6, up - 6, across + 6, up + 6], fill=color)


def _draw_names(page: Image.Image, left: int) -> None:
    draw, font = ImageDraw.Draw(page), load_font(_TEXT_SIZE)
    for number, (name, color) in enumerate(SHOWN.items()):
        level = _TOP + 20 + 34 * number
        draw.line([(left, level), (left + 30, level)], fill=color, width=5)
        draw.text((left + 42, level), name, fill=_INK, font=font, anchor="lm")


if __name__ == "__main__":
    *given, target = map(Path, sys.argv[1:])
    read = [json.loads(file.read_text(encoding="utf-8")) for file in given]
    draw_growth({"questions": [q for figures in read for q in figures["questions"]]}, target)
