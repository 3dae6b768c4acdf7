"""Fat lobules: a foam of cells whose walls are the breast's septa.

Fat forms lobules of a few millimetres to two centimetres. Sheets of fibrous tissue, which run
together at their edges, separate them (Cooper's ligaments are the strongest). A foam of bowed
Voronoi cells has the same parts: walls, edges and corners. It is drawn in breast coordinates, so
that both views and every year show the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import Voronoi

from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.strokes import TissueStrokes, join_strokes, number_samples

Points = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

Weight = Callable[[Points], npt.NDArray[np.float64]]
"""Share, 0-1, of the tissue at points that is drawn; shape (n, 3) in breast coordinates."""

_STRONGEST = 2.3
_WORTH_DRAWING = 0.04
"""What has less strength is left out."""


@dataclass(frozen=True, slots=True)
class Foam:
    """One size of lobules."""

    name: str
    cell_mm: float
    """Mean distance between the middles of neighbouring lobules."""
    longer: float
    """How much longer a lobule is towards the nipple than across."""
    edge_mm: float
    """Usual width where walls run together."""
    wall_mm: float
    """Usual thickness of a wall."""
    spread: float
    """How much single edges and walls differ: standard deviation of the logarithm."""
    soft_mm: float
    """Width to which a wall that is seen edge-on is blurred by its own unevenness."""
    reach: float = 1.3
    """How far they extend to every side, in half widths of the breast."""
    tail: float = 0.0
    """How far they extend up and out, into the axillary tail, in half widths."""


@dataclass(frozen=True, slots=True)
class _Mesh:
    """A foam's corners, its edges, and its walls as sectors about each wall's middle."""

    corners: Points
    edges: Indices
    """Corner numbers of each edge, shape (n, 2)."""
    bows: Points
    """How far each edge's middle is off the straight line."""
    edge_of: Indices
    """Edge of each sector."""
    wall_of: Indices
    """Wall of each sector."""

    @property
    def walls(self) -> int:
        """Number of walls."""
        return int(self.wall_of[-1]) + 1


def draw_lobules(
    breast: SimulatedBreast, foam: Foam, beam: Points, weight: Weight
) -> TissueStrokes:
    """Return the walls and edges of the lobules of one size, as samples.

    Parameters
    ----------
    beam
        Direction of the beam in breast coordinates: only walls that it grazes are seen.
    """
    rng = seed_stream(breast.seed, "lobules", foam.name, breast.laterality.letter)
    mesh = _draw_mesh(breast, foam, rng)
    # Everything random is drawn before anything is left out, so that all views show the same.
    edge_strength = _draw_strengths(rng, foam, len(mesh.edges))
    wall_strength = _draw_strengths(rng, foam, mesh.walls)
    bulge = rng.normal(0, 0.10 * foam.cell_mm, (mesh.walls, 3))
    return join_strokes(
        (
            _sample_edges(mesh, foam, edge_strength, weight),
            _sample_walls(mesh, foam, wall_strength, bulge, beam, weight),
        )
    )


def _draw_strengths(rng: np.random.Generator, foam: Foam, count: int) -> npt.NDArray[np.float64]:
    # Many are faint and a few strong, but none stands out from all others.
    return np.minimum(np.exp(rng.normal(0, foam.spread, count)), _STRONGEST)


def _draw_mesh(breast: SimulatedBreast, foam: Foam, rng: np.random.Generator) -> _Mesh:
    cells = Voronoi(_draw_middles(breast, foam, rng))
    corners = cells.vertices * np.array([foam.longer, 1.0, 1.0])
    is_inside = _find_inside(corners, breast)
    lengths = np.array([len(face) for face in cells.ridge_vertices])
    flat = np.concatenate([np.asarray(face) for face in cells.ridge_vertices])
    owner = np.repeat(np.arange(len(lengths)), lengths)
    # An infinite wall has the corner -1.
    bad = np.bincount(owner, (flat < 0) | ~is_inside[flat], len(lengths)) > 0
    follows = np.arange(len(flat)) + 1
    last = np.cumsum(lengths) - 1
    follows[last] = last - lengths + 1
    is_complete = ~bad[owner]
    pairs = np.sort(np.stack([flat[is_complete], flat[follows][is_complete]], axis=-1), axis=1)
    edges, edge_of = np.unique(pairs, axis=0, return_inverse=True)
    _, wall_of = np.unique(owner[is_complete], return_inverse=True)
    bows = 0.09 * rng.normal(size=(len(edges), 3))
    bows *= np.linalg.norm(corners[edges[:, 0]] - corners[edges[:, 1]], axis=1)[:, None]
    return _Mesh(corners, edges, bows, edge_of.reshape(-1), wall_of)


def _draw_middles(breast: SimulatedBreast, foam: Foam, rng: np.random.Generator) -> Points:
    step = foam.cell_mm
    low, high = (
        share * breast.half_width_mm for share in (-foam.reach, max(foam.reach, foam.tail))
    )
    depth = np.arange(-step, 1.2 * breast.depth_mm / foam.longer + 2 * step, step)
    across = np.arange(low - step, high + step, step)
    grid = np.stack(np.meshgrid(depth, across, across, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(grid + rng.uniform(-0.55, 0.55, grid.shape) * step)


def _find_inside(points: Points, breast: SimulatedBreast) -> npt.NDArray[np.bool_]:
    share = np.clip(points[:, 0] / breast.depth_mm, 0.0, 1.0)
    radius = 1.2 * breast.half_width_mm * np.sqrt(share * (2.0 - share))
    reach = np.hypot(points[:, 1], points[:, 2])
    # The axillary tail, up and out, has fat of its own.
    outwards, aside = points[:, 1] + points[:, 2], points[:, 1] - points[:, 2]
    tail = (outwards > 0) & (np.abs(aside) < 0.9 * breast.half_width_mm)
    deep = (points[:, 0] > 0.3) & (points[:, 0] < 1.2 * breast.depth_mm)
    return np.asarray(deep & ((reach < radius + 3.0) | (tail & (points[:, 0] > 8.0))))


_STEP_MM = 0.2
"""Distance between the samples of an edge."""


def _sample_edges(
    mesh: _Mesh, foam: Foam, strength: npt.NDArray[np.float64], weight: Weight
) -> TissueStrokes:
    first, last = mesh.corners[mesh.edges[:, 0]], mesh.corners[mesh.edges[:, 1]]
    strengths = strength * weight(0.5 * (first + last))
    chosen = np.flatnonzero(strengths > _WORTH_DRAWING)
    first, last, bows, strengths = first[chosen], last[chosen], mesh.bows[chosen], strengths[chosen]
    length = np.linalg.norm(last - first, axis=1)
    counts = (np.minimum(length, 40.0) / _STEP_MM).astype(np.int64) + 1
    owner, number = number_samples(counts)
    t = (number + 0.5) / counts[owner]
    points = first[owner] * (1 - t)[:, None] + last[owner] * t[:, None]
    points += bows[owner] * (4 * t * (1 - t))[:, None]
    # Edges widen into the corners where they meet.
    width = foam.edge_mm * strength[chosen][owner] ** 0.4
    width = width * (0.55 + 1.3 * np.abs(2 * t - 1) ** 3)
    volume = 0.4 * foam.edge_mm * width * (strengths * length / counts)[owner]
    return TissueStrokes(*(np.asarray(a, dtype=np.float32) for a in (points, volume, width)))


_SAMPLES_PER_MM2 = 2.8
_GRAZING = 0.75
"""Cosine between beam and normal from which on a wall is not seen as a line."""

_GOLDEN = (0.7548776662466927, 0.5698402909980532)
"""Steps of an even two-dimensional sequence (Roberts 2018, the R2 sequence)."""


def _sample_walls(
    mesh: _Mesh,
    foam: Foam,
    strength: npt.NDArray[np.float64],
    bulge: Points,
    beam: Points,
    weight: Weight,
) -> TissueStrokes:
    ends = mesh.edges[mesh.edge_of]
    first, last = mesh.corners[ends[:, 0]], mesh.corners[ends[:, 1]]
    sizes = np.bincount(mesh.wall_of, minlength=mesh.walls)[:, None]
    middles = np.stack(
        [np.bincount(mesh.wall_of, first[:, k] + last[:, k], mesh.walls) for k in range(3)],
        axis=-1,
    ) / (2.0 * sizes)
    middle = middles[mesh.wall_of]
    normals = np.cross(first - middle, last - middle)
    area = 0.5 * np.linalg.norm(normals, axis=1)
    slant = np.abs(normals @ beam) / np.maximum(2.0 * area, 1e-9)
    grazed = np.clip(1.0 - (slant / _GRAZING) ** 2, 0.0, 1.0)
    strengths = (strength * weight(middles))[mesh.wall_of] * grazed
    chosen = np.flatnonzero(strengths > _WORTH_DRAWING)
    counts = (np.minimum(area[chosen], 400.0) * _SAMPLES_PER_MM2).astype(np.int64) + 1
    owner, _ = number_samples(counts)
    a, b, m, bow, out, volume, width = (
        np.asarray(values[chosen], dtype=np.float32)[owner]
        for values in (
            first,
            last,
            middle,
            mesh.bows[mesh.edge_of],
            bulge[mesh.wall_of],
            area * foam.wall_mm * strengths,
            np.full(len(area), foam.soft_mm) * strength[mesh.wall_of] ** 0.3,
        )
    )
    n = np.arange(len(owner), dtype=np.float64)
    # A square root spreads the samples evenly over a triangle.
    r = np.sqrt((n * _GOLDEN[0]) % 1.0).astype(np.float32)[:, None]
    t = ((n * _GOLDEN[1]) % 1.0).astype(np.float32)[:, None]
    rim = a * (1 - t) + b * t + bow * (4 * t * (1 - t))
    points = m + (rim - m) * r + out * (1 - r * r)
    return TissueStrokes(points, volume / counts[owner].astype(np.float32), width)
