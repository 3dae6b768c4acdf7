"""A plain network to compare with: ``... calcification.training benchmark --work DIR``.

A small plain U-Net, trained on the regions that rounds have left in DIR, with the same loader and
the same loss: the obvious first attempt. The judge must separate it from the shipped detector, or
its figures mean nothing. The graph is written into ``DIR/benchmark``, with the head for
calcifications alone: nothing decides between heads without the rescoring network, and after an hour
of training the one for vessels answers everywhere. `fitting` makes it a model for ``secondread
evaluate``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from models.calcification.training import dense, export, store
from models.calcification.training.console import report_progress
from models.calcification.training.networks import PlainUNet
from models.calcification.training.regions import HEADS
from models.calcification.training.tiles import Tiles


class _CalcificationHead(nn.Module):
    """The first head of a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits[:, :1]


def main(arguments: Sequence[str]) -> None:
    """Train, and write the graph."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training benchmark")
    parser.add_argument("--work", type=Path, required=True, help="folder that rounds worked in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2500, help="an hour of one core")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    regions = store.list_shards(options.work / "regions")
    if not regions:
        raise SystemExit(f"{options.work}: no round has made regions there")
    torch.manual_seed(options.seed)
    recipe = dense.DenseRecipe(steps=options.steps, seed=options.seed, threads=options.threads)
    checkpoint = options.work / "benchmark.checkpoint"
    trained = dense.train(
        PlainUNet(len(HEADS)), Tiles(regions), recipe, checkpoint, report_progress
    )
    folder = options.work / "benchmark"
    folder.mkdir(exist_ok=True)
    away = export.export_dense(_CalcificationHead(trained), folder / "dense.onnx")
    report_progress(f"{folder / 'dense.onnx'} written, {away:.1g} from PyTorch")
