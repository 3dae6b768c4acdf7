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
from tests.worlds.node_world import LAST_YEAR, NOW, OLD, OTHER, PatientWorld, run_step

PRIOR = LAST_YEAR.study


@pytest.fixture
def world(tmp_path: Path) -> PatientWorld:
    """A world that read the prior a year ago, and has lost its images since."""
    world = PatientWorld(tmp_path)
    world.read_view(LAST_YEAR, OLD)
    detail = world.node.tracker.study_queries.find_detail(PRIOR)
    assert detail is not None
    for image in detail.images:
        world.node.archive.resolve_path(image.path).unlink()
    return world


def lines(findings: list[RecordedFinding]) -> list[str]:
    return sorted(str(finding.document["line"]) for finding in findings)


def test_what_it_held_is_unchanged_and_what_it_did_not_is_new(world: PatientWorld) -> None:
    world.read_view(NOW, OLD + OTHER)

    assert world.list_changes() == ["new", "unchanged"]
    old, new = sorted(lines(world.list_findings()), key=lambda line: "NEW since" in line)
    assert "NEW since" in new
    assert "(prior report, pixels not looked at)" in new
    assert "(prior report)" in old
    assert Reason.NO_COMPARISON not in world.list_reasons()
    # Nothing was detected in the prior's images now: the report does not say so.
    assert {image.study_uid for image in read_cad_report(world.read_cad_sr(1)).images} == {
        NOW.study
    }


def test_a_lesion_keeps_its_identifier(world: PatientWorld) -> None:
    world.read_view(NOW, OLD)

    assert world.list_lesions() == world.list_lesions(PRIOR)


def test_a_report_of_another_model_serves_for_nothing(world: PatientWorld) -> None:
    other = ModelIdentity("Test", "2", "1" * 64, 1, calibrated=False)
    reader = replace(world.tools.reader, model=other)
    world.steps = ReadingSteps(replace(world.tools, reader=reader))

    world.read_view(NOW, OLD)

    assert world.list_changes() == ["None"]
    assert Reason.NO_COMPARISON in world.list_reasons()


def test_without_the_answers_of_that_time_it_is_not_comparable(world: PatientWorld) -> None:
    for path in world.node.archive.root.glob("answers/**/*.json"):
        path.unlink()

    world.read_view(NOW, OLD)

    assert world.list_changes() == ["None"]
    assert Reason.NO_COMPARISON in world.list_reasons()
    (line,) = lines(world.list_findings())
    assert "not comparable (2025-01-05)" in line


def test_a_broken_answer_costs_the_comparison_and_not_the_reading(world: PatientWorld) -> None:
    for path in world.node.archive.root.glob("answers/**/*.json"):
        path.write_text("{")

    world.read_view(NOW, OLD)

    assert world.list_changes() == ["None"]


@pytest.fixture
def _unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every report break its reader in a way that nobody foresaw."""

    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(prior_readings, "read_cad_report_file", broken)


@pytest.mark.usefixtures("_unreadable")
def test_a_report_that_breaks_its_reader_costs_the_comparison_and_not_the_reading(
    world: PatientWorld,
) -> None:
    world.read_view(NOW, OLD)

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FINDINGS)
    assert world.list_changes() == ["None"]
    assert Reason.NO_COMPARISON in world.list_reasons()


@pytest.mark.usefixtures("_unreadable")
def test_a_reading_that_broke_gets_its_failed_report_whatever_its_priors_are(
    world: PatientWorld,
) -> None:
    world.deliver_view(NOW, OLD)
    claimed = world.claim()

    run_failure(world.steps, run_step, claimed.study_uid, claimed.number)

    assert world.get_outcome()[:2] == (StudyState.REPORTED, Outcome.FAILED)
