"""Performance of a dense network on regions: its candidates, mistakes and sensitivity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from models.calcification.training.regions import HEADS, Objects
from models.calcification.training.store import TISSUE, Shard, read_shard
from secondread.codes import MarkClass
from secondread_lab.judge.rules import REACH_BEYOND_MM, REACH_MM, VISIBLE_CNR

_NEAR_PX = 5
"""A candidate this near to a labelled pixel (0.35 mm) is not a mistake."""
_CALCIFICATION = HEADS.index(MarkClass.CALCIFICATION)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Local maxima of a network's scores in one region."""

    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]
    """The highest of the chosen heads."""
    false: npt.NDArray[np.bool_]
    """Whether nothing labelled or ignored is near."""


def find_candidates(
    network: nn.Module, shard: Shard, threshold: float, heads: Sequence[int] = (_CALCIFICATION,)
) -> Iterator[tuple[int, Candidates]]:
    """Yield each region's number and its candidates: maxima of the highest of some heads."""
    for number in range(len(shard.images)):
        score = compute_scores(network, shard.images[number])[list(heads)].amax(dim=0)
        yield number, find_maxima(score, shard.labels[number], threshold)


def compute_scores(network: nn.Module, image: npt.NDArray[np.float16]) -> torch.Tensor:
    """Return a network's score maps, (heads, rows, columns), of one region."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.from_numpy(image.astype(np.float32))[None, None])
    return torch.sigmoid(logits[0].float())


def find_maxima(score: torch.Tensor, labels: npt.NDArray[np.uint8], threshold: float) -> Candidates:
    """Return the local maxima of a score map that lie in tissue."""
    highest = functional.max_pool2d(score[None, None], 5, stride=1, padding=2)[0, 0]
    is_top = (score == highest) & (score >= threshold)
    is_top &= torch.from_numpy((labels & TISSUE) > 0)
    row, column = (index.numpy() for index in torch.nonzero(is_top, as_tuple=True))
    labelled = ((labels & ~np.uint8(TISSUE)) > 0).astype(np.uint8)
    near = cv2.dilate(labelled, np.ones((2 * _NEAR_PX + 1,) * 2, np.uint8))
    return Candidates(row, column, score.numpy()[row, column], near[row, column] == 0)


def find_mistakes(
    network: nn.Module, folders: Sequence[Path], threshold: float = 0.25
) -> npt.NDArray[np.int64]:
    """Return rows of shard, region, row, column of false candidates with high scores."""
    rows = [
        np.column_stack([np.full(len(r), number), np.full(len(r), region), r, c])
        for number, folder in enumerate(folders)
        for region, region_candidates in find_candidates(network, read_shard(folder), threshold)
        for r, c in [
            (
                region_candidates.row[region_candidates.false],
                region_candidates.column[region_candidates.false],
            )
        ]
    ]
    return np.concatenate(rows) if rows else np.empty((0, 4), np.int64)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Share of visible single calcifications that are found, by rate of false marks."""

    false_per_cm2: tuple[float, ...]
    found: tuple[float, ...]
    threshold: tuple[float, ...]
    visible: int


def measure_sensitivity(
    network: nn.Module,
    folders: Sequence[Path],
    false_per_cm2: Sequence[float] = (0.1, 0.4, 1.0),
) -> Sensitivity:
    """Measure a network on regions that it was not trained on."""
    false: list[npt.NDArray[np.float32]] = []
    hits: list[float] = []
    area = 0.0
    for folder in folders:
        shard = read_shard(folder)
        for region, region_candidates in find_candidates(network, shard, 0.02):
            false.append(region_candidates.score[region_candidates.false])
            spacing = float(shard.spacing_mm[region])
            area += float(((shard.labels[region] & TISSUE) > 0).sum()) * spacing**2 / 100
            hits += _find_hits(region_candidates, shard.find_objects(region), spacing)
    compute_scores = np.sort(np.concatenate(false))[::-1]
    thresholds = [
        float(compute_scores[min(int(rate * area), len(compute_scores) - 1)])
        for rate in false_per_cm2
    ]
    best = np.array(hits)
    return Sensitivity(
        tuple(false_per_cm2),
        tuple(float((best > threshold).mean()) for threshold in thresholds),
        tuple(thresholds),
        len(hits),
    )


def _find_hits(candidates: Candidates, objects: Objects, spacing_mm: float) -> Iterator[float]:
    """Yield each visible calcification's best score; 0 without a candidate."""
    is_visible = (objects["head"] == _CALCIFICATION) & (objects["cnr"] >= VISIBLE_CNR)
    for calcification in objects[is_visible]:
        radius = calcification["diameter_px"] / 2
        reach = max(REACH_MM / spacing_mm, radius + REACH_BEYOND_MM / spacing_mm)
        away = (candidates.row - calcification["row"], candidates.column - calcification["column"])
        near = np.hypot(*away) <= reach
        yield float(candidates.score[near].max()) if near.any() else 0.0
