"""A real node in processes of its own, and DCMTK's storescp as the PACS that it answers to."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pydicom
import pytest

from secondread.app.sign_in import TOKEN_FILE
from secondread.settings import load_settings
from secondread.track.states import DeliveryState, StudyState
from secondread.track.summaries import StudyDetail
from secondread.track.tracker import Tracker
from secondread_lab.simulate.exam import ExamFiles, ExamSpec
from tests.peers.ports import free_port
from tests.worlds.shared_exam import write_shared_exam


def until(condition: Callable[[], bool], what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.1)


class NodeProcess:
    """`secondread serve`, started and killed as a person or a power cut would."""

    def __init__(
        self,
        folder: Path,
        pacs_port: int,
        mode: str = "live",
        pacs_ae_title: str = "PACS",
        database_url: str = "",
    ) -> None:
        self.folder = folder
        self.port, self.web_port = free_port(), free_port()
        self.file = folder / "secondread.toml"
        self.file.write_text(
            f"""
[node]
data_dir = "node"
[database]
url = "{database_url}"
[receive]
host = "127.0.0.1"
port = {self.port}
minimum_free_bytes = 1000000
[assemble]
settle_seconds = 0.5
quiet_seconds = 2
[work]
poll_seconds = 0.1
[web]
port = {self.web_port}
[[peers]]
ae_title = "MG1"
maximum_age_days = -1
[[peers]]
ae_title = "{pacs_ae_title}"
maximum_age_days = -1
[[destinations]]
name = "pacs"
ae_title = "{pacs_ae_title}"
host = "127.0.0.1"
port = {pacs_port}
initial_mode = "{mode}"
timeout_seconds = 5
maximum_pause_seconds = 1
"""
        )
        self.settings = load_settings(self.file, {})
        self.log = folder / "node.log"
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, text: str) -> None:
        """Add to the settings, before the node is started."""
        self.file.write_text(self.file.read_text() + text)
        self.settings = load_settings(self.file, {})

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "secondread", "serve", "--settings", str(self.file)],
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        until(lambda: self.echo() == 0, "the receiver")

    def echo(self) -> int:
        return subprocess.run(
            ["echoscu", "-aet", "MG1", "-aec", "SECONDREAD", "127.0.0.1", str(self.port)],
            capture_output=True,
            check=False,
        ).returncode

    def push(
        self, *paths: Path, ae_title: str = "MG1", propose: str = "-xe"
    ) -> subprocess.CompletedProcess[str]:
        """Send with storescu; `propose` is its option for the transfer syntax."""
        return subprocess.run(
            [
                *("storescu", "-v", propose, "-aet", ae_title, "-aec", "SECONDREAD"),
                *("127.0.0.1", str(self.port), *map(str, paths)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def kill(self) -> None:
        """Kill -9 everything at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """Stop in good order; return the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(120)
        self._process = None
        return status

    def web_token(self) -> str:
        """The token that the first start has made."""
        file = self.settings.node.data_dir / TOKEN_FILE
        until(file.is_file, "the first token")
        return file.read_text().strip()

    def login_link(self) -> str:
        """A link that signs a browser in once, as the command prints it."""
        done = subprocess.run(
            [sys.executable, "-m", "secondread", "web", "login", "--settings", str(self.file)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        return done.stdout.strip()

    def tracker(self) -> Tracker:
        return Tracker(self.settings.tracker_url, self.settings.node.data_dir)

    def detail(self, study_uid: str) -> StudyDetail | None:
        tracker = self.tracker()
        try:
            return tracker.study_queries.find_detail(study_uid)
        finally:
            tracker.close()

    def has_sent(self, study_uid: str) -> bool:
        """Whether the destination answered Success to every object of a study's results."""
        detail = self.detail(study_uid)
        if detail is None or detail.summary.state is not StudyState.REPORTED:
            return False
        ways = [way for item in detail.outbox_objects for way in item.deliveries]
        return bool(ways) and all(
            way.state in {DeliveryState.STORED, DeliveryState.DELIVERED} for way in ways
        )

    def outbox(self, study_uid: str) -> dict[str, Path]:
        detail = self.detail(study_uid)
        assert detail is not None
        return {
            o.sop_instance_uid: self.settings.node.data_dir / o.path for o in detail.outbox_objects
        }


class Pacs:
    """DCMTK's storescp, which keeps every file it is sent, doubles apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["storescp", "-aet", "PACS", "-od", str(self.folder), "+uf", "+xa", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def files(self) -> dict[str, Path]:
        """Return what has come in, by SOP Instance UID.

        storescp names a file before it has written it: ask when all has been answered, see
        `NodeProcess.has_sent`.
        """
        return {
            str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): path
            for path in sorted(self.folder.iterdir())
        }


@pytest.fixture(scope="session")
def exam(tmp_path_factory: pytest.TempPathFactory) -> ExamFiles:
    """The demo's exam at a coarse pitch, so that it is quick; all four views complete a study."""
    spec = replace(ExamSpec.for_demo(date(2026, 6, 1)), pitch_mm=0.1)
    return write_shared_exam(spec, "demo-exam", tmp_path_factory)


@pytest.fixture(scope="session")
def pair_exam(tmp_path_factory: pytest.TempPathFactory) -> ExamFiles:
    """One view of each breast: a new cluster and an old group left, a growing cluster right."""
    demo = ExamSpec.for_demo(date(2026, 6, 1))
    new, old, right = demo.lesions
    growing = replace(right, course="growing", count=18, diameter_mm=(0.4, 0.7))
    spec = replace(demo, pitch_mm=0.1, views=("RCC", "LCC"), lesions=(new, old, growing))
    return write_shared_exam(spec, "pair-exam", tmp_path_factory)


@pytest.fixture
def study_uid(exam: ExamFiles) -> str:
    """The current study of the exam."""
    return str(pydicom.dcmread(exam.current[0], stop_before_pixels=True).StudyInstanceUID)


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[Pacs]:
    peer = Pacs(tmp_path / "pacs")
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def node(tmp_path: Path, pacs: Pacs) -> Iterator[NodeProcess]:
    process = NodeProcess(tmp_path, pacs.port)
    yield process
    process.kill()
    if os.environ.get("KEEP_NODE_LOG"):
        shutil.copy(process.log, os.environ["KEEP_NODE_LOG"])
