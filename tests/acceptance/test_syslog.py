"""The audit trail at rsyslog over TLS, where each side checks the other's certificate."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from secondread.app import audit_trail
from secondread.app.audit_trail import AWAY, AuditTrail
from secondread.audit import AuditEvent, AuditKind
from secondread.clock import utc_now
from secondread.settings import AuditSettings
from tests.peers.syslog_server import SyslogServer
from tests.worlds.certificates import Authority
from tests.worlds.node_world import NodeWorld

pytestmark = pytest.mark.peer("rsyslogd", "xmllint")

SCHEMA = Path(__file__).resolve().parents[1] / "conformance" / "audit_message.rng"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture(params=["gtls", "ossl"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, authority: Authority
) -> Iterator[SyslogServer]:
    pair = authority.issue("server")
    server = SyslogServer(tmp_path / "rsyslog", request.param, authority.certificate, pair)
    server.start()
    yield server
    server.stop()


def make_trail(
    world: NodeWorld, server: SyslogServer, monkeypatch: pytest.MonkeyPatch, **files: object
) -> AuditTrail:
    monkeypatch.setattr(audit_trail, "compute_pause", lambda *_: 0.0)
    syslog = {"host": "127.0.0.1", "port": server.port, **files}
    world.node.settings.__dict__["audit"] = AuditSettings.model_validate({"syslog": syslog})
    return AuditTrail(world.node, "web")


def seen_by(user: str) -> AuditEvent:
    return AuditEvent(AuditKind.SEEN, utc_now(), user, "10.1.2.3", "1.2.3")


def list_faults(world: NodeWorld) -> list[str]:
    return [
        alarm.detail
        for alarm in world.node.tracker.node_queries.list_alarms()
        if alarm.kind == AWAY
    ]


def test_nothing_is_lost_while_the_server_is_gone_and_everything_arrives_as_it_was_recorded(
    server: SyslogServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NodeWorld(tmp_path)
    world.deliver_exam()
    own = authority.issue("node")
    files = {"trusted": authority.certificate, **own.files}
    trail = make_trail(world, server, monkeypatch, **files)
    trail.record(seen_by("anna"))
    trail.step()
    server.wait_for(1)

    server.stop()
    for user in ("bert", "cleo\u00e9"):
        trail.record(seen_by(user))
        trail.step()
    assert len(list_faults(world)) == 1
    server.start()
    # More than one batch, and longer than a block of TLS.
    for number in range(250):
        trail.record(seen_by(f"user-{number}"))
    trail.step()

    taken = server.wait_for(253)
    assert list_faults(world) == []
    recorded = world.node.tracker.audit_messages.list_newest(300)[::-1]
    assert [line["msg"].strip().removeprefix("\ufeff") for line in taken] == [
        row.message for row in recorded
    ]
    assert {(line["pri"], line["app-name"], line["msgid"]) for line in taken} == {
        ("85", "secondread", "DICOM+RFC3881")
    }
    message = tmp_path / "message.xml"
    message.write_text(taken[-1]["msg"].strip().removeprefix("\ufeff"))
    subprocess.run(["xmllint", "--noout", "--relaxng", SCHEMA, message], check=True)


def test_nothing_counts_as_sent_where_one_side_does_not_trust_the_other(
    server: SyslogServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NodeWorld(tmp_path)
    stranger = Authority(tmp_path / "stranger", "Other CA")
    own, foreign = authority.issue("node"), stranger.issue("node")
    trusted = {"trusted": authority.certificate}
    wrong: list[dict[str, object]] = [
        {"trusted": stranger.certificate, **own.files},
        {**trusted},
        {**trusted, **foreign.files},
    ]
    for files in wrong:
        trail = make_trail(world, server, monkeypatch, **files)
        trail.record(seen_by("anna"))
        for _ in range(2):
            trail.step()
        assert len(list_faults(world)) == 1
        newest = world.node.tracker.audit_messages.list_newest(99)
        assert not any(row.is_sent for row in newest)
        assert server.read() == []

    # All of it arrives once both sides are set right, and what was changed for that as well.
    make_trail(world, server, monkeypatch, **trusted, **own.files).step()
    kinds = [row.kind for row in world.node.tracker.audit_messages.list_newest(99)]
    assert sorted(kinds) == ["security-changed"] * 3 + ["seen"] * 3
    assert len(server.wait_for(6)) == 6
    assert list_faults(world) == []
