"""The result of a recheck of the prior's pixels is everywhere, without a finding of the prior."""

from dataclasses import replace

import pytest

from secondread.codes import Change
from secondread.findings.changes import Recheck
from secondread.findings.finding import StudyReading
from secondread.report import concepts
from secondread.report.check.cad_sr_check import check_against_reading, check_cad_sr
from secondread.report.pages.compared_marks import describe_change, list_compared
from secondread.report.readback.cad_reader import read_cad_report
from secondread.report.readback.content import Content, ContentTree, read_enum
from secondread.report.sr.impression_words import describe_finding, list_impression_lines
from secondread.settings import ObjectKind
from secondread.workflow.record import record_findings, record_prior_findings
from tests.unit.report.readings import NODE
from tests.worlds.golden_set import EVERYTHING, NO_LOOK, NOT_SEEN, SEEN, Exam, looked, objects

RECHECKS = pytest.mark.parametrize(
    ("look", "word", "recheck_words"),
    [
        (SEEN, "increased in number since 2025-01-06", "seen faintly"),
        (NOT_SEEN, "NEW since 2025-01-06", "not in its pixels either"),
        (NO_LOOK, "NEW since 2025-01-06", "pixels not looked at"),
    ],
    ids=["seen", "not seen", "not possible"],
)


def line_of(reading: StudyReading) -> str:
    return describe_finding(reading, reading.images[0], reading.images[0].shown_findings[0])


@RECHECKS
def test_the_line_at_a_glance_has_it(look: Recheck, word: str, recheck_words: str) -> None:
    reading = looked(look).reading

    assert f"{word} (prior re-read, {recheck_words})" in line_of(reading)
    assert any(recheck_words in line for line in list_impression_lines(reading))


@RECHECKS
def test_the_line_beside_the_pictures_has_it_and_why_not(
    look: Recheck, word: str, recheck_words: str
) -> None:
    reading = looked(look).reading
    image, (comparison,) = reading.images[0], reading.comparisons

    (entry,) = list_compared(image, reading.prior_readings[0].images[0], comparison)

    (change,) = comparison.changes
    assert entry.text == describe_change(image.shown_findings[0], change, comparison)
    assert entry.text.startswith(word.lower())
    more = "then too faint to be marked" if look.seen else look.why_not
    assert entry.text.endswith(", ".join(filter(None, (f"prior re-read: {recheck_words}", more))))
    # The prior's picture has the place, as of no finding.
    assert entry.prior == (change.place,)
    assert not entry.is_prior_finding


def test_the_grounds_are_numbers_or_the_cause() -> None:
    rest = "then too faint to be marked, 0 of 40 other places look as much like it"
    assert SEEN.explanation.endswith(rest)
    assert NOT_SEEN.explanation.endswith("24 of 40 other places look as much like it")
    assert NO_LOOK.explanation.endswith("the prior's image could not be read again")


def report_of(exam: Exam) -> Content:
    (result,) = [result for result in objects(exam) if result.kind is ObjectKind.CAD_SR]
    assert check_cad_sr(result.dataset) == []
    assert check_against_reading(result.dataset, exam.reading, exam.sources, EVERYTHING) == []
    return ContentTree(result.dataset).root


def below(content: Content) -> list[Content]:
    return [content, *(item for child in content.children for item in below(child))]


@pytest.mark.parametrize(
    ("look", "change"), [(SEEN, Change.MORE), (NOT_SEEN, Change.NEW), (NO_LOOK, Change.NEW)]
)
def test_the_report_has_the_word_and_the_grounds_and_no_feature_over_time(
    look: Recheck, change: Change
) -> None:
    items = below(report_of(looked(look)))

    words = [read_enum(item, Change) for item in items if item.is_named(concepts.IMPRESSION)]
    assert words == [change]
    assert not [item for item in items if item.is_named(concepts.COMPOSITE_FEATURE)]
    parameters = [item.text for item in items if item.is_named(concepts.ALGORITHM_PARAMETERS)]
    assert len([text for text in parameters if look.explanation in text]) == 1


def test_a_place_is_drawn_in_the_image_that_was_looked_at_only() -> None:
    reading = looked(SEEN).reading
    (comparison,) = reading.comparisons
    prior = reading.prior_readings[0].images[0]
    header = replace(prior.mammogram, sop_instance_uid="1.2.3.4")

    (entry,) = list_compared(reading.images[0], replace(prior, mammogram=header), comparison)

    assert entry.prior == ()


def test_a_report_that_is_read_back_has_the_word() -> None:
    exam = looked(SEEN)
    (result,) = [result for result in objects(exam) if result.kind is ObjectKind.CAD_SR]

    report = read_cad_report(result.dataset, NODE.device_uid)

    assert [finding.change for finding in report.findings] == [Change.MORE.code]


def test_the_tracker_records_the_word_and_nothing_missing() -> None:
    reading = looked(SEEN).reading

    (entry,) = record_findings(reading, {})

    assert entry.document["change"] == "more"
    assert "(prior re-read, seen faintly)" in str(entry.document["line"])
    assert record_prior_findings(reading, {}) == ()
