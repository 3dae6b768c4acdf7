"""Stored values to brightness and display: polarity, padding, mapping."""

import math
from copy import copy

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DigitalMammographyXRayImageStorageForProcessing

from secondread.assemble.mammogram import Mammogram
from secondread.detect import pixels
from secondread.detect.decode import decode_pixels
from secondread.detect.lookup import apply_window
from secondread.detect.pixels import GreyScale
from secondread.detect.prepare import InputGrid, crop_to_spacing
from secondread.errors import PixelError
from secondread.geometry import PointPx, SpacingMm
from tests.unit.detect.pictures import dataset

RAMP = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)
RAW = {
    "SOPClassUID": DigitalMammographyXRayImageStorageForProcessing,
    "PresentationIntentType": "FOR PROCESSING",
}


def grey(ds: Dataset) -> GreyScale:
    return GreyScale.from_dataset(ds, Mammogram.from_dataset(ds))


def rises(values: npt.NDArray[np.float32]) -> bool:
    return bool((np.diff(values.ravel()) > 0).all())


@pytest.mark.parametrize(
    ("attributes", "bright_rises"),
    [
        ({}, True),
        ({"PhotometricInterpretation": "MONOCHROME1"}, False),
        ({"PresentationLUTShape": "INVERSE"}, False),
        ({"RescaleSlope": -1, "RescaleIntercept": 4095}, False),
        # For Presentation, the intensity relationship speaks of the source, not of these values.
        ({"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1}, True),
        (RAW | {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1}, False),
        (RAW | {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": -1}, True),
        (RAW | {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1}, False),
        (RAW | {"PhotometricInterpretation": "MONOCHROME1"}, False),
        (RAW, True),
    ],
    ids=str,
)
def test_calcifications_are_bright_whatever_the_polarity(
    attributes: dict[str, object], bright_rises: bool
) -> None:
    bright = grey(dataset(RAMP, **attributes)).to_brightness(RAMP)[:, 1:]  # log(0) is a plateau

    assert rises(bright if bright_rises else -bright)


def test_for_processing_contrast_does_not_depend_on_exposure() -> None:
    stored = np.array([[100, 200], [1000, 2000]], np.uint16)
    ds = dataset(stored, PixelIntensityRelationshipSign=1, **RAW)

    bright = grey(ds).to_brightness(stored)

    assert bright[0, 0] - bright[0, 1] == pytest.approx(bright[1, 0] - bright[1, 1])
    assert bright[0, 0] - bright[0, 1] == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("padding", "padded"),
    [
        ({"PixelPaddingValue": 4032}, {4032}),
        ({"PixelPaddingValue": 4032, "PixelPaddingRangeLimit": 3904}, {3904, 3968, 4032}),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 64}, {0, 64}),
    ],
)
def test_padding_is_dark_in_brightness_and_display(
    padding: dict[str, object], padded: set[int]
) -> None:
    ds = dataset(RAMP, WindowCenter=2048, WindowWidth=4096, **padding)
    scale = grey(ds)
    mask = np.isin(RAMP, list(padded))

    bright = scale.to_brightness(RAMP)

    assert (bright[mask] <= bright[~mask].min()).all()
    assert (scale.render(RAMP, bright, None)[mask] == 0).all()


def test_brightness_begins_at_0_and_signed_values_index_the_right_one() -> None:
    stored = np.array([[-2048, -1], [0, 2047]], np.int16)

    bright = grey(dataset(stored)).to_brightness(stored)

    assert bright.tolist() == [[0, 2047], [2048, 4095]]


def test_a_linear_window_is_that_of_ps3_3() -> None:
    # PS3.3 C.11.2.1.2.1: c 2048, w 4096 maps 0 to the lowest and 4095 to the highest output.
    assert apply_window(np.array([0.0, 4095.0]), 2048, 4096).tolist() == [0, 1]
    # Its note: c 0, w 100 becomes white above 49 and black up to -50.
    assert apply_window(np.array([-50.0, 49.0, 50.0]), 0, 100).tolist() == [0, 1, 1]


def test_an_exact_window_and_a_sigmoid_have_their_centre_in_the_middle() -> None:
    for function in ("LINEAR_EXACT", "SIGMOID"):
        levels = apply_window(np.array([1900.0, 2000.0, 2100.0]), 2000, 400, function)
        assert levels[1] == pytest.approx(0.5)
        assert levels[0] + levels[2] == pytest.approx(1)
    assert apply_window(np.array([2100.0]), 2000, 400, "SIGMOID")[0] == pytest.approx(
        1 / (1 + np.exp(-1))
    )


def test_a_window_that_makes_no_sense_shows_the_range_of_the_values_and_says_so() -> None:
    scale = grey(dataset(RAMP, WindowCenter=2048, WindowWidth=0))

    shown = scale.render(RAMP, scale.to_brightness(RAMP), None)

    assert scale.is_window_senseless
    assert np.array_equal(shown, grey_of_range(RAMP))
    assert not grey(dataset(RAMP)).is_window_senseless


def grey_of_range(stored: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    scale = grey(dataset(stored))
    return scale.render(stored, scale.to_brightness(stored), None)


KEYWORDS = (
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "NumberOfFrames", "PhotometricInterpretation", "PresentationLUTShape", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "PixelData",
)  # fmt: skip
SENSELESS: dict[str, tuple[object, ...]] = {
    "LO": ("word", "", "NaN", "1e400", "-1", "9" * 300, ["0", "0"], "\0"),
    "FD": (math.nan, math.inf, -math.inf, 1e308, 0.0, [1.5, 2.5, 3.5]),
    "US": (0, 17, 65535, [1, 2, 3]),
    "OB": (b"", b"\0", b"\xff" * 3, b"12", b"\0" * 6),
    "SQ": ([], [Dataset()]),
}


@pytest.mark.parametrize("intent", [{}, RAW], ids=["presentation", "processing"])
@pytest.mark.parametrize("vr", SENSELESS)
def test_whatever_a_header_holds_the_image_is_read_or_refused_for_it(
    vr: str, intent: dict[str, object]
) -> None:
    ordinary = dataset(RAMP, WindowCenter=2048, WindowWidth=4096, **intent)
    for keyword in KEYWORDS:
        for value in SENSELESS[vr]:
            ds = copy(ordinary)
            ds.pop(keyword, None)
            ds.add(DataElement(keyword, vr, value, validation_mode=IGNORE))
            try:
                stored, scale = decode_pixels(ds), grey(ds)
            except PixelError:
                continue
            assert np.isfinite(scale.to_brightness(stored)).all()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_the_display_shows_calcifications_white(photometric: str) -> None:
    ds = dataset(RAMP, WindowCenter=2048, WindowWidth=4096, PhotometricInterpretation=photometric)
    scale = grey(ds)

    shown = scale.render(RAMP, scale.to_brightness(RAMP), None).ravel().astype(int)

    assert shown.dtype.kind == "i"
    expected = 4095 - RAMP.ravel() if photometric == "MONOCHROME1" else RAMP.ravel()
    assert np.abs(shown - expected / 4095 * 255).max() <= 1


def test_a_voi_lut_is_used_before_a_window() -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 8]
    item.LUTData = [value // 16 // 2 for value in range(4096)]
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    ds = dataset(RAMP, WindowCenter=1, WindowWidth=2, VOILUTSequence=Sequence([item]))
    scale = grey(ds)

    shown = scale.render(RAMP, scale.to_brightness(RAMP), None)

    assert np.array_equal(shown, RAMP // 32)


def test_for_processing_is_shown_over_the_range_of_its_tissue() -> None:
    stored = np.full((80, 80), 16000, np.uint16)
    stored[:, :40] = np.linspace(300, 900, 40).astype(np.uint16)
    ds = dataset(stored, BitsStored=16, HighBit=15, PixelIntensityRelationshipSign=1, **RAW)
    scale = grey(ds)
    tissue = np.zeros((8, 8), np.uint8)
    tissue[:, :4] = 1

    shown = scale.render(stored, scale.to_brightness(stored), tissue)

    assert shown[0, 0] > 240
    assert (shown[:, 41:] == 0).all()


def test_a_finer_image_is_averaged_down_and_points_map_back_exactly() -> None:
    bright = np.zeros((1000, 700), np.float32)
    bright[501, 335] = 49.0

    cut, grid = crop_to_spacing(bright, (100, 900, 0, 700), SpacingMm(0.05, 0.05), 0.07)

    assert cut.shape == (571, 500)
    row, column = np.unravel_index(cut.argmax(), cut.shape)
    back = grid.to_stored(float(row), float(column))
    assert back.row == pytest.approx(501.5, abs=0.71)
    assert back.col == pytest.approx(335.5, abs=0.71)
    assert grid.spacing.between_columns == pytest.approx(0.07)
    # The outermost corners of both grids are the same points.
    assert grid.to_stored(-0.5, -0.5) == PointPx(0, 100)
    corner = grid.to_stored(570.5, 499.5)
    assert (corner.col, corner.row) == pytest.approx((700, 900))


def test_an_image_about_as_fine_as_the_model_is_left_as_it_is() -> None:
    bright = np.random.default_rng(0).random((60, 50)).astype(np.float32)

    cut, grid = crop_to_spacing(bright, (10, 60, 5, 50), SpacingMm(0.065, 0.065), 0.07)

    assert np.array_equal(cut, bright[10:, 5:])
    assert grid == InputGrid(10, 5, 1.0, 1.0, SpacingMm(0.065, 0.065))
    assert grid.to_stored(0, 0) == PointPx(5.5, 10.5)


def test_the_display_table_covers_every_stored_value() -> None:
    ds = dataset(RAMP, WindowCenter=2048, WindowWidth=4096)
    assert grey(ds).bright.shape == (4096,)
    assert pixels.GreyScale.from_dataset(ds, Mammogram.from_dataset(ds)).lowest == 0
