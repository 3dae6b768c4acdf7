"""View, modifiers and side by every attribute that may hold them."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.assemble.scope import find_exclusion_reason
from secondread.codes import Laterality, View, ViewModifier
from secondread.reasons import Reason
from tests.worlds.builders import coded, mammogram, view_sequence

MAGNIFICATION = coded("399163009", "SCT", "Magnification")


@pytest.mark.parametrize(
    ("value", "scheme", "meaning"),
    [
        ("399162004", "SCT", "cranio-caudal"),
        ("R-10242", "SRT", "cranio-caudal"),
        ("R-10242", "SNM3", "cranio-caudal"),
        ("R-10242", "99SDM", "cranio-caudal"),
        ("r-10242", "DCM", ""),
        ("399162004", "", ""),
        ("CC", "99MAKER", ""),
        ("17", "99MAKER", "Cranio-Caudal"),
        ("", "", "CC"),
    ],
)
def test_a_view_is_known_under_any_scheme_and_by_its_meaning(
    value: str, scheme: str, meaning: str
) -> None:
    m = mammogram(ViewCodeSequence=Sequence([coded(value, scheme, meaning)]))

    assert (m.view, m.is_view_contradictory) == (View.CC, False)


@pytest.mark.parametrize(
    ("value", "view"), [("Y-X1770", View.XCCL), ("Y-X1771", View.XCCM), ("R-102CF", View.XCC)]
)
def test_codes_that_were_replaced_are_known_still(value: str, view: View) -> None:
    assert mammogram(ViewCodeSequence=Sequence([coded(value, "SRT", "")])).view is view


@pytest.mark.parametrize(
    ("position", "view"),
    [("LXCCL", View.XCCL), ("CC", View.CC), ("LCCID", View.CC), ("90", View.CC), ("AT", View.CC)],
)
def test_a_view_position_may_say_more_than_the_code(position: str, view: View) -> None:
    m = mammogram(ViewPosition=position)  # the code is that of CC

    assert (m.view, m.is_view_contradictory) == (view, False)


@pytest.mark.parametrize(
    ("code", "view", "modifier"),
    [
        (coded("R-102D1", "SRT", ""), View.MLO, ViewModifier.AXILLARY_TAIL),
        (coded("399161006", "SCT", ""), View.CC, ViewModifier.CLEAVAGE),
        (coded("", "", "implant displaced"), None, ViewModifier.IMPLANT_DISPLACED),
    ],
    ids=str,
)
def test_a_modifier_may_stand_in_the_place_of_the_view(
    code: Dataset, view: View | None, modifier: ViewModifier
) -> None:
    m = mammogram(ViewCodeSequence=Sequence([code]))

    assert m.view is view
    assert m.view_modifiers == {modifier}


@pytest.mark.parametrize("position", ["MLO", "ML", "FB", "RCC LMLO", "SPECIMEN"])
def test_two_views_are_none(position: str) -> None:
    m = mammogram(ViewPosition=position)

    assert (m.view, m.is_view_contradictory) == (None, True)


def test_an_exaggerated_view_of_two_directions_is_contradictory() -> None:
    m = mammogram(ViewCodeSequence=view_sequence(View.XCCM), ViewPosition="XCCL")

    assert m.is_view_contradictory


@pytest.mark.parametrize(
    ("attributes", "modifiers"),
    [
        ({"ViewModifierCodeSequence": Sequence([MAGNIFICATION])}, "MAGNIFICATION"),
        ({"ViewCodeSequence": view_sequence(View.CC, ("R-102D7", "SNM3"))}, "SPOT"),
        ({"ViewModifierCodeSequence": Sequence([coded("", "", "Spot compression")])}, "SPOT"),
        ({"ViewPosition": "CCID"}, "IMPLANT_DISPLACED"),
        ({"ViewPosition": "MCC"}, "MAGNIFICATION"),
        ({"PaddleDescription": "10CM MAG"}, "MAGNIFICATION"),
        ({"PaddleDescription": "SPOT_CONTACT"}, "SPOT"),
        ({"PaddleDescription": "7.5 SPT MAG"}, "SPOT MAGNIFICATION"),
        ({"PaddleDescription": "18x24 CONTACT"}, ""),
        ({"SeriesDescription": "L CC MAG"}, "MAGNIFICATION"),
        ({"SeriesDescription": "LCCMAG"}, "MAGNIFICATION"),
        ({"SeriesDescription": "Spot compression L"}, "SPOT"),
        ({"AcquisitionDeviceProcessingDescription": "MAG 1.8"}, "MAGNIFICATION"),
        ({"AcquisitionDeviceProcessingDescription": "MAG 1.0, large focal spot"}, ""),
        ({"SeriesDescription": "IMAGE MAGAZINE"}, ""),
        ({"StudyDescription": "diagnostic with mag views"}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "MAG"]}, "MAGNIFICATION"),
    ],
    ids=str,
)
def test_modifiers_are_found_wherever_they_are(
    attributes: dict[str, object], modifiers: str
) -> None:
    expected = {ViewModifier[name] for name in modifiers.split()}

    assert mammogram(**attributes).view_modifiers == expected


def frame_anatomy(side: str) -> Sequence:
    group, anatomy = Dataset(), Dataset()
    anatomy.FrameLaterality = side
    group.FrameAnatomySequence = Sequence([anatomy])
    return Sequence([group])


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageLaterality": "R"},
        {"ImageLaterality": "RIGHT"},
        {"ImageLaterality": "U", "Laterality": "r"},
        {"Laterality": "R"},
        {"SharedFunctionalGroupsSequence": frame_anatomy("R")},
        {"PerFrameFunctionalGroupsSequence": frame_anatomy("R")},
        {"ViewPosition": "RCC"},
        {"ViewPosition": "CCD"},
        {"AnatomicRegionSequence": Sequence([coded("T-04020", "SRT", "Right breast")])},
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "RIGHT"]},
    ],
    ids=str,
)
def test_the_side_is_found_wherever_the_file_has_it(attributes: dict[str, object]) -> None:
    m = mammogram(**{"ImageLaterality": None} | attributes)

    assert (m.laterality, m.is_laterality_contradictory) == (Laterality.RIGHT, False)


@pytest.mark.parametrize("side", ["U", "", "X", "?", "0"])
def test_no_side_is_no_side(side: str) -> None:
    m = mammogram(ImageLaterality=side, SeriesDescription="L CC")

    assert (m.laterality, m.is_laterality_contradictory) == (None, False)


@pytest.mark.parametrize(
    "attributes",
    [
        {"Laterality": "R"},
        {"ViewPosition": "RCC"},
        {"SharedFunctionalGroupsSequence": frame_anatomy("R")},
        {"ImageLaterality": ["L", "R"]},
        {"Laterality": "B"},
    ],
    ids=str,
)
def test_two_sides_are_none(attributes: dict[str, object]) -> None:
    m = mammogram(**attributes)  # Image Laterality is L

    assert (m.laterality, m.is_laterality_contradictory) == (None, True)


@pytest.mark.parametrize("side", ["B", "BILATERAL", "both"])
def test_an_image_of_both_breasts_is_out_of_scope(side: str) -> None:
    assert find_exclusion_reason(mammogram(ImageLaterality=side)) is Reason.BOTH_BREASTS


def test_of_very_many_view_codes_the_first_ones_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = 0
    from_code = View.from_code

    def count(value: str, scheme: str) -> View | None:
        nonlocal looked_at
        looked_at += 1
        return from_code(value, scheme)

    monkeypatch.setattr(View, "from_code", count)
    codes = [coded("399162004", "SCT", "cranio-caudal")] * 5000
    mammogram(ViewCodeSequence=Sequence(codes))
    assert looked_at < 1000
