"""Score maps to candidates: local maxima, doubles removed, each measured in the input's pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.manifest import Limits
from secondread.detect.strips import Maps

DOUBLE_MM = 0.3
"""Two maxima nearer than this, or than the larger one's radius, are one calcification."""
OBJECT_SCORE = 0.5
"""From this score on, touching pixels of the metal head are one object."""
OBJECT_MARGIN_MM = 0.7
"""Calcifications this near to a metal object are its own edges."""
_WINDOW = 7  # pixels to each side that shape is measured in


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate, in (fractional) array indices and pixels of the detector's input."""

    row: float
    column: float
    score: float
    mark_class: MarkClass
    diameter_px: float
    contrast: float
    elongation: float


def candidates(
    maps: Maps,
    heads: Sequence[MarkClass],
    image: Brightness,
    interior: Mask,
    spacing_mm: float,
    limits: Limits,
) -> list[Candidate]:
    """Return the candidates of an image, highest score first.

    Parameters
    ----------
    maps, heads
        The dense graph's answers, and what its channels stand for.
    image
        The normalised input; contrast and shape are measured on it.
    interior
        Where candidates may lie, same shape as the image.
    spacing_mm
        Pixel spacing of the input.
    limits
        The manifest's: lowest score and largest number.
    """
    shape = maps.scores.shape[:0:-1]
    inside = np.asarray(cv2.resize(interior, shape, interpolation=cv2.INTER_NEAREST), np.uint8)
    objects: list[Candidate] = []
    blocked = np.zeros_like(inside)
    spots = [number for number, head in enumerate(heads) if head is not MarkClass.METAL]
    for number, head in enumerate(heads):
        if head is MarkClass.METAL:
            objects += _objects(maps, number, image, inside)
            blocked |= (maps.scores[number] >= OBJECT_SCORE).astype(np.uint8)
    if blocked.any():
        reach = round(OBJECT_MARGIN_MM / spacing_mm / maps.stride)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        inside = inside & (1 - np.asarray(cv2.dilate(blocked, kernel), np.uint8))
    found = _spots(maps, heads, spots, inside, limits) if spots else []
    kept = _without_doubles(found, DOUBLE_MM / spacing_mm, limits.maximum_candidates)
    marks = objects + _measured(kept, image)
    marks.sort(key=lambda mark: (-mark.score, mark.row, mark.column))
    return marks[: limits.maximum_candidates]


def patches(image: Brightness, found: Sequence[Candidate], size: int) -> npt.NDArray[np.float32]:
    """Cut a (candidates, 1, size, size) batch around the candidates, 0 beyond the image."""
    half = size // 2
    padded = np.pad(image, half)
    out = np.empty((len(found), 1, size, size), np.float32)
    for number, mark in enumerate(found):
        row, column = round(mark.row), round(mark.column)
        out[number, 0] = padded[row : row + size, column : column + size]
    return out


def _spots(
    maps: Maps, heads: Sequence[MarkClass], channels: list[int], inside: Mask, limits: Limits
) -> list[Candidate]:
    scores = maps.scores[channels]
    best = scores.max(axis=0) if len(channels) > 1 else scores[0]
    top = cv2.dilate(best, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((best >= limits.minimum_score) & (best == top) & (inside > 0))
    values = best[rows, columns]
    # More than this many maxima is noise; doubles among the highest leave enough of them.
    order = np.argsort(-values, kind="stable")[: 4 * limits.maximum_candidates]
    return [
        Candidate(
            row=maps.to_input(float(row)),
            column=maps.to_input(float(column)),
            score=float(best[row, column]),
            mark_class=heads[channels[int(scores[:, row, column].argmax())]],
            diameter_px=0.0 if maps.diameter is None else float(maps.diameter[row, column]),
            contrast=0.0,
            elongation=1.0,
        )
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True)
    ]


def _without_doubles(found: list[Candidate], radius_px: float, maximum: int) -> list[Candidate]:
    """Keep a candidate unless a higher one is near; `found` is sorted, highest first."""
    if not found:
        return []
    tree = cKDTree([(mark.row, mark.column) for mark in found])
    gone = np.zeros(len(found), np.bool_)
    kept: list[Candidate] = []
    for number, mark in enumerate(found):
        if gone[number]:
            continue
        kept.append(mark)
        if len(kept) == maximum:
            break
        reach = max(radius_px, mark.diameter_px / 2)
        gone[tree.query_ball_point((mark.row, mark.column), reach)] = True
    return kept


def _measured(found: list[Candidate], image: Brightness) -> list[Candidate]:
    if not found:
        return []
    windows = patches(image, found, 2 * _WINDOW + 1)[:, 0]
    center = windows[:, _WINDOW - 1 : _WINDOW + 2, _WINDOW - 1 : _WINDOW + 2]
    contrast = center.max(axis=(1, 2))
    major, minor = _axes(windows, contrast)
    return [
        replace(
            mark,
            contrast=float(contrast[number]),
            elongation=float(major[number] / minor[number]),
            # A disc's second moment along an axis is its squared diameter over 16.
            diameter_px=mark.diameter_px or float(4 * np.sqrt(major[number] * minor[number])),
        )
        for number, mark in enumerate(found)
    ]


def _axes(
    windows: npt.NDArray[np.float32], contrast: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the principal standard deviations, in pixels, of what exceeds half the contrast."""
    offset = np.arange(-_WINDOW, _WINDOW + 1, dtype=np.float64)
    taper = np.exp(-(offset**2) / (2 * (_WINDOW / 2) ** 2))
    weight = np.maximum(windows - contrast[:, None, None] / 2, 0) * np.outer(taper, taper)
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-9)
    row = (weight.sum(axis=2) @ offset) / total
    column = (weight.sum(axis=1) @ offset) / total
    # A twelfth of a square pixel is the second moment of one pixel.
    yy = (weight.sum(axis=2) @ offset**2) / total - row**2 + 1 / 12
    xx = (weight.sum(axis=1) @ offset**2) / total - column**2 + 1 / 12
    xy = np.einsum("nij,i,j->n", weight, offset, offset) / total - row * column
    middle, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.sqrt(middle + radius), np.sqrt(np.maximum(middle - radius, 1 / 12))


def _objects(maps: Maps, channel: int, image: Brightness, inside: Mask) -> list[Candidate]:
    """Return one candidate for each connected region of an object's head."""
    scores = maps.scores[channel]
    region = ((scores >= OBJECT_SCORE) & (inside > 0)).astype(np.uint8)
    count, labels, stats, centers = cv2.connectedComponentsWithStats(region)
    marks: list[Candidate] = []
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        window = np.s_[top : top + height, left : left + width]
        own = labels[window] == label
        row, column = (maps.to_input(float(value)) for value in centers[label][::-1])
        near = image[
            max(round(row) - 1, 0) : round(row) + 2, max(round(column) - 1, 0) : round(column) + 2
        ]
        marks.append(
            Candidate(
                row=row,
                column=column,
                score=float(scores[window][own].max()),
                mark_class=MarkClass.METAL,
                diameter_px=2 * float(np.sqrt(area / np.pi)) * maps.stride,
                contrast=float(near.max()),
                elongation=_elongation(own),
            )
        )
    return marks


def _elongation(region: npt.NDArray[np.bool_]) -> float:
    moments = cv2.moments(region.astype(np.uint8), binaryImage=True)
    area = moments["m00"]
    xx, yy, xy = (moments[key] / area for key in ("mu20", "mu02", "mu11"))
    middle, radius = (xx + yy) / 2 + 1 / 12, float(np.hypot((xx - yy) / 2, xy))
    return float(np.sqrt((middle + radius) / max(middle - radius, 1 / 12)))
