"""The shipped graphs in 8-bit arithmetic say what the exact ones beside them say."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest

from secondread.detect.manifest import load_manifest

Floats = npt.NDArray[np.float32]


def compute_log_odds(path: Path, images: Floats) -> Floats:
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    # One by one: the dense graph takes no more.
    scores: list[Floats] = [session.run(["scores"], {"image": image[None]})[0] for image in images]
    return np.concatenate(scores)[:, 0]


def log_odds(scores: Floats) -> Floats:
    return np.asarray(np.log(scores / (1 - scores)), np.float32)


def spots(side: int, count: int, rng: np.random.Generator) -> Floats:
    """Noise of the breadth that the input has, with bright spots of two pixels in it."""
    image = rng.normal(0, 1.2, (side, side)).astype(np.float32)
    rows, columns = rng.integers(2, side - 2, (2, count))
    for row, column, height in zip(rows, columns, rng.uniform(4, 25, count), strict=True):
        image[row : row + 2, column : column + 2] += height
    return image


@pytest.mark.parametrize(
    ("role", "side", "count"), [("dense", 512, 400), ("rescore", 48, 6)], ids=["dense", "rescore"]
)
def test_a_graph_in_bytes_says_what_its_exact_twin_says(role: str, side: int, count: int) -> None:
    folder = load_manifest().folder
    rng = np.random.default_rng(3)
    images = np.stack([spots(side, count, rng)[None] for _ in range(200 * 48 // side)])

    exact = compute_log_odds(folder / f"{role}-exact.onnx", images)
    in_bytes = compute_log_odds(folder / f"{role}.onnx", images)

    is_open = (exact > 0.05) & (exact < 0.95)
    off = log_odds(in_bytes[is_open]) - log_odds(exact[is_open])
    assert is_open.sum() > 40
    # As far as the export measured it on regions, several times over: these are none.
    assert off.std() < 0.3
    assert abs(off.mean()) < 0.1
    assert off.any()
