"""Points, spacings and outlines, in pixels of the stored image and in millimetres.

Pixel coordinates are those of SCOORD (PS3.3 C.18.6.1.1): (column, row), the origin at the
top-left *corner* of the top-left pixel, so that its centre is (0.5, 0.5). The pixel at array index
``[r, c]`` therefore has its centre at ``PointPx(c + 0.5, r + 0.5)``: code that makes a point, or a
coordinate in mm, from an index adds that half pixel.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class PointPx:
    """A point in the stored image, (column, row), corner origin as in SCOORD."""

    col: float
    row: float


@dataclass(frozen=True, slots=True)
class PointMm:
    """A point at the detector plane, in mm from the image's top-left corner, (x, y)."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class SpacingMm:
    """Distance between pixel centres at the detector plane, in mm.

    DICOM's Imager Pixel Spacing (0018,1164) gives the distance between rows first.
    """

    between_rows: float
    between_columns: float

    def __post_init__(self) -> None:
        for value in (self.between_rows, self.between_columns):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"a pixel spacing is positive and finite, not {value!r}")

    @property
    def mean(self) -> float:
        """The geometric mean of both spacings, for isotropic filters."""
        return math.sqrt(self.between_rows * self.between_columns)

    def to_mm(self, point: PointPx) -> PointMm:
        """Convert a point in pixels to mm."""
        return PointMm(point.col * self.between_columns, point.row * self.between_rows)

    def to_px(self, point: PointMm) -> PointPx:
        """Convert a point in mm to pixels."""
        return PointPx(point.x / self.between_columns, point.y / self.between_rows)

    def distance_mm(self, a: PointPx, b: PointPx) -> float:
        """Distance between two points of the image, in mm."""
        dx = (a.col - b.col) * self.between_columns
        dy = (a.row - b.row) * self.between_rows
        return math.hypot(dx, dy)


Outline = tuple[PointPx, ...]
"""A closed polygon: the first vertex is repeated at the end."""


def clamp_to_image(point: PointPx, rows: int, columns: int) -> PointPx:
    """Move a point that fell outside the image onto its border (0..columns, 0..rows)."""
    return PointPx(min(max(point.col, 0.0), columns), min(max(point.row, 0.0), rows))


def close_outline(points: Iterable[PointPx]) -> Outline:
    """Return the polygon with its first vertex repeated at the end, unless it is already."""
    polygon = tuple(points)
    if len(polygon) < 3:
        raise ValueError(f"an outline has three vertices or more, not {len(polygon)}")
    return polygon if polygon[0] == polygon[-1] else (*polygon, polygon[0])


def convex_hull(points: Sequence[PointMm]) -> tuple[PointMm, ...]:
    """Return the convex hull, counter-clockwise in a y-up frame, not closed (Andrew 1979).

    One or two distinct points are returned as they are.
    """
    ordered = sorted({(p.x, p.y) for p in points})
    if len(ordered) <= 2:
        return tuple(PointMm(*p) for p in ordered)

    def half(chain: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        hull: list[tuple[float, float]] = []
        for p in chain:
            while len(hull) >= 2 and _turn(hull[-2], hull[-1], p) <= 0:
                hull.pop()
            hull.append(p)
        return hull

    lower, upper = half(ordered), half(reversed(ordered))
    return tuple(PointMm(*p) for p in lower[:-1] + upper[:-1])


def _turn(o: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def padded_hull(
    points: Sequence[PointPx], spacing: SpacingMm, margin_mm: float, vertices_per_point: int = 12
) -> Outline:
    """Return the closed outline that stays `margin_mm` away from every point.

    The hull of circles around the points, each drawn with `vertices_per_point` vertices, in the
    stored image's pixels. Not clipped to the image.
    """
    if not points:
        raise ValueError("an outline needs a point")
    angles: npt.NDArray[np.float64] = np.linspace(0, 2 * np.pi, vertices_per_point, endpoint=False)
    # The polygon circumscribes the circle, so that no edge cuts closer than the margin.
    radius = margin_mm / math.cos(math.pi / vertices_per_point)
    ring = [(radius * float(np.cos(a)), radius * float(np.sin(a))) for a in angles]
    cloud = [
        PointMm(mm.x + dx, mm.y + dy)
        for mm in (spacing.to_mm(point) for point in points)
        for dx, dy in ring
    ]
    return close_outline(spacing.to_px(corner) for corner in convex_hull(cloud))


def bounding_box(points: Iterable[PointPx]) -> tuple[PointPx, PointPx]:
    """Return the top-left and the bottom-right corner of the box around the points."""
    polygon = list(points)
    if not polygon:
        raise ValueError("a bounding box needs a point")
    cols = [p.col for p in polygon]
    rows = [p.row for p in polygon]
    return PointPx(min(cols), min(rows)), PointPx(max(cols), max(rows))
