"""Pieces of images for the contact sheets: which, and about what."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread_lab.judge.crops import SIDE, cut_crops
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.records import Crop
from secondread_lab.simulate.truth import TruthRow
from tests.unit.lab.judge.view_records import cluster, found, record

FIVE = [(50.0, 50.0), (53.0, 51.0), (51.0, 55.0), (55.0, 54.0), (52.0, 52.0)]
DISPLAY = (np.indices((2000, 1600)).sum(axis=0) % 251).astype(np.uint8)


def crops_of(truth: tuple[TruthRow, ...], marked: bool, folder: Path) -> tuple[Crop, ...]:
    view = score_image(record(truth, [found(FIVE, 70)] if marked else []))
    return cut_crops(view, DISPLAY, folder).crops


@pytest.mark.parametrize(
    ("truth", "marked", "kinds"),
    [
        (cluster(FIVE), True, ["hit"]),
        (cluster(FIVE), False, ["miss"]),
        ((), True, ["false"]),
        ((), False, []),
        (cluster(FIVE, cnr=1.0), True, []),
        (cluster(FIVE, morphology="dystrophic"), True, []),
    ],
)
def test_what_is_cut_out_depends_on_what_became_of_it(
    truth: tuple[TruthRow, ...], *, marked: bool, kinds: list[str], tmp_path: Path
) -> None:
    crops = crops_of(truth, marked, tmp_path)
    assert [crop.kind for crop in crops] == kinds
    assert len(list(tmp_path.glob("*.png"))) == len(kinds)


def test_a_crop_is_the_stored_image_one_to_one(tmp_path: Path) -> None:
    (crop,) = crops_of(cluster(FIVE), True, tmp_path)
    column, row = crop.origin
    with Image.open(tmp_path / crop.file) as piece:
        assert np.array_equal(np.asarray(piece), DISPLAY[row : row + SIDE, column : column + SIDE])
    assert crop.truth == pytest.approx((500, 500, 550, 550))
    assert (column, row) == (525 - SIDE // 2, 525 - SIDE // 2)


def test_of_a_cluster_wider_than_a_crop_a_member_is_in_the_middle(tmp_path: Path) -> None:
    wide = [(20.0, 20.0), (100.0, 20.0), (70.0, 75.0), (20.0, 100.0), (100.0, 100.0)]
    (crop,) = crops_of(cluster(wide), False, tmp_path)
    assert crop.origin == (700 - SIDE // 2, 750 - SIDE // 2)


def test_at_the_border_a_crop_stays_in_the_image(tmp_path: Path) -> None:
    corner = [(1.0, 1.0), (3.0, 1.0), (1.0, 3.0)]
    (crop,) = crops_of(cluster(corner), False, tmp_path)
    assert crop.origin == (0, 0)
