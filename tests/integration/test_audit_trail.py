"""The audit trail: who looked at whom, in a table and at a syslog server, and never in the way."""

import socket
import threading
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from secondread.accept.ledger import Refusal, RefusalKind
from secondread.app.audit_trail import (
    AWAY,
    MOST_WAITING,
    AuditTrail,
    record_refusals,
    send_to_syslog,
)
from secondread.audit import AuditEvent, AuditKind
from secondread.cli.commands import app
from secondread.clock import utc_now
from secondread.errors import TransientError
from secondread.reasons import Reason
from secondread.settings import AuditSettings, Role, SyslogSettings, SyslogTransport
from secondread.track.audit_messages import AuditMessage
from secondread.watch.application import make_app
from tests.worlds.node_world import START, NodeWorld
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

    rows = listed(world)
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
    assert len(listed(world)) == 2
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
    assert [row.user for row in listed(world)] == ["new"]


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
    assert "<AuditMessage>" in CliRunner().invoke(app, ["audit", "list", "--xml", *settings]).output
