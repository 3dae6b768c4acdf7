"""The gates: each reason by its cause, what refuses and what flags, and overriding by name."""

from dataclasses import replace

import pytest

from secondread.codes import View
from secondread.detect.gates import (
    Gate,
    PixelMeasurements,
    check_display,
    check_header,
    check_likeness,
    check_mark_density,
    check_pixels,
    combine_measurements,
)
from secondread.detect.likeness import LIKENESS_FEATURES, Likeness
from secondread.reasons import ImageStatus, Reason
from tests.worlds.builders import mammogram, view_sequence

DISPLACED = ("399209000", "SCT")


def test_an_ordinary_image_is_read_and_every_gate_states_its_value() -> None:
    result = combine_measurements(
        [
            *check_header(mammogram()),
            *check_pixels(pixels(), 12),
            check_display(by_window=True, is_senseless=False),
            check_likeness(1.0, REFERENCE),
            check_mark_density(0, 10),
        ]
    )

    assert (result.status, result.reasons) == (ImageStatus.READ, ())
    assert set(result.values) == {gate.value for gate in Gate}
    assert result.values["spacing_mm"] == 0.07
    assert result.values["laterality"] == "L"
    assert result.values["breast_area_cm2"] == 120.0


# Each gate with what trips it and with what just does not.
REFUSED: list[tuple[dict[str, object], dict[str, object], Reason]] = [
    (
        {"LossyImageCompression": "01"},
        {"LossyImageCompression": "00"},
        Reason.LOSSY_COMPRESSION,
    ),
    ({"ImagerPixelSpacing": None}, {}, Reason.SPACING_MISSING),
    (
        {"ImagerPixelSpacing": [0.07, 0.111]},
        {"ImagerPixelSpacing": [0.11, 0.11]},
        Reason.SPACING_TOO_COARSE,
    ),
    ({"BitsStored": 7}, {"BitsStored": 10}, Reason.FEW_BITS),
    ({"BreastImplantPresent": "YES"}, {"BreastImplantPresent": "NO"}, Reason.IMPLANT),
    ({"ImageLaterality": None}, {"ImageLaterality": "R"}, Reason.LATERALITY_MISSING),
    ({"ViewCodeSequence": None}, {"ViewPosition": "CC"}, Reason.VIEW_MISSING),
    ({"Laterality": "R"}, {"Laterality": "L"}, Reason.LATERALITY_CONTRADICTORY),
    ({"ViewPosition": "RCC"}, {"ViewPosition": "LCC"}, Reason.LATERALITY_CONTRADICTORY),
    ({"ViewPosition": "MLO"}, {"ViewPosition": "XCCL"}, Reason.VIEW_CONTRADICTORY),
]
FLAGGED: list[tuple[dict[str, object], dict[str, object], Reason]] = [
    ({"BitsStored": 8}, {"BitsStored": 10}, Reason.EIGHT_BITS),
    ({"BitsStored": 9}, {"BitsStored": 10}, Reason.NINE_BITS),
    ({"PartialView": "YES"}, {"PartialView": "NO"}, Reason.PARTIAL_VIEW),
    (
        {"ImagerPixelSpacing": [0.044, 0.044]},
        {"ImagerPixelSpacing": [0.045, 0.045]},
        Reason.SPACING_FINE,
    ),
    (
        {"ImagerPixelSpacing": None, "PixelSpacing": [0.07, 0.07]},
        {"PixelSpacing": [0.07, 0.07]},
        Reason.SPACING_NOMINAL,
    ),
]


@pytest.mark.parametrize(("trips", "spares", "reason"), REFUSED, ids=str)
def test_a_header_gate_refuses(
    trips: dict[str, object], spares: dict[str, object], reason: Reason
) -> None:
    result = combine_measurements(check_header(mammogram(**trips)))

    assert result.is_refused
    assert result.reasons == (reason,)
    assert combine_measurements(check_header(mammogram(**spares))).status is ImageStatus.READ


@pytest.mark.parametrize(("trips", "spares", "reason"), FLAGGED, ids=str)
def test_a_header_gate_flags(
    trips: dict[str, object], spares: dict[str, object], reason: Reason
) -> None:
    result = combine_measurements(check_header(mammogram(**trips)))

    assert (result.status, result.reasons) == (ImageStatus.FLAGGED, (reason,))
    assert combine_measurements(check_header(mammogram(**spares))).status is ImageStatus.READ


def test_a_senseless_window_is_remarked_and_raises_no_doubt() -> None:
    result = combine_measurements([check_display(by_window=False, is_senseless=True)])

    assert (result.status, result.reasons) == (ImageStatus.READ, (Reason.DISPLAY_BY_RANGE,))
    assert combine_measurements([check_display(by_window=False, is_senseless=False)]).reasons == ()


def test_an_implant_that_is_displaced_is_read() -> None:
    view = view_sequence(View.CC, DISPLACED)
    result = combine_measurements(
        check_header(mammogram(BreastImplantPresent="YES", ViewCodeSequence=view))
    )

    assert result.status is ImageStatus.READ
    assert result.values["implant"] == "displaced"


def pixels(**changes: object) -> PixelMeasurements:
    """What an ordinary mediolateral oblique view shows."""
    ordinary = PixelMeasurements(
        area_cm2=120.0,
        borders={"left": 1.0, "right": 0.0, "top": 0.5, "bottom": 0.3},
        chest_wall_side="left",
        saturated_share=0.0,
        saturated_cm2=0.0,
        levels=1800,
        polarity=1.0,
    )
    return replace(ordinary, **changes)  # type: ignore[arg-type]  # any field, by name


@pytest.mark.parametrize(
    ("trips", "spares", "reason"),
    [
        ({"area_cm2": None}, {"area_cm2": 100.0}, Reason.BREAST_NOT_FOUND),
        ({"area_cm2": 19.9}, {"area_cm2": 20.0}, Reason.BREAST_AREA),
        ({"area_cm2": 500.1}, {"area_cm2": 500.0}, Reason.BREAST_AREA),
        ({"saturated_share": 0.0101}, {"saturated_share": 0.01}, Reason.SATURATED),
        ({"polarity": 0.24}, {"polarity": 0.25}, Reason.POLARITY),
        ({"levels": 63}, {"levels": 257}, Reason.FEW_LEVELS),
        (
            {"borders": {"left": 1.0, "right": 0.2, "top": 0.2, "bottom": 0.0}},
            {"borders": {"left": 1.0, "right": 0.1, "top": 1.0, "bottom": 1.0}},
            Reason.BREAST_CUT_OFF,
        ),
    ],
    ids=str,
)
def test_a_pixel_gate_refuses(
    trips: dict[str, object], spares: dict[str, object], reason: Reason
) -> None:
    result = combine_measurements(check_pixels(pixels(**trips), 12))

    assert result.is_refused
    assert result.reasons == (reason,)
    assert combine_measurements(check_pixels(pixels(**spares), 12)).status is ImageStatus.READ


@pytest.mark.parametrize(
    ("trips", "spares", "reason"),
    [
        ({"levels": 256}, {"levels": 257}, Reason.FEW_LEVELS),
        ({"saturated_cm2": 1.01}, {"saturated_cm2": 1.0}, Reason.SATURATED_AREA),
        (
            {"borders": {"left": 1.0, "right": 0.11, "top": 0.1, "bottom": 0.1}},
            {"borders": {"left": 1.0, "right": 0.1, "top": 0.1, "bottom": 0.1}},
            Reason.BREAST_CUT_OFF,
        ),
    ],
    ids=str,
)
def test_a_pixel_gate_flags(
    trips: dict[str, object], spares: dict[str, object], reason: Reason
) -> None:
    result = combine_measurements(check_pixels(pixels(**trips), 12))

    assert (result.status, result.reasons) == (ImageStatus.FLAGGED, (reason,))
    assert combine_measurements(check_pixels(pixels(**spares), 12)).status is ImageStatus.READ


def test_an_image_whose_header_tells_of_8_bits_may_use_no_more_levels() -> None:
    assert combine_measurements(check_pixels(pixels(levels=240), 8)).status is ImageStatus.READ
    assert combine_measurements(check_pixels(pixels(levels=63), 8)).is_refused


def test_the_front_of_a_right_breast_is_at_the_left() -> None:
    borders = {"left": 0.2, "right": 1.0, "top": 0.0, "bottom": 0.0}
    right = pixels(chest_wall_side="right", borders=borders)

    result = combine_measurements(check_pixels(right, 12))

    assert result.reasons == (Reason.BREAST_CUT_OFF,)
    assert result.values["borders_reached"] == "left right"


REFERENCE = Likeness(
    means=(0.0,) * len(LIKENESS_FEATURES),
    deviations=(1.0,) * len(LIKENESS_FEATURES),
    correlation=tuple(
        tuple(float(row == column) for column in range(len(LIKENESS_FEATURES)))
        for row in range(len(LIKENESS_FEATURES))
    ),
    flag_beyond=2.0,
    refuse_beyond=4.0,
    fitted_on="nothing",
)


@pytest.mark.parametrize(
    ("distance", "status"),
    [
        (2.0, ImageStatus.READ),
        (2.01, ImageStatus.FLAGGED),
        (4.0, ImageStatus.FLAGGED),
        (4.01, ImageStatus.REFUSED),
    ],
)
def test_what_is_unlike_the_training_images_is_flagged_and_far_out_refused(
    distance: float, status: ImageStatus
) -> None:
    result = combine_measurements([check_likeness(distance, REFERENCE)])

    assert result.status is status
    assert result.reasons == (() if status is ImageStatus.READ else (Reason.UNLIKE_TRAINING,))
    assert result.values["unlikeness"] == distance


def test_a_likeness_that_cannot_be_measured_is_a_doubt_and_one_without_reference_is_told() -> None:
    unmeasured = combine_measurements([check_likeness(None, REFERENCE)])
    unknown = combine_measurements([check_likeness(None, None)])

    assert (unmeasured.status, unmeasured.values["unlikeness"]) == (
        ImageStatus.FLAGGED,
        "not measured",
    )
    assert (unknown.status, unknown.values["unlikeness"]) == (ImageStatus.READ, "no reference")


def test_more_marks_than_the_manifest_allows_refuse() -> None:
    assert combine_measurements([check_mark_density(10.1, 10)]).reasons == (Reason.TOO_MANY_MARKS,)
    assert not combine_measurements([check_mark_density(10.0, 10)]).is_refused


def test_a_large_breast_full_of_marks_is_refused_although_not_all_were_listed() -> None:
    assert combine_measurements([check_mark_density(5.0, 10, all_listed=False)]).reasons == (
        Reason.TOO_MANY_MARKS,
    )


@pytest.mark.parametrize("name", ["lossy", "all"])
def test_an_overridden_refusal_becomes_a_flag_with_the_original_reason(name: str) -> None:
    result = combine_measurements(
        check_header(mammogram(LossyImageCompression="01")), frozenset({name})
    )

    assert result.status is ImageStatus.FLAGGED
    assert result.reasons == (Reason.LOSSY_COMPRESSION, Reason.GATE_OVERRIDDEN)


def test_overriding_one_gate_leaves_the_others_shut() -> None:
    both = mammogram(LossyImageCompression="01", BreastImplantPresent="YES")

    result = combine_measurements(check_header(both), frozenset({"lossy"}))

    assert result.is_refused
    assert result.reasons == (Reason.IMPLANT, Reason.LOSSY_COMPRESSION, Reason.GATE_OVERRIDDEN)


def test_an_override_that_was_not_needed_changes_nothing() -> None:
    assert (
        combine_measurements(check_header(mammogram()), frozenset({"all"})).status
        is ImageStatus.READ
    )
