"""One view of one acquisition: tissue, scar and solids through the imaging chain, with truth."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.codes import View
from secondread.geometry import PointPx
from secondread_lab.simulate.acquisition import (
    Exposure,
    Signal,
    XRayDetector,
    compute_noise_sigma,
    expose,
)
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.phantom import SimulatedBreast
from secondread_lab.simulate.projection import ViewLayout, compute_beam_axes
from secondread_lab.simulate.solids import Patch, Solid, rasterise_solid
from secondread_lab.simulate.tissue import Aftermath, Tissue

VISIBLE_SHARE = 0.25
"""A pixel belongs to a solid where its contrast is at least this share of the solid's peak."""


_LIP = 0.07
"""Line integral of the paddle's rear edge."""
_LIP_MM = 0.5
"""Half width of the line that it draws."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where a solid is in an image and how strong it is, without noise and after the blur."""

    centre: PointPx
    """Centre of mass of its contrast."""
    corners: tuple[float, float, float, float]
    """First column, first row, column after the last, row after the last: x0, y0, x1, y1."""
    contrast: Patch
    """Its line integrals after the detector's blur."""
    cnr: float
    """Peak contrast over the noise of one pixel."""


@dataclass(frozen=True, slots=True)
class ViewImage:
    """The detector's signal of one view, and where each solid is."""

    signal: Signal
    footprints: tuple[Footprint | None, ...]
    """In the order of the solids; None for one that is outside the image."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A breast between paddle and detector."""

    breast: SimulatedBreast
    view: View
    tissue: Tissue
    layout: ViewLayout
    detector: XRayDetector
    aftermath: Aftermath | None = None
    """What a treatment has changed."""
    paddle_mm: float | None = None
    """Distance of the paddle's rear edge from the chest wall border; None where it is not shown."""

    def compute_attenuation(self) -> Map:
        """Return the line integrals of the tissue in each pixel of the image."""
        compressed = self.layout.positioning.thickness_mm
        lines = self.tissue.compute_attenuation(compressed, self.aftermath)
        canvas = self.tissue.canvas
        # Farther from the chest wall than the canvas there is air.
        visible_columns = self.layout.find_columns_behind(canvas.front_mm)
        depth, across = self.layout.compute_view_maps(visible_columns)
        if self.aftermath is not None:
            depth, across = self.aftermath.undo_contraction(depth, across)
        scale = np.float32(1.0 / canvas.pitch_mm)
        columns = (depth - np.float32(canvas.front_mm)) * scale - np.float32(0.5)
        rows = (np.float32(canvas.top_mm) - across) * scale - np.float32(0.5)
        image = cv2.remap(lines, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        whole = np.zeros((self.detector.rows, self.detector.columns), np.float32)
        whole[:, visible_columns] = np.maximum(image, 0.0)
        if self.paddle_mm is not None:
            whole += self._compute_paddle(self.paddle_mm)[None, :]
        return whole

    def _compute_paddle(self, edge_mm: float) -> Map:
        """Return what the paddle's upturned rear edge adds in each column."""
        columns = np.arange(self.detector.columns, dtype=np.float32) + np.float32(0.5)
        if self.layout.frame.chest_wall == "right":
            columns = np.float32(self.detector.columns) - columns
        behind = np.float32(edge_mm) - columns * np.float32(self.detector.pitch_mm)
        # The edge stands up a few millimetres, and is seen along its height: a line.
        lip = _LIP * np.exp(-((behind / np.float32(_LIP_MM)) ** 2))
        return np.asarray(lip, dtype=np.float32)

    def project_point(self, place: npt.NDArray[np.float64]) -> PointPx:
        """Return where a place in the breast is seen."""
        depth, across, _ = compute_beam_axes(self.breast, self.view) @ place
        return self.layout.to_px(float(depth), float(across))

    def compute_local_axes(self, solid: Solid) -> npt.NDArray[np.float64]:
        """Return the matrix from breast axes to (column, row, beam) where the solid is."""
        to_view = compute_beam_axes(self.breast, self.view)
        columns = []
        for axis in np.eye(3):
            ends = [self.project_point(solid.centre + side * axis) for side in (-1.0, 1.0)]
            step = 0.5 * self.detector.pitch_mm
            across = (step * (ends[1].col - ends[0].col), step * (ends[1].row - ends[0].row))
            columns.append([*across, float(to_view[2] @ axis)])
        return np.array(columns).T


def expose_view(
    scene: Scene, solids: Iterable[Solid], exposure: Exposure, rng: np.random.Generator
) -> ViewImage:
    """Expose one view.

    Parameters
    ----------
    scene
        What is in the beam besides the solids.
    rng
        Stream of the noise.
    """
    attenuation = scene.compute_attenuation()
    level = _measure_level(attenuation)
    axes = scene.layout.compute_pixel_axes() @ compute_beam_axes(scene.breast, scene.view)
    footprints: list[Footprint | None] = []
    patches: list[Patch] = []
    for solid in solids:
        turned = scene.compute_local_axes(solid) if _is_long(solid) else axes
        patch = rasterise_solid(
            solid, scene.project_point(solid.centre), turned, scene.detector.pitch_mm
        )
        if patch is None or not patch.fits_in(attenuation.shape):
            footprints.append(None)
            continue
        patches.append(patch)
        here = float(attenuation[patch.middle])
        sigma = compute_noise_sigma(here, level, scene.detector, exposure.quanta_per_mm2)
        footprints.append(_blur_and_measure(patch, scene.detector, sigma))
    for patch in patches:
        attenuation[patch.window] += patch.attenuation
    signal = expose(attenuation, level, scene.detector, exposure, rng)
    return ViewImage(signal, tuple(footprints))


def draw_footprint_mask(
    shape: tuple[int, int], labelled: Iterable[tuple[int, Footprint]]
) -> npt.NDArray[np.uint8]:
    """Return an image of labels: a footprint's label where its contrast is visible, 0 elsewhere."""
    mask = np.zeros(shape, np.uint8)
    for label, footprint in labelled:
        contrast = footprint.contrast.attenuation
        mask[footprint.contrast.window][contrast >= VISIBLE_SHARE * contrast.max()] = label
    return mask


_LONG_MM = 2.0


def _is_long(solid: Solid) -> bool:
    """Whether a solid is so long that the breast's bend would separate it from its neighbours."""
    return any(float(np.linalg.norm(part.offset)) > _LONG_MM for part in solid.parts)


def _measure_level(attenuation: Map) -> float:
    sample = attenuation[::8, ::8]
    return float(np.median(sample[sample > 0.5 * np.percentile(sample, 99)]))


def _blur_and_measure(patch: Patch, detector: XRayDetector, sigma: float) -> Footprint:
    blurred = cv2.GaussianBlur(
        patch.attenuation,
        (0, 0),
        detector.blur_mm / detector.pitch_mm,
        borderType=cv2.BORDER_CONSTANT,
    )
    contrast = np.asarray(blurred, dtype=np.float32)
    blurred_patch = Patch(patch.row, patch.column, contrast)
    return measure_footprint(blurred_patch, float(contrast.max()) / sigma)


def measure_footprint(contrast: Patch, cnr: float) -> Footprint:
    """Return where a contrast that has passed the blur is, its size and its middle."""
    lines = contrast.attenuation
    rows, columns = np.nonzero(lines >= VISIBLE_SHARE * lines.max())
    weights = lines / lines.sum()
    n, m = lines.shape
    return Footprint(
        centre=PointPx(
            contrast.column + float(weights.sum(axis=0) @ (np.arange(m) + 0.5)),
            contrast.row + float(weights.sum(axis=1) @ (np.arange(n) + 0.5)),
        ),
        corners=(
            float(contrast.column + columns.min()),
            float(contrast.row + rows.min()),
            float(contrast.column + columns.max() + 1),
            float(contrast.row + rows.max() + 1),
        ),
        contrast=contrast,
        cnr=cnr,
    )
