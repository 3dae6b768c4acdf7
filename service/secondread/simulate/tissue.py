"""The tissue of one view of one breast: maps in view coordinates that every acquisition shares.

Coarse structure is projected from the breast's glandular volume, so that both views agree;
what is finer than a voxel is drawn for each view from its own streams. Compression enters only
in `Tissue.line_integral`, so that the same tissue can be imaged again.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.codes import View
from secondread.simulate.anatomy import VOXEL_MM, Breast, GlandVolume, gland_volume
from secondread.simulate.curves import Canvas, breast_curves, drawn
from secondread.simulate.fields import Map, Spectrum, power_law_map, resized
from secondread.simulate.projection import beam_axes
from secondread.simulate.seeds import stream
from secondread.simulate.texture import Texture

PITCH_MM = 0.1
"""Pitch of the tissue maps: what is finer than twice this drowns in quantum noise."""

MU_FAT = 0.045
MU_GLAND = 0.075
"""Linear attenuation per mm at about 20 keV, adipose and glandular (Johns and Yaffe 1987,
Physics in Medicine and Biology 32:675), rounded, the contrast a little less than theirs."""

_AXILLA_MM = 215.0
"""How far above the nipple an oblique view is drawn."""

MU_MUSCLE = 0.077
MU_SKIN = 0.078


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
    skin_mm: float

    def thickness(self, compressed_mm: float) -> Map:
        """Return the path through the breast in mm: flat inside, rounded at the edge."""
        return _rounded(self.distance, compressed_mm)

    def line_integral(self, compressed_mm: float, extra: Map | None = None) -> Map:
        """Return the attenuation along the beam.

        Parameters
        ----------
        extra
            What a treatment adds, in mm of gland.
        """
        outer = self.thickness(compressed_mm)
        inner = _rounded(self.distance - self.skin_mm, compressed_mm - 2 * self.skin_mm)
        soft = self.fibres * np.clip(inner / np.float32(0.5 * compressed_mm), 0.0, 1.0)
        if extra is not None:
            soft = soft + extra * np.clip(inner / np.float32(0.3 * compressed_mm), 0.0, 1.0)
        dense = np.minimum(inner * self.gland + soft, inner)
        total = outer * np.float32(MU_FAT) + (outer - inner) * np.float32(MU_SKIN - MU_FAT)
        total += dense * (1.0 - self.muscle) * np.float32(MU_GLAND - MU_FAT)
        total += inner * self.muscle * np.float32(MU_MUSCLE - MU_FAT)
        total += self.nipple * np.float32(MU_SKIN)
        return np.asarray(total, dtype=np.float32)


def _rounded(distance: Map, thickness_mm: float) -> Map:
    """Return the path through a slab of the given thickness with a rounded edge."""
    # Between the paddle and the support the free edge bulges to about a half circle.
    bulge = 0.55 * thickness_mm
    share = np.clip(distance / np.float32(bulge), 0.0, 1.0)
    return np.asarray(np.float32(thickness_mm) * np.sqrt(share * (2.0 - share)), dtype=np.float32)


def make_tissue(breast: Breast, view: View) -> Tissue:
    """Draw the tissue of a view."""
    canvas = _canvas(breast, view)
    distance = _skin_distance(breast, view, canvas)
    volume = gland_volume(breast)
    share = _projected_share(volume, breast, view, canvas)
    muscle = _muscle(breast, view, canvas)
    texture = Texture(breast, view, canvas)
    gland = np.clip(share + np.sqrt(share) * texture.lumps() + 0.010, 0.0, 0.97)
    squeeze = breast.thickness_mm / (2 * breast.half_width_mm)
    fibres = texture.fibres(share)
    fibres += drawn(breast_curves(breast), beam_axes(breast, view), squeeze, canvas)
    if breast.treated:
        fibres *= np.float32(1.2)
    return Tissue(
        canvas=canvas,
        distance=distance,
        gland=np.asarray(gland, dtype=np.float32),
        fibres=fibres,
        muscle=muscle,
        nipple=_nipple(breast, canvas),
        skin_mm=breast.skin_mm,
    )


def _canvas(breast: Breast, view: View) -> Canvas:
    front = -breast.nipple_mm - 6.0
    outline = breast.outline(view)
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


def _skin_distance(breast: Breast, view: View, canvas: Canvas) -> Map:
    shape, depth, across = canvas.coarse(0.5)
    outline = breast.outline(view)
    heights = np.linspace(-outline.lower.half_width_mm, canvas.top_mm + 40, 6000)
    if view.is_cc_like:
        heights = np.linspace(-outline.lower.half_width_mm, outline.upper.half_width_mm, 6000)
    skin = np.stack([outline.edge(heights), heights], axis=-1)
    points = np.stack([depth, across], axis=-1).reshape(-1, 2)
    nearest = np.asarray(cKDTree(skin).query(points)[0]).reshape(shape)
    inside = depth > outline.edge(across.astype(np.float64))
    signed = np.where(inside, nearest, -nearest)
    # Linear on purpose: OpenCV's cubic kernel does not keep a straight slope straight.
    size = canvas.shape[::-1]
    fine = cv2.resize(signed.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine, dtype=np.float32)


def _projected_share(volume: GlandVolume, breast: Breast, view: View, canvas: Canvas) -> Map:
    gland, inside = volume.gland, volume.inside
    if view.is_mlo_like:
        gland, inside = (_turned(v, breast.oblique_deg) for v in (gland, inside))
    # Axes: depth, across, along; the mean along the beam over what is breast.
    share = gland.sum(axis=2) / (inside.sum(axis=2) + 4.0)
    shape, depth, across = canvas.coarse(0.5)
    columns = (across + np.float32(volume.half_mm)) / np.float32(VOXEL_MM)
    flat = cv2.remap(
        np.asarray(share, dtype=np.float32),
        columns,
        depth / np.float32(VOXEL_MM),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0.0,
    )
    del shape
    return np.clip(resized(np.asarray(flat, dtype=np.float32), canvas.shape), 0.0, 0.95)


def _turned(volume: npt.NDArray[np.float32], angle_deg: float) -> npt.NDArray[np.float32]:
    """Return a volume turned about the depth axis, so that its last axis lies along the beam."""
    n = volume.shape[1]
    middle = (n - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle_deg, 1.0)
    # A slice's rows are lateral and its columns superior; turned, rows are across, columns along.
    slices = [cv2.warpAffine(plane, matrix, (n, n), flags=cv2.INTER_LINEAR) for plane in volume]
    return np.asarray(slices, dtype=np.float32)


def _muscle(breast: Breast, view: View, canvas: Canvas) -> Map:
    if view.is_cc_like:
        return np.zeros(canvas.shape, np.float32)
    shape, depth, across = canvas.coarse(0.25)
    rng = stream(breast.seed, "muscle", breast.laterality.letter)
    edge = breast.pectoral.edge(across.astype(np.float64), breast.depth_mm)
    behind = (depth - edge).astype(np.float32)
    behind += 0.5 * power_law_map(rng, shape, 0.25, Spectrum(4.0, 30.0, 3.0))
    # The muscle's bundles run along its edge: noise that is stretched and slanted that way.
    bundles = resized(
        power_law_map(rng, (shape[0] // 6, shape[1]), 0.25, Spectrum(2.2, 8.0, 0.6)), shape
    )
    source = (depth + np.float32(breast.pectoral.width_mm / 100.0) * across) / np.float32(0.25)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] + np.zeros_like(source)
    slanted = cv2.remap(bundles, source % shape[1], rows, cv2.INTER_LINEAR)
    rise = np.clip(behind / 1.2 + 0.5, 0.0, 1.0)
    body = 0.38 + 0.25 * (1.0 - np.exp(-np.maximum(behind, 0.0) / 18.0)) + 0.022 * slanted
    return resized((rise * body).astype(np.float32), canvas.shape)


def _nipple(breast: Breast, canvas: Canvas) -> Map:
    _, depth, across = canvas.coarse(0.25)
    length, radius = breast.nipple_mm, 5.5
    # Half an ellipsoid that stands on the skin, soft at its rim.
    reach = (np.minimum(depth, 0.0) / length) ** 2 + (across / radius) ** 2
    fade = np.clip(1.0 - np.maximum(depth, 0.0) / 4.0, 0.0, 1.0)
    body = 6.0 * np.sqrt(np.clip(1.0 - reach, 0.0, None)) * fade
    return resized(body.astype(np.float32), canvas.shape)
