"""Curves and bars as PNG, drawn with the functions of the reports' pictures."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from secondread.report.pages.drawing import Color, draw_text, measure_text
from secondread_lab.judge import rules
from secondread_lab.judge.calibration import Reliability
from secondread_lab.judge.figures import GroupRow, PartFigures
from secondread_lab.judge.froc import FrocCurve

_PAPER: Color = (255, 255, 255)
_INK: Color = (30, 34, 40)
_GRID: Color = (222, 226, 230)
_QUIET: Color = (110, 118, 126)
_COLORS: tuple[Color, ...] = ((20, 90, 170), (30, 140, 80), (200, 90, 20))
_SIZE = (900, 620)
_SCALE = 2
"""Everything is drawn this many times larger and then reduced, which smooths the lines."""

_TEXT = 17


@dataclass(frozen=True, slots=True)
class Axes:
    """A rectangle of the picture, and the ranges of its values."""

    x: tuple[float, float]
    """First and last value from left to right."""
    title: str
    x_title: str
    x_ticks: tuple[float, ...]
    logarithmic: bool = False
    y_title: str = "share found"
    left: int = 90
    top: int = 60
    right: int = 870
    bottom: int = 540

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of the picture for a value; y is a share, 0-1."""
        low, high, value = (math.log(v) if self.logarithmic else v for v in (*self.x, x))
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        across = self.left + share * (self.right - self.left)
        return across, self.bottom - min(max(y, 0.0), 1.0) * (self.bottom - self.top)


class Plot:
    """A picture of one pair of axes.

    Parameters
    ----------
    axes
        Their place, ranges and titles.
    size
        Columns and rows.
    """

    def __init__(self, axes: Axes, size: tuple[int, int] = _SIZE) -> None:
        self.axes = axes
        self._image = Image.new("RGB", (size[0] * _SCALE, size[1] * _SCALE), _PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._labels: list[tuple[tuple[float, float], str, Color, str]] = []
        self._draw_frame()

    def _draw_frame(self) -> None:
        axes = self.axes
        for tenth in range(0, 11, 2):
            self.draw_line([axes.to_picture(x, tenth / 10) for x in axes.x], _GRID, 1)
            place = axes.to_picture(axes.x[0], tenth / 10)
            self.write_label((place[0] - 10, place[1]), f"{tenth / 10:.1f}", _QUIET, "rm")
        for tick in axes.x_ticks:
            self.draw_line([axes.to_picture(tick, 0), axes.to_picture(tick, 1)], _GRID, 1)
            place = axes.to_picture(tick, 0)
            self.write_label((place[0], place[1] + 10), f"{tick:g}", _QUIET, "mt")
        middle = (axes.left + axes.right) / 2
        self.write_label((middle, axes.bottom + 42), axes.x_title, _INK, "mt")
        self.write_label((axes.left, axes.top - 24), f"{axes.title}  ({axes.y_title})", _INK, "lm")

    def draw_line(self, points: Sequence[tuple[float, float]], color: Color, width: float) -> None:
        """Draw a line through points of the picture."""
        if len(points) > 1:
            scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
            self._draw.line(scaled, fill=color, width=round(width * _SCALE), joint="curve")

    def draw_dot(self, point: tuple[float, float], radius: float, color: Color) -> None:
        """Draw a disc."""
        x, y, r = (v * _SCALE for v in (*point, radius))
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def fill_area(self, points: Sequence[tuple[float, float]], color: Color) -> None:
        """Fill a polygon."""
        if len(points) > 2:
            self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=color)

    def write_label(
        self, place: tuple[float, float], text: str, color: Color = _INK, anchor: str = "lm"
    ) -> None:
        """Write a line of text; `anchor` in Pillow's words."""
        self._labels.append((place, text, color, anchor))

    def save(self, path: Path) -> None:
        """Write the picture as PNG."""
        picture = self._image.reduce(_SCALE)
        for place, text, color, anchor in self._labels:
            draw_text(picture, place, text, _TEXT, color, anchor)
        picture.save(path)


def _make_pale(color: Color) -> Color:
    red, green, blue = (round(255 - 0.18 * (255 - channel)) for channel in color)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class NamedCurve:
    """A curve and its name."""

    name: str
    curve: FrocCurve


def draw_froc(axes: Axes, series: Sequence[NamedCurve], path: Path) -> None:
    """Draw free-response curves; the first has a band, and all end where the model does."""
    plot = Plot(axes)
    if series:
        first = series[0].curve
        low, high = (_find_points(axes, first, values) for values in (first.low, first.high))
        plot.fill_area(low + high[::-1], _make_pale(_COLORS[0]))
    # The band is below all curves, and the first curve above the others.
    for number, named in reversed(list(enumerate(series))):
        color = _COLORS[number % len(_COLORS)]
        points = _find_points(axes, named.curve, named.curve.sensitivity)
        plot.draw_line(points, color, 2.5)
        for point in points:
            plot.draw_dot(point, 3.5, color)
    _draw_legend(plot, [named.name for named in series])
    plot.save(path)


def _find_points(
    axes: Axes, curve: FrocCurve, values: Sequence[float]
) -> list[tuple[float, float]]:
    """Return the measured points of a curve within the axes and within the model's range."""
    return [
        axes.to_picture(rate, value)
        for rate, value in zip(curve.rates, values, strict=True)
        if math.isfinite(value) and axes.x[0] <= rate <= min(axes.x[1], curve.ends_at)
    ]


def _draw_legend(plot: Plot, names: Sequence[str]) -> None:
    if len(names) < 2:
        return
    x, y = plot.axes.left + 20.0, plot.axes.top + 18.0
    for number, name in enumerate(names):
        color = _COLORS[number % len(_COLORS)]
        plot.draw_line([(x, y + 24 * number), (x + 28, y + 24 * number)], color, 3)
        plot.write_label((x + 38, y + 24 * number), name)


def draw_bars(title: str, rows: Sequence[GroupRow], path: Path) -> None:
    """Draw how many of each group are found, with intervals, most often found first."""
    measured = [row for row in rows if row.at_rate.value is not None]
    measured.sort(key=lambda row: (-(row.at_rate.value or 0.0), row.label))
    names = [f"{row.label.replace('_', ' ')} ({row.at_rate.items})" for row in measured]
    left = round(30 + max(measure_text(name, _TEXT) for name in names))
    height = 130 + 42 * len(measured)
    axes = Axes(
        (0.0, 1.0), title, "share found", (0, 0.2, 0.4, 0.6, 0.8, 1.0),
        left=left, bottom=height - 70, y_title="",
    )  # fmt: skip
    picture = _Bars(axes, (900, height))
    for number, (row, name) in enumerate(zip(measured, names, strict=True)):
        picture.draw_bar(number, name, row)
    picture.save(path)


class _Bars(Plot):
    """Horizontal bars: shares run from left to right."""

    def _draw_frame(self) -> None:
        axes = self.axes
        for tick in axes.x_ticks:
            self.draw_line([axes.to_picture(tick, 0), axes.to_picture(tick, 1)], _GRID, 1)
            place = axes.to_picture(tick, 0)
            self.write_label((place[0], place[1] + 10), f"{tick:g}", _QUIET, "mt")
        self.write_label(((axes.left + axes.right) / 2, axes.bottom + 36), axes.x_title, _INK, "mt")
        self.write_label((30, axes.top - 30), axes.title)

    def draw_bar(self, number: int, name: str, row: GroupRow) -> None:
        """Draw one bar with its interval."""
        estimate = row.at_rate
        y = self.axes.top + 20 + 42 * number
        start, end = (
            self.axes.to_picture(0, 0)[0],
            self.axes.to_picture(estimate.value or 0.0, 0)[0],
        )
        color = _COLORS[0]
        self.fill_area(
            [(start, y - 11), (end, y - 11), (end, y + 11), (start, y + 11)], _make_pale(color)
        )
        self.draw_line([(end, y - 11), (end, y + 11)], color, 3)
        if estimate.low is not None and estimate.high is not None:
            low, high = (self.axes.to_picture(v, 0)[0] for v in (estimate.low, estimate.high))
            self.draw_line([(low, y), (high, y)], color, 1.5)
        self.write_label((self.axes.left - 10, y), name, anchor="rm")


def draw_reliability(reliabilities: dict[str, Reliability], path: Path) -> None:
    """Draw stated against observed certainty; a disc's area grows with its marks."""
    axes = Axes(
        (0.0, 1.0), "Certainty", "stated certainty", (0, 0.2, 0.4, 0.6, 0.8, 1.0),
        y_title="share that is right",
    )  # fmt: skip
    plot = Plot(axes)
    plot.draw_line([axes.to_picture(0, 0), axes.to_picture(1, 1)], _QUIET, 1)
    names = []
    for number, (name, reliability) in enumerate(reliabilities.items()):
        color = _COLORS[number % len(_COLORS)]
        points = [axes.to_picture(b.stated, b.observed) for b in reliability.bins]
        plot.draw_line(points, color, 2)
        for point, b in zip(points, reliability.bins, strict=True):
            plot.draw_dot(point, 3 + 14 * math.sqrt(b.count / reliability.count), color)
        names.append(f"{name}: ECE {reliability.ece:.2f}" if reliability.ece is not None else name)
    _draw_legend(plot, names)
    plot.save(path)


def draw_plots(part: PartFigures, out: Path, prefix: str = "") -> dict[str, str]:
    """Draw all pictures of a part that are not empty.

    Returns
    -------
    dict
        File names by their subjects.
    """
    pictures: dict[str, str] = {}

    def draw(name: str, wanted: Iterable[object], how: Callable[[Path], None]) -> None:
        if any(True for _ in wanted):
            pictures[name] = f"{prefix}{name}.png"
            how(out / pictures[name])

    cluster_axes = Axes(
        (0.02, 4.0), "Clusters", "false clusters per view without clusters",
        (0.02, 0.05, 0.1, 0.3, 1, 4), logarithmic=True,
    )  # fmt: skip
    single_axes = Axes(
        (0.01, 5.0), "Single calcifications", "false marks per cm2 of breast",
        (0.01, 0.03, 0.1, 0.4, 1, 5), logarithmic=True,
    )  # fmt: skip
    morphologies = [row for row in part.groups if row.facet == "morphology"]
    certainties = {
        "clusters": part.cluster_reliability,
        "single calcifications": part.single_reliability,
    }
    curves = [NamedCurve(curve.domain, curve.curve) for curve in part.clusters]
    draw(
        "clusters",
        range(part.counts.target_clusters and part.counts.cluster_free_views),
        lambda path: draw_froc(cluster_axes, curves, path),
    )
    draw(
        "singles",
        range(part.counts.visible_calcifications),
        lambda path: draw_froc(single_axes, [NamedCurve("all", part.single_curve)], path),
    )
    title = f"Clusters found at {rules.HEADLINE_RATE:g} false ones a view, by morphology"
    measured = [row for row in morphologies if row.at_rate.value is not None]
    draw("morphology", measured, lambda path: draw_bars(title, measured, path))
    filled = {name: curve for name, curve in certainties.items() if curve.count}
    draw("reliability", filled, lambda path: draw_reliability(filled, path))
    return pictures
