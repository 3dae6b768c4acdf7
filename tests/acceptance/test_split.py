"""The processes of a node started one by one, as for several machines, and one lost for good."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from secondread.track.states import StudyState
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import NodeProcess, Pacs, until
from tests.peers.ports import free_port

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("storescu", "storescp", "echoscu")]


class Members:
    """Single processes of a node."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> int:
        """Start a process; return the port of its probes."""
        port = free_port()
        with self._node.log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "secondread", *command),
                    *("--settings", str(self._node.file), "--probe-port", str(port)),
                ],
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
        return port

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        for name in list(self._running):
            self.kill(name)


@pytest.fixture
def members(node: NodeProcess) -> Iterator[Members]:
    text = node.file.read_text().replace(
        "poll_seconds = 0.1", "poll_seconds = 0.1\nheartbeat_seconds = 0.5\ntakeover_seconds = 4"
    )
    node.file.write_text(text)
    processes = Members(node)
    yield processes
    processes.kill_all()


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            code: int = reply.status
            return code
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_worker_that_is_lost_in_the_middle_of_a_study_is_taken_over_by_another(
    node: NodeProcess, members: Members, pacs: Pacs, exam: ExamFiles, study_uid: str
) -> None:
    receiver = members.start("receive", "receive")
    until(lambda: status(receiver, "/readyz") == 200, "the receiver's readiness")
    members.start("w0", "work", "--name", "w0")
    assert node.push(*exam.current[:2]).returncode == 0

    def state() -> StudyState | None:
        detail = node.detail(study_uid)
        return detail.summary.state if detail is not None else None

    until(lambda: state() is StudyState.READING, "the reading to begin")
    members.kill("w0")
    survivor = members.start("w1", "work", "--name", "w1")
    until(lambda: status(survivor, "/healthz") == 200, "the other worker")
    until(lambda: state() is StudyState.REPORTED, "the results")
    until(lambda: node.has_sent(study_uid), "their delivery")

    assert pacs.files().keys() == node.outbox(study_uid).keys()
    detail = node.detail(study_uid)
    assert detail is not None
    assert [revision.number for revision in detail.revisions] == [1]
    studies = {pydicom.dcmread(path).StudyInstanceUID for path in pacs.files().values()}
    assert studies == {study_uid}
    # Killed before its workflow began, the sweep finds the study; killed later, it is taken over.
    lines = [json.loads(line) for line in Path(node.log).read_text().splitlines()]
    by = {entry["event"]: entry["process"] for entry in lines}
    assert (by["study_claimed"], by["study_read"]) == ("w0", "w1")
