"""Weights of the committed ONNX files, from which every round starts."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

_PREFIX = "network."
"""Attribute of the exported module that holds the network."""


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network with the weights of a graph that `export` wrote.

    Raises
    ------
    ValueError
        The graph is not of this network: a weight is missing or has another shape.
    """
    graph = onnx.load(path).graph
    tensors = {
        tensor.name.removeprefix(_PREFIX): numpy_helper.to_array(tensor)
        for tensor in graph.initializer
    }
    state: dict[str, torch.Tensor] = {}
    for name, own in network.state_dict().items():
        if name not in tensors:
            raise ValueError(f"{path.name} has no weight {name}")
        if not isinstance(own, nn.parameter.UninitializedParameter):
            _check_shape(path, name, tuple(own.shape), tensors[name].shape)
        state[name] = torch.from_numpy(np.array(tensors[name]))
    network.load_state_dict(state)


def _check_shape(path: Path, name: str, own: tuple[int, ...], found: tuple[int, ...]) -> None:
    if own != found:
        raise ValueError(f"{path.name}: weight {name} is {found}, the network wants {own}")
