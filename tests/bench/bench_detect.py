"""Seconds per view of the detector by stage, as a multiple of the machine's floor.

    python -m tests.bench.bench_detect [FILE.dcm ...] [--threads N] [--repeat N]

Without files, one simulated view of 4096 x 3328 pixels of which breast is 45 %. The floor is the
arithmetic of all graphs' convolutions, halo of the strips included, at the best rate that ONNX
Runtime's own matrix product or convolution reaches in the same run, that of 8-bit graphs at the
rate of a convolution of bytes; what is above it is memory traffic and everything that is no
convolution. Printed too: the memory that a view adds to a
process, and how much faster two processes are than one. Quote the machine's other load with it.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pydicom
from onnx import TensorProto, helper, numpy_helper

from secondread.assemble.mammogram import Mammogram
from secondread.codes import MarkClass
from secondread.detect import breast, peaks, strips
from secondread.detect.decode import decode_pixels
from secondread.detect.detector import Detector
from secondread.detect.manifest import Graph, GraphRole, Manifest, load_manifest
from secondread.detect.normalisation import normalise
from secondread.detect.pixels import GreyScale
from secondread.detect.prepare import cut_detector_input, prepare_image
from secondread.detect.session import GraphSession
from secondread.geometry import SpacingMm
from secondread_lab.simulate.exam import simulate_views
from secondread_lab.simulate.spec import ExamSpec, Seeds

ROWS, COLUMNS = 4096, 3328
LIMIT_S = 1.6
"""Wanted: a view of that size from pixels to marks, on one core with AVX-512."""


def timed(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Return the median seconds of a call, after one that warms up, and its result."""
    result = call()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def operations(manifest: Manifest, graph: Graph, side: int) -> "Operations":
    """Return the multiplications and additions of a graph's products for one square input."""
    content = onnx.load_model_from_string(manifest.read_graph(graph)).graph
    outputs = [one.name for one in content.output]
    del content.input[:], content.output[:], content.value_info[:]
    value = helper.make_tensor_value_info
    content.input.append(value(graph.input, TensorProto.FLOAT, [1, 1, side, side]))
    content.output.extend(value(name, TensorProto.FLOAT, None) for name in outputs)
    model = helper.make_model(content, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = {
        one.name: [axis.dim_value for axis in one.type.tensor_type.shape.dim]
        for one in [*inferred.value_info, *inferred.output]
    }
    weights = {constant.name: list(constant.dims) for constant in content.initializer}
    # Weights of 8 bits come out of a node that scales them.
    in_bytes = {
        node.output[0]: weights[node.input[0]]
        for node in content.node
        if node.op_type == "DequantizeLinear" and node.input[0] in weights
    }
    weights |= in_bytes
    done = {False: 0, True: 0}
    for node in content.node:
        if node.op_type not in {"Conv", "Gemm", "MatMul"} or node.input[1] not in weights:
            continue
        places = int(np.prod(known[node.output[0]][2:])) if node.op_type == "Conv" else 1
        of_weights = 2 * int(np.prod(weights[node.input[1]]))
        done[node.input[1] in in_bytes] += of_weights * places
    return Operations(done[False], done[True])


@dataclass(frozen=True, slots=True)
class Operations:
    """Operations, or operations a second, by the arithmetic that they are done in."""

    exact: float
    eight_bit: float

    def seconds_at(self, rate: "Operations") -> float:
        """Return how long they take at a rate."""
        return self.exact / rate.exact + self.eight_bit / rate.eight_bit


def peak_rate(threads: int, repeat: int) -> Operations:
    """Return the best operations a second of ONNX Runtime's own operators, each way."""
    rng = np.random.default_rng(0)
    side, channels = 1024, 96
    matrix = rng.random((side, side)).astype(np.float32)
    image = rng.random((1, channels, 256, 256)).astype(np.float32)
    kernel = rng.random((channels, channels, 3, 3)).astype(np.float32)
    product = _operator("MatMul", matrix.shape, matrix.shape, threads)
    convolution = _operator("Conv", image.shape, kernel.shape, threads)
    in_bytes = _convolution_in_bytes(image.shape, kernel.shape, threads)
    few = (255 * image).astype(np.uint8)
    first, _ = timed(lambda: product.run(None, {"a": matrix, "b": matrix}), 2 * repeat)
    second, _ = timed(lambda: convolution.run(None, {"a": image, "b": kernel}), 2 * repeat)
    third, _ = timed(lambda: in_bytes.run(None, {"a": few}), 2 * repeat)
    inner = 2 * channels * channels * 9 * 254 * 254
    return Operations(max(2 * side**3 / first, inner / second), inner / third)


def _convolution_in_bytes(
    image: tuple[int, ...], kernel: tuple[int, ...], threads: int
) -> ort.InferenceSession:
    """Return a convolution of unsigned bytes with signed ones, as a quantised graph has them."""
    value, node = helper.make_tensor_value_info, helper.make_node
    weights = np.random.default_rng(0).integers(-64, 64, kernel).astype(np.int8)
    known = {
        "w": weights,
        "fine": np.float32(1 / 255),
        "coarse": np.float32(1.0),
        "zero": np.uint8(0),
        "none": np.int8(0),
    }
    graph = helper.make_graph(
        [
            node("DequantizeLinear", ["a", "fine", "zero"], ["x"]),
            node("DequantizeLinear", ["w", "fine", "none"], ["k"]),
            node("Conv", ["x", "k"], ["y"]),
            node("QuantizeLinear", ["y", "coarse", "zero"], ["c"]),
        ],
        "bytes",
        [value("a", TensorProto.UINT8, image)],
        [value("c", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in known.items()],
    )
    return _session(graph, threads)


def _operator(
    name: str, first: tuple[int, ...], second: tuple[int, ...], threads: int
) -> ort.InferenceSession:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(name, ["a", "b"], ["c"])],
        "operator",
        [value("a", TensorProto.FLOAT, first), value("b", TensorProto.FLOAT, second)],
        [value("c", TensorProto.FLOAT, None)],
    )
    return _session(graph, threads)


def _session(graph: onnx.GraphProto, threads: int) -> ort.InferenceSession:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def stages(path: Path, threads: int, repeat: int) -> dict[str, float]:
    """Measure one file, stage by stage; seconds, and the figures for the floor."""
    manifest = load_manifest()
    model_mm = manifest.input.spacing_mm
    detector = Detector(manifest, threads)
    session = GraphSession(manifest, manifest.dense, threads)
    out: dict[str, float] = {}
    out["read file"], ds = timed(lambda: pydicom.dcmread(path), repeat)
    mammogram = Mammogram.from_dataset(ds)
    out["decode"], stored = timed(lambda: decode_pixels(ds), repeat)
    grey = GreyScale.from_dataset(ds, mammogram)
    out["brightness"], bright = timed(lambda: grey.to_brightness(stored), repeat)
    spacing = mammogram.spacing or SpacingMm(model_mm, model_mm)
    out["breast"], _ = timed(lambda: breast.find_breast(bright, spacing), repeat)
    prepared, image = timed(lambda: prepare_image(ds, mammogram, model_mm), repeat)
    out["gates and display"] = prepared - out["decode"] - out["brightness"] - out["breast"]
    out["crop and masks"], (cut, grid, tissue, interior) = timed(
        lambda: cut_detector_input(image, model_mm), repeat
    )
    out["normalise"], z = timed(lambda: normalise(cut, tissue, manifest.input), repeat)
    out["dense graph"], maps = timed(
        lambda: strips.run_in_strips(z, interior, manifest.dense, session.run_dense), repeat
    )
    out["peaks"], found = timed(
        lambda: peaks.find_candidates(
            maps, manifest.dense.heads, z, interior, grid.spacing.mean, manifest.limits
        ),
        repeat,
    )
    everything, (detection, _) = timed(lambda: detector.detect(path, frozenset({"all"})), repeat)
    out["pixels to marks"] = everything - out["read file"] - out["decode"]
    out["tissue share"] = float(interior.sum()) / (stored.shape[0] * stored.shape[1])
    out["dense megapixels"] = sum(
        (bottom - top) * (right - left) / 1e6
        for top, bottom, left, right in (
            strip.computed for strip in strips.plan_strips(interior, manifest.dense)
        )
    )
    out["spots looked at again"] = len(found.spots)
    out["spots whose type is told"] = sum(
        mark.mark_class is MarkClass.CALCIFICATION for mark in detection.marks
    )
    return out


def arithmetic(manifest: Manifest, figures: dict[str, float]) -> Operations:
    """Return the operations of the graphs that see pixels, for one view.

    What lies around a spot costs a thousandth of what is counted here.
    """
    side = 32 * manifest.dense.multiple_of
    of_graphs = [(manifest.dense, side, 1e6 * figures["dense megapixels"] / side**2)]
    for role, name in (
        (GraphRole.RESCORE, "spots looked at again"),
        (GraphRole.DESCRIBE, "spots whose type is told"),
    ):
        graph = manifest.find_graph(role)
        if graph is not None and graph.patch_px is not None:
            of_graphs.append((graph, graph.patch_px, figures[name]))
    total = Operations(0.0, 0.0)
    for graph, size, times in of_graphs:
        once = operations(manifest, graph, size)
        total = Operations(
            total.exact + times * once.exact, total.eight_bit + times * once.eight_bit
        )
    return total


def simulated(folder: Path) -> Path:
    """Write one simulated view of 4096 x 3328 pixels, breast on 45 % of them."""
    spec = ExamSpec(
        date(2026, 1, 1),
        Seeds(7, 3, 5),
        prior_years=None,
        density="b",
        size=1.4,
        pitch_mm=0.07 * 3328 / ROWS,
        views=("LMLO",),
        lesions=ExamSpec.for_demo(date(2026, 1, 1)).lesions,
    )
    (view,) = simulate_views(spec)
    _, ds = view.instances[0]
    stored = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    wide = np.full((ROWS, COLUMNS), stored[0, -1], np.uint16)
    wide[:, : ds.Columns] = stored[:ROWS, :COLUMNS]
    ds.Rows, ds.Columns = wide.shape
    # As large as a breast gets: the same pixels, said to be of the usual pitch.
    ds.ImagerPixelSpacing = [0.07, 0.07]
    ds.PixelData = wide.tobytes()
    path = folder / "simulated.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def added_memory(path: Path, answer: "multiprocessing.Queue[float]") -> None:
    """Say how many megabytes the first view adds to a process that has loaded everything."""
    cv2.setNumThreads(1)
    detector = Detector(load_manifest())
    decode_pixels(pydicom.dcmread(path))
    before = _most_memory_mb()
    detector.detect(path, frozenset({"all"}))
    answer.put(_most_memory_mb() - before)


def _most_memory_mb() -> float:
    """Return the most that this process has held; what its parent held does not count here."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _reads(paths: Sequence[Path], count: int, ready: Any, begin: Any) -> None:
    detector = Detector(load_manifest())
    detector.detect(paths[0], frozenset({"all"}))
    ready.release()
    begin.wait()
    for _ in range(count):
        for path in paths:
            detector.detect(path, frozenset({"all"}))


def views_a_second(paths: Sequence[Path], processes: int, count: int) -> float:
    """Return how many views a second so many processes of one thread read.

    Each reads all of the files, so many times.
    """
    context = multiprocessing.get_context("spawn")
    ready, begin = context.Semaphore(0), context.Event()
    readers = [
        context.Process(target=_reads, args=(paths, count, ready, begin)) for _ in range(processes)
    ]
    for reader in readers:
        reader.start()
    for _ in readers:
        ready.acquire()
    start = time.perf_counter()
    begin.set()
    for reader in readers:
        reader.join()
    return processes * count * len(paths) / (time.perf_counter() - start)


def report(path: Path, threads: int, repeat: int) -> None:
    """Measure one file and print."""
    before = peak_rate(threads, repeat)
    figures = stages(path, threads, repeat)
    after = peak_rate(threads, repeat)
    peak = Operations(max(before.exact, after.exact), max(before.eight_bit, after.eight_bit))
    print(f"\n{path.name}, {threads} thread(s), median of {repeat}")
    for name, value in figures.items():
        print(f"  {name:26} {value:9.3f}")
    work = arithmetic(load_manifest(), figures)
    floor, taken = work.seconds_at(peak), figures["pixels to marks"]
    for name in ("exact", "eight_bit"):
        done, rate = getattr(work, name) / 1e9, getattr(peak, name) / 1e9
        print(f"  {done:.0f} thousand million {name} operations at {rate:.0f} a second")
    print(f"  floor                         {floor:.3f} s")
    print(f"  pixels to marks / floor       {taken / floor:.2f}")
    print(f"  pixels to marks / {LIMIT_S} s       {taken / LIMIT_S:.2f}")
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    child = context.Process(target=added_memory, args=(path, answer))
    child.start()
    print(f"  memory that a view adds       {answer.get():.0f} MB")
    child.join()
    one, two = (views_a_second([path], processes, repeat) for processes in (1, 2))
    print(f"  two processes / one           {two / one:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(arguments.threads)
    with TemporaryDirectory() as folder:
        for path in arguments.files or [simulated(Path(folder))]:
            report(path, arguments.threads, arguments.repeat)


if __name__ == "__main__":
    main()
