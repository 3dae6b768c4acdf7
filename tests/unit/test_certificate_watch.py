"""Certificates under watch: alarms before they expire and for files that cannot be used."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from secondread.app.certificate_watch import (
    EXPIRY_ALARM,
    FILES_ALARM,
    CertificateWatch,
    clear_alarms_of_removed,
    list_called,
)
from secondread.app.node import open_node
from secondread.certificates import find_earliest_expiry, list_certificate_uses
from secondread.errors import TransientError
from secondread.settings import NodeSettings, ReceiveSettings, Settings, TlsSettings
from secondread.track.operations import Alarms
from secondread.track.values import Severity
from tests.worlds.certificates import Authority, make_self_signed

pytestmark = pytest.mark.peer("openssl")


@dataclass
class MemoryAlarms:
    """Alarms by kind, and how often something was written."""

    raised: dict[str, tuple[str, str, Severity]] = field(default_factory=dict)
    writes: int = 0
    is_away: bool = False

    def raise_alarm(
        self,
        kind: str,
        subject: str,
        detail: str,
        now: datetime,
        severity: Severity = Severity.WARNING,
        *,
        restates: bool = False,
    ) -> None:
        self._write()
        assert restates
        self.raised[kind] = (subject, detail, severity)

    def clear_alarm(self, kind: str, subject: str, now: datetime) -> None:
        self._write()
        self.raised.pop(kind, None)

    def _write(self) -> None:
        if self.is_away:
            raise TransientError("the database is away")
        self.writes += 1


@dataclass
class World:
    """A destination that is called over TLS, under watch."""

    trusted: Path
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    alarms: MemoryAlarms = field(default_factory=MemoryAlarms)

    def open_watch(self) -> CertificateWatch:
        address = {"host": "pacs", "port": 2762, "ae_title": "PACS"}
        destination = {"name": "pacs", **address, "tls": {"trusted": str(self.trusted)}}
        settings = Settings.model_validate({"destinations": [destination]})
        uses = list_certificate_uses(settings)
        alarms = cast(Alarms, self.alarms)
        return CertificateWatch(alarms, uses, list_called(settings), lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> World:
    trusted = tmp_path / "trusted.pem"
    shutil.copy(Authority(tmp_path / "ca").certificate, trusted)
    return World(trusted)


def test_the_alarm_comes_30_days_before_is_critical_from_7_days_and_goes_with_a_new_file(
    world: World, tmp_path: Path
) -> None:
    ends = find_earliest_expiry(world.trusted)
    watch = world.open_watch()
    expected = {31: None, 30: Severity.WARNING, 8: Severity.WARNING, 7: Severity.CRITICAL}
    for days, severity in expected.items():
        world.now = ends - timedelta(days=days)
        watch.check()
        alarm = world.alarms.raised.get(EXPIRY_ALARM)
        assert (None if alarm is None else alarm[2]) == severity, days

    subject, words, _ = world.alarms.raised[EXPIRY_ALARM]
    assert subject == "destination pacs"
    assert "trusted.pem (tls.trusted) expires on " + f"{ends:%Y-%m-%d}" in words

    world.now = ends + timedelta(seconds=1)
    watch.check()
    assert "expired on" in world.alarms.raised[EXPIRY_ALARM][1]

    newer = make_self_signed(tmp_path, "newer", "newer", days=900)
    shutil.copy(newer.certificate, world.trusted)
    watch.check()
    assert world.alarms.raised == {}


def test_what_has_not_changed_is_not_written_again_and_what_failed_is(world: World) -> None:
    watch = world.open_watch()
    world.now = find_earliest_expiry(world.trusted) - timedelta(days=3)
    world.alarms.is_away = True
    with pytest.raises(TransientError):
        watch.check()
    world.alarms.is_away = False
    for _ in range(3):
        watch.check()
    assert set(world.alarms.raised) == {EXPIRY_ALARM}
    assert world.alarms.writes == 2  # one alarm raised, one that there is not


def test_files_that_cannot_be_used_raise_an_alarm_until_they_can(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = world.open_watch()
    watch.check()
    good = world.trusted.read_bytes()
    world.trusted.write_text("half a certif")
    for _ in range(2):
        watch.check()
    subject, words, severity = world.alarms.raised[FILES_ALARM]
    assert (subject, severity) == ("destination pacs", Severity.CRITICAL)
    assert "trusted.pem: holds no certificate" in words
    assert capsys.readouterr().out.count("certificates_not_reloaded") == 1

    world.trusted.write_bytes(good)
    watch.check()
    assert world.alarms.raised == {}


def test_files_that_are_missing_from_the_start_raise_an_alarm_until_they_are_there(
    world: World,
) -> None:
    elsewhere = world.trusted.rename(world.trusted.with_suffix(".later"))
    watch = world.open_watch()
    watch.check()
    assert "No such file" in world.alarms.raised[FILES_ALARM][1]
    elsewhere.rename(world.trusted)
    watch.check()
    assert world.alarms.raised == {}


def test_alarms_about_who_is_no_longer_in_the_settings_are_cleared(tmp_path: Path) -> None:
    settings = Settings(node=NodeSettings(data_dir=tmp_path / "node"))
    tls = TlsSettings(certificate=Path("a.pem"), key=Path("a.key"))
    with_tls = settings.model_copy(update={"receive": ReceiveSettings(tls=tls)})
    node = open_node(with_tls)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        for kind, user in (
            (EXPIRY_ALARM, "receiver"),
            (FILES_ALARM, "destination gone"),
            ("delivery-overdue", "gone"),
        ):
            node.tracker.alarms.raise_alarm(kind, user, "words", now)
        clear_alarms_of_removed(node)
        left = {(alarm.kind, alarm.subject) for alarm in node.tracker.node_queries.list_alarms()}
        assert left == {(EXPIRY_ALARM, "receiver"), ("delivery-overdue", "gone")}
    finally:
        node.tracker.close()
