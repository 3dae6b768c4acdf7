"""From linear counts to an image for a workstation: thickness equalisation, contrast, LUT.

Every vendor's processing is different; the families here differ in the same respects as real
ones: how much of the breast's edge is evened out, how octaves of detail are weighted, how steep
the grey scale is, and how much fine noise is suppressed or sharpened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from secondread_lab.simulate.acquisition import Signal
from secondread_lab.simulate.fields import Map
from secondread_lab.simulate.finishing import Halo, LocalGain, Shrinkage

Tone = Literal["power", "sigmoid", "logarithm"]
"""Shape of the grey scale between fat and dense tissue."""

Ramp = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Processing:
    """One vendor's processing of counts to a For Presentation image."""

    octave_gains: tuple[float, ...]
    """Weights of the octaves of detail, finest first."""
    coarse_gain: float
    """Weight of the residual below the octaves: less than 1 compresses the range."""
    compression: float
    """Detail stronger than this, in line integrals, is compressed."""
    equalisation: float
    """Share of the fall of thickness at the breast's edge that is evened out, 0-1."""
    fat_grey: float
    """Grey, 0-1, of fat."""
    dense_grey: float
    """Grey, 0-1, of the densest tissue."""
    gamma: float
    """Of a power law, its exponent: more than 1 darkens the middle. Of a sigmoid, its steepness;
    of a logarithm, how much it bends."""
    bits: int = 12
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2"
    tone: Tone = "power"
    shrinkage: Shrinkage | None = None
    halo: Halo | None = None
    local_gain: LocalGain | None = None


def render_for_presentation(
    signal: Signal, processing: Processing, pitch_mm: float
) -> npt.NDArray[np.uint16]:
    """Return the stored values of the For Presentation image of a signal."""
    counts = np.maximum(signal.quanta[:, signal.lit], np.float32(1.0))
    attenuation = -np.log(counts * np.float32(1.0 / signal.breast_quanta))
    inside = _find_breast(attenuation, pitch_mm)
    even = attenuation + _compute_edge_correction(attenuation, inside, processing.equalisation)
    detailed = _weight_octaves(even, processing)
    if processing.local_gain is not None:
        breast = (inside.distance_mm > 0).astype(np.float32)
        detailed = processing.local_gain.apply(detailed, breast, pitch_mm)
    if processing.halo is not None:
        detailed = processing.halo.apply(detailed, pitch_mm)
    grey = _apply_grey_scale(detailed, inside, processing)
    top = 2**processing.bits - 1
    values = np.zeros(signal.quanta.shape, np.float32)
    values[:, signal.lit] = np.rint(np.clip(grey, 0.0, 1.0) * np.float32(top))
    if processing.photometric == "MONOCHROME1":
        values = np.float32(top) - values
    return np.asarray(values, dtype=np.uint16)


@dataclass(frozen=True, slots=True)
class _BreastRegion:
    """The breast's region at a reduced resolution."""

    distance_mm: Map
    """Distance from the skin, 0 outside, on the reduced raster."""
    fade: Map
    """1 in the breast, 0 outside, soft over a fraction of a millimetre, at full size."""


def _find_breast(attenuation: Map, pitch_mm: float) -> _BreastRegion:
    factor = max(round(0.4 / pitch_mm), 1)
    small = cv2.resize(
        attenuation, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA
    )
    air = float(np.percentile(small, 1.0))
    breast = float(np.percentile(small, 95.0))
    threshold = air + 0.14 * (breast - air)
    mask = cv2.GaussianBlur((small > threshold).astype(np.float32), (0, 0), 1.5) > 0.5
    # The chest wall is not skin: the mask continues beyond every border that it touches.
    padded = np.pad(mask.astype(np.uint8), 40, mode="edge")
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[40:-40, 40:-40]
    size = (attenuation.shape[1], attenuation.shape[0])
    soft = cv2.GaussianBlur(attenuation, (0, 0), max(0.15 / pitch_mm, 0.8))
    fade = np.clip((soft - np.float32(air)) / np.float32(2 * (threshold - air)), 0.0, 1.0)
    near = cv2.resize(cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)), size)
    return _BreastRegion(
        np.asarray(distance * np.float32(factor * pitch_mm), dtype=np.float32),
        np.asarray(fade * fade * (3.0 - 2.0 * fade) * near, dtype=np.float32),
    )


_RING_MM = 1.5
_RINGS_MM = np.arange(0.0, 45.0, _RING_MM)


def _compute_edge_correction(attenuation: Map, inside: _BreastRegion, share: float) -> Map:
    """Return the correction that makes fat as grey near the skin as deep in the breast."""
    distance = inside.distance_mm
    small = cv2.resize(attenuation, distance.shape[::-1], interpolation=cv2.INTER_AREA)
    outside = distance <= 0
    air = float(small[outside].mean()) if outside.any() else float(small.min())
    fat = _measure_fat(np.asarray(small, dtype=np.float32), distance)
    measured = fat[np.isfinite(fat)]
    deep = float(np.median(measured[len(measured) // 3 :]))
    bulge = _fit_bulge(fat, air, deep)
    missing = share * (deep - air) * (1.0 - _compute_path(bulge, distance.astype(np.float64)))
    smooth = cv2.GaussianBlur(missing.astype(np.float32), (0, 0), 1.0)
    size = (attenuation.shape[1], attenuation.shape[0])
    return np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _measure_fat(image: Map, distance: Map) -> npt.NDArray[np.float64]:
    """Return the level of fat in rings of equal distance from the skin; NaN in empty ones."""
    rings = (image[(distance > near) & (distance <= near + _RING_MM)] for near in _RINGS_MM)
    return np.array(
        [float(np.percentile(ring, 25)) if ring.size > 50 else np.nan for ring in rings]
    )


def _compute_path(bulge_mm: float, distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the share of the full thickness at a distance from a round edge."""
    share = np.clip(distance / bulge_mm, 0.0, 1.0)
    return np.asarray(np.sqrt(share * (2.0 - share)))


def _fit_bulge(fat: npt.NDArray[np.float64], air: float, deep: float) -> float:
    """Return the depth of the round edge that explains the fall of fat towards the skin."""
    middles = _RINGS_MM + _RING_MM / 2
    # The outermost rings are skin rather than fat.
    fit = (middles > 3.0) & (middles < 24.0) & np.isfinite(fat)
    bulges = np.arange(12.0, 48.0)
    misfits = [
        float(np.abs(air + (deep - air) * _compute_path(bulge, middles[fit]) - fat[fit]).sum())
        for bulge in bulges
    ]
    return float(bulges[int(np.argmin(misfits))])


def _weight_octaves(image: Map, processing: Processing) -> Map:
    """Return the image with each octave of detail weighted, strong detail compressed."""
    levels = [image]
    for _ in processing.octave_gains:
        levels.append(np.asarray(cv2.pyrDown(levels[-1]), dtype=np.float32))
    base = float(np.median(levels[-1]))
    result = (levels[-1] - base) * np.float32(processing.coarse_gain) + np.float32(base)
    limit = np.float32(processing.compression)
    octaves = reversed(tuple(enumerate(processing.octave_gains)))
    for (octave, gain), level, below in zip(octaves, levels[-2::-1], levels[:0:-1], strict=True):
        size = (level.shape[1], level.shape[0])
        detail = np.asarray(level - cv2.pyrUp(below, dstsize=size), dtype=np.float32)
        if processing.shrinkage is not None and octave < processing.shrinkage.octaves:
            detail = processing.shrinkage.apply(detail)
        detail *= np.float32(gain) / (1.0 + np.abs(detail) / limit)
        result = cv2.pyrUp(result, dstsize=size) + detail
    return np.asarray(result, dtype=np.float32)


_TOE = 0.09
"""Width of the grey scale's toe, in the range from fat to dense tissue."""


_RAMP = np.linspace(-1.0, 4.0, 2**16)
"""Positions at which the tone curve is tabulated: 0 is fat, 1 the densest gland."""


def _bend_by_sigmoid(position: Ramp, steepness: float) -> Ramp:
    low, high = (1.0 / (1.0 + np.exp(-steepness * (x - 0.5))) for x in (0.0, 1.0))
    curve = (1.0 / (1.0 + np.exp(-steepness * (position - 0.5))) - low) / (high - low)
    # A straight piece on top of it keeps metal brighter than the densest gland.
    return np.asarray(curve + 0.25 * np.maximum(position - 1.0, 0.0))


def _bend_by_power(position: Ramp, exponent: float) -> Ramp:
    return np.asarray(position**exponent)


def _bend_by_logarithm(position: Ramp, bend: float) -> Ramp:
    return np.asarray(np.log1p(bend * position) / np.log1p(bend))


_SHAPES: dict[Tone, Callable[[Ramp, float], Ramp]] = {
    "power": _bend_by_power,
    "sigmoid": _bend_by_sigmoid,
    "logarithm": _bend_by_logarithm,
}
"""Grey, 0 at fat and 1 at dense tissue, at a position between the two, by shape."""


def _tabulate_tone(processing: Processing) -> Map:
    """Return the grey at each position of the ramp."""
    position = _RAMP + 0.09
    # A soft toe: what is darker than fat keeps some of its detail.
    position = 0.5 * (position + np.sqrt(position**2 + _TOE**2))
    span = processing.dense_grey - processing.fat_grey
    grey = processing.fat_grey + span * _SHAPES[processing.tone](position, processing.gamma)
    # The upper end bends over, so that muscle and skin folds do not saturate at once.
    room = 1.0 - processing.dense_grey
    over = np.maximum(grey - processing.dense_grey, 0.0)
    grey = np.minimum(grey, processing.dense_grey) + room * (1.0 - np.exp(-over / room))
    return np.asarray(grey, dtype=np.float32)


def _apply_grey_scale(image: Map, inside: _BreastRegion, processing: Processing) -> Map:
    size = (inside.distance_mm.shape[1], inside.distance_mm.shape[0])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    tissue = small[inside.distance_mm > 6.0]
    fat, dense = (float(v) for v in np.percentile(tissue, (8.0, 97.0)))
    # An almost entirely fatty breast must not be stretched until its strands look like gland,
    # and muscle must not take the grey scale from the gland beside it.
    dense = fat + float(np.clip(dense - fat, 0.66, 0.90))
    scale = np.float32(len(_RAMP) / (_RAMP[-1] - _RAMP[0]) / (dense - fat))
    steps = (image - np.float32(fat + _RAMP[0] * (dense - fat))) * scale
    grey = _tabulate_tone(processing)[np.clip(steps, 0, len(_RAMP) - 1).astype(np.uint16)]
    return np.asarray(grey * inside.fade, dtype=np.float32)
