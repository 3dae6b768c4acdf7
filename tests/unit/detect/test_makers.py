"""Pixels as the units of several makers store them: the same picture gives the same findings.

`service/docs/makers/` has the evidence for bits, polarity and padding of each product.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.codes import Laterality, View
from secondread.detect.detector import Detector
from secondread.detect.manifest import load_manifest
from secondread.detect.marks import Detection
from secondread.detect.pixels import GreyScale
from tests.unit.detect.pictures import breast_image, dataset, file, with_dots
from tests.worlds.maker_headers import HEADERS, MakerHeader, Stored, dress, store

MANIFEST = Path(__file__).parents[3] / "models" / "calcification" / "manifest.toml"
CLUSTER = [(500, 200), (520, 230), (480, 240), (505, 260), (540, 205)]
SPACING = [0.07, 0.07]
"""Of the picture, whatever the product's detector has: so that it is one breast of one size."""

each_header = pytest.mark.parametrize("style", HEADERS, ids=lambda style: style.product)


@cache
def draw() -> Stored:
    """A breast with five calcifications in ten bits, air 0."""
    tissue = with_dots(breast_image(1100, 900, label=False), CLUSTER, height=160)
    return np.where(tissue > 0, np.clip(tissue.astype(np.int32) - 400, 1, 1000), 0).astype(
        np.uint16
    )


def describe_plainly(picture: Stored) -> Dataset:
    """The picture as it is, in a header of no maker."""
    return dataset(picture, BitsStored=10, HighBit=9, ImagerPixelSpacing=SPACING)


def dress_picture(picture: Stored, style: MakerHeader) -> Dataset:
    """The picture in the bits, polarity, padding and words of a product."""
    ds = dress(dataset(store(picture, style)), style, Laterality.LEFT, View.CC)
    ds.ImagerPixelSpacing = SPACING
    return ds


def list_marks(detection: Detection) -> list[tuple[tuple[float, float], float]]:
    """Row, column and score of the marks that count, from above to below."""
    return sorted(
        ((mark.center.row, mark.center.col), mark.score)
        for mark in detection.marks
        if mark.score > 0.5
    )


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(load_manifest(MANIFEST))


@pytest.fixture(scope="module")
def plain(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Detection:
    path = file(tmp_path_factory.mktemp("plain") / "x.dcm", describe_plainly(draw()))
    detection, _ = detector.detect(path)
    assert detection.status.was_read
    assert len(list_marks(detection)) >= 5
    return detection


@each_header
def test_a_picture_has_the_marks_that_it_has_without_the_makers_header(
    style: MakerHeader, detector: Detector, plain: Detection, tmp_path: Path
) -> None:
    path = file(tmp_path / "x.dcm", dress_picture(draw(), style))

    detection, display = detector.detect(path)

    assert (detection.status, detection.reasons) == (plain.status, plain.reasons)
    assert display is not None
    # Values of a raw image are rounded after an exponential, which moves marks a little.
    reach, certainty = (0.1, 0.02) if style.is_raw else (1e-6, 1e-3)
    expected, found = list_marks(plain), list_marks(detection)
    assert [place for place, _ in found] == [
        pytest.approx(place, abs=reach) for place, _ in expected
    ]
    assert [score for _, score in found] == pytest.approx(
        [score for _, score in expected], abs=certainty
    )


@each_header
def test_the_display_is_white_where_the_picture_is_bright(style: MakerHeader) -> None:
    picture = draw()
    ds = dress_picture(picture, style)
    grey = GreyScale.from_dataset(ds, Mammogram.from_dataset(ds))
    stored = store(picture, style)

    shown = grey.render(stored, grey.to_brightness(stored), None)

    tissue = picture > 0
    order = np.argsort(picture[tissue], kind="stable")
    assert (np.diff(shown[tissue][order].astype(int)) >= 0).all()
    assert shown[~tissue].max() <= shown[tissue].min()
