"""One region: a piece of tissue with solids in it, exposed, processed, normalised, with its truth.

Regions are normalised by the detector's own code, on the detector's pixel grid, so that the input
of the network in training is like that in a hospital.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.calcification.training.backgrounds import Background
from models.calcification.training.placed_solids import PlacedSolid
from models.calcification.training.random_processing import Levels, render_raw, render_region
from models.calcification.training.region_solids import draw_solids
from secondread.codes import MarkClass
from secondread.detect.manifest import InputNormalisation
from secondread.detect.normalisation import normalise
from secondread.errors import PixelError
from secondread.geometry import PointPx
from secondread_lab.simulate.acquisition import Exposure, XRayDetector, compute_noise_sigma, expose
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.solids import Patch, rasterise_solid

HEADS = (MarkClass.CALCIFICATION, MarkClass.VASCULAR, MarkClass.METAL, MarkClass.SKIN)
"""Classes of the networks, in the order of their outputs."""
IGNORED = 1 << len(HEADS)
"""Bit of the labels for solids that are too faint to be a target and too real to be false."""

SIDE = 512
"""Rows and columns of a region, on the detector's grid."""
MARGIN = 32
"""Pixels around it that are made and cut off, so that it shows no filter's border."""

NORMALISER = InputNormalisation(
    spacing_mm=0.07,
    normaliser="noise-equalised.v2",
    local_mean_sigma_px=12.0,
    clip_low=-10.0,
    clip_high=30.0,
)

SURE_CNR = 2.0
"""From this peak contrast-to-noise ratio on a solid is a target."""
SENSED_CNR = 0.8
"""Below this a solid is noise; in between it is ignored."""

VISIBLE_SHARE = 0.30
"""A pixel belongs to a solid from this share of its peak contrast on."""


OBJECT = np.dtype(
    [
        ("row", np.float32),
        ("column", np.float32),
        ("head", np.float32),
        ("diameter_px", np.float32),
        ("cnr", np.float32),
        ("group", np.float32),
        ("morphology", np.float32),
        ("distribution", np.float32),
    ]
)
"""A solid in a region: array index of its centre, index in `HEADS`, diameter, peak contrast over
noise, number of its group, indices in `placed_solids.MORPHOLOGIES` and `DISTRIBUTIONS`; -1 where
something does not apply. All are numbers of one type, so that files hold a plain table."""

Objects = npt.NDArray[np.void]
"""Shape (n,), of `OBJECT`."""


@dataclass(frozen=True, slots=True)
class Region:
    """One training region."""

    image: npt.NDArray[np.float16]
    """The detector's input, (SIDE, SIDE)."""
    labels: npt.NDArray[np.uint8]
    """Bit n is set where a solid of ``HEADS[n]`` is visible; `IGNORED` where a faint one is."""
    tissue: npt.NDArray[np.uint8]
    """1 in the breast."""
    objects: Objects
    """The solids."""
    spacing_mm: float


def make_region(background: Background, rng: np.random.Generator) -> Region | None:
    """Make one region of a background; None where there is too little breast in it."""
    detector = _draw_detector(rng)
    native = detector.pitch_mm
    grid = native if native >= 0.9 * NORMALISER.spacing_mm else NORMALISER.spacing_mm
    side = round((SIDE + 2 * MARGIN) * grid / native)
    lines = _draw_piece(background, side, native, rng)
    if lines is None:
        return None
    factor = float(rng.uniform(0.75, 1.3))
    lines *= np.float32(factor)
    level = background.level * factor
    quanta = float(np.exp(rng.uniform(np.log(1.5e5), np.log(9e5))))
    placed = draw_solids(rng, 0.5 * side * native)
    patches = [make_patch(placed_solid, side, native) for placed_solid in placed]
    truth = _Truth(side, native, grid)
    for placed_solid, patch in zip(placed, patches, strict=True):
        if patch is None:
            continue
        here = float(lines[patch.middle])
        if here <= 0:
            continue  # beside the breast
        truth.add(placed_solid, patch, detector, compute_noise_sigma(here, level, detector, quanta))
        lines[patch.window] += patch.attenuation
    signal = expose(lines, level, detector, Exposure(quanta), rng)
    attenuation = np.asarray(
        -np.log(np.maximum(signal.quanta, 1.0) / signal.breast_quanta), np.float32
    )
    attenuation += np.float32(level)
    levels = Levels(background.fat * factor, background.dense * factor)
    bright = (
        render_raw(attenuation, rng)
        if rng.random() < 0.15
        else render_region(attenuation, levels, rng)
    )
    return _finish_region(bright, lines, truth, grid)


def _draw_detector(rng: np.random.Generator) -> XRayDetector:
    pitch = float(rng.choice((0.05, 0.07, 0.07, 0.07, 0.085, 0.094, 0.1)))
    pitch *= float(np.exp(rng.normal(0, 0.05)))
    scintillator = rng.random() < 0.4
    return XRayDetector(
        rows=SIDE,
        columns=SIDE,
        pitch_mm=pitch,
        blur_mm=float(rng.uniform(0.03, 0.08)),
        noise_blur_px=float(rng.uniform(0.25, 0.7)) if scintillator else 0.0,
        electronic_quanta=float(rng.uniform(2.0, 15.0)),
        scatter=float(rng.uniform(0.05, 0.3)),
    )


def _draw_piece(
    background: Background, side: int, pitch_mm: float, rng: np.random.Generator
) -> Map | None:
    """Return line integrals of a random piece, turned, mirrored and scaled."""
    rows, columns = np.nonzero(background.lines[::16, ::16])
    chosen = int(rng.integers(len(rows)))
    row, column = 16.0 * rows[chosen], 16.0 * columns[chosen]
    angle = float(rng.uniform(0, 2 * np.pi))
    scale = pitch_mm / background.pitch_mm * float(np.exp(rng.normal(0, 0.1)))
    mirror = 1.0 if rng.random() < 0.5 else -1.0
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    half = (side - 1) / 2
    # From output pixel (column, row) to the background's.
    matrix = np.array(
        [
            [mirror * c, -s, column - mirror * c * half + s * half],
            [mirror * s, c, row - mirror * s * half - c * half],
        ]
    )
    lines = cv2.warpAffine(
        background.lines,
        matrix,
        (side, side),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    lines = np.maximum(lines, 0.0)
    inside = lines > 0.2
    return np.asarray(lines, np.float32) if inside.mean() > 0.25 else None


def make_patch(placed: PlacedSolid, side: int, pitch_mm: float) -> Patch | None:
    """Return the line integrals of a solid where a region shows it."""
    centre = PointPx(side / 2 + placed.at_mm[0] / pitch_mm, side / 2 + placed.at_mm[1] / pitch_mm)
    if not (0 < centre.col < side and 0 < centre.row < side):
        return None
    # Vessels and scars are large and smooth: on a finer raster they take most of the time.
    finer = 1 if placed.mark_class is None else 4
    patch = rasterise_solid(placed.solid, centre, placed.turn, pitch_mm, finer)
    return None if patch is None else _trim_patch(patch, side)


def _trim_patch(patch: Patch, side: int) -> Patch | None:
    """Cut off what lies outside the region."""
    rows, columns = patch.attenuation.shape
    top, left = max(-patch.row, 0), max(-patch.column, 0)
    bottom, right = min(side - patch.row, rows), min(side - patch.column, columns)
    if top >= bottom or left >= right:
        return None
    inside = patch.attenuation[top:bottom, left:right]
    return Patch(patch.row + top, patch.column + left, inside) if inside.any() else None


class _Truth:
    """Collects labels and objects while solids are put in."""

    def __init__(self, side: int, native_mm: float, grid_mm: float) -> None:
        self.labels = np.zeros((side, side), np.uint8)
        self.objects: list[tuple[float, ...]] = []
        self._scale = native_mm / grid_mm
        self._native_mm = native_mm

    def add(self, placed: PlacedSolid, patch: Patch, detector: XRayDetector, sigma: float) -> None:
        """Record a solid by its contrast after the detector's blur."""
        if placed.mark_class is None:
            return
        contrast = cv2.GaussianBlur(
            patch.attenuation,
            (0, 0),
            detector.blur_mm / detector.pitch_mm,
            borderType=cv2.BORDER_CONSTANT,
        )
        cnr = float(contrast.max()) / sigma
        if cnr < SENSED_CNR:
            return
        rows, columns = contrast.shape
        head = HEADS.index(placed.mark_class)
        bit = 1 << head if cnr >= SURE_CNR else IGNORED
        self.labels[patch.window][contrast >= VISIBLE_SHARE * contrast.max()] |= np.uint8(bit)
        weights = contrast / contrast.sum()
        row = patch.row + float(weights.sum(axis=1) @ (np.arange(rows) + 0.5))
        column = patch.column + float(weights.sum(axis=0) @ (np.arange(columns) + 0.5))
        diameter = placed.solid.size_mm / self._native_mm * self._scale
        self.objects.append(
            (
                row * self._scale - 0.5 - MARGIN,
                column * self._scale - 0.5 - MARGIN,
                head,
                diameter,
                cnr,
                placed.group,
                placed.morphology,
                placed.distribution,
            )
        )


def _finish_region(bright: Map, lines: Map, truth: _Truth, grid_mm: float) -> Region | None:
    whole = SIDE + 2 * MARGIN
    labels, tissue = truth.labels, (lines > 0.2).astype(np.uint8)
    if bright.shape[0] != whole:
        bright = np.asarray(cv2.resize(bright, (whole, whole), interpolation=cv2.INTER_AREA))
        labels = _resize_labels(labels, whole)
        tissue = np.asarray(cv2.resize(tissue, (whole, whole), interpolation=cv2.INTER_NEAREST))
    # Processing makes the surroundings of the breast black.
    bright = np.where(tissue > 0, bright, bright[tissue > 0].min()).astype(np.float32)
    try:
        image = normalise(bright, tissue, NORMALISER)
    except PixelError:
        return None
    cut = np.s_[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE]
    objects = np.array(truth.objects, OBJECT)
    inside = np.logical_and.reduce(
        [(objects[name] >= 0) & (objects[name] < SIDE) for name in ("row", "column")]
    )
    return Region(
        image[cut].astype(np.float16),
        np.ascontiguousarray(labels[cut]),
        np.ascontiguousarray(tissue[cut]),
        objects[inside],
        grid_mm,
    )


def _resize_labels(labels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    out = np.zeros((side, side), np.uint8)
    for bit in (*(1 << n for n in range(len(HEADS))), IGNORED):
        share = cv2.resize(
            ((labels & bit) > 0).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA
        )
        out[share >= 0.4] |= np.uint8(bit)
    return out
