"""`secondread studies`, over a node in a folder."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from secondread.cli.studies_command import app
from secondread.send.arrival_check import Listing
from secondread.send.study_list import ListedStudy
from secondread.track.change_rights import Sender
from secondread.track.operations import CHANGE_NOT_PERMITTED
from secondread.track.refused_changes import report_refused_change
from secondread.track.values import StudyChange
from tests.worlds.builders import header
from tests.worlds.node_world import NodeWorld


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


def run(tmp_path: Path, *arguments: str) -> str:
    settings = tmp_path / "secondread.toml"
    environment = {"COLUMNS": "200"}
    result = CliRunner().invoke(
        app, [*arguments, "--settings", str(settings)], env=environment, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_an_image_of_another_patient_is_shown_with_its_reason(
    world: NodeWorld, tmp_path: Path
) -> None:
    world.deliver_exam()
    world.deliver(header(PatientID="P2", ImageLaterality="R"))
    assert "image-of-another-patient" in run(tmp_path, "show", "1.2.3")
    world.read_due()
    assert "patient-mismatch" in run(tmp_path, "show", "1.2.3")


def test_what_a_peer_tried_without_the_right_to_is_shown(world: NodeWorld, tmp_path: Path) -> None:
    uid = world.deliver(header(SOPInstanceUID="1.2.3.77"))
    world.deliver(header(SOPInstanceUID="1.2.3.77", Rows=900), sender=Sender("VIEWER", "10.0.0.9"))
    shown = run(tmp_path, "show", "1.2.3")
    assert "replace" in shown
    assert "VIEWER" in shown
    assert "10.0.0.9" in shown
    assert uid in shown


def test_an_alarm_about_a_study_is_acknowledged(world: NodeWorld, tmp_path: Path) -> None:
    world.deliver(header())
    with world.node.tracker.database.begin_write() as session:
        sender = Sender("VIEWER", "10.0.0.9")
        report_refused_change(session, "1.2.3", StudyChange.REJECT, sender, 2, world.now)
    assert CHANGE_NOT_PERMITTED in run(tmp_path, "acknowledge", "1.2.3")
    assert "no such alarm" in run(tmp_path, "acknowledge", "1.2.3")


def test_missing_studies_are_listed_and_ignored_for_a_reason(
    world: NodeWorld, tmp_path: Path
) -> None:
    missing, day = world.node.tracker.missing, date(2026, 3, 1)
    check = missing.claim_check("archive", "w0", world.now, world.now, 600)
    assert check is not None
    never_came = ListedStudy("1.2.77", day, None, None)
    missing.record_check(check, Listing((day,), 9, (never_came,)), world.now, world.now)
    shown = run(tmp_path, "missing")
    assert "1.2.77" in shown
    assert "9 listed" in shown
    run(tmp_path, "ignore", "1.2.77", "--reason", "a phantom")
    (message,) = world.node.tracker.audit_messages.list_newest(1)
    assert (message.kind, message.study_uid) == ("alarm-acknowledged", "1.2.77")
    assert "a phantom" not in message.message, "a person's words stay where the study is listed"
    document = json.loads(run(tmp_path, "missing", "--json", "--now"))
    assert document["missing"] == []
    assert document["ignored"][0]["ignore_reason"] == "a phantom"
