"""From PyTorch weights to ONNX files, checked against PyTorch on real-sized input."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from models.calcification.training.networks import MULTIPLE_OF

TOLERANCE = 1e-4
"""Largest difference between PyTorch's and ONNX Runtime's scores that is accepted."""


class _Scores(nn.Module):
    """Logits of independent classes to scores."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.network(x))


class _Shares(nn.Module):
    """Logits of classes that exclude each other to shares, the first outputs left out."""

    def __init__(self, network: nn.Module, left_out: int) -> None:
        super().__init__()
        self.network = network
        self.left_out = left_out

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.network(x), dim=1)[:, self.left_out :]


def export_dense(network: nn.Module, path: Path) -> float:
    """Write the dense graph; return its largest difference from PyTorch."""
    axes = {"image": {2: "rows", 3: "columns"}, "scores": {2: "rows", 3: "columns"}}
    side = 8 * MULTIPLE_OF
    return _export(_Scores(network), path, (1, 1, side, side + MULTIPLE_OF), axes)


def export_patches(network: nn.Module, side: int, path: Path, left_out: int = 0) -> float:
    """Write a patch graph; return its largest difference from PyTorch.

    Parameters
    ----------
    side
        Rows and columns of a patch.
    left_out
        Number of leading outputs that are not scores, such as the one for nothing at all.
    """
    axes = {"image": {0: "patches"}, "scores": {0: "patches"}}
    return _export(_Shares(network, left_out), path, (7, 1, side, side), axes)


def _export(
    network: nn.Module, path: Path, shape: Sequence[int], axes: dict[str, dict[int, str]]
) -> float:
    network = network.float().eval()
    rng = np.random.default_rng(1)
    image = np.clip(rng.normal(0, 3, shape), -10, 30).astype(np.float32)
    torch.onnx.export(
        network,
        (torch.from_numpy(image),),
        str(path),
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes=axes,
        dynamo=False,
    )
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (told,) = session.run(["scores"], {"image": image})
    with torch.no_grad():
        expected = network(torch.from_numpy(image)).numpy()
    away = float(np.abs(told - expected).max())
    if away > TOLERANCE:
        raise ValueError(f"{path.name}: ONNX Runtime differs from PyTorch by {away:.2g}")
    return away
