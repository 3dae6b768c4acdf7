"""Score maps to candidates: local maxima, doubles removed, each measured in the input's pixels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import Candidate, cut_patches
from secondread.detect.manifest import DetectionLimits
from secondread.detect.objects import ON_OBJECT_MM, find_objects
from secondread.detect.strips import ScoreMaps

DOUBLE_MM = 0.3
"""Two maxima nearer than this, or than the larger one's radius, are one calcification."""
_WINDOW = 7  # pixels to each side that shape is measured in


@dataclass(frozen=True, slots=True)
class OpenCandidates:
    """Candidates of an image, as long as the nature of some is open."""

    objects: tuple[Candidate, ...]
    """Of the metal head."""
    spots: tuple[Candidate, ...]
    """Of all heads; highest score first."""
    object_index: tuple[int, ...]
    """For each spot the index of the contested object that it is in or near, -1 for none."""
    is_piece: tuple[bool, ...]
    """For each spot whether it lies on such an object, and that is one solid thing."""

    def settle(self, overturned: Collection[int] = ()) -> list[Candidate]:
        """Return the candidates, highest score first.

        Parameters
        ----------
        overturned
            Indices of objects that are none; their spots stay, those of others go. Of the
            pieces of one solid thing the highest stays.
        """
        kept = [one for number, one in enumerate(self.objects) if number not in overturned]
        whole: set[int] = set()
        highest = sorted(
            zip(self.spots, self.object_index, self.is_piece, strict=True),
            key=lambda one: -one[0].score,
        )
        for spot, number, is_piece in highest:
            if spot.mark_class is MarkClass.METAL or (number >= 0 and number not in overturned):
                continue
            if is_piece and number in whole:
                continue
            if is_piece:
                whole.add(number)
            kept.append(spot)
        return sorted(kept, key=lambda one: (-one.score, one.row, one.column))


def find_candidates(
    maps: ScoreMaps,
    heads: Sequence[MarkClass],
    image: Brightness,
    interior: Mask,
    spacing_mm: float,
    limits: DetectionLimits,
) -> OpenCandidates:
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
    inside = maps.reduce_mask(interior)
    metal = [number for number, head in enumerate(heads) if head is MarkClass.METAL]
    others = [number for number, head in enumerate(heads) if head is not MarkClass.METAL]
    found = find_objects(maps, metal[0], image, interior, spacing_mm) if metal else None
    # More than this many maxima is noise; doubles among the highest leave enough of them.
    most = 4 * limits.maximum_candidates
    spots = _maxima(maps, others, inside, limits.minimum_dense_score)
    if found is not None:
        # Where an object is sure, nothing else is looked for; metal's own maxima only where not.
        within, _ = found.find_nearest(spots.row, spots.column)
        spots = _highest(spots.only((within < 0) | found.is_contested(within)), most)
        own = _maxima(maps, metal, inside, limits.minimum_dense_score)
        within, _ = found.find_nearest(own.row, own.column)
        # Apart, so that what shines all over a clip does not use up the number that is allowed.
        spots = spots.joined(_highest(own.only(found.is_contested(within)), most))
    spots = _highest(spots, 2 * most)
    at = maps.stride * np.column_stack([spots.row, spots.column]).astype(np.float64)
    single = suppress_doubles(at, _reach(spots, maps, DOUBLE_MM / spacing_mm))
    single = single[: limits.maximum_candidates]
    spots = spots.only(single)
    measured = tuple(_measured(_candidates(spots, maps, heads), image))
    if found is None:
        return OpenCandidates((), measured, (-1,) * len(spots), (False,) * len(spots))
    within, away = found.find_nearest(spots.row, spots.column)
    is_piece = found.is_solid(within) & (away <= ON_OBJECT_MM / spacing_mm / maps.stride)
    return OpenCandidates(found.marks, measured, tuple(within.tolist()), tuple(is_piece.tolist()))


def _highest(spots: "_Spots", most: int) -> "_Spots":
    """Return so many of some spots, the highest first."""
    return spots.only(np.lexsort((spots.column, spots.row, -spots.score))[:most])


@dataclass(frozen=True, slots=True)
class _Spots:
    """Local maxima of the maps, as columns of a table."""

    row: npt.NDArray[np.int64]
    """Array index in the maps."""
    column: npt.NDArray[np.int64]
    channel: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]

    @classmethod
    def none(cls) -> Self:
        """Return no spots."""
        empty = np.zeros(0, np.int64)
        return cls(empty, empty, empty, np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.row)

    def only(self, chosen: npt.NDArray[np.generic]) -> Self:
        """Return the spots that a mask or an array of indices names, in its order."""
        return type(self)(
            self.row[chosen], self.column[chosen], self.channel[chosen], self.score[chosen]
        )

    def joined(self, other: Self) -> Self:
        """Return these and others."""
        return type(self)(
            np.append(self.row, other.row),
            np.append(self.column, other.column),
            np.append(self.channel, other.channel),
            np.append(self.score, other.score),
        )


_NEIGHBOURS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right)


def _maxima(maps: ScoreMaps, channels: Sequence[int], inside: Mask, least: float) -> _Spots:
    """Return where the highest of some channels is no lower than all around it.

    Few pixels reach the least score: only those are compared with their neighbours.
    """
    parts = [_Spots.none()]
    rows = maps.scores.shape[1]
    # A few rows at a time stay in the processor's cache, with the neighbours of the outermost.
    for first in range(0, rows if channels else 0, _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, rows)
        top = max(first - 1, 0)
        beside = maps.scores[:, top : min(last + 1, rows)]
        parts.append(_maxima_of_rows(beside, channels, inside[first:last], first - top, least, top))
    return reduce(_Spots.joined, parts)


_ROWS_AT_ONCE = 256


def _maxima_of_rows(
    scores: npt.NDArray[np.float32],
    channels: Sequence[int],
    inside: Mask,
    above: int,
    least: float,
    top: int,
) -> _Spots:
    """Return the maxima in some rows.

    Parameters
    ----------
    scores
        (heads, rows, columns), with a row more at each end where the maps have one.
    inside
        Of the rows that are asked for.
    above
        Rows of the scores before those.
    top
        The maps' row that the scores begin with.
    """
    best = scores[channels[0]]
    for channel in channels[1:]:
        best = np.asarray(cv2.max(best, scores[channel]), np.float32)
    reached = cv2.min(cv2.inRange(best[above : above + len(inside)], least, np.inf), inside)
    if not reached.any():
        return _Spots.none()
    column, row = cv2.findNonZero(reached).reshape(-1, 2).T.astype(np.int64)
    row += above
    score = best[row, column]
    is_top = np.ones(len(row), np.bool_)
    last_row, last_column = best.shape[0] - 1, best.shape[1] - 1
    for down, right in _NEIGHBOURS:
        beside = best[np.clip(row + down, 0, last_row), np.clip(column + right, 0, last_column)]
        is_top &= score >= beside
    row, column, score = row[is_top], column[is_top], score[is_top]
    of_channels = np.stack([scores[channel][row, column] for channel in channels])
    return _Spots(row + top, column, np.array(channels)[of_channels.argmax(axis=0)], score)


def suppress_doubles(
    at: npt.NDArray[np.float64], reach: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return the indices of the places that no earlier one reaches, itself not reached by one.

    Parameters
    ----------
    at
        (n, 2), the highest scores first.
    reach
        (n,), of each place, in the unit of `at`.
    """
    if not len(at):
        return np.zeros(0, np.int64)
    higher, lower = cKDTree(at).query_pairs(float(reach.max()), output_type="ndarray").T
    near = np.linalg.norm(at[higher] - at[lower], axis=1) <= reach[higher]
    higher, lower = higher[near], lower[near]
    gone = np.zeros(len(at), np.bool_)
    # By falling height, so that whether the higher one is gone itself is known by then.
    for one, other in zip(
        *(part[np.argsort(higher, kind="stable")].tolist() for part in (higher, lower)), strict=True
    ):
        if not gone[one]:
            gone[other] = True
    return np.flatnonzero(~gone)


def _reach(spots: _Spots, maps: ScoreMaps, least_px: float) -> npt.NDArray[np.float64]:
    """Return how near another maximum is the same calcification, in pixels of the input."""
    reach = np.full(len(spots), least_px)
    if maps.diameter is None:
        return reach
    return np.asarray(np.maximum(reach, maps.diameter[spots.row, spots.column] / 2), np.float64)


def _candidates(spots: _Spots, maps: ScoreMaps, heads: Sequence[MarkClass]) -> list[Candidate]:
    sizes = (
        np.zeros(len(spots)) if maps.diameter is None else maps.diameter[spots.row, spots.column]
    )
    return [
        Candidate(
            row=maps.to_input(float(row)),
            column=maps.to_input(float(column)),
            score=score,
            mark_class=heads[channel],
            diameter_px=size,
            contrast=0.0,
            elongation=1.0,
        )
        for row, column, channel, score, size in zip(
            spots.row.tolist(),
            spots.column.tolist(),
            spots.channel.tolist(),
            spots.score.tolist(),
            sizes.tolist(),
            strict=True,
        )
    ]


def _measured(found: list[Candidate], image: Brightness) -> list[Candidate]:
    if not found:
        return []
    windows = cut_patches(image, found, 2 * _WINDOW + 1)[:, 0]
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
