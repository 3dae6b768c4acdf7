"""Metal other than the clips of a bed: skin staples, a localisation wire, biopsy markers.

Each is drawn once from the history seed, in breast coordinates, so that both views show it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from secondread.codes import Laterality
from secondread_lab.simulate.lesion_history import Vector, find_visible_place
from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.shapes import make_wire, turn_first_axis
from secondread_lab.simulate.solids import Solid, draw_rotation

MetalKind = Literal["staples", "wire", "biopsy-marker"]


@dataclass(frozen=True, slots=True)
class MetalSpec:
    """A piece of metal, or a row of them, in one breast."""

    kind: MetalKind
    laterality: Laterality
    place: tuple[float, float, float] = (0.5, 0.2, 0.2)
    """As `LesionSpec.place`: of the marker, of the wire's tip, of the breast below the staples."""
    count: int = 7
    """Number of staples; of the other kinds there is one piece."""


def draw_metal(spec: MetalSpec, breast: SimulatedBreast, seed: int) -> tuple[Solid, ...]:
    """Draw the solids of one specification; a long wire comes in several pieces.

    Parameters
    ----------
    seed
        The history seed.
    """
    rng = seed_stream(seed, "metal", spec.kind, repr(spec.place), breast.laterality.letter)
    return _MAKERS[spec.kind](spec, breast, rng)


def _draw_staples(
    spec: MetalSpec, breast: SimulatedBreast, rng: np.random.Generator
) -> tuple[Solid, ...]:
    # On the skin above the place, along a line as a scar runs, each across the line.
    place = find_visible_place(spec.place, breast)
    share = float(np.clip(place[0] / breast.depth_mm, 0.05, 1.0))
    radius = 0.78 * breast.half_width_mm * float(np.sqrt(share * (2.0 - share)))
    outward = place[1:] / max(float(np.linalg.norm(place[1:])), 1.0)
    around = np.array([0.0, -outward[1], outward[0]])
    row = np.array([float(rng.normal(0, 0.5)), *around[1:]])
    row /= np.linalg.norm(row)
    base = np.array([place[0], *(outward * radius)])
    apart = float(rng.uniform(5.0, 8.0))
    steps = (np.arange(spec.count) - 0.5 * (spec.count - 1)) * apart
    across = np.cross(row, np.array([0.0, *outward]))
    solids: list[Solid] = []
    for step in steps:
        heading = across + rng.normal(0, 0.15, 3)
        turn = turn_first_axis(heading)
        bowed = np.array([0.0, *outward]) * (-0.006 * step * step)
        solids.append(_draw_staple(rng, base + step * row + bowed, turn))
    return tuple(solids)


def _draw_staple(rng: np.random.Generator, centre: Vector, turn: Vector) -> Solid:
    """Return one closed skin staple: a bar with two legs bent in, of steel wire."""
    width, leg = float(rng.uniform(4.8, 6.2)), float(rng.uniform(2.2, 3.2))
    bar = [[x, 0.0, 0.0] for x in np.linspace(-width / 2, width / 2, 26)]
    legs = [
        [side * (width / 2 - 0.45 * down), -down * 0.8, 0.6 * down]
        for side in (-1, 1)
        for down in np.linspace(0.2, leg, 12)
    ]
    return make_wire(np.array(bar + legs) @ turn.T, 0.25, centre)


_PIECE_MM = 7.0
"""Longest piece of a wire that is drawn as one solid."""


def _draw_hook_wire(
    spec: MetalSpec, breast: SimulatedBreast, rng: np.random.Generator
) -> tuple[Solid, ...]:
    # In from the skin, past the place, with a hook at its end that opens backwards.
    tip = find_visible_place(spec.place, breast)
    outward = np.array([float(rng.normal(-0.25, 0.2)), *(tip[1:] + rng.normal(0, 6.0, 2))])
    outward[0] *= float(np.linalg.norm(outward[1:]))
    outward /= np.linalg.norm(outward)
    length, radius = float(rng.uniform(45.0, 75.0)), float(rng.uniform(0.11, 0.16))
    apart = 1.4 * radius
    along = np.arange(-3.0, length, apart)
    aside = np.cross(outward, rng.normal(size=3))
    aside *= float(rng.normal(0, 2.0)) / np.linalg.norm(aside)
    bow = np.sin(np.pi * np.clip(along / length, 0.0, 1.0))
    shaft = tip + along[:, None] * outward + bow[:, None] * aside
    barb = np.cross(outward, rng.normal(size=3))
    barb = outward + 0.35 * barb / np.linalg.norm(barb)
    hook = shaft[0] + np.arange(apart, 9.0, apart)[:, None] * barb / np.linalg.norm(barb)
    points = np.concatenate([hook[::-1], shaft])
    pieces = np.array_split(points, max(int(len(points) * apart / _PIECE_MM), 1))
    return tuple(
        make_wire(piece - piece.mean(axis=0), radius, piece.mean(axis=0)) for piece in pieces
    )


def _draw_biopsy_marker(
    spec: MetalSpec, breast: SimulatedBreast, rng: np.random.Generator
) -> tuple[Solid, ...]:
    shape = _MARKER_SHAPES[int(rng.integers(len(_MARKER_SHAPES)))]
    points = float(rng.uniform(0.9, 1.25)) * shape() @ draw_rotation(rng).T
    return (make_wire(points, 0.17, find_visible_place(spec.place, breast)),)


def _make_ring() -> Vector:
    angles = np.linspace(0.3, 2 * np.pi, 36)
    return np.stack([1.3 * np.cos(angles), 1.3 * np.sin(angles), 0 * angles], axis=-1)


def _make_ribbon() -> Vector:
    turns = np.linspace(-0.25 * np.pi, 1.25 * np.pi, 44)
    return np.stack([1.5 * np.cos(turns), 0.9 * np.sin(2 * turns), 0.1 * turns], axis=-1)


def _make_coil() -> Vector:
    turns = np.linspace(0, 6 * np.pi, 90)
    return np.stack([0.14 * (turns - 3 * np.pi), 0.5 * np.cos(turns), 0.5 * np.sin(turns)], axis=-1)


def _make_cross() -> Vector:
    arm = np.linspace(-1.2, 1.2, 18)
    none = 0 * arm
    return np.concatenate(
        [np.stack([arm, none, none], axis=-1), np.stack([none, 0.8 * arm, none], axis=-1)]
    )


_MARKER_SHAPES: tuple[Callable[[], Vector], ...] = (
    _make_ring,
    _make_ribbon,
    _make_coil,
    _make_cross,
)
"""Of wire, two to three millimetres long; the shapes identify the sites of biopsies."""

_MAKERS: dict[
    MetalKind, Callable[[MetalSpec, SimulatedBreast, np.random.Generator], tuple[Solid, ...]]
] = {
    "staples": _draw_staples,
    "wire": _draw_hook_wire,
    "biopsy-marker": _draw_biopsy_marker,
}
