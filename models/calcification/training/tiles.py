"""Batches of tiles from the shards: near objects, near former mistakes, and anywhere.

Objects are drawn kind by kind. Drawn one by one, kinds that come in dozens (vessel walls, coarse
calcifications) would dominate, and the network would take everything similar for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from models.calcification.training.placed_solids import MORPHOLOGIES
from models.calcification.training.regions import HEADS, SIDE, SURE_CNR
from models.calcification.training.store import Shard, read_shard
from secondread.codes import MarkClass
from secondread.findings.suspicion import TYPICALLY_BENIGN

_T = TypeVar("_T", bound=np.generic)

TILE = 256
"""Rows and columns of a tile."""


@dataclass(frozen=True, slots=True)
class TileBatch:
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
        False candidates of a former network: rows of shard, region, row, column.
    """

    def __init__(
        self, folders: Sequence[Path], mistaken: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._shards: list[Shard] = [read_shard(folder) for folder in folders]
        self._kinds, self._shares = _group_by_kind(self._shards)
        self._mistaken = mistaken if mistaken is not None and len(mistaken) else None

    def batch(self, rng: np.random.Generator, count: int) -> TileBatch:
        """Draw a batch; every tile is turned, mirrored and made a little stronger or weaker."""
        images = np.empty((count, 1, TILE, TILE), np.float32)
        labels = np.empty((count, TILE, TILE), np.uint8)
        for number in range(count):
            shard, region, row, column = self._place(rng)
            cut = np.s_[region, row : row + TILE, column : column + TILE]
            turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
            strength = np.float32(np.exp(rng.normal(0.0, 0.12)))
            images[number, 0] = _turn(shard.images[cut], turns, mirrored)
            images[number, 0] *= strength
            labels[number] = _turn(shard.labels[cut], turns, mirrored)
        return TileBatch(images, labels)

    def _place(self, rng: np.random.Generator) -> tuple[Shard, int, int, int]:
        share = rng.random()
        if share < 0.25 and self._mistaken is not None:
            number, region, row, column = self._mistaken[int(rng.integers(len(self._mistaken)))]
            return self._shards[number], int(region), *_draw_around(rng, float(row), float(column))
        if share < 0.75 and self._kinds:
            kind = self._kinds[int(rng.choice(len(self._kinds), p=self._shares))]
            number, row_of = kind[int(rng.integers(len(kind)))]
            chosen = self._shards[number].objects[row_of]
            return (
                self._shards[number],
                int(chosen["region"]),
                *_draw_around(rng, float(chosen["row"]), float(chosen["column"])),
            )
        shard = self._shards[int(rng.integers(len(self._shards)))]
        region = int(rng.integers(len(shard.images)))
        row, column = (int(v) for v in rng.integers(0, SIDE - TILE + 1, 2))
        return shard, region, row, column


def _group_by_kind(
    shards: Sequence[Shard],
) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.float64]]:
    """Return, for each kind of object that occurs, (shard, row of its objects), and its share."""
    places: dict[int, list[tuple[int, int]]] = {}
    for number, shard in enumerate(shards):
        objects = shard.objects
        for row in np.flatnonzero(objects["cnr"] >= SURE_CNR).tolist():
            kind = find_kind(int(objects["head"][row]), int(objects["morphology"][row]))
            places.setdefault(kind, []).append((number, row))
    kinds = sorted(places)
    shares = np.array([SHARES[kind] for kind in kinds])
    return [np.array(places[kind]) for kind in kinds], shares / max(shares.sum(), 1e-9)


def find_kind(head: int, morphology: int) -> int:
    """Return the kind of an object, an index of `SHARES`: its head, or its type where it has one.

    Parameters
    ----------
    head
        Index in `regions.HEADS`.
    morphology
        Index in `solids.MORPHOLOGIES`, -1 for all but calcifications.
    """
    is_typed = HEADS[head] is MarkClass.CALCIFICATION and morphology >= 0
    return len(HEADS) + morphology if is_typed else head


_OF_HEADS = {MarkClass.VASCULAR: 0.18, MarkClass.METAL: 0.14, MarkClass.SKIN: 0.07}
SHARES = np.array(
    [
        *(_OF_HEADS.get(head, 0.0) for head in HEADS),
        *(0.012 if kind in TYPICALLY_BENIGN else 0.09 for kind in MORPHOLOGIES),
    ]
)
"""How often an object of each kind is drawn: first the heads, then the types of calcification."""


def _draw_around(rng: np.random.Generator, row: float, column: float) -> tuple[int, int]:
    """Return a tile's first row and column, such that it holds a place away from its border."""
    row, column = (v - rng.uniform(0.1, 0.9) * TILE for v in (row, column))
    limit = SIDE - TILE
    return int(np.clip(row, 0, limit)), int(np.clip(column, 0, limit))


def _turn(tile: npt.NDArray[_T], turns: int, mirrored: bool) -> npt.NDArray[_T]:
    tile = np.rot90(tile, turns)
    return tile[:, ::-1] if mirrored else tile
