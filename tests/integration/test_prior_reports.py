"""A prior whose images are gone is compared by what this node once found in them."""

from dataclasses import replace
from pathlib import Path

import pytest

from secondread.findings.finding import ModelIdentity
from secondread.reasons import Outcome, Reason
from secondread.report.readback.cad_reader import read_cad_report
from secondread.track.states import StudyState
from secondread.track.values import RecordedFinding
from secondread.workflow import prior_readings
from secondread.workflow.order import run_failure
from secondread.workflow.steps import ReadingSteps
from tests.integration.test_followed_reading import LAST_YEAR, NOW, OLD, OTHER, Clinic
from tests.integration.test_workflow import run_at_once

PRIOR = LAST_YEAR.study


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    """A clinic that read the prior a year ago, and has lost its images since."""
    clinic = Clinic(tmp_path)
    clinic.reads(LAST_YEAR, OLD)
    detail = clinic.node.tracker.study_queries.find_detail(PRIOR)
    assert detail is not None
    for image in detail.images:
        clinic.node.archive.resolve_path(image.path).unlink()
    return clinic


def lines(findings: list[RecordedFinding]) -> list[str]:
    return sorted(str(finding.document["line"]) for finding in findings)


def test_what_it_held_is_unchanged_and_what_it_did_not_is_new(clinic: Clinic) -> None:
    clinic.reads(NOW, OLD + OTHER)

    assert clinic.changes() == ["new", "unchanged"]
    old, new = sorted(lines(clinic.findings()), key=lambda line: "NEW since" in line)
    assert "NEW since" in new
    assert "(prior report, pixels not looked at)" in new
    assert "(prior report)" in old
    assert Reason.NO_COMPARISON not in clinic.reasons()
    # Nothing was detected in the prior's images now: the report does not say so.
    assert {image.study_uid for image in read_cad_report(clinic.sr(1)).images} == {NOW.study}


def test_a_lesion_keeps_its_identifier(clinic: Clinic) -> None:
    clinic.reads(NOW, OLD)

    assert clinic.lesions() == clinic.lesions(PRIOR)


def test_a_report_of_another_model_serves_for_nothing(clinic: Clinic) -> None:
    other = ModelIdentity("Test", "2", "1" * 64, 1, calibrated=False)
    reader = replace(clinic.tools.reader, model=other)
    clinic.steps = ReadingSteps(replace(clinic.tools, reader=reader))

    clinic.reads(NOW, OLD)

    assert clinic.changes() == ["None"]
    assert Reason.NO_COMPARISON in clinic.reasons()


def test_without_the_answers_of_that_time_it_is_not_comparable(clinic: Clinic) -> None:
    for path in clinic.node.archive.root.glob("answers/**/*.json"):
        path.unlink()

    clinic.reads(NOW, OLD)

    assert clinic.changes() == ["None"]
    assert Reason.NO_COMPARISON in clinic.reasons()
    (line,) = lines(clinic.findings())
    assert "not comparable (2025-01-05)" in line


def test_a_broken_answer_costs_the_comparison_and_not_the_reading(clinic: Clinic) -> None:
    for path in clinic.node.archive.root.glob("answers/**/*.json"):
        path.write_text("{")

    clinic.reads(NOW, OLD)

    assert clinic.changes() == ["None"]


@pytest.fixture
def _unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every report break its reader in a way that nobody foresaw."""

    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(prior_readings, "read_cad_report_file", broken)


@pytest.mark.usefixtures("_unreadable")
def test_a_report_that_breaks_its_reader_costs_the_comparison_and_not_the_reading(
    clinic: Clinic,
) -> None:
    clinic.reads(NOW, OLD)

    assert clinic.outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert clinic.changes() == ["None"]
    assert Reason.NO_COMPARISON in clinic.reasons()


@pytest.mark.usefixtures("_unreadable")
def test_a_reading_that_broke_gets_its_failed_report_whatever_its_priors_are(
    clinic: Clinic,
) -> None:
    clinic.comes(NOW, OLD)
    claimed = clinic.claim()

    run_failure(clinic.steps, run_at_once, claimed.study_uid, claimed.number)

    assert clinic.outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
