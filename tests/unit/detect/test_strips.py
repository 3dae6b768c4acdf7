"""Strips: they cover the tissue, and give what the whole image at once would give."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.codes import MarkClass
from secondread.detect import strips
from secondread.detect.manifest import Graph, GraphRole, load_manifest
from secondread.detect.session import GraphSession
from secondread.detect.strips import DenseOutput

BASELINE = Path(__file__).parents[3] / "models" / "calcification" / "baseline" / "manifest.toml"


def graph(halo: int = 0, multiple: int = 8, stride: int = 1) -> Graph:
    return Graph(
        role=GraphRole.DENSE,
        file="x.onnx",
        sha256="0" * 64,
        input="x",
        scores="y",
        axes="NCHW",
        heads=(MarkClass.CALCIFICATION,),
        halo_px=halo,
        multiple_of=multiple,
        stride=stride,
    )


def blob(rows: int, columns: int) -> npt.NDArray[np.uint8]:
    row, column = np.mgrid[0:rows, 0:columns]
    inside = ((row - rows / 2) / (0.4 * rows)) ** 2 + (column / (0.8 * columns)) ** 2 < 1
    return np.asarray(inside, np.uint8)


@pytest.mark.parametrize("model", [None, BASELINE], ids=["shipped", "baseline"])
def test_strips_of_a_model_equal_one_pass_over_the_whole_image(model: Path | None) -> None:
    manifest = load_manifest(model)
    session = GraphSession(manifest, manifest.dense)
    rng = np.random.default_rng(0)
    tissue = blob(1333, 701)
    image = (rng.normal(0, 1.2, tissue.shape) * tissue).astype(np.float32)
    image[rng.integers(100, 1200, 80), rng.integers(5, 500, 80)] += 25
    image *= tissue

    interior = tissue.copy()
    interior[:, :14] = 0  # no marks within a millimetre of the image border

    maps = strips.run_in_strips(image, interior, manifest.dense, session.run_dense)

    whole = np.zeros((1, 1, 1344, 704), np.float32)
    whole[0, 0, :1333, :701] = image
    answer = session.run_dense(whole)
    cut = np.s_[:1333, :701]
    inside = interior > 0
    difference = np.abs(maps.scores - answer.scores[0][:, *cut])[:, inside]
    assert difference.max() < 2e-4
    assert maps.scores[0][inside].max() > 0.5
    if maps.diameter is None or answer.diameter is None:
        return
    sure = inside & (maps.scores[0] > 0.3)  # two scales of equal answer may change places below
    assert np.array_equal(maps.diameter[sure], answer.diameter[0, 0][cut][sure])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_every_pixel_of_the_mask_is_kept_by_exactly_one_strip(
    rows: int, columns: int, seed: int
) -> None:
    mask = (np.random.default_rng(seed).random((rows, columns)) < 0.02).astype(np.uint8)
    kept = np.zeros_like(mask)

    for strip in strips.plan_strips(mask, graph(halo=5, multiple=16), strip_rows=50):
        top, bottom, left, right = strip.keep
        kept[top:bottom, left:right] += 1
        first, last, west, east = strip.computed
        assert all(edge % 16 == 0 for edge in (first, last - first, west, east - west))
        # Beyond the image, but for what makes a multiple of 16, nothing is computed.
        assert first <= max(top - 5, 0)
        assert last >= min(bottom + 5, rows)
        assert west <= max(left - 5, 0)
        assert east >= min(right + 5, columns)
        assert first >= 0
        assert west >= 0
        assert last < rows + 16
        assert east < columns + 16

    assert kept.max(initial=0) <= 1
    assert (kept[mask > 0] == 1).all()


def test_air_is_not_computed() -> None:
    mask = np.zeros((2000, 1000), np.uint8)
    mask[600:700, 100:200] = 1
    seen: list[tuple[int, ...]] = []

    def run(batch: npt.NDArray[np.float32]) -> DenseOutput:
        seen.append(batch.shape)
        return DenseOutput(batch, None)

    strips.run_in_strips(np.ones(mask.shape, np.float32), mask, graph(halo=8), run)

    assert seen == [(1, 1, strips.STRIP_ROWS + 8, 104 + 16)]


@pytest.mark.parametrize("stride", [2, 4])
def test_the_maps_of_a_strided_graph_know_where_their_pixels_lie(stride: int) -> None:
    image = np.arange(48 * 40, dtype=np.float32).reshape(48, 40)

    def centers(batch: npt.NDArray[np.float32]) -> DenseOutput:
        pooled = batch.reshape(1, 1, batch.shape[2] // stride, stride, -1, stride).mean(axis=(3, 5))
        return DenseOutput(pooled, None)

    maps = strips.run_in_strips(image, np.ones(image.shape, np.uint8), graph(0, 8, stride), centers)

    assert maps.scores.shape == (1, 48 // stride, 40 // stride)
    row, column = maps.to_input(3), maps.to_input(5)
    assert maps.scores[0, 3, 5] == pytest.approx(row * 40 + column)
