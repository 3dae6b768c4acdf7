"""Training of the two patch networks: whether a candidate is a calcification, and of what type.

Both see patches around the dense network's candidates, as in the detector, so that they learn from
that network's own mistakes: this is the second and harder round of mining.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from models.calcification.training.mining import find_candidates
from models.calcification.training.networks import Patches
from models.calcification.training.regions import HEADS, IGNORED, Objects
from models.calcification.training.store import Shard, read_shard
from models.calcification.training.tiles import SHARES, find_kind
from secondread.codes import MarkClass

Progress = Callable[[str], None]

RESCORE_PX = 48
"""Side of the patch that is rescored: 3.4 mm. At 2.2 mm a fine linear calcification and a piece of
a vessel's wall, or of a wire, look alike."""
DESCRIBE_PX = 48
"""Side of the patch whose type is described: 3.4 mm."""
NOTHING = 0
"""The rescoring network's first output; class n of `regions.HEADS` is output n + 1."""

_RESCORED = slice((DESCRIBE_PX - RESCORE_PX) // 2, (DESCRIBE_PX + RESCORE_PX) // 2)
"""Rows and columns of a sample that the rescoring network sees."""
_ALL = tuple(range(len(HEADS)))
_CALCIFICATION = HEADS.index(MarkClass.CALCIFICATION)
_CANDIDATES_PER_REGION = 60
"""Candidates taken from one region."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Patches around candidates."""

    images: npt.NDArray[np.float16]
    """(n, DESCRIBE_PX, DESCRIBE_PX), the candidate at index DESCRIBE_PX // 2 of both axes."""
    target: npt.NDArray[np.int64]
    """The rescoring network's right answer; -1 where it is unknown."""
    morphology: npt.NDArray[np.int64]
    """Index in `placed_solids.MORPHOLOGIES`; -1 without a calcification."""
    cnr: npt.NDArray[np.float32]
    """Of the calcification; 0 without one."""
    dense: npt.NDArray[np.float32]
    """The dense network's score."""


def collect_samples(
    network: nn.Module, folders: Sequence[Path], threshold: float = 0.03
) -> Samples:
    """Cut patches around a dense network's candidates in some shards."""
    return join_samples(
        [_collect_shard(network, read_shard(folder), threshold) for folder in folders]
    )


def join_samples(parts: Sequence[Samples]) -> Samples:
    """Return several sets of samples as one."""
    return Samples(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Samples)
        )
    )


def draw_rescore_set(samples: Samples, count: int, seed: int) -> npt.NDArray[np.float32]:
    """Return random samples as input of the rescoring network."""
    order = np.random.default_rng(seed).permutation(len(samples.target))[:count]
    return samples.images[order][:, None, _RESCORED, _RESCORED].astype(np.float32)


DOUBTFUL = 0.2
"""A candidate in real tissue with this share or more for calcification may well be one."""


def drop_doubtful(samples: Samples, network: Patches) -> Samples:
    """Return samples of real tissue, without an answer where the answer is uncertain.

    Real tissue holds calcifications that are not listed. A network that is trained to call them
    nothing learns to miss real ones (measured: 0.51 instead of 0.63 of the clusters put into real
    views were found). So candidates that a network trained on simulated tissue alone takes for
    calcifications have no answer.

    Parameters
    ----------
    samples
        Cut from regions of real tissue.
    network
        A rescoring network that was trained without real tissue.
    """
    asked = np.flatnonzero(samples.target == NOTHING)
    target = samples.target.copy()
    for part in np.array_split(asked, max(len(asked) // 512, 1)):
        cut = torch.from_numpy(
            samples.images[part][:, None, _RESCORED, _RESCORED].astype(np.float32)
        )
        with torch.no_grad():
            share = torch.softmax(network(cut), dim=1)[:, 1 + _CALCIFICATION].numpy()
        target[part[share >= DOUBTFUL]] = -1
    return replace(samples, target=target)


def _collect_shard(network: nn.Module, shard: Shard, threshold: float) -> Samples:
    half = DESCRIBE_PX // 2
    images, targets, types, cnrs, dense = [], [], [], [], []
    for region, region_candidates in find_candidates(network, shard, threshold, _ALL):
        padded = np.pad(shard.images[region], half)
        labels = np.pad(shard.labels[region], 2)
        objects = shard.find_objects(region)
        for number in np.argsort(-region_candidates.score)[:_CANDIDATES_PER_REGION]:
            row, column = int(region_candidates.row[number]), int(region_candidates.column[number])
            images.append(padded[row : row + DESCRIBE_PX, column : column + DESCRIBE_PX])
            targets.append(find_target(labels[row : row + 5, column : column + 5]))
            kind, cnr = _find_nearest(objects, row, column)
            types.append(kind)
            cnrs.append(cnr)
            dense.append(region_candidates.score[number])
    return Samples(
        np.asarray(images, np.float16).reshape(-1, DESCRIBE_PX, DESCRIBE_PX),
        np.asarray(targets, np.int64),
        np.asarray(types, np.int64),
        np.asarray(cnrs, np.float32),
        np.asarray(dense, np.float32),
    )


def find_target(labels: npt.NDArray[np.uint8]) -> int:
    """Return the right answer by the labels within two pixels."""
    bits = int(np.bitwise_or.reduce(labels, axis=None))
    # Metal outshines everything beside it, and a calcification counts more than a vessel's wall.
    for head in (MarkClass.METAL, MarkClass.CALCIFICATION, MarkClass.SKIN, MarkClass.VASCULAR):
        if bits & (1 << HEADS.index(head)):
            return HEADS.index(head) + 1
    return -1 if bits & IGNORED else NOTHING


def _find_nearest(objects: Objects, row: int, column: int) -> tuple[int, float]:
    """Return the morphology and CNR of the solid that a candidate is in."""
    if not len(objects):
        return -1, 0.0
    to_middle = np.hypot(objects["row"] - row, objects["column"] - column)
    away = to_middle - objects["diameter_px"] / 2
    nearest = objects[int(away.argmin())]
    if away.min() > 3.0:
        return -1, 0.0
    return int(nearest["morphology"]), float(nearest["cnr"])


@dataclass(frozen=True, slots=True)
class PatchRecipe:
    """Length and speed of a training."""

    epochs: float
    patches: int = 128
    """In a batch."""
    rate: float = 2e-3
    seed: int = 1
    threads: int = 1


def train_rescore(
    samples: Samples, start: Patches, recipe: PatchRecipe, progress: Progress
) -> nn.Module:
    """Train the network that rescores candidates."""
    weights = _weigh_samples(samples)
    images = samples.images[:, _RESCORED, _RESCORED]
    return _train(start, images, samples.target, weights, recipe, progress)


def train_describe(
    samples: Samples, start: Patches, recipe: PatchRecipe, progress: Progress
) -> nn.Module:
    """Train the network that describes the type of a calcification."""
    usable = (samples.morphology >= 0) & (samples.cnr >= 2.5)
    weights = _balance(np.where(usable, samples.morphology, -1), 0.5)
    return _train(start, samples.images, samples.morphology, weights, recipe, progress)


_NOTHING_SHARE = 0.45
"""Of the candidates that the rescoring network learns from."""


def _weigh_samples(samples: Samples) -> npt.NDArray[np.float64]:
    """Return the weights for drawing samples: nothing, and then kind by kind as for tiles."""
    kinds = np.full(len(samples.target), -1)
    for head in range(len(HEADS)):
        of_head = samples.target == head + 1
        types = np.unique(samples.morphology[of_head])
        for morphology in types.tolist():
            kinds[of_head & (samples.morphology == morphology)] = find_kind(head, morphology)
    weights = _NOTHING_SHARE * _share_evenly(samples.target == NOTHING)
    present = np.unique(kinds[kinds >= 0])
    for kind in present.tolist():
        share = (1 - _NOTHING_SHARE) * SHARES[kind] / SHARES[present].sum()
        weights += share * _share_evenly(kinds == kind)
    return weights


def _share_evenly(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    return np.asarray(chosen / max(int(chosen.sum()), 1), np.float64)


def _balance(kinds: npt.NDArray[np.int64], power: float) -> npt.NDArray[np.float64]:
    """Return weights that favour rare kinds: a kind's share is its number to a power."""
    present, counts = np.unique(kinds[kinds >= 0], return_counts=True)
    shares = counts**power / (counts**power).sum()
    weights = np.zeros(len(kinds))
    for kind, share in zip(present.tolist(), shares.tolist(), strict=True):
        weights += share * _share_evenly(kinds == kind)
    return weights


def _train(
    network: nn.Module,
    images: npt.NDArray[np.float16],
    targets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    recipe: PatchRecipe,
    progress: Progress,
) -> nn.Module:
    torch.set_num_threads(recipe.threads)
    cumulated = np.cumsum(weights / weights.sum())
    steps = max(int(recipe.epochs * np.count_nonzero(weights) / recipe.patches), 1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=steps + 1, pct_start=0.15
    )
    mean = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    )
    rng = np.random.default_rng(recipe.seed)
    mean_loss, started = 0.0, time.monotonic()
    for step in range(steps):
        chosen = np.sort(
            np.searchsorted(cumulated, rng.random(recipe.patches) * cumulated[-1], "right")
        )
        batch = images[chosen].astype(np.float32)
        batch = _vary_batch(batch, rng)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(torch.from_numpy(batch)[:, None])
        loss = functional.cross_entropy(
            logits.float(), torch.from_numpy(targets[chosen]), label_smoothing=0.02
        )
        loss.backward()
        optimiser.step()
        schedule.step()
        mean.update_parameters(network)
        value = float(loss.detach())
        mean_loss = value if step == 0 else 0.98 * mean_loss + 0.02 * value
        if (step + 1) % 100 == 0:
            left = (time.monotonic() - started) / (step + 1) * (steps - step - 1) / 60
            progress(f"step {step + 1}/{steps} loss {mean_loss:.4f}, {left:.0f} min left")
    trained: nn.Module = mean.module
    return trained.eval()


def _vary_batch(
    batch: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Mirror and turn a batch, and make each patch a little stronger or weaker."""
    if rng.integers(2):
        batch = batch[:, :, ::-1]
    batch = np.rot90(batch, int(rng.integers(4)), axes=(1, 2))
    strength = np.exp(rng.normal(0.0, 0.1, (len(batch), 1, 1))).astype(np.float32)
    return np.ascontiguousarray(batch * strength)
