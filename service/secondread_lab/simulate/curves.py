"""Linear structures: ducts, Cooper's ligaments and vessels as tapered curves in the breast.

The curves are drawn in breast coordinates, so that both views and every year show the same ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.strokes import TissueStrokes


@dataclass(frozen=True, slots=True)
class TaperedCurve:
    """A tapered curve in breast coordinates."""

    points: npt.NDArray[np.float64]
    """Shape (n, 3): depth, lateral, superior, in mm."""
    start_mm: float
    """Diameter at the first point."""
    end_mm: float
    """Diameter at the last point."""
    density: float = 1.0
    """Attenuation as a multiple of gland's."""


def draw_wandering_line(
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


def draw_breast_curves(breast: SimulatedBreast) -> tuple[TaperedCurve, ...]:
    """Return the ducts, ligaments and vessels of a breast."""
    return (*_draw_ducts(breast), *_draw_ligaments(breast), *draw_vessels(breast))


def draw_vessels(breast: SimulatedBreast) -> tuple[TaperedCurve, ...]:
    """Return the vessels of a breast: long, smooth, from the chest wall forward."""
    rng = seed_stream(breast.seed, "vessels", breast.laterality.letter)
    curves: list[TaperedCurve] = []
    for _ in range(int(rng.integers(5, 10))):
        angle = float(rng.uniform(0, 2 * np.pi))
        away = breast.half_width_mm * float(rng.uniform(0.35, 0.8))
        start = np.array(
            [breast.depth_mm * 1.02, away * np.cos(angle), away * np.sin(angle)], dtype=float
        )
        goal = np.array([float(rng.uniform(10, 30)), 0.0, 0.0])
        length = float(np.linalg.norm(goal - start)) * float(rng.uniform(0.6, 0.95))
        points = draw_wandering_line(rng, start, goal - start, length, bend=0.03)
        width = float(rng.uniform(0.7, 1.6))
        curves.append(TaperedCurve(points, width, 0.45 * width, density=0.9))
        for _ in range(int(rng.integers(1, 4))):
            branching_point = int(rng.integers(len(points) // 4, 3 * len(points) // 4))
            heading = points[branching_point + 1] - points[branching_point] + rng.normal(0, 0.5, 3)
            twig = draw_wandering_line(
                rng, points[branching_point], heading, float(rng.uniform(15, 35)), bend=0.06
            )
            curves.append(TaperedCurve(twig, 0.5 * width, 0.25, density=0.9))
    return tuple(curves)


def _draw_ducts(breast: SimulatedBreast) -> list[TaperedCurve]:
    rng = seed_stream(breast.seed, "ducts", breast.laterality.letter)
    curves: list[TaperedCurve] = []
    for _ in range(14):
        heading = np.array([1.0, float(rng.normal(0, 0.5)), float(rng.normal(0, 0.5))])
        start = np.array([1.0, float(rng.normal(0, 1.5)), float(rng.normal(0, 1.5))])
        length = breast.depth_mm * float(rng.uniform(0.3, 0.6))
        trunk = draw_wandering_line(rng, start, heading, length, bend=0.03)
        width = float(rng.uniform(0.7, 1.5))
        curves.append(TaperedCurve(trunk, width, 0.4, density=0.8))
        for _ in range(int(rng.integers(2, 5))):
            branching_point = int(rng.integers(len(trunk) // 3, len(trunk) - 2))
            fork = trunk[branching_point + 1] - trunk[branching_point] + rng.normal(0, 0.45, 3)
            branch = draw_wandering_line(
                rng, trunk[branching_point], fork, float(rng.uniform(8, 28)), bend=0.05
            )
            curves.append(TaperedCurve(branch, 0.6 * width, 0.2, density=0.8))
    return curves


def _draw_ligaments(breast: SimulatedBreast) -> list[TaperedCurve]:
    rng = seed_stream(breast.seed, "ligaments", breast.laterality.letter)
    curves: list[TaperedCurve] = []
    for _ in range(140):
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
        points = draw_wandering_line(rng, start, heading, length, bend=0.03)
        # A ligament is a sheet; seen edge-on it is deeper than wide.
        curves.append(TaperedCurve(points, width, 0.12, density=float(rng.uniform(0.6, 3.0))))
    return curves


_STEP_MM = 0.15
"""Distance between the samples of a curve."""

_FADING_MM = 4.0
"""Length over which a curve fades in and out, since nothing in a breast ends abruptly."""


def sample_curves(curves: Iterable[TaperedCurve]) -> TissueStrokes:
    """Return curves as strokes."""
    points, volumes, widths = zip(*(_sample_curve(curve) for curve in curves), strict=True)
    return TissueStrokes(
        *(np.concatenate(part).astype(np.float32) for part in (points, volumes, widths))
    )


def _sample_curve(
    curve: TaperedCurve,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    steps = np.linalg.norm(np.diff(curve.points, axis=0), axis=1)
    distance = np.concatenate([[0.0], np.cumsum(steps)])
    length = float(distance[-1])
    count = max(int(length / _STEP_MM), 2)
    along = (np.arange(count) + 0.5) * (length / count)
    points = np.stack([np.interp(along, distance, axis) for axis in curve.points.T], axis=-1)
    width = curve.start_mm + (curve.end_mm - curve.start_mm) * along / length
    ends = np.minimum(along, length - along) / min(_FADING_MM, 0.3 * length)
    volume = curve.density * np.pi / 4 * width**2 * (length / count) * np.clip(ends, 0.0, 1.0)
    return points, np.asarray(volume), np.asarray(width)
