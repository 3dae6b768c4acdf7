"""What results say in words."""

from dataclasses import replace
from datetime import date

import pytest

from secondread.codes import Laterality, MarkClass
from secondread.findings.finding import LeftOutInstance, PriorStudy
from secondread.findings.treatment import Procedure, Treatment
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.sr import wording
from secondread.report.sr.impression_words import describe_reading
from tests.unit.report.readings import (
    make_cluster,
    make_header,
    make_image_reading,
    make_refused_image,
    make_study_reading,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        ("Größe", "Gro?e"),
        ("São João", "Sao Joao"),
        ("C:\\x~y", "C:/x-y"),
        ("a\nb", "a?b"),
        ("王", "?"),
    ],
)
def test_text_becomes_printable_ascii(text: str, plain: str) -> None:
    assert wording.to_ascii(text) == plain


def test_text_is_cut_to_its_attribute() -> None:
    assert wording.to_ascii("x" * 20, 16) == "x" * 16


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Cluster, 3 calcifications, 3.1 mm, certainty 82, suspicion not rated"),
        ({"suspicion": 41.0}, "Cluster, 3 calcifications, 3.1 mm, certainty 82, suspicion 41"),
        (
            {"long_axis_mm": 12.4},
            "Cluster, 3 calcifications, 12 mm, certainty 82, suspicion not rated",
        ),
        (
            {"members": (), "mark_class": MarkClass.METAL, "long_axis_mm": 0.0},
            "Metal or marker, certainty 82, suspicion not rated",
        ),
    ],
)
def test_a_legend_line_has_the_facts_of_a_finding(changes: dict[str, object], line: str) -> None:
    assert wording.describe_measurements(make_cluster(**changes), measured=True) == line  # type: ignore[arg-type]


def test_without_a_pixel_spacing_no_millimeters_are_reported() -> None:
    assert "mm" not in wording.describe_measurements(make_cluster(), measured=False)


def test_what_became_of_an_image_is_reported_with_its_reasons() -> None:
    ds = make_header("LCC")
    assert wording.describe_image_outcome(make_image_reading(ds)) == "read, no findings shown"
    assert (
        wording.describe_image_outcome(make_image_reading(ds, make_cluster()))
        == "read, 1 finding shown"
    )
    doubted = make_image_reading(ds, status=ImageStatus.FLAGGED, reasons=(Reason.EIGHT_BITS,))
    assert wording.describe_image_outcome(doubted) == (
        "read, no findings shown; with doubts: only 8 bits are stored"
    )
    assert (
        wording.describe_image_outcome(make_refused_image(ds))
        == "not read: lossy compressed, not analysed"
    )
    failed = make_image_reading(ds, status=ImageStatus.FAILED, detail="killed")
    assert wording.describe_image_outcome(failed) == "failed: the reason was not recorded (killed)"


def test_instances_left_out_for_the_same_reason_share_a_line() -> None:
    left_out = (
        LeftOutInstance("1", "LCC", Reason.MAGNIFICATION),
        LeftOutInstance("2", "LCC", Reason.MAGNIFICATION),
        LeftOutInstance("3", "LML", Reason.MAGNIFICATION),
        LeftOutInstance("4", "", Reason.NOT_MAMMOGRAPHY),
    )
    reading = replace(make_study_reading(Outcome.NO_FINDINGS), left_out=left_out)
    assert wording.describe_left_out(reading) == (
        ("2 x L CC, L ML", Reason.MAGNIFICATION.sentence),
        ("image", Reason.NOT_MAMMOGRAPHY.sentence),
    )


def test_a_doubt_about_whose_a_prior_is_is_told_once() -> None:
    doubt = Reason.IDENTITY_IN_DOUBT
    prior = PriorStudy("1.2.9", None, compared=False, reason=doubt)
    alone = make_study_reading(Outcome.NO_FINDINGS, reasons=(doubt,))
    assert wording.list_study_doubts(alone) == (wording.capitalize(doubt.sentence),)
    told = replace(alone, priors=(prior,))
    assert wording.list_study_doubts(told) == ()
    assert doubt.sentence in wording.describe_priors(told)[0]


def test_priors_are_named_and_not_repeated() -> None:
    reading = replace(
        make_study_reading(
            Outcome.NO_FINDINGS, reasons=(Reason.NO_COMPARISON, Reason.TREATMENT_UNKNOWN)
        ),
        priors=(
            PriorStudy("1", date(2025, 11, 3), compared=True, reason=None),
            PriorStudy("2", None, compared=False, reason=Reason.VIEWS_MISSING),
            PriorStudy("3", date(2023, 1, 2), compared=False, reason=Reason.NO_COMPARISON),
        ),
    )
    assert wording.describe_priors(reading) == (
        "Prior of 2025-11-03 compared",
        "Prior of unknown date not compared: expected views are missing",
        "Prior of 2023-01-02 not compared",
    )
    assert wording.list_study_doubts(reading) == ("Treatment unknown",)
    assert wording.list_study_doubts(replace(reading, priors=())) == (
        "No comparison with a prior",
        "Treatment unknown",
    )


@pytest.mark.parametrize(
    ("own", "others", "words"),
    [
        (4, 1, "1 image of another patient set aside"),
        (3, 2, "2 images of another patient set aside"),
        (
            1,
            1,
            "1 image of another patient set aside, no fewer than its own: whose study this is, "
            "is in doubt",
        ),
    ],
)
def test_images_of_others_are_counted_and_named_nowhere_else(
    own: int, others: int, words: str
) -> None:
    image = make_image_reading(make_header("LCC"))
    reading = replace(
        make_study_reading(Outcome.NO_FINDINGS, reasons=(Reason.PATIENT_MISMATCH,)),
        images=(image,) * own,
        left_out=(LeftOutInstance("1.2.9", "LCC", Reason.OTHER_PATIENT),) * others,
    )
    assert wording.list_study_doubts(reading) == (words,)
    assert wording.describe_left_out(reading) == ()


def test_candidates_that_are_not_marked_are_one_statement_of_the_exam() -> None:
    hidden = [
        make_cluster(2, shown=False, certainty=13.0, suspicion=21.4),
        make_cluster(3, shown=False, certainty=9.0, suspicion=4.0),
        make_cluster(4, shown=False, mark_class=MarkClass.VASCULAR, suspicion=90.0),
    ]
    image = make_image_reading(make_header("LCC"), make_cluster(suspicion=50.0), *hidden)
    other = make_image_reading(
        make_header("LMLO"), make_cluster(shown=False, certainty=0.5, suspicion=1.0)
    )
    reading = make_study_reading(Outcome.FINDINGS, image, other)
    line = "3 fainter candidates not marked, highest suspicion 21 (certainty 13)"
    assert wording.describe_unmarked(reading) == (line,)
    assert line in describe_reading(reading)


def test_where_every_candidate_is_marked_nothing_is_said_of_others() -> None:
    reading = make_study_reading(
        Outcome.FINDINGS, make_image_reading(make_header("LCC"), make_cluster(suspicion=50.0))
    )
    assert wording.describe_unmarked(reading) == ()


def test_unknown_treatment_does_not_stand_beside_what_is_known() -> None:
    treatment = Treatment(Procedure.LUMPECTOMY, Laterality.LEFT)
    unknown = make_study_reading(
        Outcome.FINDINGS,
        make_image_reading(make_header("LCC"), make_cluster()),
        reasons=(Reason.TREATMENT_UNKNOWN,),
    )
    assert wording.list_study_doubts(unknown) == ("Treatment unknown",)
    assert wording.list_study_doubts(replace(unknown, treatments=(treatment,))) == ()
