"""Training of the network that judges a speck by its neighbours.

Its neighbours separate a vessel's calcification from others. Whether a faint speck is anything at
all is decided from its patch: with both decided by neighbours, more false marks in real tissue
were certain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.calcification.training.mining import compute_scores, find_maxima
from models.calcification.training.networks import Neighbours
from models.calcification.training.patches import RESCORE_PX, PatchRecipe, Progress, find_target
from models.calcification.training.specks import CALCIFICATION, Specks, vary_specks, weigh_draws
from models.calcification.training.store import Shard, read_shard
from secondread.detect.peaks import DOUBLE_MM, suppress_doubles

RATE = 3e-3
"""Highest learning rate."""
EPOCHS, SPOTS = 12, 512
"""How often each speck is used, and specks in a batch."""
LEAN = 2.0
"""Added log odds of calcifications against vessels after training, since it is worse to take fine
linear calcifications for a vessel's than the reverse. In 1,536 regions that were left out, with 0,
1, 2 and 3, three specks remained of 0.63, 0.80, 0.84 and 0.84 of fine linear clusters (0.86 without
the network), and of 0.19, 0.39, 0.59 and 0.75 of vessels (0.78). Validation views show more of a
vessel than regions do: with 2 none of 36 had a mark on one, and nothing was lost."""
_SEEN = 0.2  # dense score that makes a spot, as in the manifest
_AT_MOST = 300  # spots of a region, the highest first


def collect_specks(
    dense: nn.Module, rescore: nn.Module, folders: Sequence[Path], progress: Progress
) -> Specks:
    """Run both networks on some shards, as the detector does."""
    parts: list[Specks] = []
    for number, folder in enumerate(folders):
        parts += _collect_shard(dense, rescore, read_shard(folder), number)
        if (number + 1) % max(len(folders) // 10, 1) == 0:
            progress(f"{number + 1}/{len(folders)} shards")
    return Specks(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Specks))
    )


def _collect_shard(
    dense: nn.Module, rescore: nn.Module, shard: Shard, number: int
) -> Iterator[Specks]:
    half = RESCORE_PX // 2
    for region, image in enumerate(shard.images):
        maxima = find_maxima(compute_scores(dense, image).amax(dim=0), shard.labels[region], _SEEN)
        highest = np.argsort(-maxima.score)
        places = np.column_stack([maxima.row, maxima.column])[highest].astype(np.float64)
        reach = np.full(len(places), DOUBLE_MM / shard.spacing_mm[region])
        single = highest[suppress_doubles(places, reach)][:_AT_MOST]
        places_px = list(
            zip(maxima.row[single].tolist(), maxima.column[single].tolist(), strict=True)
        )
        if not places_px:
            continue
        padded = np.pad(image.astype(np.float32), half)
        cut = np.stack([padded[r : r + RESCORE_PX, c : c + RESCORE_PX] for r, c in places_px])
        with torch.no_grad():
            shares = torch.softmax(rescore(torch.from_numpy(cut)[:, None]), dim=1).numpy()
        labels = np.pad(shard.labels[region], 2)
        yield Specks(
            np.full(len(places_px), number * len(shard.images) + region),
            np.array(places_px, np.float64) * shard.spacing_mm[region],
            shares[:, 1:],
            np.array(
                [
                    find_target(labels[row : row + 5, column : column + 5])
                    for row, column in places_px
                ]
            ),
        )


def train(spots: Specks, start: Neighbours, recipe: PatchRecipe, progress: Progress) -> Neighbours:
    """Train the network; one epoch uses each speck to learn from once, on average."""
    torch.set_num_threads(recipe.threads)
    rng = np.random.default_rng(recipe.seed)
    weights = weigh_draws(spots)
    steps = max(int(np.count_nonzero(weights) / recipe.patches), 1)
    optimiser = torch.optim.AdamW(start.parameters(), lr=recipe.rate, weight_decay=1e-3)
    epochs = max(round(recipe.epochs), 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=epochs * steps + 1
    )
    for epoch in range(epochs):
        numbers, features = vary_specks(spots, rng)
        cumulated = np.cumsum(weights[numbers])
        right = torch.from_numpy((spots.target[numbers] == CALCIFICATION).astype(np.float32))
        mean_loss = 0.0
        for _ in range(steps):
            chosen = np.searchsorted(cumulated, rng.random(recipe.patches) * cumulated[-1], "right")
            optimiser.zero_grad(set_to_none=True)
            odds = start(torch.from_numpy(features[chosen].astype(np.float32)))
            loss = functional.binary_cross_entropy_with_logits(odds, right[chosen])
            loss.backward()
            optimiser.step()
            schedule.step()
            mean_loss += float(loss.detach()) / steps
        progress(f"epoch {epoch + 1}/{epochs} loss {mean_loss:.4f}")
    with torch.no_grad():
        start.decide[-1].bias += LEAN
    start.eval()
    return start
