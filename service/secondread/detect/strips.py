"""Running a dense graph over the tissue only, in strips, as if it had seen the whole image.

A strip is 1024 rows, cut to the columns that hold tissue there, with a halo around it as wide as
the graph sees; only the inside is kept. Strips begin on multiples of the graph's own grid, so
that every pixel meets the same arithmetic as in one pass over the whole image, which would need
several times the memory and compute air.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from secondread.detect.breast import Brightness, Mask
from secondread.detect.manifest import Graph

STRIP_ROWS = 1024

_Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DenseOutput:
    """What a dense graph gives for one input."""

    scores: _Array
    """(1, heads, rows / stride, columns / stride)."""
    diameter: _Array | None
    """(1, 1, rows / stride, columns / stride), in input pixels."""


@dataclass(frozen=True, slots=True)
class ScoreMaps:
    """The stitched answers over the whole input; 0 where nothing was computed."""

    scores: _Array
    """(heads, rows, columns), at the graph's stride."""
    diameter: _Array | None
    """(rows, columns), in input pixels."""
    stride: int

    def to_input(self, index: float) -> float:
        """Return the input's array index at an index of the maps; both name pixel centres."""
        return (index + 0.5) * self.stride - 0.5

    def reduce_mask(self, interior: Mask) -> Mask:
        """Return a mask of the input at the maps' own resolution."""
        if self.stride == 1:
            return interior
        shape = self.scores.shape[:0:-1]
        return np.asarray(cv2.resize(interior, shape, interpolation=cv2.INTER_NEAREST), np.uint8)


@dataclass(frozen=True, slots=True)
class Strip:
    """One piece of the input: what is kept of it, and with the halo what is computed."""

    keep: tuple[int, int, int, int]
    """First row, row after the last, first column, column after the last."""
    computed: tuple[int, int, int, int]
    """The same for what goes into the graph; beyond the image only as far as a multiple needs."""


def plan_strips(interior: Mask, graph: Graph, strip_rows: int = STRIP_ROWS) -> Iterator[Strip]:
    """Yield the strips that cover every pixel of the mask."""
    unit = graph.multiple_of
    halo = _round_up(graph.halo_px, unit)
    height = _round_up(strip_rows, unit)
    last_row, last_column = (_round_up(side, unit) for side in interior.shape)
    for top in range(0, interior.shape[0], height):
        bottom = min(top + height, interior.shape[0])
        columns = np.flatnonzero(interior[top:bottom].any(axis=0))
        if not columns.size:
            continue
        # From a multiple on, as the rows do: strided graphs then see the same pixels together.
        left = int(columns[0]) // unit * unit
        right = int(columns[-1]) + 1
        yield Strip(
            (top, bottom, left, right),
            (
                max(top - halo, 0),
                min(_round_up(bottom, unit) + halo, last_row),
                max(left - halo, 0),
                min(_round_up(right, unit) + halo, last_column),
            ),
        )


def run_in_strips(
    image: Brightness, interior: Mask, graph: Graph, run: Callable[[_Array], DenseOutput]
) -> ScoreMaps:
    """Run a dense graph over the tissue of an image.

    Parameters
    ----------
    image
        The normalised input, (rows, columns).
    interior
        Where answers are wanted, same shape.
    graph
        The manifest's entry: halo, stride, heads.
    run
        Takes one (1, 1, rows, columns) input, both multiples of ``graph.multiple_of``.
    """
    stride = graph.stride
    rows, columns = (-(-side // stride) for side in image.shape)
    scores = np.zeros((len(graph.heads), rows, columns), np.float32)
    diameter = np.zeros((rows, columns), np.float32) if graph.diameter else None
    for strip in plan_strips(interior, graph):
        answer = run(_cut_batch(image, strip.computed))
        top, bottom, left, right = strip.keep
        target = np.s_[top // stride : -(-bottom // stride), left // stride : -(-right // stride)]
        height, width = scores[0][target].shape
        # All of these are multiples of the stride, so that the maps of strips fit together.
        row = (top - strip.computed[0]) // stride
        column = (left - strip.computed[2]) // stride
        source = np.s_[row : row + height, column : column + width]
        scores[:, target[0], target[1]] = answer.scores[0][:, source[0], source[1]]
        if diameter is not None and answer.diameter is not None:
            diameter[target] = answer.diameter[0, 0][source]
    return ScoreMaps(scores, diameter, stride)


def _cut_batch(image: Brightness, box: tuple[int, int, int, int]) -> _Array:
    top, bottom, left, right = box
    batch = np.zeros((1, 1, bottom - top, right - left), np.float32)
    inner = image[top:bottom, left:right]
    batch[0, 0, : inner.shape[0], : inner.shape[1]] = inner
    return batch


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
