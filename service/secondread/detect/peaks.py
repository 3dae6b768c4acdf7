"""Score maps to candidates: local maxima, doubles removed, each measured in the input's pixels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from secondread.codes import MarkClass
from secondread.detect.breast import Brightness, Mask
from secondread.detect.candidate import Candidate, cut_patches
from secondread.detect.manifest import DetectionLimits
from secondread.detect.metal_objects import ON_OBJECT_MM, find_objects
from secondread.detect.strips import ScoreMaps

DOUBLE_MM = 0.3
"""Two maxima nearer than this, or than the larger one's radius, are one calcification."""
_WINDOW = 7  # pixels to each side that shape is measured in
_ROWS_AT_ONCE = 256


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
    """For each spot whether it is on such an object, and that is one solid thing."""

    def settle(self, overturned: Collection[int] = ()) -> list[Candidate]:
        """Return the candidates, highest score first.

        Parameters
        ----------
        overturned
            Indices of objects that are not metal; their spots stay, those of others go. Of the
            pieces of one solid thing the highest stays.
        """
        candidates = [
            candidate for index, candidate in enumerate(self.objects) if index not in overturned
        ]
        has_piece: set[int] = set()
        spots = zip(self.spots, self.object_index, self.is_piece, strict=True)
        for spot, index, is_piece in sorted(spots, key=lambda item: -item[0].score):
            if spot.mark_class is MarkClass.METAL or (index >= 0 and index not in overturned):
                continue
            if is_piece:
                if index in has_piece:
                    continue
                has_piece.add(index)
            candidates.append(spot)
        return sorted(candidates, key=lambda candidate: (-candidate.score, *candidate.center))


# A table of local maxima of the maps; row and column are array indices there.
_SPOT = np.dtype(
    [("row", np.int64), ("column", np.int64), ("channel", np.int64), ("score", np.float32)]
)
_Spots = npt.NDArray[np.void]


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
        Where candidates may be, same shape as the image.
    spacing_mm
        Pixel spacing of the input.
    limits
        The manifest's: lowest score and largest number, of spots and objects each.
    """
    inside = maps.reduce_mask(interior)
    metal = [channel for channel, head in enumerate(heads) if head is MarkClass.METAL]
    others = [channel for channel, head in enumerate(heads) if head is not MarkClass.METAL]
    objects = find_objects(maps, metal[0], image, interior, spacing_mm) if metal else None
    # More than this many maxima is noise; doubles among the highest leave enough of them.
    most = 4 * limits.maximum_candidates
    spots = _find_maxima(maps, others, inside, limits.minimum_dense_score)
    if objects is not None:
        # On or near a large object nothing else is looked for: it is sure to be metal.
        index, _ = objects.find_nearest(spots["row"], spots["column"])
        spots = _select_highest(spots[(index < 0) | objects.is_contested[index]], most)
        # Metal's own maxima count on contested objects alone, where they may turn out to be
        # calcifications. Their number is limited apart from that of the others, so that what
        # shines all over a clip does not use it up.
        own = _find_maxima(maps, metal, inside, limits.minimum_dense_score)
        index, _ = objects.find_nearest(own["row"], own["column"])
        own = _select_highest(own[objects.is_contested[index]], most)
        spots = np.concatenate([spots, own])
    spots = _select_highest(spots, 2 * most)
    spots = spots[_find_singles(spots, maps, DOUBLE_MM / spacing_mm)[: limits.maximum_candidates]]
    candidates = _measure_candidates(spots, maps, heads, image)
    if objects is None:
        return OpenCandidates((), candidates, (-1,) * len(spots), (False,) * len(spots))
    index, away = objects.find_nearest(spots["row"], spots["column"])
    is_piece = objects.is_solid[index] & (away <= ON_OBJECT_MM / spacing_mm / maps.stride)
    return OpenCandidates(
        objects.marks, candidates, tuple(index.tolist()), tuple(is_piece.tolist())
    )


def _select_highest(spots: _Spots, most: int) -> _Spots:
    # Rows and columns break ties, so that the same spots stay whatever the machine.
    return spots[np.lexsort((spots["column"], spots["row"], -spots["score"]))[:most]]


def _find_maxima(maps: ScoreMaps, channels: Sequence[int], inside: Mask, least: float) -> _Spots:
    """Return where the highest of some channels is no lower than all around it.

    Few pixels reach the least score: only those are compared with their neighbours.
    """
    parts = [np.zeros(0, _SPOT)]
    rows = maps.scores.shape[1]
    # A few rows at a time stay in the processor's cache, with the neighbours of the outermost.
    for first in range(0, rows if channels else 0, _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, rows)
        top = max(first - 1, 0)
        part = maps.scores[:, top : min(last + 1, rows)]
        spots = _find_maxima_of_rows(part, channels, inside[first:last], first - top, least)
        spots["row"] += top
        parts.append(spots)
    return np.concatenate(parts)


_NEIGHBOURS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right)


def _find_maxima_of_rows(
    scores: npt.NDArray[np.float32],
    channels: Sequence[int],
    inside: Mask,
    above: int,
    least: float,
) -> _Spots:
    """Return the maxima in some rows; their rows count from the first of `scores`.

    Parameters
    ----------
    scores
        (heads, rows, columns), with a row more at each end where the maps have one.
    inside
        Of the rows whose maxima are wanted.
    above
        Rows of the scores before those.
    """
    best = scores[channels[0]]
    for channel in channels[1:]:
        best = np.asarray(cv2.max(best, scores[channel]), np.float32)
    reached = cv2.min(cv2.inRange(best[above : above + len(inside)], least, np.inf), inside)
    if not reached.any():
        return np.zeros(0, _SPOT)
    column, row = cv2.findNonZero(reached).reshape(-1, 2).T.astype(np.int64)
    row += above
    score = best[row, column]
    is_top = np.ones(len(row), np.bool_)
    last_row, last_column = best.shape[0] - 1, best.shape[1] - 1
    for down, right in _NEIGHBOURS:
        # Beyond the border a pixel meets itself, which it is not lower than.
        neighbour = best[np.clip(row + down, 0, last_row), np.clip(column + right, 0, last_column)]
        is_top &= score >= neighbour
    spots = np.zeros(int(is_top.sum()), _SPOT)
    spots["row"], spots["column"], spots["score"] = row[is_top], column[is_top], score[is_top]
    by_channel = scores[np.array(channels)[:, None], spots["row"], spots["column"]]
    spots["channel"] = np.array(channels)[by_channel.argmax(axis=0)]
    return spots


def _find_singles(spots: _Spots, maps: ScoreMaps, least_px: float) -> npt.NDArray[np.int64]:
    """Return the indices of the spots that are not doubles of a higher one.

    Nearer than `least_px`, in pixels of the input, or than the higher one's radius, another
    maximum is the same calcification.
    """
    centers = maps.stride * np.column_stack([spots["row"], spots["column"]]).astype(np.float64)
    reach = np.full(len(spots), least_px)
    if maps.diameter is not None:
        reach = np.maximum(reach, maps.diameter[spots["row"], spots["column"]] / 2)
    return suppress_doubles(centers, reach)


def suppress_doubles(
    centers: npt.NDArray[np.float64], reach: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return the indices of the places that no earlier one reaches, itself not reached by one.

    Parameters
    ----------
    centers
        (n, 2), the highest scores first.
    reach
        (n,), of each place, in the unit of `centers`.
    """
    if not len(centers):
        return np.zeros(0, np.int64)
    higher, lower = cKDTree(centers).query_pairs(float(reach.max()), output_type="ndarray").T
    near = np.linalg.norm(centers[higher] - centers[lower], axis=1) <= reach[higher]
    higher, lower = higher[near], lower[near]
    is_double = np.zeros(len(centers), np.bool_)
    # By falling height, so that whether the higher one is a double itself is known by then: what
    # only a double reaches stays.
    order = np.argsort(higher, kind="stable")
    for high, low in zip(higher[order].tolist(), lower[order].tolist(), strict=True):
        if not is_double[high]:
            is_double[low] = True
    return np.flatnonzero(~is_double)


def _measure_candidates(
    spots: _Spots, maps: ScoreMaps, heads: Sequence[MarkClass], image: Brightness
) -> tuple[Candidate, ...]:
    if not len(spots):
        return ()
    places = [
        (maps.to_input(row), maps.to_input(column))
        for row, column in zip(spots["row"].tolist(), spots["column"].tolist(), strict=True)
    ]
    windows = cut_patches(image, places, 2 * _WINDOW + 1)[:, 0]
    # Of 3 x 3 pixels: on a map of a coarser stride, the peak of the input is beside the middle.
    contrast = windows[:, _WINDOW - 1 : _WINDOW + 2, _WINDOW - 1 : _WINDOW + 2].max(axis=(1, 2))
    major, minor = _measure_axes(windows, contrast)
    # A disc's second moment along an axis is its squared diameter over 16.
    diameter = 4 * np.sqrt(major * minor)
    if maps.diameter is not None:
        graph_diameter = maps.diameter[spots["row"], spots["column"]].astype(np.float64)
        diameter = np.where(graph_diameter != 0, graph_diameter, diameter)
    return tuple(
        Candidate(
            row=row,
            column=column,
            score=float(spots["score"][number]),
            mark_class=heads[spots["channel"][number]],
            diameter_px=float(diameter[number]),
            contrast=float(contrast[number]),
            elongation=float(major[number] / minor[number]),
        )
        for number, (row, column) in enumerate(places)
    )


def _measure_axes(
    windows: npt.NDArray[np.float32], contrast: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the principal standard deviations, in pixels, of what exceeds half the contrast."""
    offset = np.arange(-_WINDOW, _WINDOW + 1, dtype=np.float64)
    # The taper, a Gaussian of half the window, keeps neighbours at its edge from stretching it.
    taper = np.exp(-(offset**2) / (2 * (_WINDOW / 2) ** 2))
    weight = np.maximum(windows - contrast[:, None, None] / 2, 0) * np.outer(taper, taper)
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-9)
    row = (weight.sum(axis=2) @ offset) / total
    column = (weight.sum(axis=1) @ offset) / total
    # Central second moments; a twelfth of a square pixel is that of one pixel.
    yy = (weight.sum(axis=2) @ offset**2) / total - row**2 + 1 / 12
    xx = (weight.sum(axis=1) @ offset**2) / total - column**2 + 1 / 12
    xy = np.einsum("nij,i,j->n", weight, offset, offset) / total - row * column
    # The eigenvalues of [[yy, xy], [xy, xx]] are middle +- radius; the lower one is limited to
    # that of one pixel, since rounding may make it smaller or even negative.
    middle, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.sqrt(middle + radius), np.sqrt(np.maximum(middle - radius, 1 / 12))
