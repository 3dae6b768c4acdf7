from secondread.codes import BreastProcedure
from secondread.findings.findings_json import encode_placement
from secondread.findings.treatment import Procedure, Zone, ZoneBasis, ZonePlacement


def test_operations_have_their_code_and_radiotherapy_has_none() -> None:
    assert Procedure.MASTECTOMY.code is BreastProcedure.MASTECTOMY
    assert Procedure.RADIOTHERAPY.code is None
    assert not Procedure.RADIOTHERAPY.is_surgery
    assert Procedure.SURGERY.is_surgery


def test_every_zone_has_words_that_a_report_can_hold() -> None:
    assert all(one.words.isascii() for one in Zone)


def test_what_a_zone_rests_on_is_in_the_document() -> None:
    assert encode_placement(ZonePlacement(Zone.BED, ZoneBasis.CLIPS, 8.4, 3.2, views=2)) == {
        "basis": "clips",
        "distance_mm": 8.4,
        "error_mm": 3.2,
        "clip_mm": None,
        "views": 2,
    }
