"""The judge's yardstick: ``python -m models.calcification.training.benchmark --work DIR``.

A small plain U-Net, trained on the regions that rounds have left in DIR, drawn by the same loader
with the same loss: what anyone would try first. The judge has to tell it from the detector that
ships, or it tells nothing. Its graph goes into ``DIR/yardstick``, with the head for calcifications
alone: without a second look nothing settles between heads, and after an hour the one for vessels
answers everywhere. `fitting` makes it a model that ``secondread evaluate`` reads.
"""

import argparse
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


def main() -> None:
    """Train, and write the graph."""
    parser = argparse.ArgumentParser(prog="python -m models.calcification.training.benchmark")
    parser.add_argument("--work", type=Path, required=True, help="folder that rounds worked in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2500, help="an hour of one core")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    regions = store.list_shards(given.work / "regions")
    if not regions:
        raise SystemExit(f"{given.work}: no round has made regions there")
    torch.manual_seed(given.seed)
    recipe = dense.DenseRecipe(steps=given.steps, seed=given.seed, threads=given.threads)
    checkpoint = given.work / "yardstick.checkpoint"
    trained = dense.train(
        PlainUNet(len(HEADS)), Tiles(regions), recipe, checkpoint, report_progress
    )
    folder = given.work / "yardstick"
    folder.mkdir(exist_ok=True)
    away = export.export_dense(_CalcificationHead(trained), folder / "dense.onnx")
    report_progress(f"{folder / 'dense.onnx'} written, {away:.1g} from PyTorch")


if __name__ == "__main__":
    main()
