"""Seconds per view of the detector by stage, and how far the graph is from the machine's floor.

    python -m tests.bench.bench_detect [FILE.dcm ...] [--threads N] [--repeat N]

Without files, one simulated view of 3328 x 2560 pixels. The floor is the arithmetic of the
graph's convolutions over the tissue alone, at the rate that ONNX Runtime's own matrix product
reaches in the same run; the ratio says what strips, halo, memory traffic and everything that is
no convolution cost on top of it. Quote medians, and the machine's other load with them.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pydicom
from onnx import TensorProto, helper

from secondread.assemble.mammogram import Mammogram
from secondread.detect import breast, peaks, strips
from secondread.detect.decode import decode
from secondread.detect.detector import Detector, detector_input, prepare
from secondread.detect.manifest import Manifest, load
from secondread.detect.pixels import GreyScale, normalised
from secondread.detect.session import GraphSession
from secondread.geometry import SpacingMm
from tests.unit.detect.pictures import breast_image, dataset, file, with_dots


def timed(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Return the median seconds of a call, after one that warms up, and its result."""
    result = call()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def convolution_flops_per_pixel(manifest: Manifest) -> float:
    """Return the multiplications and additions of the dense graph's convolutions per pixel."""
    graph = onnx.load_model_from_string(manifest.verified_bytes(manifest.dense)).graph
    side = 32 * manifest.dense.multiple_of
    shapes = onnx.shape_inference.infer_shapes(_sized(graph, side)).graph
    known = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in [*shapes.value_info, *shapes.output]
    }
    weights = {constant.name: list(constant.dims) for constant in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            _, _, rows, columns = known[node.output[0]]
            total += 2 * int(np.prod(weights[node.input[1]])) * rows * columns
    return total / side**2


def _sized(graph: onnx.GraphProto, side: int) -> onnx.ModelProto:
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, side, side])
    )
    for name in ("scores", "diameter"):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def peak_flops(threads: int, repeat: int, side: int = 1024) -> float:
    """Return the floating-point operations a second of ONNX Runtime's own matrix product."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [value(name, TensorProto.FLOAT, [side, side]) for name in "ab"],
        [value("c", TensorProto.FLOAT, [side, side])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    matrix = np.random.default_rng(0).random((side, side)).astype(np.float32)
    seconds, _ = timed(lambda: session.run(None, {"a": matrix, "b": matrix}), 2 * repeat)
    return 2 * side**3 / seconds


def stages(path: Path, threads: int, repeat: int) -> dict[str, float]:
    """Measure one file, stage by stage; seconds, and the figures for the floor."""
    manifest = load()
    model_mm = manifest.input.spacing_mm
    detector = Detector(manifest, threads)
    session = GraphSession(manifest, manifest.dense, threads)
    out: dict[str, float] = {}
    out["read file"], ds = timed(lambda: pydicom.dcmread(path), repeat)
    mammogram = Mammogram.from_dataset(ds)
    out["decode"], stored = timed(lambda: decode(ds), repeat)
    grey = GreyScale.from_dataset(ds, mammogram)
    out["brightness"], bright = timed(lambda: grey.brightness(stored), repeat)
    spacing = mammogram.spacing or SpacingMm(model_mm, model_mm)
    out["breast"], _ = timed(lambda: breast.find(bright, spacing), repeat)
    prepared, image = timed(lambda: prepare(ds, mammogram, model_mm), repeat)
    out["gates and display"] = prepared - out["decode"] - out["brightness"] - out["breast"]
    out["crop and masks"], (cut, grid, tissue, interior) = timed(
        lambda: detector_input(image, model_mm), repeat
    )
    out["normalise"], z = timed(lambda: normalised(cut, tissue, manifest.input), repeat)
    out["graph"], maps = timed(
        lambda: strips.infer(z, interior, manifest.dense, session.dense), repeat
    )
    out["peaks"], found = timed(
        lambda: peaks.candidates(
            maps, manifest.dense.heads, z, interior, grid.spacing.mean, manifest.limits
        ),
        repeat,
    )
    out["whole view"], _ = timed(lambda: detector.detect(path, frozenset({"all"})), repeat)
    out["tissue megapixels"] = float(interior.sum()) / 1e6
    out["computed megapixels"] = sum(
        (bottom - top) * (right - left) / 1e6
        for top, bottom, left, right in (
            strip.computed for strip in strips.plan(interior, manifest.dense)
        )
    )
    out["candidates"] = len(found)
    return out


def simulated(folder: Path) -> Path:
    """Write one simulated view of 3328 x 2560 pixels."""
    image = with_dots(breast_image(3328, 2560), [(1600 + 40 * i, 700 + 25 * i) for i in range(8)])
    return file(folder / "simulated.dcm", dataset(image, WindowCenter=2048, WindowWidth=4096))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(arguments.threads)
    per_pixel = convolution_flops_per_pixel(load())
    with TemporaryDirectory() as folder:
        for path in arguments.files or [simulated(Path(folder))]:
            peak = peak_flops(arguments.threads, arguments.repeat)
            figures = stages(path, arguments.threads, arguments.repeat)
            print(f"\n{path.name}, {arguments.threads} thread(s), median of {arguments.repeat}")
            for name, value in figures.items():
                print(f"  {name:20} {value:8.3f}")
            floor = per_pixel * figures["tissue megapixels"] * 1e6 / peak
            print(f"  convolutions: {per_pixel:.0f} FLOP a pixel; MatMul: {peak / 1e9:.0f} GFLOP/s")
            ratio = figures["graph"] / floor
            print(f"  floor of the graph {floor:.3f} s; measured / floor {ratio:.1f}")


if __name__ == "__main__":
    main()
