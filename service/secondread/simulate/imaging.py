"""One view of one acquisition: tissue, scar and solids through the imaging chain, with truth."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.codes import View
from secondread.geometry import PointPx
from secondread.simulate.acquisition import Detector, Exposure, Signal, expose, noise_sigma
from secondread.simulate.anatomy import Breast
from secondread.simulate.fields import Map
from secondread.simulate.projection import Layout, beam_axes
from secondread.simulate.solids import Patch, Solid, rasterised
from secondread.simulate.tissue import Aftermath, Tissue

VISIBLE_SHARE = 0.25
"""A pixel belongs to a solid where its contrast is at least this share of the solid's peak."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where a solid is in an image, and how strong; all free of noise, after the blur."""

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
    """The detector's signal of one view, and where each of the solids is."""

    signal: Signal
    footprints: tuple[Footprint | None, ...]
    """In the order of the solids; None for one that lies outside the image."""


def image_view(
    scene: "Scene", solids: Iterable[Solid], exposure: Exposure, rng: np.random.Generator
) -> ViewImage:
    """Expose one view.

    Parameters
    ----------
    scene
        What stands in the beam, apart from the solids.
    rng
        Stream of the noise.
    """
    attenuation = scene.attenuation()
    level = _average_level(attenuation)
    axes = scene.layout.pixel_axes() @ beam_axes(scene.breast, scene.view)
    footprints: list[Footprint | None] = []
    patches: list[Patch] = []
    for solid in solids:
        patch = rasterised(solid, scene.project(solid), axes, scene.detector.pitch_mm)
        if patch is None or not _fits(patch, attenuation):
            footprints.append(None)
            continue
        patches.append(patch)
        row, column = patch.middle
        here = float(attenuation[row, column])
        sigma = noise_sigma(here, level, scene.detector, exposure.quanta_per_mm2)
        footprints.append(_footprint(patch, scene.detector, sigma))
    for patch in patches:
        n, m = patch.attenuation.shape
        attenuation[patch.row : patch.row + n, patch.column : patch.column + m] += patch.attenuation
    signal = expose(attenuation, level, scene.detector, exposure, rng)
    return ViewImage(signal, tuple(footprints))


@dataclass(frozen=True, slots=True)
class Scene:
    """A breast between paddle and detector."""

    breast: Breast
    view: View
    tissue: Tissue
    layout: Layout
    detector: Detector
    aftermath: Aftermath | None = None
    """What a treatment has changed."""

    def attenuation(self) -> Map:
        """Return the line integrals of the tissue in each pixel of the image."""
        compressed = self.layout.positioning.thickness_mm
        lines = self.tissue.line_integral(compressed, self.aftermath)
        canvas = self.tissue.canvas
        # What lies farther than the canvas from the chest wall is air.
        shown = self.layout.columns_behind(canvas.front_mm)
        depth, across = self.layout.view_maps(shown)
        if self.aftermath is not None:
            depth, across = self.aftermath.drawn_in(depth, across)
        scale = np.float32(1.0 / canvas.pitch_mm)
        columns = (depth - np.float32(canvas.front_mm)) * scale - np.float32(0.5)
        rows = (np.float32(canvas.top_mm) - across) * scale - np.float32(0.5)
        image = cv2.remap(lines, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        whole = np.zeros((self.detector.rows, self.detector.columns), np.float32)
        whole[:, shown] = np.maximum(image, 0.0)
        return whole

    def project(self, solid: Solid) -> PointPx:
        """Return where a solid's centre is seen."""
        depth, across, _ = beam_axes(self.breast, self.view) @ solid.centre
        return self.layout.to_px(float(depth), float(across))


def label_mask(
    shape: tuple[int, int], labelled: Iterable[tuple[int, Footprint]]
) -> npt.NDArray[np.uint8]:
    """Return an image of labels: each footprint's where its contrast is visible, else 0."""
    mask = np.zeros(shape, np.uint8)
    for label, footprint in labelled:
        patch = footprint.contrast
        n, m = patch.attenuation.shape
        window = mask[patch.row : patch.row + n, patch.column : patch.column + m]
        window[patch.attenuation >= VISIBLE_SHARE * patch.attenuation.max()] = label
    return mask


def _average_level(attenuation: Map) -> float:
    sample = attenuation[::8, ::8]
    return float(np.median(sample[sample > 0.5 * np.percentile(sample, 99)]))


def _fits(patch: Patch, image: Map) -> bool:
    n, m = patch.attenuation.shape
    inside_rows = patch.row >= 0 and patch.row + n <= image.shape[0]
    return inside_rows and patch.column >= 0 and patch.column + m <= image.shape[1]


def _footprint(patch: Patch, detector: Detector, sigma: float) -> Footprint:
    blurred = cv2.GaussianBlur(
        patch.attenuation,
        (0, 0),
        detector.blur_mm / detector.pitch_mm,
        borderType=cv2.BORDER_CONSTANT,
    )
    contrast = np.asarray(blurred, dtype=np.float32)
    rows, columns = np.nonzero(contrast >= VISIBLE_SHARE * contrast.max())
    weights = contrast / contrast.sum()
    n, m = contrast.shape
    return Footprint(
        centre=PointPx(
            patch.column + float(weights.sum(axis=0) @ (np.arange(m) + 0.5)),
            patch.row + float(weights.sum(axis=1) @ (np.arange(n) + 0.5)),
        ),
        corners=(
            float(patch.column + columns.min()),
            float(patch.row + rows.min()),
            float(patch.column + columns.max() + 1),
            float(patch.row + rows.max() + 1),
        ),
        contrast=Patch(patch.row, patch.column, contrast),
        cnr=float(contrast.max()) / sigma,
    )
