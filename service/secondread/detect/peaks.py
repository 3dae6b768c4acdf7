"""Score maps to candidates: local maxima, doubles removed, each measured in the input's pixels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import Candidate, patches
from secondread.detect.manifest import Limits
from secondread.detect.objects import objects
from secondread.detect.strips import Maps

DOUBLE_MM = 0.3
"""Two maxima nearer than this, or than the larger one's radius, are one calcification."""
_WINDOW = 7  # pixels to each side that shape is measured in


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates of an image, as long as the nature of some is open."""

    objects: tuple[Candidate, ...]
    """Of the metal head."""
    spots: tuple[Candidate, ...]
    """Of all heads; highest score first."""
    within: tuple[int, ...]
    """For each spot the index of the contested object that it is in or near, -1 for none."""

    def settled(self, overturned: Collection[int] = ()) -> list[Candidate]:
        """Return the candidates, highest score first.

        Parameters
        ----------
        overturned
            Indices of objects that are none; their spots stay, those of others go.
        """
        kept = [one for number, one in enumerate(self.objects) if number not in overturned]
        kept += [
            spot
            for spot, number in zip(self.spots, self.within, strict=True)
            if spot.mark_class is not MarkClass.METAL and (number < 0 or number in overturned)
        ]
        return sorted(kept, key=lambda one: (-one.score, one.row, one.column))


def candidates(
    maps: Maps,
    heads: Sequence[MarkClass],
    image: Brightness,
    interior: Mask,
    spacing_mm: float,
    limits: Limits,
) -> Found:
    """Return the candidates of an image.

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
        The manifest's: lowest score and largest number, of spots and objects each.
    """
    shape = maps.scores.shape[:0:-1]
    inside = np.asarray(cv2.resize(interior, shape, interpolation=cv2.INTER_NEAREST), np.uint8)
    metal = [number for number, head in enumerate(heads) if head is MarkClass.METAL]
    others = [number for number, head in enumerate(heads) if head is not MarkClass.METAL]
    if not metal:
        spots = _spots(maps, heads, others, inside, limits, spacing_mm)
        return Found((), tuple(_measured(spots, image)), (-1,) * len(spots))
    found = objects(maps, metal[0], image, inside, spacing_mm)
    free = inside * (1 - found.settled.astype(np.uint8))
    spots = _spots(maps, heads, others, free, limits, spacing_mm)
    # Apart, so that what shines all over a clip does not use up the number that is allowed.
    spots += _spots(maps, heads, metal, found.contested.astype(np.uint8), limits, spacing_mm)
    spots.sort(key=lambda spot: (-spot.score, spot.row, spot.column))
    spots = _without_doubles(spots, DOUBLE_MM / spacing_mm, limits.maximum_candidates)
    within = tuple(
        found.of(round(maps.to_map(spot.row)), round(maps.to_map(spot.column))) for spot in spots
    )
    return Found(found.marks, tuple(_measured(spots, image)), within)


def _spots(
    maps: Maps,
    heads: Sequence[MarkClass],
    channels: list[int],
    inside: Mask,
    limits: Limits,
    spacing_mm: float,
) -> list[Candidate]:
    if not channels:
        return []
    scores = maps.scores[channels]
    best = scores.max(axis=0) if len(channels) > 1 else scores[0]
    top = cv2.dilate(best, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((best >= limits.least_seen) & (best == top) & (inside > 0))
    values = best[rows, columns]
    # More than this many maxima is noise; doubles among the highest leave enough of them.
    order = np.argsort(-values, kind="stable")[: 4 * limits.maximum_candidates]
    found = [
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
    return _without_doubles(found, DOUBLE_MM / spacing_mm, limits.maximum_candidates)


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
