"""A presentation state repeats the image's grey scale: modality transformation, then VOI."""

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from secondread.report.pages.grey_scale import add_grey_scale
from tests.unit.report.readings import make_header

SIGNED = {"PixelRepresentation": 1}


def make_state(**attributes: object) -> Dataset:
    state = Dataset()
    add_grey_scale(state, make_header("LCC", **attributes), bits_stored=12)
    return state


def table(first: int, entries: object, bits: int = 12, vr: str = "US") -> Dataset:
    """Return an item of four entries."""
    item = Dataset()
    item.add(DataElement(0x00283002, vr, [4, first, bits]))
    item.add(DataElement(0x00283006, "OW" if isinstance(entries, bytes) else "US", entries))
    return item


def test_a_rescale_is_repeated() -> None:
    state = make_state(RescaleIntercept="-100", RescaleSlope="0.5", RescaleType="OD")
    assert (state.RescaleIntercept, state.RescaleSlope, state.RescaleType) == (-100, 0.5, "OD")


@pytest.mark.parametrize("kind", [{}, {"RescaleType": ""}])
def test_a_rescale_without_type_is_unspecified(kind: dict[str, object]) -> None:
    state = make_state(RescaleIntercept="1000", RescaleSlope="1", **kind, **SIGNED)
    assert (state.RescaleIntercept, state.RescaleSlope, state.RescaleType) == (1000, 1, "US")


@pytest.mark.parametrize(
    "attributes",
    [
        {"RescaleIntercept": "", "RescaleSlope": ""},
        {"RescaleIntercept": "1000"},
        {"RescaleSlope": "1"},
        {"RescaleIntercept": "1000", "RescaleSlope": "0"},
    ],
)
def test_what_is_no_rescale_is_left_out(attributes: dict[str, object]) -> None:
    assert make_state(**attributes).dir("Rescale") == []


def test_a_modality_table_is_repeated_and_comes_before_a_rescale() -> None:
    item = table(0, [0, 1, 2, 4095])
    state = make_state(ModalityLUTSequence=[item], RescaleIntercept="0", RescaleSlope="1")
    (made,) = state.ModalityLUTSequence
    assert list(made.LUTDescriptor) == [4, 0, 12]
    assert list(made.LUTData) == [0, 1, 2, 4095]
    assert made.ModalityLUTType == "US"
    assert "RescaleSlope" not in state


def test_the_type_of_a_modality_table_is_the_images() -> None:
    item = table(0, [0, 1, 2, 3])
    item.ModalityLUTType = "OD"
    assert make_state(ModalityLUTSequence=[item]).ModalityLUTSequence[0].ModalityLUTType == "OD"


@pytest.mark.parametrize(("first", "vr"), [(-2048, "SS"), (0x10000 - 2048, "US")])
def test_a_table_of_signed_pixels_begins_at_a_negative_value(first: int, vr: str) -> None:
    state = make_state(ModalityLUTSequence=[table(first, [0, 1, 2, 3], vr=vr)], **SIGNED)
    descriptor = state.ModalityLUTSequence[0]["LUTDescriptor"]
    assert (descriptor.VR, list(descriptor.value)) == ("SS", [4, -2048, 12])


@pytest.mark.parametrize(
    ("data", "entries"),
    [
        (np.array([0, 1, 2, 300], "<u2").tobytes(), [0, 1, 2, 300]),
        (bytes([0, 1, 2, 255]), [0, 1, 2, 255]),
    ],
)
def test_entries_may_be_words_or_packed_bytes(data: bytes, entries: list[int]) -> None:
    (made,) = make_state(ModalityLUTSequence=[table(0, data)]).ModalityLUTSequence
    assert list(made.LUTData) == entries


def test_entries_of_eight_bits_are_packed() -> None:
    (made,) = make_state(ModalityLUTSequence=[table(0, [0, 1, 2, 255], 8)]).ModalityLUTSequence
    assert (made["LUTData"].VR, made.LUTData) == ("OW", bytes([0, 1, 2, 255]))


@pytest.mark.parametrize(
    "item", [Dataset(), table(0, []), table(0, [0, 1, 2, 3], bits=0), table(0, b"")]
)
def test_a_table_that_makes_no_sense_is_left_out(item: Dataset) -> None:
    state = make_state(ModalityLUTSequence=[item], VOILUTSequence=[item])
    assert "ModalityLUTSequence" not in state
    assert "SoftcopyVOILUTSequence" not in state


def test_the_first_window_of_the_image_is_repeated() -> None:
    state = make_state(
        WindowCenter=["2000", "1500"], WindowWidth=["1200", "90"], VOILUTFunction="LINEAR_EXACT"
    )
    (item,) = state.SoftcopyVOILUTSequence
    assert (item.WindowCenter, item.WindowWidth) == (2000, 1200)
    assert item.VOILUTFunction == "LINEAR_EXACT"


@pytest.mark.parametrize(
    ("attributes", "first"),
    [
        ({}, 0),
        (SIGNED, -2048),
        ({"RescaleSlope": "1", "RescaleIntercept": "-1024", **SIGNED}, -3072),
        ({"RescaleSlope": "-1", "RescaleIntercept": "4095"}, 0),
    ],
)
def test_a_sigmoid_window_becomes_the_table_that_it_amounts_to(
    attributes: dict[str, object], first: int
) -> None:
    """Viewers of presentation states draw it as a straight line (DCMTK 3.6.7, DICOMscope)."""
    center = first + 1000
    state = make_state(
        WindowCenter=str(center), WindowWidth="800", VOILUTFunction="SIGMOID", **attributes
    )
    (made,) = state.SoftcopyVOILUTSequence[0].VOILUTSequence
    vr = made["LUTDescriptor"].VR
    assert vr == ("SS" if first < 0 else "US")
    assert list(made.LUTDescriptor) == [4096, first, 16]
    assert made.LUTData[1000] == pytest.approx(0xFFFF / 2, abs=1)
    assert made.LUTData[1000 + 200] == pytest.approx(0xFFFF / (1 + np.exp(-1)), abs=1)
    assert "WindowCenter" not in state.SoftcopyVOILUTSequence[0]


def test_a_sigmoid_over_fractions_stays_a_window_as_a_table_would_show_steps() -> None:
    state = make_state(
        RescaleSlope="0.001",
        RescaleIntercept="0",
        WindowCenter="2",
        WindowWidth="1",
        VOILUTFunction="SIGMOID",
    )
    (item,) = state.SoftcopyVOILUTSequence
    assert (item.WindowCenter, item.WindowWidth, item.VOILUTFunction) == (2, 1, "SIGMOID")


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"WindowCenter": "100", "WindowWidth": "0"},
        {"WindowCenter": "100", "WindowWidth": "-5"},
        {"WindowCenter": "100"},
        {"WindowCenter": "100", "WindowWidth": "10", "VOILUTFunction": "CUBIC"},
        {"WindowCenter": "100", "WindowWidth": "10", "VOILUTFunction": ["LINEAR", "LINEAR"]},
    ],
)
def test_a_window_that_makes_no_sense_is_left_out(attributes: dict[str, object]) -> None:
    assert "SoftcopyVOILUTSequence" not in make_state(**attributes)


def test_a_voi_table_of_the_image_comes_before_its_window() -> None:
    item = table(0, [0, 1, 2, 3])
    state = make_state(VOILUTSequence=[item], WindowCenter="100", WindowWidth="10")
    (area,) = state.SoftcopyVOILUTSequence
    assert list(area.VOILUTSequence[0].LUTData) == [0, 1, 2, 3]
    assert "WindowCenter" not in area


def test_a_voi_table_begins_at_a_negative_value_only_where_there_are_some() -> None:
    """Its input is what comes out of the modality transformation (PS3.3 C.11.2.1.1)."""
    tabled = {"VOILUTSequence": [table(0xFC00, [0, 1, 2, 3])], **SIGNED}
    (area,) = make_state(**tabled).SoftcopyVOILUTSequence
    assert list(area.VOILUTSequence[0].LUTDescriptor) == [4, -1024, 12]
    (area,) = make_state(
        RescaleSlope="1", RescaleIntercept="64000", **tabled
    ).SoftcopyVOILUTSequence
    assert list(area.VOILUTSequence[0].LUTDescriptor) == [4, 0xFC00, 12]
