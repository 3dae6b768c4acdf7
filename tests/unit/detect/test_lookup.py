"""Modality and VOI transformations and padding, as they stand in headers of all kinds."""

import numpy as np
import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.detect.lookup import (
    apply_modality,
    find_display_levels,
    read_padding,
)
from secondread.errors import PixelError

STORED = np.arange(4096, dtype=np.float64)
SIGNED = np.arange(-2048, 2048, dtype=np.float64)


def header(**values: object) -> Dataset:
    """A data set with these values under LO, whatever the dictionary says."""
    ds = Dataset()
    for keyword, value in values.items():
        ds.add(DataElement(keyword, "LO", value, validation_mode=IGNORE))
    return ds


def table(descriptor: object, data: object, *, vr: str = "US", keyword: str) -> Dataset:
    """A data set with a LUT sequence of one item; None: without that attribute."""
    item, ds = Dataset(), Dataset()
    if descriptor is not None:
        descriptor_vr = "OW" if isinstance(descriptor, bytes) else "SS"
        item.add(DataElement("LUTDescriptor", descriptor_vr, descriptor, validation_mode=IGNORE))
    if data is not None:
        item.add(DataElement("LUTData", vr, data, validation_mode=IGNORE))
    ds.add(DataElement(keyword, "SQ", Sequence([item])))
    return ds


def modality(*args: object, **kwargs: object) -> Dataset:
    return table(*args, keyword="ModalityLUTSequence", **kwargs)  # type: ignore[arg-type]


def voi(*args: object, **kwargs: object) -> Dataset:
    return table(*args, keyword="VOILUTSequence", **kwargs)  # type: ignore[arg-type]


FALLING = np.arange(4095, -1, -1, dtype="<u2")


@pytest.mark.parametrize(
    "rescale",
    [
        {},
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": "0", "RescaleIntercept": "7"},
        {"RescaleSlope": "-2"},
        {"RescaleIntercept": "7"},
        {"RescaleSlope": "word", "RescaleIntercept": "word"},
        {"RescaleSlope": "NaN", "RescaleIntercept": "0"},
        {"RescaleSlope": "1e300", "RescaleIntercept": "0"},
        {"RescaleSlope": "1", "RescaleIntercept": "1e30"},
        {"RescaleSlope": "1e-40", "RescaleIntercept": "1"},
    ],
    ids=str,
)
def test_a_rescaling_that_is_none_leaves_the_values_as_they_are(rescale: dict[str, str]) -> None:
    assert np.array_equal(apply_modality(STORED, header(**rescale)), STORED)


def test_a_rescaling_is_applied() -> None:
    ds = header(RescaleSlope="-2", RescaleIntercept="5")

    assert np.array_equal(apply_modality(STORED, ds), 5 - 2 * STORED)


@pytest.mark.parametrize(
    ("descriptor", "data", "vr"),
    [
        ([4096, 0, 12], FALLING.tolist(), "US"),
        ([4096, 0, 12], FALLING.tobytes(), "OW"),
        (np.array([4096, 0, 12], "<u2").tobytes(), FALLING.tobytes(), "UN"),
        ([4096, 0, 0], FALLING.tobytes(), "OB"),
        ([4096, 0, 12], [*FALLING.tolist(), 9, 9], "US"),
        ([4096, 0], FALLING.tolist(), "US"),
        (None, FALLING.tolist(), "US"),
    ],
    ids=str,
)
def test_a_modality_lut_is_read_under_any_value_representation(
    descriptor: object, data: object, vr: str
) -> None:
    values = apply_modality(STORED, modality(descriptor, data, vr=vr))

    assert np.array_equal(values, FALLING)


def test_the_first_input_of_a_table_has_the_sign_of_its_inputs() -> None:
    as_unsigned = np.array([4096, 65536 - 2048, 12], "<u2").tobytes()

    values = apply_modality(SIGNED, modality(as_unsigned, FALLING.tolist()))

    assert np.array_equal(values, FALLING)


def test_a_short_table_goes_on_with_its_last_entry() -> None:
    values = apply_modality(STORED, modality([4096, 0, 12], FALLING[:100].tolist()))

    assert values[50] == 4045
    assert (values[99:] == 3996).all()


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [
        (None, [1, 2, 3]),
        ("word", FALLING.tolist()[:9]),
        ([4096, 0, 12], [5] * 4096),
        ([4096, 0, 12], "x"),
    ],
    ids=["no descriptor", "no numbers", "one value", "no data"],
)
def test_a_modality_lut_that_cannot_be_applied_is_refused(descriptor: object, data: object) -> None:
    vr = "LO" if isinstance(data, str) else "US"
    ds = modality(None, data, vr=vr)
    if descriptor is not None:
        element = DataElement("LUTDescriptor", "LO", descriptor, validation_mode=IGNORE)
        ds.ModalityLUTSequence[0].add(element)

    with pytest.raises(PixelError, match="Modality LUT"):
        apply_modality(STORED, ds)


def test_an_empty_item_of_a_sequence_is_as_none() -> None:
    ds = modality(None, None)
    ds.add(DataElement("RescaleSlope", "DS", "2"))
    ds.add(DataElement("RescaleIntercept", "DS", "0"))

    assert np.array_equal(apply_modality(STORED, ds), 2 * STORED)


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": "2048", "WindowWidth": "0"},
        {"WindowCenter": "2048", "WindowWidth": "-4096"},
        {"WindowCenter": "2048", "WindowWidth": "NaN"},
        {"WindowCenter": "inf", "WindowWidth": "100"},
        {"WindowCenter": "word", "WindowWidth": "100"},
        {"WindowCenter": "2048"},
        {"WindowWidth": "4096"},
        {"WindowCenter": "2048", "WindowWidth": "4096", "VOILUTFunction": ["LINEAR", "SIGMOID"]},
        {"WindowCenter": "2048", "WindowWidth": "4096", "VOILUTFunction": ["LINEAR", "LINEAR"]},
        {"WindowCenter": "2048", "WindowWidth": "4096", "VOILUTFunction": "CUBIC"},
        {"WindowCenter": "90000", "WindowWidth": "100"},
        {"WindowCenter": "2048", "WindowWidth": "0.5"},
    ],
    ids=str,
)
def test_a_window_that_makes_no_sense_shows_nothing_and_is_told(window: dict[str, object]) -> None:
    display = find_display_levels(STORED, header(**window))

    assert display.levels is None
    assert display.is_senseless


def test_without_a_window_there_is_nothing_to_tell() -> None:
    for ds in (header(), header(WindowCenter="", WindowWidth=""), voi(None, None)):
        display = find_display_levels(STORED, ds)
        assert (display.levels, display.is_senseless) == (None, False)


def test_of_several_windows_the_first_that_can_be_applied_is() -> None:
    ds = header(WindowCenter=["100", "2048"], WindowWidth=["0", "4096"])

    levels = find_display_levels(STORED, ds).levels

    assert levels is not None
    assert (levels[0], levels[-1]) == (0, 1)


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [(None, [1, 2, 3]), ([3, 0, 8], [5, 5, 5]), ("word", [1, 2]), ([3, 0, 8], None)],
)
def test_a_voi_lut_that_cannot_be_applied_gives_way_to_the_window(
    descriptor: object, data: object
) -> None:
    ds = voi(None, data)
    if descriptor is not None:
        element = DataElement("LUTDescriptor", "LO", descriptor, validation_mode=IGNORE)
        ds.VOILUTSequence[0].add(element)
    alone = find_display_levels(STORED, ds)
    ds.add(DataElement("WindowCenter", "DS", "2048"))
    ds.add(DataElement("WindowWidth", "DS", "4096"))

    beside = find_display_levels(STORED, ds)

    assert alone.levels is None
    assert alone.is_senseless is (data is not None)
    assert beside.levels is not None
    assert not beside.is_senseless


def test_eight_bit_entries_share_words_and_too_few_bits_are_counted_anew() -> None:
    ramp = bytes(range(256)) * 16
    packed = find_display_levels(STORED, voi([4096, 0, 8], ramp, vr="OW")).levels
    too_few = find_display_levels(STORED, voi([4096, 0, 8], np.sort(FALLING).tolist())).levels

    assert packed is not None
    assert packed[255] == 1
    assert too_few is not None
    assert (np.diff(too_few) > 0).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"PixelPaddingValue": "4032"}, (4032, 4032)),
        ({"PixelPaddingValue": b"\xc0\x0f"}, (4032, 4032)),
        ({"PixelPaddingValue": "0", "PixelPaddingRangeLimit": "64"}, (0, 64)),
        ({"PixelPaddingValue": "64", "PixelPaddingRangeLimit": "0"}, (0, 64)),
        # A limit that would make padding of most values is none.
        ({"PixelPaddingValue": "0", "PixelPaddingRangeLimit": "4095"}, (0, 0)),
        ({"PixelPaddingValue": "0", "PixelPaddingRangeLimit": "word"}, (0, 0)),
        ({"PixelPaddingValue": "word"}, None),
        ({"PixelPaddingValue": "1.5"}, None),
        ({"PixelPaddingValue": "60000"}, None),
        ({"PixelPaddingRangeLimit": "64"}, None),
    ],
    ids=str,
)
def test_padding_is_what_a_pixel_can_have(
    values: dict[str, object], expected: tuple[int, int] | None
) -> None:
    ds = Dataset()
    for keyword, value in values.items():
        vr = "OB" if isinstance(value, bytes) else "LO"
        ds.add(DataElement(keyword, vr, value, validation_mode=IGNORE))

    assert read_padding(ds, 0, 4096) == expected


def test_padding_of_the_other_sign_is_the_same_bits() -> None:
    assert read_padding(header(PixelPaddingValue="63536"), -2048, 4096) == (-2000, -2000)
    assert read_padding(header(PixelPaddingValue="-1"), 0, 65536) == (65535, 65535)
