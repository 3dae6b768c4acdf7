"""Devices and turnaround: what first readings leave behind, in SQL and in the metrics."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select
from typer.testing import CliRunner

from secondread.app.score_watch import SCORES_MOVED_ALARM, watch_scores
from secondread.assemble.device import Device
from secondread.cli.commands import app
from secondread.findings.score_drift import FEWEST_EARLIER, RECENT_EXAMS
from secondread.settings import DestinationMode
from secondread.track.states import Cause, RevisionState
from secondread.track.tables import DeviceReadingRow, RevisionRow
from secondread.track.values import RecordedReading
from tests.integration.test_track_deliveries import answers, claimed, deliver
from tests.worlds.track_world import DIGESTS, STUDY, World, outbox_entry, reading

UNIT = Device("HOLOGIC, Inc.", "Selenia Dimensions")
OTHER_UNIT = Device("DOE^JANE", "X")


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def count_scores() -> float:
    """Return how many exam scores were counted, whichever number their device has."""
    families = REGISTRY.collect()
    (found,) = (family for family in families if family.name == "secondread_exam_score")
    return sum(one.value for one in found.samples if one.name.endswith("_count"))


def read_exam(world: World, study: str = STUDY, *, device: Device = UNIT) -> RecordedReading:
    world.send_study(study=study)
    world.later(40)
    entries = [outbox_entry(study, 1, "default", index) for index in range(2)]
    taken = world.claimed(study)
    world.later(20)
    result = reading(taken, entries=entries, device=device, exam_score=12.5)
    world.record(result)
    return result


def test_first_readings_count_for_their_device_once(world: World) -> None:
    before = count_scores()
    result = read_exam(world)
    world.record(result)  # the same again, by a worker that took over
    read_exam(world, "1.2.3.9", device=OTHER_UNIT)

    labels = [device.label for device in world.tracker.devices.list_devices()]
    first, second = world.tracker.devices.list_devices()
    assert labels == [f"hologic-{first.number}", f"other-{second.number}"]
    assert (first.device, second.device) == (UNIT, OTHER_UNIT)
    assert world.tracker.devices.load_scores(first.number, DIGESTS.model, 10) == [12.5]
    assert world.tracker.devices.load_scores(first.number, "another", 10) == []
    assert count_scores() - before == 2


def test_a_second_reading_of_a_study_counts_for_no_device(world: World) -> None:
    read_exam(world)
    world.tracker.studies.request_reading(STUDY, "somebody", world.now)
    world.later(40)
    again = world.claimed()
    world.record(reading(again, entries=[], device=UNIT, exam_score=90.0))

    (device,) = world.tracker.devices.list_devices()
    assert world.tracker.devices.load_scores(device.number, DIGESTS.model, 10) == [12.5]


def test_the_time_from_the_last_image_to_all_results_stored_is_measured_once(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    names = ("secondread_turnaround_seconds", "secondread_stage_seconds")
    whole = {"destination": "pacs"}
    stages = [{"stage": stage} for stage in ("assembling", "reading", "sending")]
    before = [sample(f"{names[0]}_sum", **whole), *(sample(f"{names[1]}_sum", **s) for s in stages)]
    count = sample(f"{names[0]}_count", **whole)

    read_exam(world)
    batch = claimed(world)
    world.later(5)
    one, other = answers(batch)
    world.tracker.deliveries.record_stored(batch, [one], world.now)
    assert sample(f"{names[0]}_count", **whole) == count
    world.later(5)
    world.tracker.deliveries.record_delivered(batch, [other], world.now)
    deliver(world, batch)

    after = [sample(f"{names[0]}_sum", **whole), *(sample(f"{names[1]}_sum", **s) for s in stages)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [70, 40, 20, 10]
    assert sample(f"{names[0]}_count", **whole) == count + 1


def add_scores(world: World, scores: Sequence[float]) -> None:
    """Write down further exams of the one device, the oldest first."""
    (device,) = world.tracker.devices.list_devices()
    with world.tracker.database.begin_write() as session:
        for score in scores:
            number = (session.scalar(select(func.max(RevisionRow.number))) or 0) + 1
            revision = RevisionRow(
                study_uid=STUDY,
                number=number,
                cause=Cause.REQUESTED,
                inputs=[],
                settings_digest=DIGESTS.settings,
                model_digest=DIGESTS.model,
                state=RevisionState.FINISHED,
                worker="worker-0",
                content_at=world.now,
                started_at=world.now,
            )
            session.add(revision)
            session.flush()
            session.add(
                DeviceReadingRow(
                    device=device.number,
                    revision=revision.id,
                    model_digest=DIGESTS.model,
                    exam_score=score,
                    shown=0,
                    read_at=world.now,
                )
            )


def list_moved(world: World) -> list[str]:
    alarms = world.tracker.node_queries.list_alarms()
    return [alarm.detail for alarm in alarms if alarm.kind == SCORES_MOVED_ALARM]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_scores_that_move_are_an_alarm_until_another_model_scores(world: World) -> None:
    read_exam(world)
    add_scores(world, [float(number % 10) for number in range(FEWEST_EARLIER + RECENT_EXAMS)])
    watch_scores(world.tracker, DIGESTS.model, world.now)
    assert list_moved(world) == []

    add_scores(world, [40.0 + number % 10 for number in range(RECENT_EXAMS)])
    watch_scores(world.tracker, DIGESTS.model, world.now)
    (words,) = list_moved(world)
    assert "median 44.5 instead of 5.0" in words
    assert "hologic-" in words
    assert "Selenia" not in words

    watch_scores(world.tracker, "another model", world.now)
    assert list_moved(world) == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_command_lists_devices(world: World, tmp_path: Path) -> None:
    read_exam(world)
    add_scores(world, [5.0] * (FEWEST_EARLIER + RECENT_EXAMS))
    settings = tmp_path / "secondread.toml"
    settings.write_text(
        f'[node]\ndata_dir = "{tmp_path}"\n[database]\nurl = "{world.tracker.database.url}"\n'
    )

    listed = CliRunner().invoke(app, ["devices", "list", "--settings", str(settings)])
    assert listed.exit_code == 0, listed.output
    assert "HOLOGIC, Inc." in listed.stdout
    as_json = CliRunner().invoke(app, ["devices", "list", "--json", "--settings", str(settings)])
    (device,) = json.loads(as_json.stdout)["devices"]
    assert (device["manufacturer"], device["scores"]) == ("HOLOGIC, Inc.", None)
