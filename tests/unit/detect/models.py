"""Tiny models made with `onnx`, for tests of loading and running, and manifests around them."""

import hashlib
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from secondread.detect.neighbours import count_features

MANIFEST = """
schema_version = 1
name = "dummy"
version = "0.1"
licence = "Apache-2.0"
training_commit = "none"

[input]
spacing_mm = 0.07
normaliser = "noise-equalised.v1"
local_mean_sigma_px = 12.0
clip_low = -10.0
clip_high = 30.0

{graphs}

[calibration]
calibrated = false
on = "nothing"
points = [[0.0, 0.0], [0.5, 20.0], [1.0, 100.0]]

[[operating_points]]
number = 1
name = "standard"
minimum_certainty = {{ calcification = 50.0, cluster = 50.0 }}
false_marks_per_image = 0.5
stated_on = "nothing"
default = true

[[operating_points]]
number = 4
name = "sensitive"
minimum_certainty = {{ cluster = 20.0 }}
false_marks_per_image = 2.0
stated_on = "nothing"

[limits]
maximum_candidates = 50
minimum_score = 0.3
maximum_marks_per_cm2 = 10.0
"""


def graph_table(role: str, file: str, sha256: str, extra: str, axes: str = "NCHW") -> str:
    return f"""
[[graphs]]
role = "{role}"
file = "{file}"
sha256 = "{sha256}"
input = "x"
scores = "y"
axes = "{axes}"
{extra}
"""


def save(path: Path, nodes: list[Any], shape_in: list[Any], shape_out: list[Any]) -> str:
    """Write a graph from x to y and return its digest."""
    graph = helper.make_graph(
        nodes,
        "dummy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape_out)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def constant(name: str, *values: float) -> Any:
    return helper.make_node(
        "Constant", [], [name], value=helper.make_tensor(name, TensorProto.FLOAT, [1], values)
    )


def bright_spots(path: Path, threshold: float) -> str:
    """A dense graph at stride 1: the logistic of the input minus a threshold."""
    nodes = [
        constant("t", threshold),
        helper.make_node("Sub", ["x", "t"], ["d"]),
        helper.make_node("Sigmoid", ["d"], ["y"]),
    ]
    return save(path, nodes, [1, 1, "h", "w"], [1, 1, "h", "w"])


def bright_blocks(path: Path, threshold: float) -> str:
    """The same at stride 2, of the largest of 2 x 2 pixels."""
    nodes = [
        constant("t", threshold),
        helper.make_node("MaxPool", ["x"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Sub", ["m", "t"], ["d"]),
        helper.make_node("Sigmoid", ["d"], ["y"]),
    ]
    return save(path, nodes, [1, 1, "h", "w"], [1, 1, "h", "w"])


def patch_mean(path: Path, threshold: float) -> str:
    """A rescore graph of two heads: the logistic of a threshold minus the mean, and its rest."""
    nodes = [
        constant("t", threshold),
        constant("one", 1.0),
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("Sub", ["t", "m"], ["d"]),
        helper.make_node("Sigmoid", ["d"], ["first"]),
        helper.make_node("Sub", ["one", "first"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["y"], axis=1),
    ]
    return save(path, nodes, ["n", 1, 9, 9], ["n", 2])


def swap_heads(path: Path, length: int) -> str:
    """A neighbours graph of two heads: each spot's own shares, the one for the other."""
    last = helper.make_tensor("at", TensorProto.INT64, [2], [length - 1, length - 2])
    nodes = [
        helper.make_node("Constant", [], ["last"], value=last),
        helper.make_node("Gather", ["x", "last"], ["y"], axis=1),
    ]
    return save(path, nodes, ["n", length], ["n", 2])


def write(folder: Path, *graphs: str) -> Path:
    """Write a manifest over these graph tables."""
    path = folder / "manifest.toml"
    path.write_text(MANIFEST.format(graphs="".join(graphs)), encoding="utf-8")
    return path


def one_graph(folder: Path, threshold: float = 12.0, stride: int = 1) -> Path:
    """Write a model of one graph."""
    make = bright_spots if stride == 1 else bright_blocks
    digest = make(folder / "dense.onnx", threshold)
    extra = f'heads = ["calcification"]\nstride = {stride}\nmultiple_of = {8 * stride}'
    return write(folder, graph_table("dense", "dense.onnx", digest, extra))


def two_graphs(folder: Path, threshold: float = 12.0, rescore_at: float = 3.0) -> Path:
    """Write a model of two graphs: dense and rescore."""
    dense = bright_spots(folder / "dense.onnx", threshold)
    rescore = patch_mean(folder / "rescore.onnx", rescore_at)
    return write(
        folder,
        graph_table("dense", "dense.onnx", dense, 'heads = ["calcification"]\nmultiple_of = 8'),
        graph_table(
            "rescore",
            "rescore.onnx",
            rescore,
            'heads = ["calcification", "vascular"]\npatch_px = 9',
        ),
    )


def three_graphs(
    folder: Path,
    threshold: float = 12.0,
    rescore_at: float = 3.0,
    length: int = count_features(2),
) -> Path:
    """Write a model of three graphs: dense, rescore, and neighbours that swap the two heads."""
    manifest = two_graphs(folder, threshold, rescore_at)
    table = graph_table(
        "neighbours",
        "neighbours.onnx",
        swap_heads(folder / "neighbours.onnx", length),
        'heads = ["calcification", "vascular"]\nfeatures = "spots.v1"',
        axes="NF",
    )
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text + table, encoding="utf-8")
    return manifest


def describing_model(folder: Path, threshold: float = 12.0, rather_round_at: float = 3.0) -> Path:
    """Write a model of two graphs: dense, and one that calls dark patches round."""
    dense = bright_spots(folder / "dense.onnx", threshold)
    describe = patch_mean(folder / "describe.onnx", rather_round_at)
    return write(
        folder,
        graph_table("dense", "dense.onnx", dense, 'heads = ["calcification"]\nmultiple_of = 8'),
        graph_table(
            "describe",
            "describe.onnx",
            describe,
            'types = ["round", "fine_linear"]\npatch_px = 9',
        ),
    )
