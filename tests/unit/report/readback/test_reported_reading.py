"""A prior of which only this node's own report is left serves as the basis of comparison."""

from dataclasses import replace
from datetime import date

import pytest

from secondread.codes import AnalysisType, Change, CompositeType
from secondread.findings.cad_report import CadReport
from secondread.findings.changes import PRIOR_REPORT, PRIOR_REREAD, ChangeKind
from secondread.findings.finding import PriorStudy, StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import follow_up
from secondread.followup.reported_priors import (
    add_reported_priors,
    choose_report,
    drop_replaced,
    explain_unusable,
)
from secondread.reading import read_from_report
from secondread.reasons import Reason
from secondread.report.readback.cad_reader import read_cad_report
from secondread.report.readback.reported_reading import rebuild_reading
from secondread.report.result import Authorship
from secondread.report.sr.cad_sr import build_cad_sr
from secondread.report.sr.uids import ResultUids
from secondread.settings import ProfileSettings
from tests.unit.followup.breasts import MODEL, READER, Lie, Spot, detection, group, reading
from tests.unit.report.readings import FIRST_OCCASION, NODE
from tests.worlds.builders import header

NOW, THEN = Lie(study="1.2.2"), Lie(study="1.2.1", date="20250104", nipple_mm=(83.0, 116.0))
STAYS, COMES = group(45.0, 20.0), group(40.0, -35.0, seed=1)


def write_report(earlier: StudyReading, device_uid: str = NODE.device_uid) -> CadReport:
    sources = {
        image.mammogram.sop_instance_uid: header(
            StudyDate=f"{image.mammogram.study_date:%Y%m%d}", StudyInstanceUID=study.study_uid
        )
        for study in (earlier, *earlier.prior_readings)
        for image in study.images
    }
    uids = ResultUids("installation", earlier.study_uid, 1, "main")
    profile = ProfileSettings(findings="all")
    return read_cad_report(
        build_cad_sr(earlier, sources, Authorship(NODE, uids, FIRST_OCCASION, profile)).dataset,
        device_uid,
    )


def read_back(earlier: StudyReading, spots: list[Spot]) -> StudyReading:
    """Return what is known of a prior by its report and the answers of that time."""
    headers = [image.mammogram for image in earlier.images]
    answers = {header.sop_instance_uid: detection(THEN, header, spots) for header in headers}
    return read_from_report(write_report(earlier), answers, READER)


@pytest.fixture
def now() -> StudyReading:
    done = follow_up(reading((NOW, STAYS + COMES)), ())
    prior = PriorStudy("1.2.1", date(2025, 1, 4), compared=False, reason=Reason.PRIOR_FILES_LOST)
    return replace(done, priors=(prior,))


def test_what_the_report_holds_is_unchanged_and_the_rest_is_new(now: StudyReading) -> None:
    done = add_reported_priors(now, [read_back(reading((THEN, STAYS)), STAYS)])

    changes = {finding.change for finding in done.images[0].shown_findings}
    assert changes == {Change.UNCHANGED, Change.NEW}
    (comparison,) = done.comparisons
    assert comparison.basis == PRIOR_REPORT
    assert comparison.prior_date == date(2025, 1, 4)
    assert done.priors[0].compared
    # Nothing was detected in its images now, so that no report may say so.
    assert done.prior_readings == ()


def test_it_says_what_reading_the_prior_again_says_but_for_wider_limits(now: StudyReading) -> None:
    earlier = reading((THEN, STAYS))
    again = follow_up(now, compare_with_priors(now, [earlier]))

    done = add_reported_priors(now, [read_back(earlier, STAYS)])

    assert [finding.change for finding in done.images[0].findings] == [
        finding.change for finding in again.images[0].findings
    ]
    assert again.comparisons[0].basis == PRIOR_REREAD
    (view,), (view_again,) = (study.comparisons[0].views for study in (done, again))
    assert view_again.same_unit
    assert not view.same_unit  # the report does not say which unit took the prior


def test_without_the_answers_of_that_time_it_is_not_comparable_with_the_reason(
    now: StudyReading,
) -> None:
    done = add_reported_priors(
        now, [read_from_report(write_report(reading((THEN, STAYS))), {}, READER)]
    )

    (comparison,) = done.comparisons
    assert {change.kind for change in comparison.changes} == {ChangeKind.NOT_COMPARABLE}
    assert comparison.why_not == "the prior image has no landmarks or no pixel spacing"
    assert done.priors[0].reason is Reason.PRIOR_NOT_COMPARABLE


def test_a_report_of_another_model_does_not_serve() -> None:
    report = write_report(reading((THEN, STAYS), model=replace(MODEL, digest="1" * 64)))

    assert choose_report([report], MODEL) is None
    assert explain_unusable(report, MODEL).endswith("its report is of another model")


def test_another_nodes_report_is_not_counted_as_ours() -> None:
    report = write_report(reading((THEN, STAYS)), device_uid="2.25.1")

    assert choose_report([report], MODEL) is None
    assert explain_unusable(report, MODEL).endswith("its report is another node's")


def test_a_replaced_report_does_not_count() -> None:
    first = write_report(reading((THEN, STAYS)))
    second = replace(
        first, sop_instance_uid="2.25.9", replaces=(first.sop_instance_uid,), written_on=None
    )

    assert drop_replaced([first, second]) == (second,)


def test_what_was_compared_is_read_back(now: StudyReading) -> None:
    earlier = reading((THEN, STAYS))
    done = follow_up(now, compare_with_priors(now, [earlier]))

    report = write_report(done)

    here, there = (study.images[0].mammogram.sop_instance_uid for study in (now, earlier))
    (analysis,) = [
        p for p in report.algorithm_runs if AnalysisType.TEMPORAL.code.value == p.kind.value
    ]
    assert analysis.succeeded
    assert set(analysis.images) == {here, there}
    (feature,) = report.features
    assert feature.relation == CompositeType.TEMPORAL.code
    assert feature.difference == 0
    image_of = {finding.position: finding.sop_instance_uid for finding in report.findings}
    assert [image_of[position] for position in feature.findings] == [here, there]
    changes = {f.change for f in report.findings if f.sop_instance_uid == here}
    assert changes == {Change.UNCHANGED.code, Change.NEW.code}
    # What it holds of the prior's image is the prior's, and not a finding of the study.
    assert [len(image.findings) for image in rebuild_reading(report).images] == [2]
    assert report.mark_counts == {"LCC": 2}
