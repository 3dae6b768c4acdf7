from datetime import date

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from secondread.findings.treatment import Procedure, TreatmentSource
from secondread.followup.header_treatments import read_header_treatments, read_treatment_text
from tests.worlds.builders import coded, header


def told(text: str) -> list[str]:
    """Return side and procedure of each treatment, as ``L lumpectomy``."""
    return [
        f"{treatment.laterality.letter if treatment.laterality else '?'} {treatment.procedure}"
        for treatment in read_treatment_text(text, "AdditionalPatientHistory")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s/p left lumpectomy", ["L lumpectomy"]),
        ("Lumpectomy of the right breast", ["R lumpectomy"]),
        ("MAMMO DIAG POST LUMPECTOMY LT", ["L lumpectomy"]),
        ("L partial mastectomy and radiation therapy", ["L lumpectomy", "L radiotherapy"]),
        ("left lumpectomy, right mastectomy", ["L lumpectomy", "R mastectomy"]),
        ("Bilateral mastectomies", ["R mastectomy", "L mastectomy"]),
        ("Bilateral mammogram, lumpectomy", ["? lumpectomy"]),
        ("left lumpectomy, no complaints", ["L lumpectomy"]),
        ("wide local excision", ["? lumpectomy"]),
        ("status post XRT", ["? radiotherapy"]),
    ],
)
def test_what_was_done_is_read_with_the_side_beside_it(text: str, expected: list[str]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No history of breast cancer",
        "No history of lumpectomy, mastectomy or radiation therapy",
        "denies prior lumpectomy",
        "without radiotherapy and mastectomy",
        "Mother had a mastectomy",
        "family history: sister, mastectomy",
        "planned left lumpectomy",
        "mastectomy?",
        "Lumpectomy: no",
        "Lumpectomy, none",
        "pre lumpectomy",
        "plumpectomy",
        "postmastectomyx",
        "possible radiotherapy",
        "for lumpectomy",
        "exposure to radiation",
        "Patientin mit Brusterhaltung links",
    ],
)
def test_what_is_negated_planned_doubted_or_of_others_is_not_taken_as_done(text: str) -> None:
    assert told(text) == []


def test_a_negation_ends_with_its_sentence() -> None:
    assert told("No complaints. Left lumpectomy.") == ["L lumpectomy"]


def test_two_sides_beside_one_procedure_are_no_side() -> None:
    assert told("left breast cancer right lumpectomy left") == ["? lumpectomy"]


def test_only_a_whole_day_is_taken_as_a_date() -> None:
    assert [t.started_on for t in read_treatment_text("left lumpectomy 2021-03-02", "x")] == [
        date(2021, 3, 2)
    ]
    for vague in ("left lumpectomy 2021", "left lumpectomy 03/2021", "lumpectomy 2021-19-39"):
        assert [t.started_on for t in read_treatment_text(vague, "x")] == [None]


def test_coded_reasons_are_read_from_the_data_set_and_from_its_requests() -> None:
    request = Dataset()
    request.ReasonForRequestedProcedureCodeSequence = Sequence(
        [coded("111124", "DCM", "mastectomy"), coded("P0-099EB", "SRT", "radiation")]
    )
    ds = header(
        ReasonForRequestedProcedureCodeSequence=Sequence(
            [coded("111421", "DCM", "conservation"), coded("360156006", "SCT", "Screening")]
        ),
        RequestAttributesSequence=Sequence([request]),
    )
    found = read_header_treatments([ds, ds])
    assert [treatment.procedure for treatment in found] == [
        Procedure.LUMPECTOMY,
        Procedure.MASTECTOMY,
        Procedure.RADIOTHERAPY,
    ]
    assert {(treatment.source, treatment.laterality) for treatment in found} == {
        (TreatmentSource.HEADER, None)
    }


def test_of_a_text_only_the_recognised_word_is_kept() -> None:
    ds = header(AdditionalPatientHistory="Mrs Doe of Elm Street, left Lumpectomy")
    assert [treatment.header_source for treatment in read_header_treatments([ds])] == [
        "AdditionalPatientHistory: lumpectomy"
    ]


def test_a_header_that_says_nothing_or_nonsense_gives_nothing() -> None:
    ds = header(StudyDescription="MAMMOGRAM BILATERAL SCREENING")
    assert read_header_treatments([ds, Dataset()]) == ()
