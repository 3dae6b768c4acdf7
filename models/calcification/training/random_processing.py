"""A random vendor's way from counts to grey levels, wider than any real one.

The order is that of real units (equalise the edge, weight octaves of detail, suppress noise,
sharpen, apply a grey scale, quantise). The strength of every step is drawn anew for each region,
and most steps are sometimes left out. The held-out families use other operators, so that good
results on them do not come from training.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from secondread_lab.simulate.fields import Map


@dataclass(frozen=True, slots=True)
class Levels:
    """Line integrals at the ends of the grey scale."""

    fat: float
    dense: float


def render_region(attenuation: Map, levels: Levels, rng: np.random.Generator) -> Map:
    """Return grey levels, calcifications bright, as stored values of some bit depth.

    Parameters
    ----------
    attenuation
        Logarithm of the exposure, negated: noisy line integrals.
    """
    image = _equalise(attenuation, levels, rng)
    image = _weight_octaves(image, rng)
    if rng.random() < 0.35:
        image = _sharpen(image, rng)
    return _quantise(_apply_tone(image, levels, rng), rng)


def render_raw(attenuation: Map, rng: np.random.Generator) -> Map:
    """Return the region of a For Processing image: the logarithm of counts of some bits."""
    counts = np.exp(-attenuation)
    scale = float(rng.uniform(600, 4000)) / float(np.median(counts))
    return np.asarray(-np.log(np.maximum(np.rint(counts * np.float32(scale)), 1.0)), np.float32)


def _equalise(image: Map, levels: Levels, rng: np.random.Generator) -> Map:
    share = np.float32(rng.uniform(0.0, 1.0))
    # At the scale of a few millimetres the image shows the thickness.
    smooth = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(20, 50)))
    missing = np.maximum(np.float32(levels.fat) - smooth, 0.0)
    return np.asarray(image + share * missing, np.float32)


def _weight_octaves(image: Map, rng: np.random.Generator) -> Map:
    """Weight the octaves of detail, compress strong detail, shrink faint detail."""
    count = int(rng.integers(3, 7))
    trend = float(rng.normal(0.0, 0.12))
    gains = np.exp(rng.normal(0.25, 0.25) + trend * np.arange(count) + rng.normal(0, 0.15, count))
    limit = np.float32(np.exp(rng.uniform(np.log(0.12), np.log(2.0))))
    shrinking = rng.random() < 0.3
    pyramid = [image]
    for _ in range(count):
        pyramid.append(np.asarray(cv2.pyrDown(pyramid[-1]), np.float32))
    base = np.float32(np.median(pyramid[-1]))
    result = (pyramid[-1] - base) * np.float32(rng.uniform(0.5, 1.1)) + base
    for number in range(count - 1, -1, -1):
        level = pyramid[number]
        size = (level.shape[1], level.shape[0])
        detail = level - cv2.pyrUp(pyramid[number + 1], dstsize=size)
        if shrinking and number < 2:
            detail = _shrink(detail, float(rng.uniform(0.2, 1.3)))
        detail *= np.float32(np.clip(gains[number], 0.3, 3.0)) / (1.0 + np.abs(detail) / limit)
        result = cv2.pyrUp(result, dstsize=size) + detail
    return np.asarray(result, np.float32)


def _shrink(detail: Map, threshold: float) -> Map:
    """Apply a soft threshold in units of the detail's own noise."""
    sigma = float(np.median(np.abs(detail[::3, ::3]))) / 0.6745
    return np.asarray(
        np.sign(detail) * np.maximum(np.abs(detail) - np.float32(threshold * sigma), 0.0)
        + np.float32(0.15) * detail,
        np.float32,
    )


def _sharpen(image: Map, rng: np.random.Generator) -> Map:
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.7, 4.0)))
    return np.asarray(image + np.float32(rng.uniform(-0.3, 1.0)) * (image - soft), np.float32)


def _apply_tone(image: Map, levels: Levels, rng: np.random.Generator) -> Map:
    """Apply a grey scale: a power of the position between fat and dense, or a sigmoid."""
    width = max(levels.dense - levels.fat, 0.4) * float(rng.uniform(0.8, 1.3))
    position = (image - np.float32(levels.fat)) / np.float32(width)
    if rng.random() < 0.35:
        steep, middle = float(rng.uniform(2.0, 9.0)), float(rng.uniform(0.3, 0.8))
        grey = 1.0 / (1.0 + np.exp(-np.clip(steep * (position - middle), -30, 30)))
        return np.asarray(grey, np.float32)
    toe = float(rng.uniform(0.03, 0.2))
    position = position + float(rng.uniform(0.0, 0.2))
    position = 0.5 * (position + np.sqrt(position**2 + toe**2))
    low, high = float(rng.uniform(0.0, 0.15)), float(rng.uniform(0.5, 0.9))
    grey = low + (high - low) * position ** float(rng.uniform(0.65, 1.7))
    over = np.maximum(grey - high, 0.0)
    return np.asarray(
        np.minimum(grey, high) + (1 - high) * (1 - np.exp(-over / (1 - high))), np.float32
    )


def _quantise(grey: Map, rng: np.random.Generator) -> Map:
    bits = int(rng.choice((8, 10, 12, 14), p=(0.06, 0.14, 0.6, 0.2)))
    top = np.float32(2**bits - 1)
    return np.asarray(np.rint(np.clip(grey, 0.0, 1.0) * top), np.float32)
