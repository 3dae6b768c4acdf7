"""Small dense things in the breast: calcifications and metal, as unions of ellipsoids.

A solid keeps its shape in three dimensions, so that both views show the same thing. Its
thickness along the beam is drawn on a raster finer than the pixels, at its exact position.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from secondread.geometry import PointPx
from secondread_lab.simulate.fields import Map

MU_CALCIFICATION = 0.75
"""Excess attenuation per mm of a calcification over tissue, scatter taken off: the middle of the
0.45 to 0.98 that beams and minerals span."""

MU_METAL = 3.5
"""The same for a titanium clip."""


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """One part of a solid, placed against the solid's centre."""

    offset: tuple[float, float, float]
    """Depth, lateral, superior, in mm."""
    semi_axes: tuple[float, float, float]
    """In mm."""
    turn: npt.NDArray[np.float64]
    """Rotation matrix: its columns are the directions of the semi-axes."""
    weight: float = 1.0
    """Density relative to solid mineral; a negative one hollows out the part around it."""


@dataclass(frozen=True, slots=True)
class Solid:
    """A calcification or a piece of metal in breast coordinates."""

    centre: npt.NDArray[np.float64]
    """Depth, lateral, superior, in mm."""
    parts: tuple[Ellipsoid, ...]
    mu: float = MU_CALCIFICATION

    @property
    def size_mm(self) -> float:
        """Longest extent."""
        points = np.array([part.offset for part in self.parts])
        radius = max(max(part.semi_axes) for part in self.parts)
        if len(points) == 1:
            return 2 * radius
        gaps = np.linalg.norm(points[:, None, :] - points[None, :, :], axis=-1)
        return float(gaps.max()) + 2 * min(radius, float(gaps.max()) / 2 + radius)

    def rotate(self, turn: npt.NDArray[np.float64]) -> "Solid":
        """Return the solid turned about its centre by a rotation matrix."""
        parts = (
            make_ellipsoid(
                part.semi_axes, turn @ part.turn, turn @ np.asarray(part.offset), part.weight
            )
            for part in self.parts
        )
        return replace(self, parts=tuple(parts))

    def scale(self, factor: float) -> "Solid":
        """Return the solid grown or shrunk about its centre."""
        parts = (
            make_ellipsoid(
                factor * np.asarray(part.semi_axes),
                part.turn,
                factor * np.asarray(part.offset),
                part.weight,
            )
            for part in self.parts
        )
        return replace(self, parts=tuple(parts))

    def scale_contrast(self, factor: float) -> "Solid":
        """Return the solid with its attenuation multiplied."""
        return replace(self, mu=self.mu * factor)


@dataclass(frozen=True, slots=True)
class Patch:
    """The attenuation of one solid on a few pixels of the image."""

    row: int
    column: int
    """Array index of the patch's first pixel in the image."""
    attenuation: Map

    @property
    def middle(self) -> tuple[int, int]:
        """Array index, in the image, of the pixel in the patch's middle."""
        rows, columns = self.attenuation.shape
        return self.row + rows // 2, self.column + columns // 2

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the image that the patch covers."""
        rows, columns = self.attenuation.shape
        return slice(self.row, self.row + rows), slice(self.column, self.column + columns)

    def fits_in(self, shape: tuple[int, ...], margin_px: int = 0) -> bool:
        """Whether an image of this shape holds all of the patch and a margin around it."""
        ends = (window.stop + margin_px for window in self.window)
        is_before_end = all(end <= size for end, size in zip(ends, shape, strict=True))
        return min(self.row, self.column) >= margin_px and is_before_end


def draw_rotation(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a rotation, all equally likely."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.asarray(q * np.sign(np.diag(r)))


def make_ellipsoid(
    semi_axes: Sequence[float] | npt.NDArray[np.float64],
    turn: npt.NDArray[np.float64] | None = None,
    offset: npt.NDArray[np.float64] | Sequence[float] = (0.0, 0.0, 0.0),
    weight: float = 1.0,
) -> Ellipsoid:
    """Return an ellipsoid from any sequences of three numbers."""
    a, b, c = (float(v) for v in semi_axes)
    x, y, z = (float(v) for v in offset)
    return Ellipsoid((x, y, z), (a, b, c), np.eye(3) if turn is None else turn, weight)


def rasterise_solid(
    solid: Solid,
    centre: PointPx,
    to_pixels: npt.NDArray[np.float64],
    pitch_mm: float,
    supersampling: int = 4,
) -> Patch | None:
    """Return the attenuation of a solid as pixels average it; None for one that has no thickness.

    Parameters
    ----------
    centre
        Where the solid's centre is projected to.
    to_pixels
        Rotation from breast axes to (column, row, beam) of the image, shape (3, 3).
    """
    reach = max(float(np.linalg.norm(p.offset)) + max(p.semi_axes) for p in solid.parts)
    half = int(np.ceil(reach / pitch_mm)) + 2
    column, row = int(np.floor(centre.col)) - half, int(np.floor(centre.row)) - half
    side = 2 * half + 1
    fine = (np.arange(side * supersampling) + 0.5) / supersampling
    x = (column + fine - centre.col)[None, :] * pitch_mm
    y = (row + fine - centre.row)[:, None] * pitch_mm
    thickness = np.zeros((len(fine), len(fine)))
    hollow = np.zeros_like(thickness)
    for part in solid.parts:
        dx, dy, _ = to_pixels @ np.asarray(part.offset)
        near = max(part.semi_axes)
        rows, columns = _find_range(y[:, 0], dy, near), _find_range(x[0], dx, near)
        chord = _compute_chord(part, to_pixels, x[:, columns] - dx, y[rows] - dy)
        if part.weight < 0:
            hollow[rows, columns] += chord * -part.weight
        else:
            # Parts overlap: of two, the sum of fourth powers is hardly more than the thicker one.
            thickness[rows, columns] += (chord * part.weight) ** 4
    thickness = np.maximum(np.sqrt(np.sqrt(thickness)) - hollow, 0.0)
    if not thickness.any():
        return None
    pixels = cv2.resize(thickness, (side, side), interpolation=cv2.INTER_AREA)
    return Patch(row, column, np.asarray(pixels * solid.mu, dtype=np.float32))


def _find_range(coordinates: npt.NDArray[np.float64], middle: float, reach: float) -> slice:
    first, last = np.searchsorted(coordinates, (middle - reach, middle + reach))
    return slice(int(first), int(last))


def _compute_chord(
    part: Ellipsoid,
    to_pixels: npt.NDArray[np.float64],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the length of the beam's path through an ellipsoid centred on the origin."""
    axes = to_pixels @ part.turn
    form = axes @ np.diag(1.0 / np.square(part.semi_axes)) @ axes.T
    along = form[2, 2]
    mixed = form[0, 2] * x + form[1, 2] * y
    across = form[0, 0] * x**2 + 2 * form[0, 1] * x * y + form[1, 1] * y**2 - 1.0
    return np.asarray(2.0 * np.sqrt(np.maximum(mixed**2 - along * across, 0.0)) / along)
