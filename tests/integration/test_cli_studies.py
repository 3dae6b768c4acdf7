"""`secondread studies`, over a node in a folder."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from secondread.cli.studies_command import app
from secondread.errors import InputError
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


def run(tmp_path: Path, *arguments: str, columns: int = 200) -> str:
    settings = tmp_path / "secondread.toml"
    environment = {"COLUMNS": str(columns)}
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


LONG = "1.2.826.0.1.3680043.8.498.12345678901234567890123456789012345678"
"""64 characters, as real ones may have."""
OTHER = LONG[:-9] + "812345678"
"""Alike at its beginning and at its end."""


def deliver_two(world: NodeWorld) -> None:
    for number, uid in enumerate((LONG, OTHER)):
        patient = f"SECRET-{number}"
        image = header(StudyInstanceUID=uid, SOPInstanceUID=f"1.2.3.{number}", PatientID=patient)
        world.deliver(image)


def test_a_list_in_80_columns_shows_what_is_asked_for_with_uids_that_can_be_used(
    world: NodeWorld, tmp_path: Path
) -> None:
    deliver_two(world)
    lines = run(tmp_path, "list", columns=80).splitlines()
    assert max(map(len, lines)) <= 80
    names = [line.split()[0] for line in lines[1:]]
    assert len(set(names)) == 2, "UIDs that are alike are shortened less"
    assert all("assembling" in line and "2026" in line for line in lines[1:])
    for name in names:
        shown = run(tmp_path, "show", name, columns=80)
        assert max(map(len, shown.splitlines())) <= 80
        assert shown.split()[1] in {LONG, OTHER}


def test_a_study_is_named_by_what_names_it_alone(world: NodeWorld, tmp_path: Path) -> None:
    deliver_two(world)
    assert LONG in run(tmp_path, "show", LONG[:-8])
    assert OTHER in run(tmp_path, "show", "812345678")
    for text, words in (
        ("1.2.826", "several studies are 1.2.826"),
        ("9.9", "there is no study 9.9"),
        ("DOE^JANE", "is no UID"),
        ("1.2%", "is no UID"),
    ):
        with pytest.raises(InputError, match=words):
            run(tmp_path, "show", text)


def test_a_patient_is_hidden_until_asked_for_and_the_asking_is_audited(
    world: NodeWorld, tmp_path: Path
) -> None:
    deliver_two(world)
    for hidden in (("list",), ("list", "--json"), ("show", LONG), ("show", LONG, "--json")):
        assert "SECRET" not in run(tmp_path, *hidden)
    before = len(world.node.tracker.audit_messages.list_newest(100))
    assert "SECRET-0" in run(tmp_path, "list", "--patient")
    assert "SECRET-1" in run(tmp_path, "show", OTHER, "--patient", "--json")
    new = world.node.tracker.audit_messages.list_newest(100)[:-before]
    assert [row.kind for row in new] == ["seen"] * 3
    assert {row.study_uid for row in new} == {LONG, OTHER}


def test_programs_read_the_same_keys_tomorrow(world: NodeWorld, tmp_path: Path) -> None:
    world.deliver_exam()
    world.read_due()
    (study,) = json.loads(run(tmp_path, "list", "--json"))["studies"]
    assert set(study) == {
        *(
            "study_uid",
            "study_date",
            "peer",
            "device",
            "state",
            "hold_reason",
            "outcome",
            "revision",
        ),
        *("shown_findings", "doubtful_images", "images", "waiting_deliveries"),
        *("first_arrived_at", "last_arrived_at", "due_at", "reported_at"),
        *("next_cause", "requested_by", "patient_number"),
        *("dismissed_at", "dismissed_by", "dismiss_reason"),
    }
    shown = json.loads(run(tmp_path, "show", "1.2.3", "--json"))
    assert set(shown) == {
        *("study", "revisions", "images", "findings", "comparison", "fetch_requests"),
        *("outbox_objects", "other_objects", "refused_changes"),
    }
    assert shown["study"] == study


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
