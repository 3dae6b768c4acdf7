"""The tissue of one view of one breast: maps in view coordinates that every acquisition shares.

Coarse structure is projected from the breast's glandular volume, so that both views agree;
structure finer than a voxel is drawn for each view from its own streams. Compression enters only
in `Tissue.compute_attenuation`, so that the same tissue can be imaged again.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.codes import View
from secondread_lab.simulate.curves import draw_breast_curves, sample_curves
from secondread_lab.simulate.fields import Map, Spectrum, draw_power_law_map, resize_map
from secondread_lab.simulate.lobules import Foam, draw_lobules
from secondread_lab.simulate.phantom import (
    VOXEL_MM,
    GlandVolume,
    Outline,
    SimulatedBreast,
    draw_gland_volume,
)
from secondread_lab.simulate.projection import compute_beam_axes
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.strokes import Canvas, TissueStrokes, integrate_strokes, join_strokes
from secondread_lab.simulate.texture import Texture

PITCH_MM = 0.1
"""Pitch of the tissue maps: what is finer than twice this drowns in quantum noise."""

MU_FAT = 0.045
MU_GLAND = 0.075
"""Linear attenuation per mm at about 20 keV, adipose and glandular (Johns and Yaffe 1987,
Physics in Medicine and Biology 32:675), rounded, the contrast a little less than theirs."""

_AXILLA_MM = 215.0
"""How far above the nipple an oblique view is drawn."""

MU_MUSCLE = 0.077
MU_SKIN = 0.090

_NIPPLE_RADIUS_MM = 5.5

_PULL_MM = 20.0
"""Distance over which a scar draws in the tissue around it."""

_SLAB = 0.30
"""Standard deviation, in half widths of the breast, of how far from its middle tissue is drawn:
compression spreads tissue farther out over the whole view."""

_FOAMS = (
    Foam("large", 17.0, 1.25, 1.1, 0.29, 0.75, 0.6, tail=1.9),
    Foam("small", 8.0, 1.4, 0.55, 0.16, 0.8, 0.35, reach=0.85),
)
"""Sizes of fat lobules: those under the skin and behind the gland, and those within it."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Changes by surgery and radiotherapy at the time of an exam."""

    added: Map
    """The scar, in mm of gland, on the tissue's canvas."""
    skin_mm: float = 0.0
    """Added thickness of the skin."""
    strands: float = 1.0
    """Factor on the strands, which oedema and fibrosis coarsen."""
    centre: tuple[float, float] = (0.0, 0.0)
    """Depth and height, in view coordinates, of the point that the scar draws tissue to."""
    pull: float = 0.0
    """Share of its distance that tissue at the scar has been drawn in."""

    def undo_contraction(self, depth: Map, across: Map) -> tuple[Map, Map]:
        """Return where tissue that is now at some places was before the scar contracted."""
        aside, above = depth - np.float32(self.centre[0]), across - np.float32(self.centre[1])
        reach = (aside * aside + above * above) * np.float32(-1.0 / _PULL_MM**2)
        share = np.exp(reach) * np.float32(self.pull)
        return depth + aside * share, across + above * share


@dataclass(frozen=True, slots=True)
class Tissue:
    """Maps of one view; rows from the top down, columns from the nipple to the chest wall."""

    canvas: Canvas
    distance: Map
    """Distance inwards from the skin, in mm; negative outside."""
    gland: Map
    """Share of gland in the thickness, 0-1."""
    fibres: Map
    """Line integral through strands, ducts, ligaments and vessels, in mm of gland."""
    muscle: Map
    """Share of muscle in the thickness, 0-1."""
    nipple: Map
    """Thickness of the nipple in front of the skin, in mm."""
    skin: Map
    """Thickness of the skin along the edge, in mm."""
    folds: Map
    """Thickness of skin folds, in mm."""

    def compute_thickness(self, compressed_mm: float) -> Map:
        """Return the path through the breast in mm: flat inside, rounded at the edge."""
        return _compute_path(self.distance, compressed_mm)

    def compute_attenuation(self, compressed_mm: float, aftermath: Aftermath | None = None) -> Map:
        """Return the attenuation along the beam."""
        skin, strands = self.skin, self.fibres
        if aftermath is not None:
            skin, strands = skin + aftermath.skin_mm, strands * np.float32(aftermath.strands)
        outer = self.compute_thickness(compressed_mm)
        mean_skin = float(np.mean(skin[::16, ::16]))
        inner = _compute_path(self.distance - skin, compressed_mm - 2 * mean_skin)
        soft = strands * np.clip(inner / np.float32(0.4 * compressed_mm), 0.0, 1.0)
        if aftermath is not None:
            scarred = np.clip(inner / np.float32(0.3 * compressed_mm), 0.0, 1.0)
            soft += aftermath.added * scarred
        # Gland cannot take more than the whole path; the approach to that limit is smooth.
        room = inner + np.float32(1.0)
        share = (inner * self.gland + soft) / room
        dense = room * share / np.sqrt(np.sqrt(1.0 + share**4))
        # The skin's inner side is not sharp: connective tissue fades out from it.
        skin_path = cv2.GaussianBlur(outer - inner, (0, 0), 0.22 / self.canvas.pitch_mm)
        total = outer * np.float32(MU_FAT) + skin_path * np.float32(MU_SKIN - MU_FAT)
        total += dense * (1.0 - 0.6 * self.muscle) * np.float32(MU_GLAND - MU_FAT)
        total += inner * self.muscle * np.float32(MU_MUSCLE - MU_FAT)
        in_breast = np.clip(self.distance / np.float32(3.0), 0.0, 1.0)
        total += (self.nipple + self.folds * in_breast) * np.float32(MU_SKIN)
        return np.asarray(total, dtype=np.float32)


def _compute_path(distance: Map, thickness_mm: float) -> Map:
    """Return the path through a slab of the given thickness with a rounded edge."""
    # Between the paddle and the support the free edge bulges to about a half circle.
    bulge = 0.55 * thickness_mm
    share = np.clip(distance / np.float32(bulge), 0.0, 1.0)
    return np.asarray(np.float32(thickness_mm) * np.sqrt(share * (2.0 - share)), dtype=np.float32)


def draw_tissue(breast: SimulatedBreast, view: View) -> Tissue:
    """Draw the tissue of a view."""
    canvas = _make_canvas(breast, view)
    volume = draw_gland_volume(breast)
    share = _project_gland(volume, breast, view, canvas)
    texture = Texture(breast, view, canvas)
    gland = np.clip(share + np.sqrt(share) * texture.draw_lumps() + 0.010, 0.0, 1.0)
    return Tissue(
        canvas=canvas,
        distance=_compute_skin_distance(breast, view, canvas),
        gland=np.asarray(gland, dtype=np.float32),
        fibres=texture.draw_streaks(share)
        + _draw_strands(volume, breast, view, canvas, texture.draw_fibrils()),
        muscle=_draw_muscle(breast, view, canvas),
        nipple=_draw_nipple(breast, canvas),
        skin=_draw_skin(breast, view, canvas),
        folds=_draw_folds(breast, view, canvas),
    )


def _draw_strands(
    volume: GlandVolume, breast: SimulatedBreast, view: View, canvas: Canvas, fibrils: TissueStrokes
) -> Map:
    """Return the line integral through septa, ligaments, ducts, vessels and fibrils."""
    axes = compute_beam_axes(breast, view)

    def in_slab(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        along = points @ axes[2] / (_SLAB * breast.half_width_mm)
        return np.asarray(np.exp(-0.5 * along**2))

    def in_gland(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        share = volume.find_share(points)
        return in_slab(points) * (0.25 + 1.0 * share * (1.0 - 0.5 * share))

    large, small = _FOAMS
    curves = sample_curves(draw_breast_curves(breast))
    parts = (
        draw_lobules(breast, large, axes[2], in_slab),
        draw_lobules(breast, small, axes[2], in_gland),
        curves,
    )
    return integrate_strokes(join_strokes((join_strokes(parts).project(axes), fibrils)), canvas)


def _make_canvas(breast: SimulatedBreast, view: View) -> Canvas:
    front = -breast.nipple_mm - 6.0
    outline = breast.find_outline(view)
    top = outline.upper.half_width_mm * 1.06
    if view.is_mlo_like:
        # The axilla reaches the upper border of the largest image.
        top = max(2.0 * breast.depth_mm, _AXILLA_MM)
    bottom = -outline.lower.half_width_mm * 1.08
    shape = (
        int((top - bottom) / PITCH_MM) + 1,
        int((breast.depth_mm + 12.0 - front) / PITCH_MM) + 1,
    )
    return Canvas(PITCH_MM, top, front, shape)


def _compute_skin_distance(breast: SimulatedBreast, view: View, canvas: Canvas) -> Map:
    shape, depth, across = canvas.make_coarse_raster(0.8)
    outline = breast.find_outline(view)
    heights = np.linspace(-outline.lower.half_width_mm, canvas.top_mm + 40, 6000)
    if view.is_cc_like:
        heights = np.linspace(-outline.lower.half_width_mm, outline.upper.half_width_mm, 6000)
    skin = np.stack([_compute_edge(outline, breast, heights), heights], axis=-1)
    points = np.stack([depth, across], axis=-1).reshape(-1, 2)
    nearest = np.asarray(cKDTree(skin).query(points)[0]).reshape(shape)
    inside = depth > _compute_edge(outline, breast, across.astype(np.float64))
    signed = np.where(inside, nearest, -nearest)
    # Linear on purpose: OpenCV's cubic kernel does not keep a straight slope straight.
    size = canvas.shape[::-1]
    fine = cv2.resize(signed.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine, dtype=np.float32)


def _compute_edge(
    outline: Outline, breast: SimulatedBreast, across: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the depth of the skin with the nipple, which stands out in profile."""
    nipple = breast.nipple_mm * np.exp(-((across / _NIPPLE_RADIUS_MM) ** 4))
    return np.asarray(outline.find_edge(across) - nipple)


def _project_gland(volume: GlandVolume, breast: SimulatedBreast, view: View, canvas: Canvas) -> Map:
    gland, inside = volume.gland, volume.inside
    if view.is_mlo_like:
        gland, inside = (_turn_volume(v, breast.oblique_deg) for v in (gland, inside))
    # Axes: depth, across, along; the mean along the beam, within the breast.
    along = (np.arange(volume.gland.shape[2], dtype=np.float32) + 0.5) * VOXEL_MM - volume.half_mm
    slab = np.exp(-0.5 * (along / np.float32(_SLAB * breast.half_width_mm)) ** 2)
    share = (gland @ slab) / (inside @ slab + 4.0)
    _, depth, across = canvas.make_coarse_raster(0.5)
    columns = (across + np.float32(volume.half_mm)) / np.float32(VOXEL_MM)
    flat = cv2.remap(
        np.asarray(share, dtype=np.float32),
        columns,
        depth / np.float32(VOXEL_MM),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0.0,
    )
    return np.clip(resize_map(np.asarray(flat, dtype=np.float32), canvas.shape), 0.0, 0.95)


def _turn_volume(volume: npt.NDArray[np.float32], angle_deg: float) -> npt.NDArray[np.float32]:
    """Return a volume turned about the depth axis, so that its last axis is along the beam."""
    n = volume.shape[1]
    middle = (n - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle_deg, 1.0)
    # A slice's rows are lateral and its columns superior; turned, rows are across, columns along.
    slices = [cv2.warpAffine(plane, matrix, (n, n), flags=cv2.INTER_LINEAR) for plane in volume]
    return np.asarray(slices, dtype=np.float32)


def _draw_muscle(breast: SimulatedBreast, view: View, canvas: Canvas) -> Map:
    shape, depth, across = canvas.make_coarse_raster(0.25)
    rng = seed_stream(breast.seed, "muscle", breast.laterality.letter)
    if view.is_cc_like:
        # Sometimes the muscle's front is visible as a crescent at the chest wall.
        bow = 1.0 - ((across - np.float32(breast.crescent.middle_mm)) / 38.0) ** 2
        edge = breast.depth_mm - breast.crescent.width_mm * bow
        if breast.crescent.width_mm <= 0:
            return np.zeros(canvas.shape, np.float32)
    else:
        edge = breast.pectoral.find_edge(across.astype(np.float64), breast.depth_mm)
    behind = (depth - edge).astype(np.float32)
    behind += 0.5 * draw_power_law_map(rng, shape, 0.25, Spectrum(5.0, 60.0, 4.0))
    # The muscle's bundles run along its edge: noise that is stretched and slanted that way.
    bundles = resize_map(
        draw_power_law_map(rng, (shape[0] // 6, shape[1]), 0.25, Spectrum(2.6, 9.0, 0.8)), shape
    )
    source = (depth + np.float32(breast.pectoral.width_mm / 100.0) * across) / np.float32(0.25)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] + np.zeros_like(source)
    slanted = cv2.remap(bundles, source % shape[1], rows, cv2.INTER_LINEAR)
    rise = np.clip(behind / 1.6 + 0.5, 0.0, 1.0)
    body = 0.26 + 0.24 * (1.0 - np.exp(-np.maximum(behind, 0.0) / 25.0)) + 0.010 * slanted
    return resize_map((rise * rise * (3 - 2 * rise) * body).astype(np.float32), canvas.shape)


def _draw_nipple(breast: SimulatedBreast, canvas: Canvas) -> Map:
    """Return the added thickness of the nipple and the ends of the ducts behind it, in mm."""
    _, depth, across = canvas.make_coarse_raster(0.25)
    reach = ((depth - 1.0) / np.float32(breast.nipple_mm + 2.0)) ** 2 + (across / 6.5) ** 2
    body = 7.0 * np.exp(-(reach**2))
    return resize_map(np.asarray(body, dtype=np.float32), canvas.shape)


def _draw_skin(breast: SimulatedBreast, view: View, canvas: Canvas) -> Map:
    """Return the thickness of the skin: uneven along the edge, thicker at the areola."""
    shape, depth, across = canvas.make_coarse_raster(2.0)
    rng = seed_stream(breast.seed, "skin", breast.laterality.letter, view.name)
    uneven = draw_power_law_map(rng, shape, 2.0, Spectrum(3.5, 50.0, 4.0))
    areola = np.exp(-((depth**2 + across**2) / np.float32(15.0**2)))
    skin = breast.skin_mm * np.clip(0.72 + 0.28 * uneven, 0.25, 1.5) + 0.7 * areola
    return resize_map(skin.astype(np.float32), canvas.shape)


def _draw_folds(breast: SimulatedBreast, view: View, canvas: Canvas) -> Map:
    """Return the folds of skin that the edges of the paddle raise at the chest wall."""
    shape, depth, across = canvas.make_coarse_raster(0.5)
    rng = seed_stream(breast.seed, "folds", breast.laterality.letter, view.name)
    total = np.zeros(shape, np.float32)
    outline = breast.find_outline(view)
    ends = (outline.upper.half_width_mm, -outline.lower.half_width_mm)
    for end in ends if view.is_cc_like else ends[1:]:
        height, width, slope = rng.uniform(4, 12), rng.uniform(6, 14), rng.uniform(0.3, 0.8)
        sign = np.float32(np.sign(end))
        inward = sign * (np.float32(end) - across) + (breast.depth_mm - depth) * np.float32(slope)
        total += np.float32(height) * np.clip((np.float32(width) - inward) / 2.0, 0.0, 1.0)
    soft = cv2.GaussianBlur(total, (0, 0), 1.5)
    return resize_map(np.asarray(soft, dtype=np.float32), canvas.shape)
