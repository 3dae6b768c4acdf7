"""Linear structures: ducts, Cooper's ligaments and vessels as tapered curves in the breast.

The curves are drawn in breast coordinates, so that both views and every year show the same ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.simulate.anatomy import Breast
from secondread.simulate.fields import Map
from secondread.simulate.seeds import stream


@dataclass(frozen=True, slots=True)
class Curve:
    """A tapered curve in breast coordinates."""

    points: npt.NDArray[np.float64]
    """Shape (n, 3): depth, lateral, superior, in mm."""
    start_mm: float
    """Diameter at the first point."""
    end_mm: float
    """Diameter at the last point."""
    density: float = 1.0
    """Attenuation as a multiple of gland's."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A map that curves are drawn on: its pitch, and the view coordinates of its corner."""

    pitch_mm: float
    top_mm: float
    """Height of the upper border."""
    front_mm: float
    """Depth of the left border; depth grows to the right."""
    shape: tuple[int, int]

    def pixels(
        self, depth_mm: npt.NDArray[np.float64], across_mm: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return (column, row) array indices of points, shape (n, 2)."""
        columns = (depth_mm - self.front_mm) / self.pitch_mm - 0.5
        rows = (self.top_mm - across_mm) / self.pitch_mm - 0.5
        return np.stack([columns, rows], axis=-1)

    def coarse(self, pitch_mm: float) -> tuple[tuple[int, int], Map, Map]:
        """Return shape, depths and heights of a coarser raster that covers the same canvas."""
        height, width = (n * self.pitch_mm for n in self.shape)
        shape = (max(int(height / pitch_mm), 8), max(int(width / pitch_mm), 8))
        depth = self.front_mm + (np.arange(shape[1]) + 0.5) * (width / shape[1])
        across = self.top_mm - (np.arange(shape[0]) + 0.5) * (height / shape[0])
        return (
            shape,
            np.broadcast_to(depth[None, :], shape).astype(np.float32),
            np.broadcast_to(across[:, None], shape).astype(np.float32),
        )


def wander(
    rng: np.random.Generator,
    start: npt.NDArray[np.float64],
    direction: npt.NDArray[np.float64],
    length_mm: float,
    bend: float,
) -> npt.NDArray[np.float64]:
    """Return the points of a random curve, about 1 mm apart, shape (n, 3).

    Parameters
    ----------
    bend
        Standard deviation of the change of direction, in radians per mm; it is smoothed over
        some millimetres, so that the curve has no corners.
    """
    count = max(int(length_mm), 3)
    turns = rng.normal(0, bend, size=(count, 3))
    kernel = np.hanning(9)[1:-1]
    turns = np.stack([np.convolve(t, kernel / kernel.sum(), "same") for t in turns.T], axis=-1) * 2
    headings = direction / np.linalg.norm(direction) + np.cumsum(turns, axis=0)
    headings /= np.linalg.norm(headings, axis=1, keepdims=True)
    return np.asarray(start + np.cumsum(headings * (length_mm / count), axis=0))


def breast_curves(breast: Breast) -> tuple[Curve, ...]:
    """Return the ducts, ligaments and vessels of a breast."""
    return (*_ducts(breast), *_ligaments(breast), *vessels(breast))


def vessels(breast: Breast) -> tuple[Curve, ...]:
    """Return the vessels of a breast: long, smooth, from the chest wall forward."""
    rng = stream(breast.seed, "vessels", breast.laterality.letter)
    curves: list[Curve] = []
    for _ in range(int(rng.integers(5, 10))):
        angle = float(rng.uniform(0, 2 * np.pi))
        away = breast.half_width_mm * float(rng.uniform(0.35, 0.8))
        start = np.array(
            [breast.depth_mm * 1.02, away * np.cos(angle), away * np.sin(angle)], dtype=float
        )
        goal = np.array([float(rng.uniform(10, 30)), 0.0, 0.0])
        length = float(np.linalg.norm(goal - start)) * float(rng.uniform(0.6, 0.95))
        points = wander(rng, start, goal - start, length, bend=0.03)
        width = float(rng.uniform(0.7, 1.6))
        curves.append(Curve(points, width, 0.45 * width, density=0.9))
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(points) // 4, 3 * len(points) // 4))
            heading = points[at + 1] - points[at] + rng.normal(0, 0.5, 3)
            twig = wander(rng, points[at], heading, float(rng.uniform(15, 35)), bend=0.06)
            curves.append(Curve(twig, 0.5 * width, 0.25, density=0.9))
    return tuple(curves)


def _ducts(breast: Breast) -> list[Curve]:
    rng = stream(breast.seed, "ducts", breast.laterality.letter)
    curves: list[Curve] = []
    for _ in range(14):
        heading = np.array([1.0, float(rng.normal(0, 0.5)), float(rng.normal(0, 0.5))])
        start = np.array([1.0, float(rng.normal(0, 1.5)), float(rng.normal(0, 1.5))])
        length = breast.depth_mm * float(rng.uniform(0.3, 0.6))
        trunk = wander(rng, start, heading, length, bend=0.03)
        width = float(rng.uniform(0.7, 1.5))
        curves.append(Curve(trunk, width, 0.4, density=0.8))
        for _ in range(int(rng.integers(2, 5))):
            at = int(rng.integers(len(trunk) // 3, len(trunk) - 2))
            fork = trunk[at + 1] - trunk[at] + rng.normal(0, 0.45, 3)
            branch = wander(rng, trunk[at], fork, float(rng.uniform(8, 28)), bend=0.05)
            curves.append(Curve(branch, 0.6 * width, 0.2, density=0.8))
    return curves


def _ligaments(breast: Breast) -> list[Curve]:
    rng = stream(breast.seed, "ligaments", breast.laterality.letter)
    curves: list[Curve] = []
    for _ in range(650):
        depth = breast.depth_mm * float(rng.uniform(0.08, 1.0))
        share = depth / breast.depth_mm
        radius = breast.half_width_mm * float(np.sqrt(share * (2.0 - share)))
        angle = float(rng.uniform(0, 2 * np.pi))
        away = radius * float(np.sqrt(rng.uniform(0.05, 0.85)))
        start = np.array([depth, away * np.cos(angle), away * np.sin(angle)])
        outward = np.array([-0.9, 0.8 * np.cos(angle), 0.8 * np.sin(angle)])
        heading = outward + rng.normal(0, 0.7, 3)
        length = float(np.clip(rng.lognormal(2.6, 0.5), 5, 45))
        width = float(np.clip(rng.lognormal(-1.3, 0.45), 0.12, 0.9))
        points = wander(rng, start, heading, length, bend=0.03)
        # A ligament is a sheet; where it is seen edge-on it is deeper than it is wide.
        curves.append(Curve(points, width, 0.12, density=float(rng.uniform(0.6, 3.0))))
    return curves


_CLASS_EDGES_MM = (0.0, 0.25, 0.45, 0.8, 1.3)
"""Lower bounds of the width classes that are drawn and smoothed together."""


def drawn(
    curves: Iterable[Curve], axes: npt.NDArray[np.float64], squeeze: float, canvas: Canvas
) -> Map:
    """Return the line integral through curves, in mm of gland, as a map.

    Parameters
    ----------
    axes
        Matrix from breast to view coordinates, see `projection.beam_axes`.
    squeeze
        Factor of thickness under compression; a curve seen end-on is not longer than that.
    """
    layers = [np.zeros(canvas.shape, np.uint8) for _ in _CLASS_EDGES_MM]
    for curve in curves:
        view = curve.points @ axes.T
        pixels = canvas.pixels(view[:, 0], view[:, 1])
        widths = np.linspace(curve.start_mm, curve.end_mm, len(pixels))
        _draw_tapered(layers, pixels, widths, curve.density, canvas.pitch_mm)
    total = np.zeros(canvas.shape, np.float32)
    for layer, low in zip(layers, _CLASS_EDGES_MM, strict=True):
        if not layer.any():
            continue
        width = max(low * 1.25, 0.18)
        soft = cv2.GaussianBlur(layer.astype(np.float32), (0, 0), 0.33 * width / canvas.pitch_mm)
        total += soft * np.float32(width * (0.7 + 0.3 * squeeze) / 80.0)
    return total


def _draw_tapered(
    layers: list[npt.NDArray[np.uint8]],
    pixels: npt.NDArray[np.float64],
    widths: npt.NDArray[np.float64],
    density: float,
    pitch_mm: float,
) -> None:
    classes = np.digitize(widths, _CLASS_EDGES_MM) - 1
    fixed = np.round(pixels * 16).astype(np.int32)
    for number, layer in enumerate(layers):
        indices = np.flatnonzero(classes == number)
        if len(indices) == 0:
            continue
        run = fixed[indices[0] : indices[-1] + 2]
        thickness = max(round(0.7 * float(widths[indices].mean()) / pitch_mm), 1)
        cv2.polylines(
            layer, [run], False, int(80 * density), thickness, lineType=cv2.LINE_AA, shift=4
        )
