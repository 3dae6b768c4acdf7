"""The audit trail: who looked at whom, in a table and at a syslog server, and never in the way."""

import socket
import threading
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from secondread.accept.ledger import PeerAssociation, RecordOutcome, Refusal, RefusalKind
from secondread.accept.transfers import TransferCount
from secondread.app.audit_trail import (
    AWAY,
    LOST,
    MOST_WAITING,
    AuditTrail,
    record_refusals,
)
from secondread.app.node import COMMAND, make_journal
from secondread.app.syslog import send_to_syslog
from secondread.assemble.due import DueRules
from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind
from secondread.cli.commands import app
from secondread.clock import utc_now
from secondread.errors import TransientError
from secondread.reasons import Reason
from secondread.send.outbox import AnswerKind, StoreAnswer
from secondread.settings import (
    AuditSettings,
    DatabaseSettings,
    DestinationMode,
    Role,
    Settings,
    SyslogSettings,
    SyslogTransport,
    load_settings,
)
from secondread.track.audit_messages import AuditMessage
from secondread.track.change_rights import Sender
from secondread.track.prior_choice import FETCH_NOTHING
from secondread.track.settings_document import flatten_settings
from secondread.track.values import TreatmentRecord
from secondread.watch.application import make_app
from tests.worlds.builders import header
from tests.worlds.node_world import PATIENT, START, NodeWorld
from tests.worlds.watch_world import Browser, let_in

SYSLOG = SyslogSettings(host="127.0.0.1", port=514, transport=SyslogTransport.TCP)


@pytest.fixture
def world(tmp_path: Path) -> NodeWorld:
    return NodeWorld(tmp_path)


class Server:
    """A syslog server that may be away."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.is_away = False

    def take(self, lines: Sequence[bytes], _: SyslogSettings) -> None:
        if self.is_away:
            raise ConnectionRefusedError
        self.lines.extend(lines)


def make_trail(world: NodeWorld, server: Server | None = None, **audit: object) -> AuditTrail:
    syslog = None if server is None else SYSLOG
    settings = AuditSettings.model_validate({"syslog": syslog, **audit})
    world.node.settings.__dict__["audit"] = settings
    return AuditTrail(world.node, "web", (server or Server()).take)


def listed(world: NodeWorld) -> list[AuditMessage]:
    return world.node.tracker.audit_messages.list_newest(100)[::-1]


def make_event(user: str = "anna", days_ago: float = 0) -> AuditEvent:
    return AuditEvent(AuditKind.SEEN, utc_now() - timedelta(days=days_ago), user, "", "1.2.3")


def test_who_looks_at_a_study_finds_it_and_takes_files_is_recorded_with_the_patient(
    world: NodeWorld,
) -> None:
    world.deliver_exam()
    world.read_due()
    trail = make_trail(world)
    tracker, archive = world.node.tracker, world.node.archive
    pages = make_app(tracker, archive, world.settings, lambda: world.now, trail.record)
    anna = Browser(pages, let_in(tracker, "anna"), "10.1.2.3")
    meter = Browser(pages, let_in(tracker, "meter", Role.METRICS))
    own = {"origin": "http://127.0.0.1"}

    assert anna.get("/studies/1.2.3").status_code == 200
    assert anna.get("/studies/1.2.3/objects/1.dcm").status_code in {200, 404}
    anna.post("/search", {"text": "P1"}, own)
    assert anna.get("/metrics").status_code == 200
    assert meter.get("/studies/1.2.3").status_code == 403
    assert Browser(pages, "wrong").get("/studies/1.2.3").status_code == 401
    trail.step()

    rows = [row for row in listed(world) if row.kind != "access-changed"]
    assert [(row.kind, row.user, row.study_uid) for row in rows] == [
        ("seen", "anna", "1.2.3"),
        ("exported", "anna", "1.2.3"),
        ("searched", "anna", ""),
        ("access-denied", "meter", "1.2.3"),
        ("sign-in-failed", "", ""),
    ]
    assert {row.address for row in rows} == {"10.1.2.3", "127.0.0.1"}
    root = ElementTree.fromstring(rows[0].message)
    numbers = [item.get("ParticipantObjectID") for item in root.iter() if "Object" in item.tag]
    assert [text for text in numbers if text] == ["1.2.3", "P1"]


def test_callers_whom_the_receiver_turns_away_are_recorded_with_title_and_address(
    world: NodeWorld,
) -> None:
    trail = make_trail(world)
    ledger = world.node.tracker.open_ledger("receive", world.settings.assemble)
    ledger.on_refusals = partial(record_refusals, trail.record)
    unknown, full = (
        Refusal(RefusalKind.ASSOCIATION, reason, title, "SR", "10.9.9.9", "", "", 3, START, START)
        for reason, title in (
            (Reason.CALLING_AE_UNKNOWN, "STRANGER"),
            (Reason.TOO_MANY_ASSOCIATIONS, "BUSY"),
        )
    )
    ledger.record_refusals([unknown, full])
    trail.step()
    rows = [(row.kind, row.user, row.address) for row in listed(world)]
    assert rows == [("caller-refused", "STRANGER", "10.9.9.9")]


def test_a_process_says_that_it_starts_and_stops(world: NodeWorld) -> None:
    with make_trail(world):
        pass
    assert [(row.kind, row.user) for row in listed(world)] == [
        ("started", "web"),
        ("stopped", "web"),
    ]


def test_what_the_syslog_server_misses_it_is_sent_later_in_order_even_after_a_restart(
    world: NodeWorld,
) -> None:
    server = Server()
    server.is_away = True
    trail = make_trail(world, server)
    for user in ("anna", "bert"):
        trail.record(make_event(user))
        trail.step()
    alarms = world.node.tracker.node_queries
    assert [alarm.kind for alarm in alarms.list_alarms()] == [AWAY]
    assert [row.is_sent for row in listed(world)] == [False, False]

    server.is_away = False
    make_trail(world, server).step()

    assert [b'"anna"' in line for line in server.lines] == [True, False]
    assert server.lines[0].startswith(b"<85>1 ")
    assert b" secondread - DICOM+RFC3881 - \xef\xbb\xbf<AuditMessage>" in server.lines[0]
    assert alarms.list_alarms() == []
    assert [row.is_sent for row in listed(world)] == [True, True]


def test_a_database_that_is_away_costs_nobody_time_and_what_is_waiting_is_kept(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = make_trail(world)
    add = world.node.tracker.audit_messages.add

    def fail(*_: object, **__: object) -> None:
        raise TransientError("away")

    monkeypatch.setattr(world.node.tracker.audit_messages, "add", fail)
    for _ in range(300):
        trail.record(make_event())
    with pytest.raises(TransientError):
        trail.step()
    monkeypatch.setattr(world.node.tracker.audit_messages, "add", add)
    trail.step()
    assert len(world.node.tracker.audit_messages.list_newest(1000)) == 300


def test_what_finds_no_room_is_an_alarm(world: NodeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secondread.app.audit_trail.MOST_WAITING", 2)
    assert MOST_WAITING > 1000
    trail = make_trail(world)
    for _ in range(5):
        trail.record(make_event())
    trail.step()
    assert [row.kind for row in listed(world)] == ["seen", "seen", "trail-stopped"]
    alarms = world.node.tracker.node_queries.list_alarms()
    assert [alarm.kind for alarm in alarms] == ["audit-events-lost"]


def test_messages_go_for_their_age_and_none_come_where_it_is_switched_off(
    world: NodeWorld,
) -> None:
    trail = make_trail(world, retention_days=30)
    trail.record(make_event("old", days_ago=31))
    trail.record(make_event("new", days_ago=29))
    trail.step()
    assert [row.user for row in listed(world)] == ["new"]
    off = make_trail(world, enabled=False)
    off.record(make_event("unseen"))
    off.step()
    off.step()
    # The last word is that it was switched off.
    assert [(row.user, row.kind) for row in listed(world)] == [
        ("new", "seen"),
        ("web", "trail-stopped"),
    ]
    world.node.tracker.destinations.set_mode("pacs", DestinationMode.PAUSED, "anna", START)
    assert len(listed(world)) == 2


def test_what_came_over_an_association_is_recorded_by_study_with_its_outcome(
    world: NodeWorld,
) -> None:
    make_trail(world)
    world.deliver_exam()
    peer = PeerAssociation("a9", "MG1", "10.1.2.3", START)
    count = TransferCount()
    for outcome in (RecordOutcome.NEW, RecordOutcome.REPEATED, None):
        count.begin(was_requested=False)
        count.note_study("1.2.3")
        if outcome is None:
            count.add_failed("1.2.840.1", "storage-full")
        else:
            count.add_stored("1.2.840.1", outcome)
    ledger = world.node.tracker.open_ledger("receive", world.settings.assemble)
    ledger.record_association_end("a9", START, count.list_transfers(peer))

    stored, failed = (ElementTree.fromstring(row.message) for row in listed(world))
    assert [row.kind for row in listed(world)] == ["received", "received"]
    for root, indicator, number in ((stored, "0", "2"), (failed, "4", "1")):
        head, sop_class = root.find("EventIdentification"), root.find(".//SOPClass")
        assert head is not None
        assert sop_class is not None
        assert head.get("EventOutcomeIndicator") == indicator
        assert head.get("EventActionCode") == "C"
        assert sop_class.get("NumberOfInstances") == number
        names = [item.get("ParticipantObjectID") for item in root.iter() if "Object" in item.tag]
        assert [name for name in names if name] == ["1.2.3", "P1"]


def test_what_a_receiver_that_was_killed_had_received_is_recorded_when_it_starts_again(
    world: NodeWorld,
) -> None:
    make_trail(world)
    tracker = world.node.tracker
    ledger = tracker.open_ledger("receive", world.settings.assemble)
    ledger.record_association_start(PeerAssociation("a1", "MG1", "10.1.2.3", START))
    world.deliver(header(), ends=False)
    assert listed(world) == []

    tracker.open_ledger("receive", world.settings.assemble).record_receiver_start(world.now)
    tracker.open_ledger("receive", world.settings.assemble).record_receiver_start(world.now)
    (row,) = listed(world)
    assert (row.kind, row.study_uid) == ("received", "1.2.3")
    assert 'NumberOfInstances="1"' in row.message


def test_results_that_leave_are_recorded_with_the_destination_and_its_answer(
    world: NodeWorld,
) -> None:
    make_trail(world)
    world.deliver_exam()
    world.read_due()
    deliveries = world.node.tracker.deliveries
    batch = deliveries.claim_batch("pacs", "w", world.now, 60)
    assert batch is not None
    uid = batch.objects[0].sop_instance_uid
    for kind, status in (
        (AnswerKind.UNREACHABLE, None),
        (AnswerKind.STATUS, 0xA700),
        (AnswerKind.STORED, 0),
    ):
        answers = [StoreAnswer(uid, kind, status, "says PATIENT^NAME")]
        if kind is AnswerKind.STORED:
            deliveries.record_delivered(batch, answers, world.now)
        else:
            deliveries.record_failed(batch, answers, world.now, world.now)
    failed, stored = (row.message for row in listed(world) if row.kind == "sent")
    assert 'EventOutcomeIndicator="4"' in failed
    assert "failure-status 0xA700" in failed
    assert 'EventOutcomeIndicator="0"' in stored
    assert 'AlternativeUserID="AETITLES=PACS"' in stored
    assert "PATIENT^NAME" not in failed + stored


def test_what_people_and_peers_change_is_recorded_in_the_same_transaction(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_trail(world)
    world.deliver_exam()
    tracker, now = world.node.tracker, world.now
    rules = DueRules.from_settings(world.settings.assemble)
    other = PatientKey("P2", "")
    tracker.treatments.add_treatment(other, TreatmentRecord("R", "lumpectomy"), now, "anna")
    tracker.treatments.remove_treatment(1, now, "anna")
    tracker.patients.confirm_patient(PATIENT, "anna", now, rules, FETCH_NOTHING)
    tracker.patients.merge_patients(other, PATIENT, "anna", now, rules, FETCH_NOTHING)
    tracker.lesions.record_assessment("1.2.3", "R", "4A", now, "anna")
    tracker.destinations.set_mode("pacs", DestinationMode.PAUSED, "anna", now)
    tracker.destinations.set_mode("pacs", DestinationMode.PAUSED, "anna", now)  # changes nothing
    tracker.access.add_token("bert", Role.LOOK, "anna", now)
    tracker.access.revoke_token("bert", "anna", now)
    kinds = [row.kind for row in listed(world) if row.user == "anna"]
    changes = ["patient-changed"] * 5
    assert kinds == [*changes, "assessed", "destination-changed", *["access-changed"] * 2]

    monkeypatch.setattr("secondread.track.destination_modes._make_change", None)
    with pytest.raises(TypeError):
        tracker.destinations.set_mode("pacs", DestinationMode.LIVE, "anna", now)
    assert len([row for row in listed(world) if row.user == "anna"]) == len(kinds)


def test_a_peer_that_may_not_change_images_is_a_security_alert(world: NodeWorld) -> None:
    make_trail(world)
    uid = world.deliver(header())
    changed = header(SOPInstanceUID=uid)
    changed.StationName = "OTHER"
    world.deliver(changed, sender=Sender("STRANGER", "10.9.9.9"))
    (row,) = (row for row in listed(world) if row.kind == "change-refused")
    assert (row.user, row.address, row.study_uid) == ("STRANGER", "10.9.9.9", "1.2.3")
    assert "Use of Restricted Function" in row.message


def test_a_form_that_another_site_had_sent_is_a_security_alert(world: NodeWorld) -> None:
    trail = make_trail(world)
    tracker, archive = world.node.tracker, world.node.archive
    pages = make_app(tracker, archive, world.settings, lambda: world.now, trail.record)
    token = tracker.access.find_token(let_in(tracker, "anna"))
    assert token is not None
    secret = tracker.access.open_session(token, timedelta(hours=1), world.now)
    cookie = {"cookie": f"secondread_{world.settings.web.port}={secret}"}
    anna = Browser(pages, "")
    evil = {"origin": "http://evil.example", **cookie}
    assert anna.post("/logout", {}, evil).status_code == 403
    assert anna.post("/logout", {}, {"origin": "http://127.0.0.1", **cookie}).status_code == 303
    trail.step()
    rows = [(row.kind, row.user) for row in listed(world) if row.kind != "access-changed"]
    assert rows == [("foreign-form", "anna"), ("signed-out", "anna")]


def test_a_process_that_starts_with_other_settings_says_which_and_only_once(
    world: NodeWorld,
) -> None:
    make_trail(world).step()
    assert listed(world) == []
    file = world.settings.node.data_dir.parent / "secondread.toml"
    file.write_text(
        file.read_text().replace('"127.0.0.1"', '"10.0.0.7"')
        + '[[peers]]\nae_title = "MG1"\nmay_change = true\n[detect]\nthreads = 2\n'
    )
    changed = load_settings(file, {})
    for process in ("web", "receive"):
        AuditTrail(replace(world.node, settings=changed), process).step()
    rows = listed(world)
    assert {row.kind for row in rows} == {"network-changed", "security-changed", "software-changed"}
    assert len(rows) == 3
    words = "\n".join(read_description(row.message) for row in rows)
    assert 'destinations[pacs].host: "127.0.0.1" -> "10.0.0.7"' in words
    assert "peers[MG1].may_change: none -> true" in words
    assert "detect.threads: 1 -> 2" in words


def test_a_password_in_the_settings_is_not_in_the_audit_trail() -> None:
    url = "postgresql+psycopg://user:hunter2@host/name"
    settings = Settings(database=DatabaseSettings(url=url, engine_url="::hunter2"))
    document = flatten_settings(settings)
    assert "hunter2" not in str(document)
    assert "user:***@host" in document["database.url"]


def test_what_a_command_or_a_lost_process_recorded_is_sent_by_another(world: NodeWorld) -> None:
    server = Server()
    lost = make_trail(world, server)
    server.is_away = True
    lost.record(make_event("lost"))
    lost.step()
    world.node.tracker.database.journal = make_journal(world.node.settings, COMMAND)
    world.node.tracker.destinations.set_mode("pacs", DestinationMode.PAUSED, "anna", START)
    server.is_away = False
    settings = world.node.settings
    AuditTrail(world.node, "worker-7", server.take).step()
    assert [b"lost" in line or b"anna" in line for line in server.lines] == [True, True]
    assert settings.audit.syslog is not None
    AuditTrail(world.node, "worker-8", server.take).step()
    assert len(server.lines) == 2


def test_messages_that_are_removed_before_they_were_sent_are_an_alarm(world: NodeWorld) -> None:
    server = Server()
    server.is_away = True
    trail = make_trail(world, server, retention_days=30)
    trail.record(make_event("old", days_ago=31))
    trail.step()
    kinds = {alarm.kind for alarm in world.node.tracker.node_queries.list_alarms()}
    assert kinds == {AWAY, LOST}
    assert [row.kind for row in listed(world)] == ["trail-stopped"]


def read_description(message: str) -> str:
    detail = ElementTree.fromstring(message).find(".//ParticipantObjectDetail")
    assert detail is not None
    return b64decode(detail.get("value", "")).decode()


def test_lines_reach_a_server_as_datagrams_and_with_counted_octets() -> None:
    lines = [b"<85>1 one", b"<85>1 two\nlines"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        datagrams.settimeout(5)
        port = datagrams.getsockname()[1]
        send_to_syslog(
            lines, SyslogSettings(host="127.0.0.1", port=port, transport=SyslogTransport.UDP)
        )
        assert [datagrams.recv(2000) for _ in lines] == lines
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        syslog = SyslogSettings(host="127.0.0.1", port=port, transport=SyslogTransport.TCP)
        sender = threading.Thread(target=send_to_syslog, args=(lines, syslog))
        sender.start()
        connection, _ = server.accept()
        with connection:
            data = b"".join(iter(lambda: connection.recv(2000), b""))
            assert sender.is_alive()  # only the server's end of the connection confirms them
        sender.join()
    assert data == b"9 <85>1 one15 <85>1 two\nlines"


def test_the_command_lists_what_was_done(world: NodeWorld, tmp_path: Path) -> None:
    trail = make_trail(world)
    trail.record(make_event("anna"))
    trail.step()
    settings = ("--settings", str(tmp_path / "secondread.toml"))
    file = tmp_path / "secondread.toml"
    file.write_text(f'[node]\ndata_dir = "{world.settings.node.data_dir}"\n')
    run = CliRunner().invoke(app, ["audit", "list", *settings], env={"COLUMNS": "200"})
    assert "anna" in run.output
    assert [row.kind for row in listed(world)] == ["seen", "trail-read"]
    assert "<AuditMessage>" in CliRunner().invoke(app, ["audit", "list", "--xml", *settings]).output
