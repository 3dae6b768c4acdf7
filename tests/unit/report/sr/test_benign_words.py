"""What is typically benign is said in one line, and drawn nowhere."""

from dataclasses import replace

from secondread.codes import MarkClass, Morphology, RenderingIntent
from secondread.findings.finding import StatedOperatingPoint, StudyReading
from secondread.reasons import Outcome
from secondread.report.sr.benign_words import describe_benign
from secondread.report.sr.impression_words import describe_finding, describe_reading
from secondread.report.sr.operating_points import choose_rendering
from secondread.report.sr.wording import describe_exam_score, describe_unmarked
from tests.unit.report.readings import (
    make_cluster,
    make_header,
    make_image_reading,
    make_study_reading,
)

SUTURE = replace(
    make_cluster(2, shown=False, certainty=99.0),
    morphology=((Morphology.SUTURE, 0.97),),
    is_set_aside=True,
)
VESSEL = make_cluster(3, shown=False, mark_class=MarkClass.VASCULAR, certainty=96.0)
STRAND = make_cluster(4, shown=False, mark_class=MarkClass.VASCULAR, certainty=60.0)


def _read() -> StudyReading:
    left = make_image_reading(make_header("LCC"), SUTURE, replace(SUTURE, id="LCC-5"), STRAND)
    right = make_image_reading(make_header("RMLO"), VESSEL)
    return make_study_reading(Outcome.NO_FINDINGS, left, right)


def test_it_is_named_view_by_view_and_only_where_it_is_near_certain() -> None:
    line = "Typically benign, not marked: L CC 2 x suture; R MLO vascular"

    assert describe_benign(_read()) == (line,)
    assert line in describe_reading(_read())
    assert describe_unmarked(_read()) == ()


def test_where_nothing_is_nothing_is_said() -> None:
    reading = make_study_reading(
        Outcome.FINDINGS, make_image_reading(make_header("LCC"), make_cluster())
    )
    assert describe_benign(reading) == ()


def test_its_line_says_that_it_is_not_marked() -> None:
    reading = _read()
    line = describe_finding(reading, reading.images[0], SUTURE)
    assert "suture material, typically benign, not marked" in line


def test_it_is_marked_at_no_operating_point() -> None:
    points = tuple(
        StatedOperatingPoint(number, "x", certainty, 0.1, "x")
        for number, certainty in ((1, 50.0), (2, 20.0))
    )
    doubtful = make_cluster(5, shown=False, certainty=30.0)

    assert choose_rendering(SUTURE, points).intent is RenderingIntent.NOT
    assert choose_rendering(doubtful, points).intent is RenderingIntent.OPTIONAL


def test_the_score_of_an_exam_is_said_and_never_as_certain() -> None:
    reading = replace(_read(), exam_score=99.97)

    assert describe_exam_score(reading) == "exam score 99.9"
    assert "Exam score 99.9. Exam score: probability" in describe_reading(reading)
    assert describe_exam_score(_read()) == ""
    assert reading.exam_log_odds is not None
    assert reading.exam_log_odds > 8
