"""A real Prometheus scrapes a node with the alert rules, and the dashboard asks what it has."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from secondread.app.web_server import WebServer
from secondread.clock import utc_now
from secondread.settings import DestinationMode, Role, WebSettings
from secondread.watch.application import make_app
from tests.conftest import ROOT
from tests.integration.test_track_deliveries import claimed, deliver
from tests.integration.test_track_devices import read_exam
from tests.peers.ports import free_port
from tests.unit.accept.fakes import eventually
from tests.worlds.track_world import World
from tests.worlds.watch_world import FakeArchive, let_in, settings

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.parametrize("backend", ["sqlite"])]

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "secondread.json"


def list_queries() -> list[str]:
    """Return what the panels of the dashboard ask for."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


class Prometheus:
    """A real one that scrapes a node each half second."""

    def __init__(self, folder: Path, web_port: int, token: str) -> None:
        self.port = free_port()
        (folder / "token").write_text(token)
        (folder / "prometheus.yml").write_text(
            f"""
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: ["{RULES}"]
scrape_configs:
  - job_name: secondread
    authorization: {{credentials_file: {folder}/token}}
    static_configs: [{{targets: ["127.0.0.1:{web_port}"]}}]
"""
        )
        self._process = subprocess.Popen(
            [
                *("prometheus", f"--config.file={folder}/prometheus.yml"),
                *(
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, path: str, **params: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=params, timeout=10)

    def find(self, query: str) -> list[float]:
        """Return the values that a query has now; none while Prometheus is not up."""
        try:
            answer = self.ask("query", query=query)
        except httpx.TransportError:
            return []
        if answer.status_code != httpx.codes.OK:
            return []
        return [float(one["value"][1]) for one in answer.json()["data"]["result"]]


@pytest.fixture
def prometheus(world: World, tmp_path: Path) -> Iterator[Prometheus]:
    world.destination("pacs", DestinationMode.LIVE)
    read_exam(world)
    batch = claimed(world)
    world.later(5)
    deliver(world, batch)
    port = free_port()
    app = make_app(world.tracker, FakeArchive(tmp_path), settings(), utc_now)
    with WebServer(app, WebSettings(port=port)):
        peer = Prometheus(tmp_path, port, let_in(world.tracker, "prometheus", Role.METRICS))
        yield peer
        peer.stop()


def test_prometheus_scrapes_the_node_and_the_dashboard_finds_what_it_asks_for(
    prometheus: Prometheus,
) -> None:
    assert eventually(lambda: prometheus.find('up{job="secondread"}') == [1.0], 30)
    assert eventually(lambda: prometheus.find("secondread_turnaround_seconds_count") != [], 30)

    faults = {query: prometheus.ask("query", query=query).json() for query in list_queries()}
    assert [query for query, answer in faults.items() if answer["status"] != "success"] == []
    assert prometheus.find('secondread_database_answers{job="secondread"}') == [1.0]
    assert prometheus.find('secondread_studies{job="secondread",state="reported"}') == [1.0]
    assert sum(prometheus.find("secondread_turnaround_seconds_sum")) >= 65
    assert sum(prometheus.find("secondread_device_readings_total")) >= 1

    (group,) = prometheus.ask("rules").json()["data"]["groups"]
    assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
