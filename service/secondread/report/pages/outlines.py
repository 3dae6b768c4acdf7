"""The outline around a finding in every picture: how far off, how thick, with which number.

Only here are outlines of findings drawn on pages. Those of presentation states are graphics, which
the workstation draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from secondread.geometry import Outline, PointPx, SpacingMm, padded_hull
from secondread.report.pages.drawing import MARK, Box, Color, HaloedLines, find_bounds
from secondread.report.pages.labels import (
    draw_badge,
    find_leader,
    measure_badge,
    place_label,
)

NUMBER_SIZE = 22
"""Height of the numbers beside outlines."""
_LEADER_WIDTH = 1.3
_DASH = 7.0
"""Length of a dash, and of the gap behind it."""


@dataclass(frozen=True, slots=True)
class OutlineStyle:
    """How an outline is drawn, in pixels of the page."""

    margin: float
    """Between the line and what it encloses."""
    width: float


IN_VIEW = OutlineStyle(margin=6, width=1.8)
IN_INSET = OutlineStyle(margin=9, width=1.6)
IN_CLOSE_UP = OutlineStyle(margin=8, width=1.3)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the stored image is on the page, and at which scale."""

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


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture on a page."""

    frame: Box
    placement: Placement


def draw_outline(
    page: Image.Image, panel: Panel, outline: Outline, style: OutlineStyle, color: Color = MARK
) -> None:
    """Draw one outline in a picture, without a number."""
    lines = HaloedLines(panel.frame)
    lines.add_line(panel.placement.place_outline(outline, style.margin), style.width)
    lines.paint(page, color)


@dataclass(frozen=True, slots=True)
class NumberedOutline:
    """What is outlined in a picture of a comparison under one number and in one colour."""

    number: str
    color: Color
    outlines: tuple[Outline, ...]
    is_finding: bool
    """Whether a finding is there; else it is where one would be, and the line is broken."""


def draw_numbered_outlines(
    page: Image.Image, panel: Panel, marks: Sequence[NumberedOutline]
) -> None:
    """Draw outlines in a picture, and their numbers beside them, over nothing else."""
    placed = [
        (
            mark,
            [
                panel.placement.place_outline(outline, IN_VIEW.margin)
                for outline in mark.outlines
                if len(outline) > 3
            ],
        )
        for mark in marks
    ]
    targets = [find_bounds(outline) for _, outlines in placed for outline in outlines]
    labels: list[tuple[Box, NumberedOutline]] = []
    for mark, outlines in placed:
        if not outlines:
            continue
        target = find_bounds([point for outline in outlines for point in outline])
        others = [*(other for other in targets if other != target), *(box for box, _ in labels)]
        size = measure_badge(mark.number, NUMBER_SIZE)
        labels.append((place_label(page, target, size, panel.frame, others), mark))
        lines = HaloedLines(panel.frame)
        for outline in outlines:
            for part in [outline] if mark.is_finding else _split_into_dashes(outline):
                lines.add_line(part, IN_VIEW.width)
        lines.add_line(find_leader(labels[-1][0], outlines[0]), _LEADER_WIDTH)
        lines.paint(page, mark.color)
    for label, mark in labels:
        draw_badge(page, label, mark.number, NUMBER_SIZE, mark.color)


def _split_into_dashes(line: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return the dashes of a closed line, each as its start, middle and end."""
    points = np.array([*line, line[0]])
    # The way along the line from its start to each vertex: a dash is a stretch of it.
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return [
        [
            (float(np.interp(at, way, points[:, 0])), float(np.interp(at, way, points[:, 1])))
            for at in (start, start + _DASH / 2, start + _DASH)
        ]
        for start in np.arange(0.0, way[-1], 2 * _DASH)
    ]
