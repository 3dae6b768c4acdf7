"""Batches of tiles from the shards: near objects, near what was mistaken, and anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from models.calcification.training.regions import SIDE
from models.calcification.training.store import Shard, read_shard

_T = TypeVar("_T", bound=np.generic)

TILE = 256
"""Rows and columns of a tile."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some tiles."""

    images: npt.NDArray[np.float32]
    """(n, 1, TILE, TILE)."""
    labels: npt.NDArray[np.uint8]
    """(n, TILE, TILE), bits of `regions.HEADS`, `regions.IGNORED` and `store.TISSUE`."""


class Tiles:
    """Draws tiles at random.

    Parameters
    ----------
    folders
        Shards.
    mistaken
        Where a former network saw what is not there: rows of shard, region, row, column.
    """

    def __init__(
        self, folders: Sequence[Path], mistaken: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._shards: list[Shard] = [read_shard(folder) for folder in folders]
        self._mistaken = mistaken if mistaken is not None and len(mistaken) else None

    def batch(self, rng: np.random.Generator, count: int) -> Batch:
        """Draw a batch; every tile is turned, mirrored and made a little stronger or weaker."""
        images = np.empty((count, 1, TILE, TILE), np.float32)
        labels = np.empty((count, TILE, TILE), np.uint8)
        for number in range(count):
            shard, region, row, column = self._place(rng)
            cut = np.s_[region, row : row + TILE, column : column + TILE]
            turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
            strength = np.float32(np.exp(rng.normal(0.0, 0.12)))
            images[number, 0] = _turned(shard.images[cut], turns, mirrored)
            images[number, 0] *= strength
            labels[number] = _turned(shard.labels[cut], turns, mirrored)
        return Batch(images, labels)

    def _place(self, rng: np.random.Generator) -> tuple[Shard, int, int, int]:
        share = rng.random()
        if share < 0.25 and self._mistaken is not None:
            number, region, row, column = self._mistaken[int(rng.integers(len(self._mistaken)))]
            return self._shards[number], int(region), *_around(rng, float(row), float(column))
        shard = self._shards[int(rng.integers(len(self._shards)))]
        if share < 0.75 and len(shard.objects):
            one = shard.objects[int(rng.integers(len(shard.objects)))]
            return shard, int(one[0]), *_around(rng, float(one[1]), float(one[2]))
        region = int(rng.integers(len(shard.images)))
        row, column = (int(v) for v in rng.integers(0, SIDE - TILE + 1, 2))
        return shard, region, row, column


def _around(rng: np.random.Generator, row: float, column: float) -> tuple[int, int]:
    """Return a tile's first row and column, such that it holds a place away from its border."""
    row, column = (v - rng.uniform(0.1, 0.9) * TILE for v in (row, column))
    limit = SIDE - TILE
    return int(np.clip(row, 0, limit)), int(np.clip(column, 0, limit))


def _turned(tile: npt.NDArray[_T], turns: int, mirrored: bool) -> npt.NDArray[_T]:
    tile = np.rot90(tile, turns)
    return tile[:, ::-1] if mirrored else tile
