"""Simulated calcifications in real mammograms, put in where contrast and noise are made.

A For Presentation image no longer says what its grey levels were in exposure. But quantum noise
is about the same everywhere in exposure behind a breast (exposure control and equalisation see to
that), so that what it has become at each grey says how steep the grey scale is there: adding
contrast in units of the noise, along the curve that makes noise even, is adding it in the
exposure domain. Only the pixels under a calcification change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, Morphology
from secondread.detect.bands import measure_noise_curve, split_finest_band
from secondread.errors import InputError
from secondread.geometry import PointPx
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.imaging import Footprint, measure_footprint
from secondread_lab.simulate.shapes import draw_calcification
from secondread_lab.simulate.solids import Patch, Solid, draw_rotation, rasterise_solid

Mask = npt.NDArray[np.bool_]

QUANTA_PER_MM2 = 3.5e5
"""Quanta behind the average of the breast that an image is taken to have been exposed with."""

BLUR_OF_PITCH = 0.9
"""Standard deviation of focal spot and detector blur over the pitch. With it, calcifications of a
quarter to half a millimetre fall off from their middle about as 36 real ones of two views do
(0.65 was too sharp); units differ from 0.6 to 1.2."""

_WHITE_SHARE = 0.945
"""Share of white noise's standard deviation that is finer than 1.5 pixels."""

_LEAST_PIXELS = 10_000

_FAINTEST = 0.02
"""Contrast, in units of the noise, below which a pixel is left as it is."""


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """How the grey scale of one image lies to its noise."""

    grey: npt.NDArray[np.float64]
    """Brightness, rising, evenly spaced."""
    steps: npt.NDArray[np.float64]
    """How many standard deviations of the noise lie below each."""

    def brighten(self, bright: Map, contrast: Map) -> Map:
        """Return brightness raised by a contrast in units of the noise."""
        before = np.interp(bright, self.grey, self.steps)
        return np.asarray(np.interp(before + contrast, self.steps, self.grey), np.float32)

    def find_headroom(self, bright: float) -> float:
        """Return how far above a brightness the grey scale reaches, in units of the noise."""
        return float(self.steps[-1] - np.interp(bright, self.grey, self.steps))

    def find_noise(self, bright: float) -> float:
        """Return the standard deviation of the noise at a brightness."""
        near = int(np.clip(np.searchsorted(self.grey, bright), 1, len(self.grey) - 1))
        rise = self.grey[near] - self.grey[near - 1]
        return float(rise / (self.steps[near] - self.steps[near - 1]))


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
        There is too little tissue, or it bears no noise.
    """
    if np.count_nonzero(tissue) < _LEAST_PIXELS:
        raise InputError("too little tissue to measure its noise")
    curve = measure_noise_curve(*split_finest_band(bright), tissue)
    if len(curve.grey) < 2:
        raise InputError("the tissue is of one grey, so that its noise says nothing of others")
    floor = 0.1 * float(np.median(curve.deviation))
    if floor <= 0:
        raise InputError("the tissue bears no noise, so that no contrast can be set by it")
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
    """In the order of the patches; None for one that does not lie in the tissue."""


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
        Where calcifications may lie; same shape. A patch whose middle is elsewhere, or that
        reaches over the image's border, is left out.
    pitch_mm
        Pixel spacing.
    patches
        Attenuation as pixels average it, before the blur (`solids.rasterised`).
    tone
        Of the image, where it is known already.
    cnr
        Wanted median of the patches' peak contrast over the noise of a pixel; all are made
        stronger or weaker by one factor. By default they are as strong as `QUANTA_PER_MM2` and
        the pitch make them.
    blur_mm
        Standard deviation of the blur; by default `BLUR_OF_PITCH` of the pitch.
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
        rows, columns = _find_window(patch)
        steps = patch.attenuation * np.float32(factor / sigma)
        contrast[rows, columns] += steps
        # Where the grey scale ends, a calcification is as white as can be and no stronger.
        peak = np.unravel_index(int(steps.argmax()), steps.shape)
        room = noise_scale.find_headroom(float(bright[rows, columns][peak]))
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


def _find_window(patch: Patch) -> tuple[slice, slice]:
    rows, columns = patch.attenuation.shape
    return slice(patch.row, patch.row + rows), slice(patch.column, patch.column + columns)


def _is_in_tissue(patch: Patch, tissue: Mask) -> bool:
    margin = 6  # the blur's reach, with room
    rows, columns = patch.attenuation.shape
    if patch.row < margin or patch.column < margin:
        return False
    if (
        patch.row + rows + margin > tissue.shape[0]
        or patch.column + columns + margin > tissue.shape[1]
    ):
        return False
    return bool(tissue[patch.middle])


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group of calcifications to be drawn; chance does the rest."""

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
    for offset in _offsets(spec, rng) @ to_image.T:
        solid = draw_calcification(rng, spec.morphology, np.zeros(3), _diameter(spec, rng))
        solid = solid.rotate(
            to_image @ _draw_duct_turn(rng) if _in_duct(spec) else draw_rotation(rng)
        )
        centre_px = PointPx(centre.col + offset[0] / pitch_mm, centre.row + offset[1] / pitch_mm)
        patch = rasterise_solid(solid, centre_px, np.eye(3), pitch_mm)
        if patch is not None:
            members.append(GroupMember(_trim_patch(patch), solid))
    return tuple(members)


_SHAPES = {
    Distribution.GROUPED: (1.0, 0.85, 0.85),
    Distribution.LINEAR: (2.0, 0.15, 0.15),
    Distribution.SEGMENTAL: (1.8, 0.6, 0.6),
    Distribution.REGIONAL: (1.2, 1.2, 1.2),
    Distribution.DIFFUSE: (1.5, 1.8, 1.8),
}
"""Spread along the group's direction, across it and along the beam."""


def _offsets(spec: GroupSpec, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    spread = np.clip(rng.normal(size=(spec.count, 3)), -1.9, 1.9)
    return np.asarray(spread * np.array(_SHAPES[spec.distribution]) * spec.extent_mm / 4.0)


def _diameter(spec: GroupSpec, rng: np.random.Generator) -> float:
    low, high = spec.diameter_mm
    # Sizes in a cluster are about log-normal: many small ones, few large.
    middle = low * (high / low) ** 0.45
    return float(np.clip(middle * np.exp(rng.normal(0, np.log(high / low) / 4.0)), low, high))


def _in_duct(spec: GroupSpec) -> bool:
    return spec.morphology in {
        Morphology.FINE_LINEAR,
        Morphology.FINE_LINEAR_BRANCHING,
        Morphology.LARGE_ROD_LIKE,
    }


def _draw_duct_turn(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a turn by some twenty degrees, within the image's plane for the most part."""
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
