"""The running node: processes, alarms, refusals, gauges, treatments, installation."""

from dataclasses import replace
from datetime import date, datetime

import pytest
from sqlalchemy import func, select

from secondread.accept.ledger import Refusal, RefusalKind
from secondread.assemble.patient_key import PatientKey
from secondread.errors import TransientError
from secondread.reasons import Outcome, Reason
from secondread.send.overdue import AlarmRegister
from secondread.settings import DestinationMode
from secondread.track.operations import add_refusals
from secondread.track.states import DeliveryState, StudyState
from secondread.track.tables import RefusalRow
from secondread.track.tracker import Tracker
from secondread.track.values import ProcessIdentity, Severity, TreatmentRecord
from tests.worlds.track_world import START, STUDY, World

BEAT = ProcessIdentity(name="worker-0", kind="worker", host="here", pid=17, version="0.1.0")


def refusal(calling: str = "SCANNER", count: int = 1, at: datetime = START) -> Refusal:
    return Refusal(
        kind=RefusalKind.ASSOCIATION,
        reason=Reason.CALLING_AE_UNKNOWN,
        calling_ae_title=calling,
        called_ae_title="SECONDREAD",
        address="192.0.2.7",
        sop_class_uid="",
        transfer_syntax="",
        count=count,
        first_at=at,
        last_at=at,
    )


def test_the_installation_has_one_id_for_ever(tracker: Tracker, tracker_url: str) -> None:
    first = tracker.get_installation_id()
    assert len(first) == 32
    again = Tracker(tracker_url, tracker.outbox_dir)
    assert again.get_installation_id(lambda: "0" * 32) == first
    again.close()


def test_a_process_that_ended_as_it_should_is_off_the_list(world: World) -> None:
    processes = world.tracker.processes
    assert processes.record_heartbeat(BEAT, world.now)
    assert [process.name for process in world.tracker.node_queries.list_processes()] == ["worker-0"]
    processes.remove_process("worker-0")
    assert world.tracker.node_queries.list_processes() == []


def test_a_process_that_was_taken_for_dead_is_on_the_list_again_with_its_next_beat(
    world: World,
) -> None:
    processes = world.tracker.processes
    assert processes.record_heartbeat(BEAT, world.now)
    assert not processes.record_heartbeat(BEAT, world.later(5))
    processes.remove_process("worker-0")

    assert processes.record_heartbeat(BEAT, world.later(5))

    assert [process.beat_at for process in world.tracker.node_queries.list_processes()] == [
        world.now
    ]


def test_a_new_process_number_counts_as_a_start(world: World) -> None:
    world.tracker.processes.record_heartbeat(BEAT, world.now)
    world.tracker.processes.record_heartbeat(BEAT, world.later(5))
    process = world.tracker.node_queries.list_processes()[0]
    assert (process.started_at, process.beat_at) == (START, world.now)
    world.tracker.processes.record_heartbeat(replace(BEAT, pid=18), world.later(5))
    assert world.tracker.node_queries.list_processes()[0].started_at == world.now


def test_an_alarm_is_raised_once_and_keeps_when_it_began(world: World) -> None:
    alarms: AlarmRegister = world.tracker.alarms
    alarms.raise_alarm("delivery-overdue", "pacs", "since morning", world.now)
    alarms.raise_alarm("delivery-overdue", "pacs", "since noon", world.later(60))
    alarm = world.tracker.node_queries.list_alarms()[0]
    assert (alarm.raised_at, alarm.detail) == (START, "since morning")


def test_an_alarm_that_was_cleared_can_be_raised_again(world: World) -> None:
    alarms = world.tracker.alarms
    alarms.raise_alarm("delivery-overdue", "pacs", "down", world.now)
    for _ in range(2):
        alarms.clear_alarm("delivery-overdue", "pacs", world.later(1))
    assert world.tracker.node_queries.list_alarms() == []
    alarms.raise_alarm("delivery-overdue", "pacs", "down again", world.later(1))
    assert world.tracker.node_queries.list_alarms()[0].raised_at == world.now


def test_critical_alarms_come_first(world: World) -> None:
    alarms = world.tracker.alarms
    alarms.raise_alarm("a", "1", "", world.now)
    alarms.raise_alarm("b", "2", "", world.later(1), Severity.CRITICAL)
    assert [alarm.kind for alarm in world.tracker.node_queries.list_alarms()] == ["b", "a"]


def test_refusals_that_are_alike_are_counted_together(world: World) -> None:
    world.ledger.record_refusals([refusal(count=2), refusal("OTHER")])
    world.ledger.record_refusals([refusal(count=3, at=world.later(5))])
    latest = world.tracker.node_queries.list_refusals()[0]
    assert (latest.calling_ae_title, latest.count) == ("SCANNER", 5)
    assert (latest.first_at, latest.last_at) == (START, world.now)
    assert latest.reason is Reason.CALLING_AE_UNKNOWN
    assert len(world.tracker.node_queries.list_refusals()) == 2


def test_a_scan_with_ever_new_names_fills_no_table(tracker: Tracker) -> None:
    with tracker.database.begin_write() as session:
        for number in (*range(50), 3):
            add_refusals(session, [refusal(f"SCAN{number}")], most_rows=10)
        rows = session.scalar(select(func.count()).select_from(RefusalRow))
        total = session.scalar(select(func.sum(RefusalRow.count)))
    assert (rows, total) == (11, 51)
    others = next(
        r for r in tracker.node_queries.list_refusals() if r.calling_ae_title == "(others)"
    )
    assert others.count == 40


def test_the_gauges_count_what_is_there(world: World) -> None:
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.read_study()
    world.send_study(study="1.2.3.4")
    world.later(20)
    counts = world.tracker.node_queries.count_all(world.now)
    assert counts.studies[StudyState.REPORTED] == counts.studies[StudyState.ASSEMBLING] == 1
    assert counts.studies[StudyState.STUCK] == 0
    assert counts.outcomes[Outcome.NO_FINDINGS] == 1
    assert counts.outcomes[Outcome.FAILED] == 0
    assert counts.deliveries["pacs", DeliveryState.PENDING] == 1
    assert counts.deliveries["pacs", DeliveryState.DELIVERED] == 0
    assert (counts.alarms, counts.due_studies) == (0, 1)


def test_a_treatment_is_written_down_once(world: World) -> None:
    patient = PatientKey("P1", "")
    surgery = TreatmentRecord("L", "lumpectomy", date(2024, 5, 1), site="2 o'clock", source="csv")
    assert world.tracker.treatments.add_treatment(patient, surgery, world.now)
    assert not world.tracker.treatments.add_treatment(patient, surgery, world.now)
    earlier = TreatmentRecord("L", "biopsy", source="csv")
    assert world.tracker.treatments.add_treatment(patient, earlier, world.now)
    world.send_study()
    assert world.tracker.treatments.list_for_study(STUDY) == [earlier, surgery]
    assert world.studies_of(patient) == {STUDY}


def test_a_treatment_belongs_to_the_id_together_with_its_issuer(world: World) -> None:
    mastectomy = TreatmentRecord("L", "mastectomy")
    world.tracker.treatments.add_treatment(PatientKey("P1", "ELSEWHERE"), mastectomy, world.now)
    world.send_study()
    assert world.tracker.treatments.list_for_study(STUDY) == []


def test_a_database_that_is_away_is_a_transient_error(tracker: Tracker) -> None:
    away = Tracker("postgresql+psycopg://nobody@/none?host=/nonexistent", tracker.outbox_dir)
    with pytest.raises(TransientError):
        away.ping()
    tracker.ping()
