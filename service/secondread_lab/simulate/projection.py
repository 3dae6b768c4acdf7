"""Geometry of the views: breast coordinates to view coordinates, and those to pixels.

View coordinates are millimetres in the detector's plane from the nipple: depth (towards the
chest wall, the same in every view), across (towards the top of the image: lateral in a
cranio-caudal view, upper outer in an oblique one), and along the beam.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import Laterality, View
from secondread.geometry import PointPx, SpacingMm
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.seeds import seed_stream

Vector = npt.NDArray[np.float64]
"""Coordinates in mm: depth, lateral, superior; or depth, across, along in a view."""


def compute_beam_axes(breast: SimulatedBreast, view: View) -> npt.NDArray[np.float64]:
    """Return the matrix from breast coordinates to a view's: rows depth, across, along.

    In the oblique view the beam comes from superomedial, so that superior and lateral parts both
    appear towards the top of the image.
    """
    if view.is_cc_like:
        return np.eye(3)
    angle = math.radians(breast.oblique_deg)
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])


@dataclass(frozen=True, slots=True)
class Frame:
    """The stored image's matrix: rows, columns and spacing, and the chest wall's side."""

    rows: int
    columns: int
    spacing: SpacingMm
    chest_wall: str
    """``left`` or ``right``: the border of the image that the breast touches."""


@dataclass(frozen=True, slots=True)
class Positioning:
    """How the technologist positioned and compressed the breast for one image."""

    wall_mm: float
    """Depth behind the nipple at the chest wall border of the image."""
    top_mm: float
    """Height above the nipple at the top border of the image."""
    angle_deg: float
    stretch: float
    """In-plane scale; more than 1 under more compression."""
    bend_mm: tuple[float, float]
    """Amplitudes of a smooth bend of the depth and of the height."""
    phase: tuple[float, float]
    thickness_mm: float
    """Compressed thickness."""
    beam_deg: float
    """Angle of the beam against the vertical: 0 in a cranio-caudal view."""


_BEND_PERIOD_MM = 160.0


def draw_positioning(breast: SimulatedBreast, view: View, frame: Frame, seed: int) -> Positioning:
    """Draw the positioning of a breast in one acquisition."""
    rng = seed_stream(seed, "position", breast.laterality.letter, view.name)
    height = frame.rows * frame.spacing.between_rows
    force = float(rng.normal(0, 0.04))
    if view.is_cc_like:
        outline = breast.cc
        middle = 0.5 * (outline.upper.half_width_mm - outline.lower.half_width_mm)
        top = middle + 0.5 * height + float(rng.normal(0, 5))
    else:
        # The lower border of an oblique view is a little below the inframammary fold.
        lowest = breast.mlo.lower.half_width_mm + float(rng.uniform(4, 14))
        top = max(height - lowest, 0.55 * height)
    return Positioning(
        wall_mm=breast.depth_mm - abs(float(rng.normal(0, 2.5))),
        top_mm=top,
        angle_deg=float(rng.normal(0, 1.6)),
        stretch=1.0 - 0.3 * force,
        bend_mm=(float(rng.normal(0, 1.2)), float(rng.normal(0, 1.2))),
        phase=(float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0, 2 * math.pi))),
        thickness_mm=breast.thickness_mm * (1.0 + force) * (1.0 if view.is_cc_like else 1.06),
        beam_deg=0.0 if view.is_cc_like else breast.oblique_deg,
    )


@dataclass(frozen=True, slots=True)
class ViewLayout:
    """One view of one acquisition: from pixels to view coordinates and back."""

    frame: Frame
    positioning: Positioning

    def find_columns_behind(self, depth_mm: float) -> slice:
        """Return the columns that may show tissue behind a depth, as seen from in front."""
        p, spacing = self.positioning, self.frame.spacing
        # A turned or bent breast reaches some millimetres farther in some rows.
        slack = 4.0 + abs(math.radians(p.angle_deg)) * self.frame.rows * spacing.between_rows
        reach = (p.wall_mm - depth_mm * p.stretch + slack) / spacing.between_columns
        count = min(max(math.ceil(reach), 1), self.frame.columns)
        if self.frame.chest_wall == "left":
            return slice(0, count)
        return slice(self.frame.columns - count, self.frame.columns)

    def compute_view_maps(self, chosen: slice = slice(None)) -> tuple[Map, Map]:
        """Return depth and across, in mm, of the centres of the pixels of some columns."""
        columns = np.arange(self.frame.columns, dtype=np.float64)[chosen] + 0.5
        rows = np.arange(self.frame.rows, dtype=np.float64) + 0.5
        depth, across = self._map_to_view(columns[None, :], rows[:, None])
        shape = (self.frame.rows, len(columns))
        return (
            np.broadcast_to(depth, shape).astype(np.float32),
            np.broadcast_to(across, shape).astype(np.float32),
        )

    def to_view(self, point: PointPx) -> tuple[float, float]:
        """Return depth and across, in mm, of a point of the image."""
        depth, across = self._map_to_view(np.array(point.col), np.array(point.row))
        return float(depth), float(across)

    def to_px(self, depth_mm: float, across_mm: float) -> PointPx:
        """Return the point of the image that shows a point of the view."""
        spacing = self.frame.spacing
        point = PointPx(self.frame.columns / 2, self.frame.rows / 2)
        sign = 1.0 if self.frame.chest_wall == "left" else -1.0
        # Within a few percent the map is a shift and a scale, so that this converges fast.
        for _ in range(12):
            depth, across = self.to_view(point)
            point = PointPx(
                point.col + sign * (depth - depth_mm) / spacing.between_columns,
                point.row + (across - across_mm) / spacing.between_rows,
            )
        return point

    def compute_pixel_axes(self) -> npt.NDArray[np.float64]:
        """Return the matrix from view axes to (column, row, beam), a turn without a scale."""
        angle = math.radians(self.positioning.angle_deg)
        c, s = math.cos(angle), math.sin(angle)
        sign = -1.0 if self.frame.chest_wall == "left" else 1.0
        return np.array([[sign * c, sign * s, 0.0], [s, -c, 0.0], [0.0, 0.0, 1.0]])

    def _map_to_view(
        self, columns: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        p, spacing = self.positioning, self.frame.spacing
        from_wall = columns if self.frame.chest_wall == "left" else self.frame.columns - columns
        depth = p.wall_mm - from_wall * spacing.between_columns
        across = p.top_mm - rows * spacing.between_rows
        wave = 2 * math.pi / _BEND_PERIOD_MM
        bent_depth = p.bend_mm[0] * np.sin(wave * across + p.phase[0])
        bent_across = p.bend_mm[1] * np.sin(wave * depth + p.phase[1])
        angle = math.radians(p.angle_deg)
        c, s = math.cos(angle) / p.stretch, math.sin(angle) / p.stretch
        # Each sum has one term that varies along rows and one along columns: cheap to broadcast.
        return (c * depth) + (bent_depth - s * across), (s * depth + bent_across) + (c * across)


def find_chest_wall_side(laterality: Laterality) -> str:
    """Return the image border that the chest wall touches in the usual display."""
    return "left" if laterality is Laterality.LEFT else "right"
