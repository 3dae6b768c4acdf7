"""Training of the network that looks at the surroundings of what was scored again.

A piece of a vessel's wall and a fine linear calcification are alike within 3 mm. Within 18 mm they
are not: one lies on a line with fifty others. What this network says is multiplied with what the
rescoring network said, and it is trained so, on what that network takes for calcifications.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from models.calcification.training.mining import maxima, scores
from models.calcification.training.networks import Patches
from models.calcification.training.patches import (
    RESCORE_PX,
    Progress,
    Recipe,
    kinds,
    nearest,
    target,
    train,
)
from models.calcification.training.regions import HEADS
from models.calcification.training.store import Shard, read_shard
from secondread.codes import MarkClass
from secondread.detect.surroundings import CHANNELS, LEAST, cells, cut

CONTEXT_CELLS = 64
"""Side of the surroundings, in cells of `surroundings.CELL_PX` pixels: 17.9 mm."""

RATE = 1.5e-3
"""Highest learning rate."""
_WIDTHS = (24, 32, 48, 64)

_CALCIFICATION = HEADS.index(MarkClass.CALCIFICATION)
_SEEN = 0.2
"""Dense score that makes a candidate, as in the manifest."""
_AT_MOST = 24
"""Candidates taken from one region, by chance: those of one vessel have the same surroundings."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Surroundings of what the rescoring network takes for calcifications."""

    images: npt.NDArray[np.float16]
    """(n, CHANNELS, CONTEXT_CELLS, CONTEXT_CELLS)."""
    scored: npt.NDArray[np.float32]
    """(n, heads + 1), the rescoring network's shares, nothing first."""
    target: npt.NDArray[np.int64]
    """The right answer among them; -1 where it is not asked."""
    morphology: npt.NDArray[np.int64]
    """Index in `solids.MORPHOLOGIES`; -1 where there is none."""


def collect(
    dense: nn.Module, rescore: nn.Module, folders: Sequence[Path], seed: int, progress: Progress
) -> Samples:
    """Cut surroundings out of some shards."""
    rng = np.random.default_rng(seed)
    parts = []
    for number, folder in enumerate(folders, start=1):
        parts += list(_of_shard(dense, rescore, read_shard(folder), rng))
        if number % max(len(folders) // 20, 1) == 0:
            progress(f"{number}/{len(folders)} shards")
    return Samples(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


_Arrays = tuple[
    npt.NDArray[np.float16], npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]
]


def _of_shard(
    dense: nn.Module, rescore: nn.Module, shard: Shard, rng: np.random.Generator
) -> Iterator[_Arrays]:
    half = RESCORE_PX // 2
    for region, image in enumerate(shard.images):
        scored = scores(dense, image)
        found = maxima(scored.amax(dim=0), shard.labels[region], _SEEN)
        if not len(found.row):
            continue
        padded = np.pad(image.astype(np.float32), half)
        near = np.stack(
            [
                padded[row : row + RESCORE_PX, column : column + RESCORE_PX]
                for row, column in zip(found.row, found.column, strict=True)
            ]
        )
        with torch.no_grad():
            shares = torch.softmax(rescore(torch.from_numpy(near)[:, None]), dim=1).numpy()
        chosen = np.flatnonzero(shares[:, _CALCIFICATION + 1] >= LEAST)
        chosen = np.sort(rng.permutation(chosen)[:_AT_MOST])
        if not len(chosen):
            continue
        rows, columns = found.row[chosen], found.column[chosen]
        stack = cells(image.astype(np.float32), scored.numpy(), HEADS)
        labels = np.pad(shard.labels[region], 2)
        objects = shard.objects[shard.objects[:, 0] == region]
        at = list(zip(rows.tolist(), columns.tolist(), strict=True))
        yield (
            cut(stack, at, CONTEXT_CELLS).astype(np.float16),
            shares[chosen],
            np.array([target(labels[row : row + 5, column : column + 5]) for row, column in at]),
            np.array([nearest(objects, row, column)[0] for row, column in at]),
        )


def fresh() -> Patches:
    """Return the network with random weights."""
    return Patches(len(HEADS) + 1, CONTEXT_CELLS, _WIDTHS, CHANNELS)


def train_context(
    samples: Samples, start: nn.Module, recipe: Recipe, progress: Progress
) -> nn.Module:
    """Train the network; what was said before is multiplied with what it says."""
    before = torch.from_numpy(np.log(np.maximum(samples.scored, 1e-4)))
    right = torch.from_numpy(samples.target)

    def loss(logits: torch.Tensor, chosen: npt.NDArray[np.int64]) -> torch.Tensor:
        together = logits + before[chosen]
        return functional.cross_entropy(together, right[chosen], label_smoothing=0.02)

    weights = _weights(samples)
    return train(start, samples.images, weights, recipe, progress, loss)


_SHARES = {0: 0.35}
"""Of the samples: nothing. The rest is shared between the kinds that are there."""


def _weights(samples: Samples) -> npt.NDArray[np.float64]:
    """Return how likely each sample is drawn: nothing, and kind by kind."""
    of = kinds(samples.target, samples.morphology)
    of[samples.target == 0] = -2
    weights = np.zeros(len(of))
    present = np.unique(of[of >= 0])
    for kind in present.tolist():
        chosen = of == kind
        # Between their own number and none of it: a rare kind is not to be learnt by heart.
        weights[chosen] = chosen.sum() ** -0.5
    weights *= (1 - _SHARES[0]) / max(weights.sum(), 1e-9)
    nothing = of == -2
    weights[nothing] = _SHARES[0] / max(int(nothing.sum()), 1)
    return weights
