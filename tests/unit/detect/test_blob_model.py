"""The judge's baseline, blobs: its bytes are reproducible, and it answers as its card says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

from secondread.detect.manifest import load_manifest
from secondread.detect.session import GraphSession
from secondread.detect.strips import DenseOutput

FOLDER = Path(__file__).resolve().parents[3] / "models" / "calcification" / "baseline"


@pytest.fixture(scope="module")
def session() -> GraphSession:
    manifest = load_manifest(FOLDER / "manifest.toml")
    return GraphSession(manifest, manifest.dense)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("blob", FOLDER / "make_blob_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["blob"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def noise(seed: int = 0, size: int = 320) -> npt.NDArray[np.float32]:
    """Input of tissue without structure, noise one, smoothed a little as a detector does."""
    import cv2

    white = np.random.default_rng(seed).normal(0, 1, (size, size)).astype(np.float32)
    smooth = cv2.GaussianBlur(white, (0, 0), 0.7)
    return np.asarray(smooth / smooth.std(), np.float32)


def disc(size: int, center: tuple[float, float], diameter: float) -> npt.NDArray[np.float32]:
    row, column = np.mgrid[0:size, 0:size]
    distance = np.hypot(row - center[0], column - center[1])
    return np.asarray(1 / (1 + np.exp((distance - diameter / 2) / 0.35)), np.float32)


def answer(session: GraphSession, image: npt.NDArray[np.float32]) -> DenseOutput:
    return session.run_dense(np.clip(image, -10, 30)[None, None].astype(np.float32))


def test_the_script_writes_the_shipped_file_byte_for_byte(
    script: ModuleType, tmp_path: Path
) -> None:
    script.main(tmp_path)

    assert (tmp_path / "model.onnx").read_bytes() == (FOLDER / "model.onnx").read_bytes()


def test_the_graph_is_small() -> None:
    assert (FOLDER / "model.onnx").stat().st_size < 200_000


@pytest.mark.parametrize("diameter_px", [2.9, 4.3, 6.4, 10.0])
def test_a_dot_of_cnr_8_is_found_where_it_is_whatever_its_size(
    session: GraphSession, diameter_px: float
) -> None:
    image = noise() + 8 * disc(320, (150, 171), diameter_px)

    scores = answer(session, image).scores[0, 0]

    row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert np.hypot(row - 150, column - 171) <= 2
    assert scores.max() > 0.5


@pytest.mark.parametrize("diameter_px", [2.6, 4.0, 6.0, 9.0, 13.0])
def test_the_diameter_is_that_of_the_scale_that_fits_best(
    session: GraphSession, diameter_px: float
) -> None:
    output = answer(session, noise() + 25 * disc(320, (160, 160), diameter_px))

    assert output.diameter is not None
    # Five scales, and in pure noise, unlike in tissue, the background falls with the scale, which
    # draws the choice to the next larger one.
    assert output.diameter[0, 0, 160, 160] == pytest.approx(diameter_px, rel=0.55)


def test_noise_alone_has_no_mark(session: GraphSession) -> None:
    scores = np.concatenate([answer(session, noise(seed)).scores[0, 0] for seed in range(1, 5)])

    assert (scores > 0.5).sum() <= 1


@pytest.mark.parametrize("angle", [0, 20, 45, 90])
def test_a_line_as_bright_as_a_found_dot_has_no_mark(session: GraphSession, angle: float) -> None:
    row, column = np.mgrid[0:320, 0:320]
    turned = (row - 160) * np.cos(np.radians(angle)) + (column - 160) * np.sin(np.radians(angle))
    line = 10 * np.exp(-(turned**2) / (2 * 1.8**2))

    scores = answer(session, noise() + line).scores[0, 0, 20:-20, 20:-20]

    assert scores.max() < 0.5


def test_twice_the_structure_needs_twice_the_dot(session: GraphSession) -> None:
    once = answer(session, noise() + 6 * disc(320, (150, 150), 4.3)).scores[0, 0, 150, 150]
    twice = answer(session, 2 * (noise() + 6 * disc(320, (150, 150), 4.3)))

    assert twice.scores[0, 0, 150, 150] == pytest.approx(once, abs=1e-3)


@pytest.mark.parametrize(("diameter_px", "is_metal"), [(24, True), (16, True), (5, False)])
def test_metal_is_what_is_large_and_as_bright_as_can_be(
    session: GraphSession, diameter_px: float, is_metal: bool
) -> None:
    metal = answer(session, noise() + 60 * disc(320, (160, 160), diameter_px)).scores[0, 1]

    assert (metal[160, 160] > 0.5) == is_metal
    assert metal[:100].max() < 0.01


def test_an_answer_does_not_depend_on_where_in_its_block_a_dot_lies(session: GraphSession) -> None:
    base = noise()
    scores = [
        answer(
            session, np.roll(base, (r, c), (0, 1)) + 8 * disc(320, (160 + r, 160 + c), 4.3)
        ).scores[0, 0, 160 + r, 160 + c]
        for r in range(4)
        for c in range(4)
    ]

    assert max(scores) - min(scores) < 0.06
