"""From PyTorch weights to ONNX files, checked against PyTorch on real-sized input."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from torch import Tensor, nn

from models.calcification.training.networks import MULTIPLE_OF, Neighbours
from models.calcification.training.regions import HEADS
from secondread.detect.neighbours import features_length

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


class _Redistributed(nn.Module):
    """Logits of classes to their shares in what the second look took for any of them."""

    def __init__(self, network: Neighbours) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        any_of_them = x[:, -self.network.heads :].sum(dim=1, keepdim=True)
        return torch.softmax(self.network(x), dim=1) * any_of_them


def export_dense(network: nn.Module, path: Path) -> float:
    """Write the dense graph; return its largest difference from PyTorch."""
    axes = {"image": {2: "rows", 3: "columns"}, "scores": {2: "rows", 3: "columns"}}
    side = 8 * MULTIPLE_OF
    return _export(_Scores(network), path, _noise(1, 1, side, side + MULTIPLE_OF), axes)


class _Regions(CalibrationDataReader):
    """Regions one by one, as the quantisation asks for them."""

    def __init__(self, images: Iterator[npt.NDArray[np.float16]]) -> None:
        self._images = images

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image.astype(np.float32)[None, None]}


def quantise_dense(
    exact: Path, target: Path, images: Iterator[npt.NDArray[np.float16]]
) -> tuple[float, float]:
    """Write the dense graph with 8-bit arithmetic, which takes less than half the time.

    The last layer stays exact: steps in its answers would make plateaus of maxima. Weights have
    7 bits, because processors without VNNI would saturate with 8, and say something else.

    Parameters
    ----------
    exact
        What `export_dense` wrote.
    target
        File to write.
    images
        Regions, (rows, columns) each, that the ranges of the layers are measured on; every
        fourth is kept to compare.

    Returns
    -------
    float, float
        Mean and standard deviation of how far log odds are off, where something is seen.
    """
    regions = list(images)
    ranges, unseen = [r for n, r in enumerate(regions) if n % 4], regions[::4]
    last = [node.name for node in onnx.load(exact).graph.node if node.op_type == "Conv"][-1]
    quantize_static(
        exact,
        target,
        _Regions(iter(ranges)),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Relu", "Add", "Resize", "DepthToSpace"],
        nodes_to_exclude=[last],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    off = np.concatenate([_off(exact, target, region) for region in unseen])
    return float(off.mean()), float(off.std())


_SEEN = 0.1  # scores from which on log odds are compared


def _off(exact: Path, quantised: Path, region: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    given = {"image": region.astype(np.float32)[None, None]}
    scores, other = (
        np.clip(ort.InferenceSession(path.read_bytes()).run(["scores"], given)[0], 1e-4, 1 - 1e-4)
        for path in (exact, quantised)
    )
    odds, others = np.log(scores / (1 - scores)), np.log(other / (1 - other))
    return np.asarray((others - odds)[scores > _SEEN], np.float32)


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
    return _export(_Shares(network, left_out), path, _noise(7, 1, side, side), axes)


def _noise(*shape: int) -> npt.NDArray[np.float32]:
    """Return something like a normalised image."""
    return np.clip(np.random.default_rng(1).normal(0, 3, shape), -10, 30).astype(np.float32)


def export_neighbours(network: Neighbours, path: Path) -> float:
    """Write the graph that looks at a spot's neighbours; return its difference from PyTorch."""
    axes = {"features": {0: "spots"}, "scores": {0: "spots"}}
    rng = np.random.default_rng(1)
    sums = np.log1p(rng.exponential(2, (7, features_length(len(HEADS)) - len(HEADS) - 1)))
    shares = rng.dirichlet(np.ones(len(HEADS) + 1), len(sums))
    given = np.concatenate([sums, shares], axis=1).astype(np.float32)
    return _export(_Redistributed(network), path, given, axes)


def _export(
    network: nn.Module,
    path: Path,
    given: npt.NDArray[np.float32],
    axes: dict[str, dict[int, str]],
) -> float:
    network = network.float().eval()
    name = next(iter(axes))
    torch.onnx.export(
        network,
        (torch.from_numpy(given),),
        str(path),
        input_names=[name],
        output_names=["scores"],
        dynamic_axes=axes,
        dynamo=False,
    )
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (told,) = session.run(["scores"], {name: given})
    with torch.no_grad():
        expected = network(torch.from_numpy(given)).numpy()
    away = float(np.abs(told - expected).max())
    if away > TOLERANCE:
        raise ValueError(f"{path.name}: ONNX Runtime differs from PyTorch by {away:.2g}")
    return away
