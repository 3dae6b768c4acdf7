"""Metal in a region: clips, staples, wires, balls, and markers of biopsies."""

from collections.abc import Iterator

import numpy as np

from models.calcification.training.placed_solids import Vector
from secondread_lab.simulate.curves import draw_wandering_line
from secondread_lab.simulate.shapes import draw_clip, make_lead_ball, make_wire
from secondread_lab.simulate.solids import Solid


def draw_metal_pieces(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """Draw pieces of one kind, each with its place about their common middle."""
    kinds = (
        draw_clips,
        draw_clips,
        _draw_staples,
        _draw_thread,
        _draw_ball,
        _draw_ball,
        draw_biopsy_marker,
    )
    yield from kinds[int(rng.integers(len(kinds)))](rng)


def draw_clips(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """Draw surgical clips."""
    for _ in range(int(rng.integers(1, 6))):
        clip = draw_clip(rng, np.zeros(3))
        yield clip.scale_contrast(float(rng.uniform(0.5, 1.4))), rng.normal(0, 8.0, 3)


def _draw_staples(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """A row of skin staples, or of the fine ones of a stapler, their legs bent in or not."""
    width = float(rng.uniform(1.5, 6.5))
    radius = float(rng.uniform(0.1, 0.28))
    inward = float(rng.uniform(0.0, 0.8))
    steps = np.linspace(-0.5, 0.5, max(int(2.0 * width / radius), 8))
    bar = np.stack([width * steps, 0 * steps, 0 * steps], axis=-1)
    down = np.linspace(0, float(rng.uniform(0.3, 0.6)) * width, 14)
    legs = [
        np.stack([side * (width / 2 - inward * down), -0.8 * down, 0.6 * down], -1)
        for side in (-1.0, 1.0)
    ]
    row = rng.normal(size=3)
    row *= float(rng.uniform(3.0, 8.0)) / float(np.linalg.norm(row))
    for number in range(int(rng.integers(2, 9))):
        yield make_wire(np.concatenate([bar, *legs]), radius, np.zeros(3)), row * number


def _draw_thread(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """A localisation wire, or one stuck on the scar, with a hook at its end or without."""
    length = float(rng.uniform(10.0, 75.0))
    points = draw_wandering_line(rng, np.zeros(3), rng.normal(size=3), length, 0.02)
    if rng.random() < 0.5:
        barb = points[1] - points[0]
        barb = barb / np.linalg.norm(barb) + 0.4 * rng.normal(size=3)
        hook = np.linspace(float(rng.uniform(4.0, 10.0)), 0.7, 8)[:, None] * barb
        points = np.concatenate([points[0] + hook / np.linalg.norm(barb), points])
    points -= points.mean(axis=0)
    radius = float(rng.uniform(0.1, 0.35))
    # Neighbouring beads must overlap.
    positions = np.linspace(0, len(points) - 1, max(int(length / radius), len(points)))
    fine = np.stack(
        [np.interp(positions, np.arange(len(points)), axis) for axis in points.T], axis=-1
    )
    yield make_wire(fine, radius, np.zeros(3)), np.zeros(3)


def _draw_ball(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    ball = make_lead_ball(np.zeros(3))
    yield ball.scale(float(rng.uniform(0.4, 1.3))), np.zeros(3)


def draw_biopsy_marker(rng: np.random.Generator) -> Iterator[tuple[Solid, Vector]]:
    """A marker of wire, 2 to 5 mm: a coil, an arc or a ring, a loop, or two crossed bars."""
    size = float(rng.uniform(0.8, 2.0))
    narrow = float(rng.uniform(0.35, 1.0))
    shape = int(rng.integers(3))
    if shape == 0:
        angles = np.linspace(0, 2 * np.pi * float(rng.uniform(0.4, 3.0)), 90)
        rise = float(rng.uniform(0.0, 2.0)) * size * angles / angles[-1]
        points = np.stack([size * np.cos(angles), narrow * size * np.sin(angles), rise], axis=-1)
    elif shape == 1:
        angles = np.linspace(-0.3 * np.pi, float(rng.uniform(1.0, 1.7)) * np.pi, 60)
        points = np.stack(
            [size * np.cos(angles), narrow * size * np.sin(2 * angles), 0 * angles], -1
        )
    else:
        arm = np.linspace(-size, size, 24)
        points = np.concatenate(
            [np.stack([arm, 0 * arm, 0 * arm], -1), np.stack([0 * arm, narrow * arm, 0 * arm], -1)]
        )
    yield (
        make_wire(points - points.mean(axis=0), float(rng.uniform(0.12, 0.3)), np.zeros(3)),
        np.zeros(3),
    )
