"""One breast: its size, outline and composition in one coordinate system of its own.

Breast coordinates are millimetres from the nipple: depth towards the chest wall, lateral (away
from the sternum on either side), superior. The two views are projections of these:
`secondread_lab.simulate.projection` has the geometry, `secondread_lab.simulate.tissue` the texture.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from secondread.codes import Laterality, View
from secondread_lab.simulate.fields import Spectrum, Volume, draw_power_law_volume
from secondread_lab.simulate.seeds import seed_stream

Density = Literal["a", "b", "c", "d"]
"""Composition in the letters of BI-RADS, from almost entirely fatty to extremely dense."""

VOXEL_MM = 1.5
"""Edge of a voxel of the glandular volume; finer structure is drawn for each view."""

# Offset of the sigmoid that turns a field into gland, and share of the breast that it may fill.
_COMPOSITION: dict[Density, tuple[float, float]] = {
    "a": (-5.0, 0.48),
    "b": (-3.2, 0.54),
    "c": (-1.6, 0.62),
    "d": (0.4, 0.70),
}


_TAIL_BLEND_MM = 9.0
"""Range of depths over which the breast's curve passes into the axillary tail."""


@dataclass(frozen=True, slots=True)
class OutlineHalf:
    """One side of an outline, nipple to chest wall: a superellipse, perhaps with a tail."""

    half_width_mm: float
    roundness: float
    """Exponent at the nipple: 2 is an ellipse, less is more pointed."""
    fullness: float
    """Exponent at the chest wall: 2 is an ellipse, less runs out more slowly."""
    tail_start_mm: float | None = None
    """Depth that the skin of the axillary tail would have at the nipple's height; at least
    `_TAIL_BLEND_MM`, so that the tail does not move the nipple."""
    tail_slope: float = 0.0
    """How fast the axillary tail recedes, in mm of depth per mm upwards."""

    def find_edge(
        self, across_mm: npt.NDArray[np.float64], reach_mm: float
    ) -> npt.NDArray[np.float64]:
        """Return the depth of the skin at distances from the nipple's height, all positive."""
        share = np.clip(across_mm / self.half_width_mm, 0.0, 1.0)
        depth = reach_mm * (1.0 - (1.0 - share**self.roundness) ** (1.0 / self.fullness))
        if self.tail_start_mm is None:
            return np.asarray(depth)
        tail = self.tail_start_mm + self.tail_slope * across_mm
        # A smooth minimum: the breast's curve passes into the tail without a corner.
        mix = np.clip(0.5 + 0.5 * (tail - depth) / _TAIL_BLEND_MM, 0.0, 1.0)
        bend = _TAIL_BLEND_MM * mix * (1.0 - mix)
        return np.asarray(depth * mix + tail * (1.0 - mix) - bend)


@dataclass(frozen=True, slots=True)
class Outline:
    """The skin of one view: its upper and its lower half, and how deep the curves reach."""

    upper: OutlineHalf
    lower: OutlineHalf
    reach_mm: float

    def find_edge(self, across_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the depth of the skin, in mm behind the nipple, at each height."""
        above = self.upper.find_edge(np.maximum(across_mm, 0.0), self.reach_mm)
        below = self.lower.find_edge(np.maximum(-across_mm, 0.0), self.reach_mm)
        return np.where(across_mm >= 0, above, below)


@dataclass(frozen=True, slots=True)
class Pectoral:
    """The pectoral muscle in an oblique view: behind a nearly straight line."""

    foot_mm: float
    """Height at which the line meets the chest wall, from the nipple."""
    width_mm: float
    """How far the muscle reaches forward, 100 mm above its foot."""
    bulge_mm: float
    """How far the line bows forward in its middle."""

    def find_edge(
        self, across_mm: npt.NDArray[np.float64], wall_mm: float
    ) -> npt.NDArray[np.float64]:
        """Return the depth of the muscle's front at each height."""
        rise = (across_mm - self.foot_mm) / 100.0
        bow = self.bulge_mm * np.clip(rise * (1.6 - rise), 0.0, None) * (rise < 1.6)
        return np.asarray(wall_mm - self.width_mm * rise - bow)


@dataclass(frozen=True, slots=True)
class Crescent:
    """The pectoral muscle in a cranio-caudal view: a bow at the chest wall, or nothing."""

    middle_mm: float
    """Height of its middle, from the nipple."""
    width_mm: float
    """How far it reaches forward of the chest wall; negative where it is not shown."""


@dataclass(frozen=True, slots=True)
class SimulatedBreast:
    """One breast of one woman: all that is the same in every acquisition."""

    seed: int
    laterality: Laterality
    density: Density
    depth_mm: float
    """Nipple to chest wall."""
    half_width_mm: float
    thickness_mm: float
    """Compressed thickness at the usual force."""
    skin_mm: float
    nipple_mm: float
    """How far the nipple stands out."""
    oblique_deg: float
    """Angle of the oblique view's beam against the vertical."""
    cc: Outline
    mlo: Outline
    pectoral: Pectoral
    crescent: Crescent

    def find_outline(self, view: View) -> Outline:
        """Return the outline of a view."""
        return self.cc if view.is_cc_like else self.mlo

    def find_point(self, place: tuple[float, float, float]) -> npt.NDArray[np.float64]:
        """Return a place in breast coordinates.

        Parameters
        ----------
        place
            Shares: of the depth from nipple to chest wall, and lateral and superior of the half
            width.
        """
        depth, lateral, superior = place
        w = self.half_width_mm
        return np.array([depth * self.depth_mm, lateral * w, superior * w])


def draw_breast(
    seed: int,
    laterality: Laterality,
    *,
    density: Density | None = None,
    size: float = 1.0,
) -> SimulatedBreast:
    """Draw a breast; both breasts of a seed belong to one woman and resemble each other.

    Parameters
    ----------
    density
        Composition; drawn when None, with about the frequencies of screening.
    size
        Factor on all lengths.
    """
    woman = seed_stream(seed, "woman")
    letters: tuple[Density, ...] = ("a", "b", "c", "d")
    drawn_density = letters[int(woman.choice(4, p=(0.1, 0.4, 0.4, 0.1)))]
    depth = float(np.clip(woman.normal(86, 11), 62, 115)) * size
    half_width = depth * float(np.clip(woman.normal(1.06, 0.07), 0.92, 1.22))
    thickness = float(np.clip(woman.normal(54, 9), 32, 78)) * size
    pointedness = float(woman.normal(0, 0.10))
    side = seed_stream(seed, "side", laterality.letter)
    depth, half_width = (v * float(side.normal(1, 0.02)) for v in (depth, half_width))
    return SimulatedBreast(
        seed=seed,
        laterality=laterality,
        density=density or drawn_density,
        depth_mm=depth,
        half_width_mm=half_width,
        thickness_mm=thickness * float(side.normal(1, 0.03)),
        skin_mm=float(side.uniform(1.0, 1.4)),
        nipple_mm=float(side.uniform(1.5, 6.0)),
        oblique_deg=float(side.uniform(43, 52)),
        cc=_draw_cc_outline(side, depth, half_width, pointedness),
        mlo=_draw_mlo_outline(side, depth, half_width, pointedness),
        pectoral=Pectoral(
            foot_mm=float(side.normal(12, 12)),
            width_mm=float(side.uniform(26, 42)) * size,
            bulge_mm=float(side.uniform(0, 7)),
        ),
        crescent=Crescent(float(side.normal(-10, 12)), float(side.uniform(-14, 8))),
    )


def _draw_cc_outline(
    rng: np.random.Generator, depth: float, half_width: float, pointedness: float
) -> Outline:
    upper, lower = (
        OutlineHalf(
            half_width_mm=half_width * float(rng.normal(share, 0.03)),
            roundness=1.66 + pointedness + float(rng.normal(0, 0.06)),
            fullness=float(rng.uniform(1.6, 1.95)),
        )
        for share in (1.14, 1.06)
    )
    return Outline(upper, lower, depth * 1.18)


def _draw_mlo_outline(
    rng: np.random.Generator, depth: float, half_width: float, pointedness: float
) -> Outline:
    upper = OutlineHalf(
        half_width_mm=half_width * float(rng.normal(1.95, 0.06)),
        roundness=1.72 + pointedness + float(rng.normal(0, 0.06)),
        fullness=float(rng.uniform(1.6, 1.9)),
        tail_start_mm=_TAIL_BLEND_MM + depth * float(rng.uniform(0.0, 0.10)),
        tail_slope=float(rng.uniform(0.03, 0.11)),
    )
    lower = OutlineHalf(
        half_width_mm=half_width * float(rng.normal(0.86, 0.03)),
        roundness=1.95 + pointedness + float(rng.normal(0, 0.06)),
        fullness=float(rng.uniform(1.7, 2.0)),
    )
    return Outline(upper, lower, depth * 1.15)


@dataclass(frozen=True, slots=True)
class GlandVolume:
    """Share of gland, 0-1, and of breast, 0-1, in voxels of `VOXEL_MM`.

    Axes: depth from the nipple; lateral and superior, each from minus to plus `half_mm`.
    """

    gland: Volume
    inside: Volume
    half_mm: float

    def find_share(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the share of gland at points in breast coordinates, shape (n, 3)."""
        voxels = (points + np.array([0.0, self.half_mm, self.half_mm])) / VOXEL_MM
        index = np.clip(voxels.astype(np.int64), 0, np.array(self.gland.shape) - 1)
        return np.asarray(self.gland[tuple(index.T)], dtype=np.float64)


def draw_gland_volume(breast: SimulatedBreast) -> GlandVolume:
    """Return the glandular tissue of a breast in three dimensions."""
    half = breast.half_width_mm * 1.05
    depth = np.arange(0, breast.depth_mm * 1.1, VOXEL_MM, dtype=np.float32)
    across = np.arange(-half, half, VOXEL_MM, dtype=np.float32)
    field = draw_power_law_volume(
        seed_stream(breast.seed, "gland", breast.laterality.letter),
        (len(depth), len(across), len(across)),
        VOXEL_MM,
        Spectrum(beta=4.0, outer_mm=90.0),
    )
    d = (depth / breast.depth_mm)[:, None, None]
    radius = np.maximum(breast.half_width_mm * np.sqrt(np.clip(d * (2.0 - d), 0.0, 1.0)), 2.0)
    lateral, superior = across[None, :, None], across[None, None, :]
    reach = np.sqrt(lateral**2 + superior**2) / radius
    inside = np.clip((1.0 - reach) * radius / VOXEL_MM + 0.5, 0.0, 1.0)
    offset, fill = _COMPOSITION[breast.density]
    # Most of the gland is in the upper outer quadrant.
    lean = 0.10 * breast.half_width_mm * np.minimum(d * 1.5, 1.0)
    centre = np.sqrt((lateral - lean) ** 2 + (superior - lean) ** 2) / (fill * radius)
    envelope = (
        2.2 * (1.0 - centre**3)
        - 20.0 * np.clip(d - 0.76, 0.0, None) ** 1.5
        - 14.0 * np.clip(0.14 - d, 0.0, None)
    )
    logit = (
        4.5 * field
        + 3.0 * _draw_septa(breast, field.shape)
        + 2.0 * np.maximum(envelope, -6.0)
        + offset
    )
    gland = inside / (1.0 + np.exp(-logit))
    return GlandVolume(gland.astype(np.float32), inside.astype(np.float32), half)


def _draw_septa(breast: SimulatedBreast, shape: tuple[int, ...]) -> Volume:
    """Return -1 in fat lobules, up to 1 in the sheets of tissue between them."""
    cells = draw_power_law_volume(
        seed_stream(breast.seed, "lobules", breast.laterality.letter),
        (shape[0], shape[1], shape[2]),
        VOXEL_MM,
        Spectrum(beta=6.0, outer_mm=16.0, inner_mm=3.0),
    )
    return np.asarray(2.0 * np.exp(-((cells / 0.35) ** 2)) - 1.0, dtype=np.float32)
