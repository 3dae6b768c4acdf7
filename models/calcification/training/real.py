"""Regions of real mammograms: their tissue as background, with solids put in.

Only views that may be used in training are read (`ALLOWED`; their licence is in the model card).
Solids are put in after normalisation, where the unit is the local noise. The effect of the grey
scale on them is unknown, and is drawn at random. Bright things of the real image (markers, coarse
calcifications) are neither targets nor false.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.calcification.training.region_solids import draw_solids
from models.calcification.training.regions import (
    HEADS,
    IGNORED,
    NORMALISER,
    OBJECT,
    SENSED_CNR,
    SIDE,
    SURE_CNR,
    VISIBLE_SHARE,
    Region,
    make_patch,
)
from secondread.assemble.mammogram import Mammogram
from secondread.detect.normalisation import normalise
from secondread.detect.prepare import (
    cut_detector_input,
    prepare_image,
)
from secondread.dicom_files import read_image
from secondread_lab.simulate.fields import Map

ALLOWED = ("a-ffdm-cc/LCC.dcm", "c-ffdm-4view/*.dcm")
"""Views that may serve as backgrounds and hard negatives."""

_BRIGHT = 18.0
"""From this many times the noise on, a real thing is ignored."""
_AROUND_PX = 12
_TRIES = 200


@dataclass(frozen=True, slots=True)
class RealView:
    """One real view, normalised."""

    image: Map
    tissue: npt.NDArray[np.uint8]
    spacing_mm: float


def read_views(folder: Path) -> Iterator[RealView]:
    """Read the allowed views of a folder of exams."""
    for path in sorted(path for pattern in ALLOWED for path in folder.glob(pattern)):
        ds = read_image(path)
        prepared = prepare_image(ds, Mammogram.from_dataset(ds), NORMALISER.spacing_mm)
        cut, grid, tissue, interior = cut_detector_input(prepared, NORMALISER.spacing_mm)
        yield RealView(normalise(cut, tissue, NORMALISER), interior, grid.spacing.mean)


def make_real_regions(
    views: Sequence[RealView], rng: np.random.Generator, count: int
) -> Iterator[Region]:
    """Yield a number of regions of views drawn at random."""
    count_made = 0
    while count_made < count:
        region = make_real_region(views[int(rng.integers(len(views)))], rng)
        if region is not None:
            count_made += 1
            yield region


def make_real_region(view: RealView, rng: np.random.Generator) -> Region | None:
    """Cut a region out of a view and put solids in; None where there is too little breast."""
    for _ in range(_TRIES):
        row, column = (int(rng.integers(0, max(side - SIDE, 1))) for side in view.image.shape)
        cut = np.s_[row : row + SIDE, column : column + SIDE]
        tissue = _pad(view.tissue[cut])
        if tissue.mean() > 0.25:
            return _fill(_pad(view.image[cut]), tissue, view.spacing_mm, rng)
    return None


def _pad(cut: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    rows, columns = cut.shape
    return np.pad(cut, ((0, SIDE - rows), (0, SIDE - columns)))


def _fill(
    image: npt.NDArray[np.generic],
    tissue: npt.NDArray[np.generic],
    spacing_mm: float,
    rng: np.random.Generator,
) -> Region:
    background = np.asarray(image, np.float32)
    labels = _label_real_things(background)
    added = np.zeros_like(background)
    objects: list[tuple[float, ...]] = []
    # Peak contrast, in units of the noise, of a millimetre of dense calcification.
    strength = float(np.exp(rng.uniform(np.log(8.0), np.log(80.0))))
    blur = float(rng.uniform(0.03, 0.13)) / spacing_mm
    for placed in draw_solids(rng, 0.5 * SIDE * spacing_mm):
        patch = make_patch(placed, SIDE, spacing_mm)
        if patch is None or not tissue[patch.middle]:
            continue
        contrast = cv2.GaussianBlur(patch.attenuation, (0, 0), blur, borderType=cv2.BORDER_CONSTANT)
        contrast = np.asarray(contrast * np.float32(strength), np.float32)
        cnr = float(contrast.max())
        rows, columns = contrast.shape
        added[patch.window] += contrast
        if placed.mark_class is None or cnr < SENSED_CNR:
            continue
        head = HEADS.index(placed.mark_class)
        bit = 1 << head if cnr >= SURE_CNR else IGNORED
        labels[patch.window][contrast >= VISIBLE_SHARE * cnr] |= np.uint8(bit)
        weights = contrast / contrast.sum()
        objects.append(
            (
                patch.row + float(weights.sum(axis=1) @ np.arange(rows)),
                patch.column + float(weights.sum(axis=0) @ np.arange(columns)),
                head,
                placed.solid.size_mm / spacing_mm,
                cnr,
                placed.group,
                placed.morphology,
                placed.distribution,
            )
        )
    added -= _compute_local_mean(added)
    whole = np.clip(background + added, NORMALISER.clip_low, NORMALISER.clip_high) * tissue
    return Region(
        whole.astype(np.float16),
        labels,
        np.asarray(tissue, np.uint8),
        np.array(objects, OBJECT),
        spacing_mm,
    )


def _compute_local_mean(added: Map) -> Map:
    """Return what normalisation removes of the added contrast: its mean, but for what glares."""
    sigma = NORMALISER.local_mean_sigma_px
    is_glaring = (added > NORMALISER.clip_high).astype(np.uint8)
    weight = 1.0 - cv2.dilate(is_glaring, np.ones((5, 5), np.uint8)).astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), np.float32(1e-3))
    return np.asarray(cv2.GaussianBlur(added * weight, (0, 0), sigma) / share, np.float32)


def _label_real_things(image: Map) -> npt.NDArray[np.uint8]:
    bright = (image >= _BRIGHT).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _AROUND_PX + 1,) * 2)
    return np.asarray(cv2.dilate(bright, kernel) * np.uint8(IGNORED), np.uint8)
