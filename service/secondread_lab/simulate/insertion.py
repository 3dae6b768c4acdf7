"""Simulated calcifications in real mammograms, put in where contrast and noise are made.

A For Presentation image no longer holds the exposure behind its grey levels. But behind a breast
quantum noise is about the same everywhere in exposure (exposure control and equalisation see to
that), so the noise at each grey level shows how steep the grey scale is there. Contrast that is
added in units of that noise is therefore added in the exposure domain. Only the pixels under a
calcification change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, Morphology
from secondread.detect.noise_statistics import measure_noise_curve, split_finest_band
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread_lab.simulate.cluster_layout import CASTS, draw_diameter, draw_offsets
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.imaging import Footprint, measure_footprint
from secondread_lab.simulate.shapes import draw_calcification
from secondread_lab.simulate.solids import Patch, Solid, draw_rotation, rasterise_solid

Mask = npt.NDArray[np.bool_]

QUANTA_PER_MM2 = 3.5e5
"""Quanta behind the average of the breast that real images are assumed to be exposed with."""

BLUR_OF_PITCH = 0.9
"""Standard deviation of focal spot and detector blur over the pitch. With it, calcifications of a
quarter to half a millimetre fall off from their middle about as 36 real ones in two views do
(0.65 was too sharp); units range from 0.6 to 1.2."""

_WHITE_SHARE = 0.945
"""Share of white noise's standard deviation that is finer than 1.5 pixels."""

_LEAST_PIXELS = 10_000

_FAINTEST = 0.02
"""Contrast, in units of the noise, below which a pixel is left as it is."""


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """The grey scale of one image in units of its noise."""

    grey: npt.NDArray[np.float64]
    """Brightness, rising, evenly spaced."""
    steps: npt.NDArray[np.float64]
    """How many standard deviations of the noise lead up to each, from the darkest."""

    def brighten(self, bright: Map, contrast: Map) -> Map:
        """Return brightness raised by a contrast in units of the noise."""
        before = np.interp(bright, self.grey, self.steps)
        return np.asarray(np.interp(before + contrast, self.steps, self.grey), np.float32)

    def find_headroom(self, bright: float) -> float:
        """Return how far above a brightness the grey scale reaches, in units of the noise."""
        return float(self.steps[-1] - np.interp(bright, self.grey, self.steps))


def measure_noise_scale(bright: Map, tissue: Mask, brightest: float | None = None) -> NoiseScale:
    """Measure how strong the noise is at each grey of the tissue.

    Parameters
    ----------
    bright
        Brightness, calcifications bright.
    tissue
        Breast without its skin line; same shape.
    brightest
        The highest brightness that the image can store; by default the highest that it holds.

    Raises
    ------
    InputError
        There is too little tissue, or it has no noise.
    """
    if np.count_nonzero(tissue) < _LEAST_PIXELS:
        raise InputError("too little tissue to measure its noise")
    curve = measure_noise_curve(*split_finest_band(bright), tissue)
    if len(curve.grey) < 2:
        raise InputError("the tissue has one grey level, so its noise at others is unknown")
    floor = 0.1 * float(np.median(curve.deviation))
    if floor <= 0:
        raise InputError("the tissue has no noise to scale a contrast by")
    top = float(bright.max()) if brightest is None else brightest
    grey = np.linspace(float(bright.min()), top, 1024)
    noise = np.interp(grey, curve.grey, np.maximum(curve.deviation, floor)) / _WHITE_SHARE
    rise = np.diff(grey) * 0.5 * (1 / noise[1:] + 1 / noise[:-1])
    return NoiseScale(grey, np.concatenate([[0.0], np.cumsum(rise)]))


@dataclass(frozen=True, slots=True)
class InsertionResult:
    """An image with calcifications put in."""

    bright: Map
    """A new array."""
    footprints: tuple[Footprint | None, ...]
    """In the order of the patches; None for one that is not in the tissue."""


def insert_patches(
    bright: Map,
    tissue: Mask,
    pitch_mm: float,
    patches: Sequence[Patch],
    *,
    noise_scale: NoiseScale | None = None,
    cnr: float | None = None,
    blur_mm: float | None = None,
) -> InsertionResult:
    """Put line integrals of attenuation into an image.

    Parameters
    ----------
    bright
        Brightness of a real image, calcifications bright; left as it is.
    tissue
        Where calcifications may be put; same shape. A patch whose middle is elsewhere, or that
        crosses the image's border, is left out.
    pitch_mm
        Pixel spacing.
    patches
        Attenuation as pixels average it, before the blur (`solids.rasterise_solid`).
    noise_scale
        Of the image; measured by default.
    cnr
        Wanted median of the patches' peak contrast over the noise of a pixel; all are made
        stronger or weaker by one factor. By default they are as strong as `QUANTA_PER_MM2` and
        the pitch make them.
    blur_mm
        Standard deviation of the blur; by default `BLUR_OF_PITCH` times the pitch.
    """
    noise_scale = noise_scale or measure_noise_scale(bright, tissue)
    blur_px = BLUR_OF_PITCH if blur_mm is None else blur_mm / pitch_mm
    # The noise of a pixel in line integrals: counts of quanta are Poisson.
    sigma = 1.0 / np.sqrt(QUANTA_PER_MM2 * pitch_mm**2)
    placed = [_blur_patch(p, blur_px) if _is_in_tissue(p, tissue) else None for p in patches]
    peaks = [float(p.attenuation.max()) / sigma for p in placed if p is not None]
    factor = 1.0 if cnr is None or not peaks else cnr / float(np.median(peaks))
    footprints: list[Footprint | None] = []
    contrast = np.zeros_like(bright)
    for patch in placed:
        if patch is None:
            footprints.append(None)
            continue
        steps = patch.attenuation * np.float32(factor / sigma)
        contrast[patch.window] += steps
        # Where the grey scale ends, a calcification is white and gets no stronger.
        peak = np.unravel_index(int(steps.argmax()), steps.shape)
        room = noise_scale.find_headroom(float(bright[patch.window][peak]))
        footprints.append(measure_footprint(patch, min(float(steps.max()), room)))
    touched = contrast > _FAINTEST
    out = bright.copy()
    out[touched] = noise_scale.brighten(bright[touched], contrast[touched])
    return InsertionResult(out, tuple(footprints))


def _blur_patch(patch: Patch, sigma_px: float) -> Patch:
    margin = int(np.ceil(3 * sigma_px))
    wide = np.pad(patch.attenuation, margin)
    blurred = cv2.GaussianBlur(wide, (0, 0), sigma_px, borderType=cv2.BORDER_CONSTANT)
    return Patch(patch.row - margin, patch.column - margin, np.asarray(blurred, np.float32))


_BLUR_REACH_PX = 6
"""How far the blur reaches beyond a patch, with room."""


def _is_in_tissue(patch: Patch, tissue: Mask) -> bool:
    return patch.fits_in(tissue.shape, _BLUR_REACH_PX) and bool(tissue[patch.middle])


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group of calcifications to be drawn at random."""

    morphology: Morphology
    distribution: Distribution = Distribution.GROUPED
    count: int = 10
    diameter_mm: tuple[float, float] = (0.15, 0.5)
    """Range of the members' diameters; most are in its lower half."""
    extent_mm: float = 12.0
    """About the longest distance between members."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One calcification of a group, ready to be put in."""

    patch: Patch
    solid: Solid


def draw_group(
    spec: GroupSpec,
    centre: PointPx,
    pitch_mm: float,
    rng: np.random.Generator,
    along_rad: float | None = None,
) -> tuple[GroupMember, ...]:
    """Draw the members of a group about a point of an image.

    Parameters
    ----------
    centre
        Middle of the group.
    along_rad
        Direction of a group that has one, and of casts of ducts, as an angle from the columns'
        direction to the rows'; drawn by default.
    """
    along = float(rng.uniform(0, np.pi)) if along_rad is None else along_rad
    c, s = np.cos(along), np.sin(along)
    to_image = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    members = []
    is_cast = spec.morphology in CASTS
    offsets = draw_offsets(spec.distribution, spec.count, spec.extent_mm, rng)
    for offset in offsets @ to_image.T:
        diameter = draw_diameter(spec.diameter_mm, rng)
        solid = draw_calcification(rng, spec.morphology, np.zeros(3), diameter)
        solid = solid.rotate(to_image @ _draw_duct_turn(rng) if is_cast else draw_rotation(rng))
        centre_px = PointPx(centre.col + offset[0] / pitch_mm, centre.row + offset[1] / pitch_mm)
        patch = rasterise_solid(solid, centre_px, np.eye(3), pitch_mm)
        if patch is not None:
            members.append(GroupMember(_trim_patch(patch), solid))
    return tuple(members)


def _draw_duct_turn(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw a rotation by about twenty degrees, mostly within the image's plane."""
    angle, tilt = rng.normal(0, 0.35), rng.normal(0, 0.25)
    c, s, p, q = np.cos(angle), np.sin(angle), np.cos(tilt), np.sin(tilt)
    plane = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(plane @ np.array([[p, 0.0, -q], [0.0, 1.0, 0.0], [q, 0.0, p]]))


def _trim_patch(patch: Patch) -> Patch:
    """Return the patch without its empty borders."""
    rows, columns = np.nonzero(patch.attenuation)
    top, bottom = int(rows.min()), int(rows.max()) + 1
    left, right = int(columns.min()), int(columns.max()) + 1
    inside = np.ascontiguousarray(patch.attenuation[top:bottom, left:right])
    return Patch(patch.row + top, patch.column + left, inside)
