"""The gates: each reason by its cause, what refuses and what flags, and overriding by name."""

import pytest

from secondread.codes import View
from secondread.detect import gates
from secondread.detect.gates import Gate, header_gates, marks_gate, pixel_gates, verdict
from secondread.reasons import ImageStatus, Reason
from tests.builders import mammogram, view_sequence

DISPLACED = ("399209000", "SCT")


def test_an_ordinary_image_is_read_and_every_gate_states_its_value() -> None:
    found = verdict([*header_gates(mammogram()), *pixel_gates(120.0, 0.0, 1.0), marks_gate(0, 10)])

    assert (found.status, found.reasons) == (ImageStatus.READ, ())
    assert set(found.values) == {gate.value for gate in Gate}
    assert found.values["spacing_mm"] == 0.07
    assert found.values["laterality"] == "L"
    assert found.values["breast_area_cm2"] == 120.0


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"LossyImageCompression": "01"}, Reason.LOSSY_COMPRESSION),
        ({"ImagerPixelSpacing": None}, Reason.SPACING_MISSING),
        ({"ImagerPixelSpacing": [0.07, 0.12]}, Reason.SPACING_TOO_COARSE),
        ({"BitsStored": 7}, Reason.FEW_BITS),
        ({"BreastImplantPresent": "YES"}, Reason.IMPLANT),
        ({"ImageLaterality": None}, Reason.LATERALITY_MISSING),
        ({"ViewCodeSequence": None}, Reason.VIEW_MISSING),
    ],
    ids=str,
)
def test_a_header_gate_refuses(attributes: dict[str, object], reason: Reason) -> None:
    found = verdict(header_gates(mammogram(**attributes)))

    assert found.refused
    assert found.reasons == (reason,)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"BitsStored": 8}, Reason.EIGHT_BITS),
        ({"PartialView": "YES"}, Reason.PARTIAL_VIEW),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.07, 0.07]}, Reason.SPACING_NOMINAL),
    ],
    ids=str,
)
def test_a_header_gate_flags(attributes: dict[str, object], reason: Reason) -> None:
    found = verdict(header_gates(mammogram(**attributes)))

    assert (found.status, found.reasons) == (ImageStatus.FLAGGED, (reason,))


def test_an_implant_that_is_displaced_is_read() -> None:
    view = view_sequence(View.CC, DISPLACED)
    found = verdict(header_gates(mammogram(BreastImplantPresent="YES", ViewCodeSequence=view)))

    assert found.status is ImageStatus.READ
    assert found.values["implant"] == "displaced"


@pytest.mark.parametrize(
    ("area", "saturated", "polarity", "reason"),
    [
        (None, 0.0, 1.0, Reason.BREAST_NOT_FOUND),
        (19.9, 0.0, 1.0, Reason.BREAST_AREA),
        (500.1, 0.0, 1.0, Reason.BREAST_AREA),
        (100.0, 0.011, 1.0, Reason.SATURATED),
        (100.0, 0.0, 0.1, Reason.POLARITY),
    ],
)
def test_a_pixel_gate_refuses(
    area: float | None, saturated: float, polarity: float, reason: Reason
) -> None:
    found = verdict(pixel_gates(area, saturated, polarity))

    assert found.refused
    assert found.reasons == (reason,)


@pytest.mark.parametrize("area", [20.0, 500.0])
def test_the_borders_of_the_area_are_inside(area: float) -> None:
    assert not verdict(pixel_gates(area, gates.MAXIMUM_SATURATED, 1.0)).refused


def test_more_marks_than_the_manifest_allows_refuse() -> None:
    assert verdict([marks_gate(10.1, 10)]).reasons == (Reason.TOO_MANY_MARKS,)
    assert not verdict([marks_gate(10.0, 10)]).refused


@pytest.mark.parametrize("name", ["lossy", "all"])
def test_an_overridden_refusal_becomes_a_flag_with_the_original_reason(name: str) -> None:
    found = verdict(header_gates(mammogram(LossyImageCompression="01")), frozenset({name}))

    assert found.status is ImageStatus.FLAGGED
    assert found.reasons == (Reason.LOSSY_COMPRESSION, Reason.GATE_OVERRIDDEN)


def test_overriding_one_gate_leaves_the_others_shut() -> None:
    both = mammogram(LossyImageCompression="01", BreastImplantPresent="YES")

    found = verdict(header_gates(both), frozenset({"lossy"}))

    assert found.refused
    assert found.reasons == (Reason.IMPLANT, Reason.LOSSY_COMPRESSION, Reason.GATE_OVERRIDDEN)


def test_an_override_that_was_not_needed_changes_nothing() -> None:
    assert verdict(header_gates(mammogram()), frozenset({"all"})).status is ImageStatus.READ
