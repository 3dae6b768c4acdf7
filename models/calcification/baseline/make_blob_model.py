"""Write `model.onnx`: an analytic detector of small bright blobs, without anything learnt.

    python models/calcification/baseline/make_blob_model.py [FOLDER]

The graph finds calcifications as a textbook would: at five scales it takes second derivatives of
Gaussians, keeps the smaller of the two principal curvatures (so that a ligament or a vessel,
curved across and straight along, answers with almost nothing), and measures it in units of the
curvature that the surrounding five millimetres show at that scale anyway. The largest of the
five is the answer; a logistic function brings it to 0-1. A second head smooths over a third of
a millimetre and asks whether that much area is still as bright as only metal is.

Speed comes from the form, not from the arithmetic. A convolution from one channel to one channel
wastes a processor's vector units, so each derivative is computed for all 16 pixels of a 4 x 4
block at once: one strided convolution with 16 output channels per derivative, everything after
it on a quarter of the height and width, and one DepthToSpace at the end. Coarse scales read an
image averaged by 2 or 4, with kernels sampled at the output pixels' true positions.

The file is the same byte for byte from run to run: there is no seed, no date and no producer's
version in it. Needs the package `onnx`, which running the model does not.
"""

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

BLOCK = 4
"""Side of the block of input pixels whose answers are computed together, as channels."""
PHASES = BLOCK * BLOCK
POOL = 8
"""Side of a cell of the local background, in pixels."""
WINDOW = 9
"""Side of the window that the background is averaged over, in cells: 72 pixels, 5 mm."""

CENTER = 4.6
"""Response, in units of the local background, that scores 0.5; chosen on real images."""
SLOPE = 1.0
"""Logits per unit of a response; low enough that the strongest still differ in their scores."""
METAL_SIGMA = 5.0
"""Standard deviation of the smoothing that metal has to outlast, in pixels."""
METAL_CENTER = 20.0
"""Smoothed brightness, in units of the noise, that scores 0.5 as metal."""
SMALLEST_BACKGROUND = 0.05
"""In flat areas the background is taken as this: a blob there has to exceed the noise too."""
ABSOLUTE_ROOT = 0.676
"""(mean of sqrt|x|) squared, for x normal with standard deviation 1."""


@dataclass(frozen=True)
class Scale:
    """One scale of the detector."""

    sigma: float
    """Standard deviation of the whole smoothing, in input pixels."""
    pitch: int
    """Input pixels per pixel of the averaged image that it reads: 1, 2 or 4."""

    @property
    def diameter(self) -> float:
        """Diameter in pixels of the disc that answers most strongly at this scale."""
        return 2 * math.sqrt(2) * self.sigma

    @property
    def own_sigma(self) -> float:
        """What is left to smooth after the average, whose variance is (pitch^2 - 1) / 12."""
        return math.sqrt(self.sigma**2 - (self.pitch**2 - 1) / 12)


SCALES = (Scale(0.9, 1), Scale(1.4, 1), Scale(2.1, 2), Scale(3.2, 2), Scale(4.6, 4))

_Kernel = npt.NDArray[np.float64]
Attribute = int | str | list[int]


def taps(sigma: float, pitch: int, phase: int, reach: int) -> tuple[_Kernel, _Kernel, _Kernel]:
    """Return a Gaussian and its first two derivatives, seen from one pixel of the block.

    Positions are in input pixels; tap t of a block that starts at pixel 0 lies on the averaged
    image's pixel t - reach, whose centre is (t - reach + 0.5) * pitch.
    """
    count = BLOCK // pitch + 2 * reach
    x = (np.arange(count) - reach + 0.5) * pitch - (phase + 0.5)
    g = np.exp(-(x**2) / (2 * sigma**2))
    g /= g.sum()
    first = -x / sigma**2 * g
    second = (x**2 / sigma**4 - 1 / sigma**2) * g
    # Sampling leaves a trace of the lower moments; a constant and a ramp must give exactly 0.
    second -= g * second.sum()
    first -= g * first.sum()
    return g, first, second


def derivative_kernels(scale: Scale, reach: int) -> npt.NDArray[np.float32]:
    """Return the weights of -Lxx, -Lyy and Lxy times sigma squared, for every pixel of a block."""
    pieces = [taps(scale.own_sigma, scale.pitch, phase, reach) for phase in range(BLOCK)]
    unit = scale.sigma**2
    kernels = [
        [np.outer(pieces[i][0], -pieces[j][2]) for i in range(BLOCK) for j in range(BLOCK)],
        [np.outer(-pieces[i][2], pieces[j][0]) for i in range(BLOCK) for j in range(BLOCK)],
        [np.outer(pieces[i][1], pieces[j][1]) for i in range(BLOCK) for j in range(BLOCK)],
    ]
    return (np.stack([k for part in kernels for k in part])[:, None] * unit).astype(np.float32)


def smoothing_kernels(sigma: float, pitch: int, reach: int) -> npt.NDArray[np.float32]:
    """Return the weights of a Gaussian, for every pixel of a block."""
    pieces = [taps(sigma, pitch, phase, reach)[0] for phase in range(BLOCK)]
    return np.stack([np.outer(a, b) for a in pieces for b in pieces])[:, None].astype(np.float32)


@dataclass
class Builder:
    """Collects nodes and constants; each step names the tensor that it makes."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: npt.ArrayLike, kind: int = TensorProto.FLOAT) -> str:
        """Add a constant tensor."""
        array = np.asarray(value, np.int64 if kind == TensorProto.INT64 else np.float32)
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        self.constants.append(helper.make_tensor(name, kind, array.shape, raw, raw=True))
        return name

    def step(self, operator: str, inputs: list[str], output: str, **attributes: Attribute) -> str:
        """Add a node with one output."""
        node = helper.make_node(operator, inputs, [output], name=output)
        node.attribute.extend(
            helper.make_attribute(key, value) for key, value in sorted(attributes.items())
        )
        self.nodes.append(node)
        return output

    def convolution(self, source: str, kernels: npt.ArrayLike, pitch: int, name: str) -> str:
        """Add a convolution whose kernels give the pixels of a block as channels."""
        array = np.asarray(kernels, np.float32)
        reach = (array.shape[-1] - BLOCK // pitch) // 2
        return self.step(
            "Conv",
            [source, self.constant(f"{name}_kernels", array)],
            name,
            kernel_shape=list(array.shape[-2:]),
            strides=[BLOCK // pitch] * 2,
            pads=[reach] * 4,
        )


def background(b: Builder, source: str, cells: str, name: str) -> str:
    """Add the local background of a response: what a response of chance has there.

    The mean of the root, squared: a cluster in the window weighs less than in a mean of squares.
    Only responses in tissue count, above and below the fraction line; a filter also answers
    beside the tissue, where the image ends or is set to 0.
    """
    root = b.step("Sqrt", [b.step("Abs", [source], f"{name}_abs")], f"{name}_root")
    per_block = b.step("ReduceMean", [root], f"{name}_block", axes=[1], keepdims=1)
    in_tissue = b.step("Mul", [per_block, "tissue"], f"{name}_in_tissue")
    around = _around(b, in_tissue, f"{name}_around")
    mean = b.step("Div", [around, cells], f"{name}_mean")
    squared = b.step("Mul", [mean, mean], f"{name}_squared")
    scaled = b.step("Mul", [squared, "one_over_absolute_root"], f"{name}_scaled")
    bounded = b.step("Max", [scaled, "smallest_background"], f"{name}_bounded")
    return b.step(
        "Resize",
        [bounded, "", "upscale"],
        f"{name}_background",
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _around(b: Builder, source: str, name: str) -> str:
    """Add the average of blocks over the window around each cell."""
    side = POOL // BLOCK
    pooled = b.step(
        "AveragePool", [source], f"{name}_cell", kernel_shape=[side] * 2, strides=[side] * 2
    )
    return b.step(
        "AveragePool",
        [pooled],
        name,
        kernel_shape=[WINDOW] * 2,
        strides=[1, 1],
        pads=[WINDOW // 2] * 4,
        count_include_pad=1,
    )


def blobness(b: Builder, image: str, scale: Scale, cells: str, name: str) -> str:
    """Add the smaller principal curvature over its local background, bright blobs positive."""
    reach = int(np.ceil(3.1 * scale.own_sigma / scale.pitch))
    hessian = b.convolution(image, derivative_kernels(scale, reach), scale.pitch, f"{name}_hessian")
    b.nodes.append(
        helper.make_node(
            "Split",
            [hessian, "thirds"],
            [f"{name}_xx", f"{name}_yy", f"{name}_xy"],
            name=f"{name}_split",
            axis=1,
        )
    )
    total = b.step("Add", [f"{name}_xx", f"{name}_yy"], f"{name}_sum")
    half = b.step("Mul", [total, "half"], f"{name}_half")
    difference = b.step("Sub", [f"{name}_xx", half], f"{name}_difference")
    square = b.step("Mul", [difference, difference], f"{name}_difference2")
    cross = b.step("Mul", [f"{name}_xy", f"{name}_xy"], f"{name}_cross2")
    radius = b.step("Sqrt", [b.step("Add", [square, cross], f"{name}_r2")], f"{name}_radius")
    smaller = b.step("Sub", [half, radius], f"{name}_smaller")
    return b.step("Div", [smaller, background(b, half, cells, name)], f"{name}_blobness")


def tissue_cells(b: Builder) -> str:
    """Add the share of tissue around each cell; outside it the input is exactly 0."""
    present = b.step("Sign", [b.step("Abs", ["image"], "magnitude")], "present")
    b.step("AveragePool", [present], "tissue", kernel_shape=[BLOCK] * 2, strides=[BLOCK] * 2)
    return b.step("Max", [_around(b, "tissue", "tissue_around"), "smallest_share"], "cells")


def build() -> onnx.ModelProto:
    """Return the whole model."""
    b = Builder()
    b.constant("half", 0.5)
    b.constant("thirds", [PHASES] * 3, TensorProto.INT64)
    b.constant("one_over_absolute_root", 1 / ABSOLUTE_ROOT)
    b.constant("smallest_background", SMALLEST_BACKGROUND)
    b.constant("smallest_share", 0.02)
    b.constant("upscale", [1, 1, POOL / BLOCK, POOL / BLOCK])
    images = {1: "image"}
    for pitch in (2, 4):
        images[pitch] = b.step(
            "AveragePool",
            ["image"],
            f"image_by_{pitch}",
            kernel_shape=[pitch] * 2,
            strides=[pitch] * 2,
        )
    cells = tissue_cells(b)
    best = diameter = ""
    for number, scale in enumerate(SCALES):
        answer = blobness(b, images[scale.pitch], scale, cells, f"s{number}")
        size = b.constant(f"s{number}_diameter", scale.diameter)
        if not best:
            best, diameter = answer, size
            continue
        larger = b.step("Greater", [answer, best], f"s{number}_larger")
        diameter = b.step("Where", [larger, size, diameter], f"s{number}_diameters")
        best = b.step("Max", [answer, best], f"s{number}_best")
    calcification = _logistic(b, best, CENTER, SLOPE, "calcification")
    smooth = b.convolution(images[4], smoothing_kernels(METAL_SIGMA, 4, 4), 4, "metal_smooth")
    metal = _logistic(b, smooth, METAL_CENTER, SLOPE, "metal")
    heads = b.step("Concat", [_spread(b, calcification), _spread(b, metal)], "scores", axis=1)
    b.step("Identity", [_spread(b, diameter)], "diameter")
    return _model(b, heads)


def _logistic(b: Builder, source: str, center: float, slope: float, name: str) -> str:
    shifted = b.step("Sub", [source, b.constant(f"{name}_center", center)], f"{name}_shifted")
    steep = b.step("Mul", [shifted, b.constant(f"{name}_slope", slope)], f"{name}_steep")
    return b.step("Sigmoid", [steep], name)


def _spread(b: Builder, source: str) -> str:
    return b.step("DepthToSpace", [source], f"{source}_map", blocksize=BLOCK)


def _model(b: Builder, heads: str) -> onnx.ModelProto:
    def image_like(name: str, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [1, channels, "height", "width"]
        )

    graph = helper.make_graph(
        b.nodes,
        "blobs",
        [image_like("image", 1)],
        [image_like(heads, 2), image_like("diameter", 1)],
        initializer=b.constants,
    )
    # The lowest versions that have every operator used, for old runtimes.
    model = helper.make_model(
        graph,
        producer_name="secondread",
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def main(folder: Path) -> None:
    """Write the model into a folder."""
    content = build().SerializeToString(deterministic=True)
    (folder / "model.onnx").write_bytes(content)
    print(f"{folder / 'model.onnx'}: {len(content)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
