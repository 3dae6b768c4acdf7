"""Health checks and metrics over HTTP, and over a real tracker."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from secondread.certificates import find_earliest_expiry
from secondread.metrics import READINGS
from secondread.reasons import Reason
from secondread.settings import DestinationMode, ReceiveSettings, TlsSettings
from secondread.track.states import DeliveryState
from secondread.track.values import ProcessIdentity
from secondread.watch import health
from secondread.watch.application import make_app
from tests.worlds.certificates import make_self_signed
from tests.worlds.track_world import STUDY, World
from tests.worlds.watch_world import (
    NOW,
    Browser,
    FakeArchive,
    FakeTracker,
    ago,
    alarm,
    destination,
    let_in,
    process,
    refusal,
    running,
    settings,
    several,
)


@pytest.fixture
def fake() -> FakeTracker:
    counts = dict.fromkeys(DeliveryState, 0) | {DeliveryState.PENDING: 2}
    return FakeTracker(
        studies=list(several(3)),
        where=[destination(counts=counts, oldest_waiting_at=ago(90), oldest_unproven_at=ago(60))],
        who=[*running(), process("worker-1", "work", 300)],
        raised=[alarm()],
        refused=[refusal(), refusal(calling_ae_title="OTHER", count=3)],
    )


@pytest.fixture
def client(fake: FakeTracker, tmp_path: Path) -> Browser:
    return Browser(make_app(fake.as_tracker(), FakeArchive(tmp_path), settings(), lambda: NOW))


# Keys are a sample's name and the values of its labels in the order of their names.
def samples(client: Browser) -> dict[tuple[str, ...], float]:
    text = client.get("/metrics").text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_process_that_answers_lives_even_without_its_database(
    client: Browser, fake: FakeTracker
) -> None:
    fake.away = True
    assert client.get("/healthz").text == "ok\n"


def test_readiness_is_503_as_soon_as_nothing_can_be_stored(
    client: Browser, fake: FakeTracker
) -> None:
    assert client.get("/readyz").status_code == 200
    fake.away = True
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"]["ok"] is False
    assert answer.json()["checks"]["disk"]["ok"] is True


def test_a_database_that_hangs_holds_no_probe_for_long(
    client: Browser, fake: FakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    checks = []

    def hang() -> None:
        checks.append(1)
        assert go_on.wait(20)

    monkeypatch.setattr(fake, "ping", hang)
    monkeypatch.setattr(health, "LONGEST_WAIT_SECONDS", 0.2)

    async def ask() -> list[tuple[int, str]]:
        transport = httpx.ASGITransport(client.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
            many = ["/readyz"] * (health.MOST_WAITING + 1)
            answers = await asyncio.gather(*(browser.get(path) for path in (*many, "/healthz")))
            assert len(checks) == 1  # they share one check, and one thread
            go_on.set()
            return [(answer.status_code, answer.text) for answer in answers]

    *unready, refused, healthy = asyncio.run(ask())
    assert {status for status, _ in unready} == {503}
    assert "no answer within" in unready[0][1]
    assert "too many" in refused[1]
    assert healthy == (200, "ok\n")


def test_gauges_are_what_the_tracker_says_now(client: Browser, fake: FakeTracker) -> None:
    found = samples(client)
    assert found["secondread_studies", "reported"] == 3
    assert found["secondread_study_outcomes", "findings"] == 3
    assert found["secondread_deliveries", "pacs", "pending"] == 2
    assert found["secondread_delivery_oldest_seconds", "pacs"] == 90
    assert found["secondread_proof_oldest_seconds", "pacs"] == 60
    assert found["secondread_alarms", "delivery-overdue"] == 1
    assert found["secondread_refusals_recorded", "calling-ae-unknown", "association"] == 15
    assert found["secondread_processes", "work", "alive"] == 1
    assert found["secondread_processes", "work", "silent"] == 1
    assert found[("secondread_archive_free_bytes",)] == 50e9
    assert found[("secondread_database_answers",)] == 1
    fake.studies.clear()
    assert samples(client)["secondread_studies", "reported"] == 0


@pytest.mark.peer("openssl")
def test_the_time_left_of_each_certificate_is_a_gauge(fake: FakeTracker, tmp_path: Path) -> None:
    pair = make_self_signed(tmp_path, "node", "node", days=10)
    elsewhere = tmp_path / "elsewhere.pem"
    tls = TlsSettings(certificate=pair.certificate, key=pair.key, trusted=elsewhere)
    with_tls = settings().model_copy(update={"receive": ReceiveSettings(tls=tls)})
    app = make_app(fake.as_tracker(), FakeArchive(tmp_path), with_tls, lambda: NOW)
    left = (find_earliest_expiry(pair.certificate) - NOW).total_seconds()
    name = "secondread_certificate_expiry_seconds"
    found = {key: value for key, value in samples(Browser(app)).items() if key[0] == name}
    assert found == {(name, "certificate", "receiver"): left}


def test_counters_of_the_process_are_there_too(client: Browser) -> None:
    READINGS.labels("partial").inc(0)
    assert ("secondread_readings_total", "partial") in samples(client)


def test_without_the_database_the_other_metrics_stay(client: Browser, fake: FakeTracker) -> None:
    samples(client)  # Prometheus was known before
    fake.away = True
    found = samples(client)
    assert found[("secondread_database_answers",)] == 0
    assert found[("secondread_archive_free_bytes",)] == 50e9
    assert ("secondread_studies", "reported") not in found


def test_no_metric_carries_what_a_peer_wrote(client: Browser, fake: FakeTracker) -> None:
    fake.refused = [refusal(calling_ae_title="HOSTILE", reason=Reason.CALLING_AE_UNKNOWN)]
    assert "HOSTILE" not in client.get("/metrics").text


@pytest.mark.peer("promtool")
def test_promtool_finds_nothing_to_say(client: Browser) -> None:
    text = client.get("/metrics").text
    answer = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


COUNT = "from secondread.metrics import READINGS; READINGS.labels('failed').inc()"
EXPOSE = (
    "from secondread.watch.gauges import render_metrics; from prometheus_client.registry import "
    "Collector; C = type('C', (Collector,), {'collect': lambda self: []}); "
    "print(render_metrics(C()).decode())"
)


def test_counters_of_several_processes_add_up(tmp_path: Path) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": paths}

    def run(code: str) -> str:
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    run(COUNT)
    run(COUNT)
    assert 'secondread_readings_total{outcome="failed"} 2.0' in run(EXPOSE)


def test_a_real_tracker_fills_the_pages(world: World, tmp_path: Path) -> None:
    world.destination("pacs", DestinationMode.SHADOW)
    world.send_study()
    world.read_study()
    beat = ProcessIdentity("receive-0", "receive", "node-a", 1, "0.1.0")
    world.tracker.processes.record_heartbeat(beat, world.now)
    pages = make_app(world.tracker, FakeArchive(tmp_path), settings(), lambda: world.now)
    browser = Browser(pages, let_in(world.tracker))
    assert browser.get("/readyz").status_code == 200
    assert f"/studies/{STUDY}" in browser.get("/").text
    assert "would be sent" in browser.get(f"/studies/{STUDY}").text
    for path in ("/metrics", "/refusals", "/destinations", "/node"):
        assert browser.get(path).status_code == 200
