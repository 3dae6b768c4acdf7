"""The harness finds what it is there to find: bugs are planted into the processes of a node.

Most of these take many seconds for each process and run in ``make soak``; `test_invariants.py` has
the same bugs without processes.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from secondread.reasons import Outcome
from secondread.track.database import Database
from secondread_lab.simulate.exam import ExamFiles
from tests.acceptance.conftest import until
from tests.kills import invariants
from tests.kills.invariants import SentImage
from tests.kills.plants import LATE_SECONDS
from tests.kills.points import Plan, Step, make_environment, read_trace, set_plan
from tests.kills.world import World, cut_images
from tests.peers.ports import free_port
from tests.peers.postgres_server import PostgresServer
from tests.worlds.builders import header
from tests.worlds.worker_processes import Workers

pytestmark = [pytest.mark.acceptance, pytest.mark.peer("storescu", "echoscu")]

only_in_soak = pytest.mark.skipif(
    "SOAK_SEED" not in os.environ, reason="takes minutes: `make soak` runs it"
)


class ReceiverAlone:
    """A receiver whose steps are written down, without workers."""

    def __init__(self, folder: Path, plant: str) -> None:
        self.folder, self.port = folder, free_port()
        self.data_dir, self.steps = folder / "node", folder / "steps"
        self.steps.mkdir()
        self._environment = make_environment(self.steps, plant)
        self._settings = folder / "secondread.toml"
        self._settings.write_text(
            f'[node]\ndata_dir = "node"\n[receive]\nhost = "127.0.0.1"\nport = {self.port}\n'
            'minimum_free_bytes = 1000000\n[[peers]]\nae_title = "MG1"\n'
        )

    @contextmanager
    def run(self) -> Iterator[None]:
        """Run it, and kill it in the end."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "secondread", "receive", "--settings", self._settings],
                env=self._environment,
                stderr=log,
            )
        try:
            until(lambda: self._call("echoscu").returncode == 0, "the receiver")
            yield
        finally:
            process.kill()
            process.wait()

    def send(self, path: Path) -> SentImage:
        """Send an image, which has to be answered Success."""
        sent = self._call("storescu", str(path))
        assert sent.returncode == 0, sent.stderr
        digest = invariants.hash_data_set(path.read_bytes())
        return SentImage(*invariants.read_identity(path), digest)

    def list_steps(self) -> list[Step]:
        """Return all that it did."""
        return read_trace(self.steps)[0]

    def find_received_faults(self, image: SentImage) -> list[str]:
        """Return what is wrong with an image that was answered Success."""
        database = Database(f"sqlite:///{self.data_dir / 'tracker.sqlite'}")
        with database.begin_read() as session:
            return invariants.find_received_faults(session, self.data_dir, [image])

    def _call(self, program: str, *files: str) -> "subprocess.CompletedProcess[str]":
        peer = ("-aet", "MG1", "-aec", "SECONDREAD", "127.0.0.1", str(self.port))
        command = [program, *(("-xe",) if files else ()), *peer, *files]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    ds = header(Rows=8, Columns=8, SamplesPerPixel=1, PixelRepresentation=0, PixelData=b"\0" * 128)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    return tmp_path / "image.dcm"


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        pytest.param("", "", marks=only_in_soak),
        ("success-before-commit", "its row was not committed before"),
        ("file-not-flushed", "its file was not flushed before it was renamed"),
        pytest.param(
            "folder-not-flushed",
            "its file's name was not flushed before its row was committed",
            marks=only_in_soak,
        ),
    ],
)
def test_success_before_an_image_is_durable_is_found(
    tmp_path: Path, image: Path, plant: str, fault: str
) -> None:
    receiver = ReceiverAlone(tmp_path, plant)
    with receiver.run():
        sent = receiver.send(image)
    time.sleep(0 if plant != "success-before-commit" else LATE_SECONDS)

    steps = receiver.list_steps()
    disorder = invariants.find_order_faults(steps, receiver.data_dir)
    would_be_lost = invariants.find_unflushed(steps, receiver.data_dir)
    lost = receiver.find_received_faults(sent)

    assert [words.partition(", and ")[2] for words in disorder] == ([fault] if fault else [])
    # What a kill alone shows, and what it takes a power cut for.
    assert bool(lost) == (plant == "success-before-commit")
    assert bool(would_be_lost) == (plant in {"file-not-flushed", "folder-not-flushed"})


@contextmanager
def run_workers(folder: Path, url: str, plant: str) -> Iterator[Workers]:
    """Workers whose steps are written down; one study is due."""
    steps = folder / "steps"
    steps.mkdir()
    # One that was stopped for long would end itself when it is woken: its step took too long.
    workers = Workers(folder, url, 3600, make_environment(steps, plant))
    workers.deliver("1.2.7")
    try:
        yield workers
    finally:
        workers.end_all()


def find_steps(folder: Path, point: str, phase: str) -> list[Step]:
    return [s for s in read_trace(folder / "steps")[0] if (s.point, s.phase) == (point, phase)]


RECORD = "run-step record>record-reading"


@only_in_soak
# On SQLite, one that is stopped may have the database locked for all.
@pytest.mark.peer("postgres")
@pytest.mark.parametrize("plant", ["", "lease-without-fence"])
def test_a_lease_without_fence_is_found(
    tmp_path: Path, postgres_server: PostgresServer, plant: str
) -> None:
    with run_workers(tmp_path, postgres_server.create(), plant) as workers:
        set_plan(tmp_path / "steps", Plan("work", RECORD, "before", 1, (), signal.SIGSTOP))
        workers.start("stopped")
        until((tmp_path / "steps" / "fired").exists, "the end of the reading", 400)
        workers.start("other")
        until(lambda: workers.list_outcomes() != {}, "the take-over", 400)
        assert not find_steps(tmp_path, RECORD, "raised")
        workers.signal("stopped", signal.SIGCONT)
        pid = workers.running["stopped"].pid

        def has_ended() -> bool:
            ends = ("after", "raised")
            found = [step for phase in ends for step in find_steps(tmp_path, RECORD, phase)]
            return any(step.pid == pid for step in found)

        until(has_ended, "what the one that was stopped does", 400)

    faults = invariants.find_fence_faults(read_trace(tmp_path / "steps")[0])
    assert [words.partition(" recorded ")[0] for words in faults] == (
        ["run 1 of 1.2.7"] if plant else []
    )


@only_in_soak
@pytest.mark.parametrize("plant", ["", "results-without-key"])
def test_results_that_are_made_twice_are_found(tmp_path: Path, plant: str) -> None:
    with run_workers(tmp_path, f"sqlite:///{tmp_path / 'tracker.sqlite'}", plant) as workers:
        set_plan(tmp_path / "steps", Plan("work", RECORD, "after", 1, ()))
        workers.start("w0")
        until(lambda: workers.running["w0"].poll() is not None, "the kill", 400)
        assert workers.list_outcomes() == {"1.2.7": Outcome.NO_FINDINGS}
        workers.start("w0")
        until(lambda: bool(find_steps(tmp_path, "run-step tidy", "after")), "the rest", 400)
        row = workers.list_revisions()[0]
        images = [SentImage("1.2.7", uid, digest) for uid, digest, *_ in row.inputs]
        with workers.world.node.tracker.database.begin_read() as session:
            faults = invariants.find_result_faults(session, images)

    assert [words.partition(" objects ")[0] for words in faults] == (
        ["study 1.2.7: revision 1 has 2"] * len(faults)
    )
    assert bool(faults) == bool(plant)


@pytest.mark.peer("Orthanc")
@only_in_soak
def test_results_that_are_sent_twice_are_found(tmp_path: Path, pair_exam: ExamFiles) -> None:
    world = World(
        tmp_path, cut_images(pair_exam.current, tmp_path / "images"), plant="sent-without-key"
    )
    try:
        world.start()
        world.begin_study()
        until(lambda: bool(world.find_trace_faults()), "the second time", 400)
    finally:
        world.close()

    assert "sent 2 times without a reason" in world.find_trace_faults()[0]
