"""Training of the dense network, and of the plain U-Net of `benchmark` by the same recipe."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.calcification.training.regions import HEADS, IGNORED
from models.calcification.training.store import TISSUE
from models.calcification.training.tiles import TileBatch, Tiles
from secondread.files import write_whole

Progress = Callable[[str], None]

FOCUS = 1.5
"""Exponent of the focal loss (Lin et al. 2017), which gives easy pixels little weight."""
POSITIVE_WEIGHT = 4.0
DICE_WEIGHT = 0.3
MEAN_DECAY = 0.998
"""Of the running mean of the weights, which is the result."""


@dataclass(frozen=True, slots=True)
class DenseRecipe:
    """Length and speed of a training."""

    steps: int
    tiles: int = 8
    """In a batch."""
    rate: float = 2e-3
    """Highest learning rate."""
    seed: int = 1
    threads: int = 1
    checkpoint_steps: int = 500


def train(
    network: nn.Module, tiles: Tiles, recipe: DenseRecipe, checkpoint: Path, progress: Progress
) -> nn.Module:
    """Train to the end, continuing from a checkpoint if there is one; return the mean network.

    Parameters
    ----------
    network
        Its weights are the start.
    checkpoint
        Written at intervals, and read when training begins; a run that was cut off loses no more
        than one interval.
    """
    torch.set_num_threads(recipe.threads)
    network = network.to(_choose_device(), memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.steps + 1, pct_start=0.15
    )
    mean = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(MEAN_DECAY)
    )
    state = {"network": network, "optimiser": optimiser, "schedule": schedule, "mean": mean}
    first = _resume(checkpoint, state)
    started, mean_loss = time.monotonic(), 0.0
    for step in range(first, recipe.steps):
        batch = tiles.batch(np.random.default_rng((recipe.seed, step)), recipe.tiles)
        loss = _take_step(network, optimiser, batch)
        schedule.step()
        mean.update_parameters(network)
        mean_loss = loss if step == first else 0.98 * mean_loss + 0.02 * loss
        if (step + 1) % 100 == 0:
            pace = (time.monotonic() - started) / (step + 1 - first)
            left = pace * (recipe.steps - step - 1) / 60
            progress(f"step {step + 1}/{recipe.steps} loss {mean_loss:.4f}, {left:.0f} min left")
        if (step + 1) % recipe.checkpoint_steps == 0 or step + 1 == recipe.steps:
            _save(checkpoint, step + 1, state)
    trained: nn.Module = mean.module
    return trained.cpu().eval()


def compute_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the focal and the Dice loss over the breast, without ignored pixels.

    Parameters
    ----------
    logits
        (n, heads, rows, columns).
    labels
        (n, rows, columns), bits as in `TileBatch`.
    """
    asked = ((labels & IGNORED) == 0) & ((labels & TISSUE) > 0)
    weight = asked.float().unsqueeze(1)
    target = torch.stack([(labels >> n) & 1 for n in range(len(HEADS))], dim=1).float()
    plain = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    missed = 1.0 - torch.exp(-plain)
    focal = missed**FOCUS * plain * (1.0 + (POSITIVE_WEIGHT - 1.0) * target)
    # Per labelled pixel, not per pixel, since almost all are easy background.
    focal_mean = (focal * weight).sum() / ((target * weight).sum() + 1000.0)
    chance = torch.sigmoid(logits) * weight
    overlap = (chance * target).sum(dim=(0, 2, 3))
    both = (chance + target * weight).sum(dim=(0, 2, 3))
    dice = 1.0 - (2.0 * overlap + 50.0) / (both + 50.0)
    return focal_mean + DICE_WEIGHT * dice.mean()


def _take_step(network: nn.Module, optimiser: torch.optim.Optimizer, batch: TileBatch) -> float:
    device = _choose_device()
    images = torch.from_numpy(batch.images).to(device, memory_format=torch.channels_last)
    labels = torch.from_numpy(batch.labels).to(device)
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast(device, torch.bfloat16):
        logits = network(images)
    loss = compute_loss(logits.float(), labels)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _choose_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _resume(checkpoint: Path, state: dict[str, Any]) -> int:
    if not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, map_location=_choose_device(), weights_only=True)
    for name, part in state.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])


def _save(checkpoint: Path, step: int, state: dict[str, Any]) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"step": step}
    for name, module in state.items():
        content[name] = module.state_dict()
    with write_whole(checkpoint, durable=True) as part:
        torch.save(content, part)
