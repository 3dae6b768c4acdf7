"""From PyTorch weights to ONNX files, checked against PyTorch on real-sized input."""

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
from secondread.detect.neighbours import count_features

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


class _SharedOut(nn.Module):
    """Log odds of calcification over vessel to shares of all classes, the others' as they were."""

    def __init__(self, network: Neighbours) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        shares = list(x[:, -self.network.heads :].split(1, dim=1))
        calcification, vessel = self.network.either
        both = shares[calcification] + shares[vessel]
        part = torch.sigmoid(self.network(x))[:, None]
        shares[calcification], shares[vessel] = both * part, both * (1 - part)
        return torch.cat(shares, dim=1)


def export_dense(network: nn.Module, path: Path) -> float:
    """Write the dense graph; return its largest difference from PyTorch."""
    axes = {"image": {2: "rows", 3: "columns"}, "scores": {2: "rows", 3: "columns"}}
    side = 8 * MULTIPLE_OF
    return _export(_Scores(network), path, _draw_noise(1, 1, side, side + MULTIPLE_OF), axes)


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
    return _export(_Shares(network, left_out), path, _draw_noise(7, 1, side, side), axes)


class _Batches(CalibrationDataReader):
    """Images in batches, for the quantisation."""

    def __init__(self, images: npt.NDArray[np.floating], size: int) -> None:
        self._left = iter(np.array_split(images, max(len(images) // size, 1)))

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        batch = next(self._left, None)
        return None if batch is None else {"image": batch.astype(np.float32)}


def quantise_dense(exact: Path, target: Path, images: npt.NDArray[np.floating]) -> float:
    """Write a dense graph whose coarsest level is in 8-bit arithmetic: a tenth less time a view.

    That level has two thirds of the weights and classifies the surroundings. The finer ones locate
    maxima and stay exact: with the next one in 8 bits too, one maximum in twenty is lost, and a
    cluster or two of fifty.

    Parameters
    ----------
    exact
        What `export_dense` wrote.
    target
        File to write.
    images
        Regions, (n, 1, rows, columns), both multiples of `MULTIPLE_OF`. On half of them the
        ranges of the layers are measured, on the others the graphs are compared.

    Returns
    -------
    float
        Standard deviation of how far the log odds of the first class are off, where they are open.
    """
    nodes = [node.name for node in onnx.load(exact).graph.node]
    _quantise(exact, target, _Batches(images[::2], 1), [n for n in nodes if _COARSEST not in n])
    graphs = _open_session(exact), _open_session(target)
    off: list[npt.NDArray[np.float32]] = []
    for image in images[1::2]:
        scores, other = (_run_graph(graph, image[None])[:, 0] for graph in graphs)
        off.append(_measure_deviation(scores, other))
    return float(np.concatenate(off).std())


_COARSEST = "/coarse/"
"""Part of the name of every node of `networks.Dense.coarse`."""


def quantise_patches(
    exact: Path, target: Path, images: npt.NDArray[np.float32]
) -> tuple[float, float]:
    """Write a patch graph in 8-bit arithmetic, which takes a third of the time.

    The last layer stays exact.

    Parameters
    ----------
    exact
        What `export_patches` wrote.
    target
        File to write.
    images
        Patches, (n, 1, rows, columns), in no order. On half of them the ranges of the layers are
        measured, on the others what the graphs say is compared.

    Returns
    -------
    float, float
        Standard deviation of how far the log odds of the first class are off, of patches where
        they are open, and share of patches that are given another class.
    """
    layers = [n.name for n in onnx.load(exact).graph.node if n.op_type in {"Conv", "Gemm"}]
    _quantise(exact, target, _Batches(images[::2], 64), layers[-1:])
    scores, other = (_run_graph(_open_session(path), images[1::2]) for path in (exact, target))
    off = _measure_deviation(scores[:, 0], other[:, 0])
    return float(off.std()), float((scores.argmax(axis=1) != other.argmax(axis=1)).mean())


_OPEN = 0.95


def _quantise(exact: Path, target: Path, images: _Batches, left_exact: list[str]) -> None:
    quantize_static(
        exact,
        target,
        images,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Relu", "MaxPool"],
        nodes_to_exclude=left_exact,
        per_channel=True,
        # Weights of 7 bits: with 8, processors without VNNI would saturate and give other results.
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def _open_session(path: Path) -> ort.InferenceSession:
    return ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


def _run_graph(
    graph: ort.InferenceSession, images: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    (scores,) = graph.run(["scores"], {"image": images.astype(np.float32)})
    return np.asarray(scores, np.float32)


def _measure_deviation(
    scores: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the deviations of other scores in log odds, where the scores are undecided."""
    is_open = (scores > 1 - _OPEN) & (scores < _OPEN)
    return _compute_log_odds(other[is_open]) - _compute_log_odds(scores[is_open])


def _compute_log_odds(share: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    clipped = np.clip(share, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def _draw_noise(*shape: int) -> npt.NDArray[np.float32]:
    """Return something like a normalised image."""
    return np.clip(np.random.default_rng(1).normal(0, 3, shape), -10, 30).astype(np.float32)


def export_neighbours(network: Neighbours, path: Path) -> float:
    """Write the graph of a speck's neighbours; return its largest difference from PyTorch."""
    axes = {"features": {0: "spots"}, "scores": {0: "spots"}}
    rng = np.random.default_rng(1)
    sums = np.log1p(rng.exponential(2, (7, count_features(len(HEADS)) - len(HEADS) - 1)))
    shares = rng.dirichlet(np.ones(len(HEADS) + 1), len(sums))
    example = np.concatenate([sums, shares], axis=1).astype(np.float32)
    return _export(_SharedOut(network), path, example, axes)


def _export(
    network: nn.Module,
    path: Path,
    example: npt.NDArray[np.float32],
    axes: dict[str, dict[int, str]],
) -> float:
    network = network.float().eval()
    name = next(iter(axes))
    torch.onnx.export(
        network,
        (torch.from_numpy(example),),
        str(path),
        input_names=[name],
        output_names=["scores"],
        dynamic_axes=axes,
        dynamo=False,
    )
    (answered,) = _open_session(path).run(["scores"], {name: example})
    with torch.no_grad():
        expected = network(torch.from_numpy(example)).numpy()
    away = float(np.abs(answered - expected).max())
    if away > TOLERANCE:
        raise ValueError(f"{path.name}: ONNX Runtime differs from PyTorch by {away:.2g}")
    return away
