"""A whole node, its PACS and its modality, and perhaps its database server: all can be killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import generate_uid

from secondread.errors import TransientError
from secondread.track.database import Database
from secondread_lab.simulate.exam import ExamSpec
from tests.acceptance.conftest import NodeProcess, until
from tests.kills import invariants
from tests.kills.invariants import SentImage
from tests.kills.points import make_environment, read_trace
from tests.peers.orthanc_peer import Orthanc
from tests.peers.postgres_server import PostgresServer

SPEC = replace(ExamSpec.for_demo(date(2026, 6, 1)), pitch_mm=0.1, views=("RCC", "LCC"))
"""The simulated exam that the images are cut out of."""

_ROWS, _COLUMNS = slice(1000, 1560), slice(420, 1100)
"""What is cut out of it, counted from the chest wall: some breast, its outline and some air. It is
read in a fraction of the time that a whole image takes."""

_MORE_SETTINGS = """
proof = "commitment"
commitment_seconds = 2
commitment_linger_seconds = 0.5
[detect]
override_gates = ["all"]
"""

ANSWER_SECONDS = 240.0
"""How long a study may take, kills and a busy machine included."""


def cut_images(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Write the small images; return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in paths:
        ds = pydicom.dcmread(path)
        pixels = ds.pixel_array
        is_left = ds.ImageLaterality == "L"  # with its chest wall at the left border
        columns = _COLUMNS if is_left else slice(-_COLUMNS.stop, -_COLUMNS.start)
        part = np.ascontiguousarray(pixels[_ROWS, columns])
        ds.Rows, ds.Columns = part.shape
        ds.PixelData = part.tobytes()
        ds.save_as(folder / path.name)
        written.append(folder / path.name)
    return written


class Modality:
    """Sends studies until all of each is answered Success, whatever the receiver does meanwhile.

    Parameters
    ----------
    images
        What a study consists of; each is sent under new UIDs.
    folder
        Where what is sent is written.
    port
        The receiver's.
    """

    def __init__(self, images: Sequence[Path], folder: Path, port: int) -> None:
        self._datasets = [pydicom.dcmread(path) for path in images]
        self._folder, self._port = folder, port
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self.answered: list[SentImage] = []
        """What was answered Success."""
        folder.mkdir(exist_ok=True)

    def begin(self, *, in_one_association: bool) -> str:
        """Begin to send a new study; return its UID."""
        study_uid, paths = generate_uid(), []
        patient = study_uid[-12:]
        for number, ds in enumerate(self._datasets):
            ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, f"{study_uid[:60]}.1"
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.PatientID = patient
            path = self._folder / f"{patient}-{number}.dcm"
            ds.save_as(path)
            paths.append(path)
        groups = [paths] if in_one_association else [[path] for path in paths]
        thread = threading.Thread(target=self._send_all, args=(groups,), daemon=True)
        self._threads.append(thread)
        thread.start()
        return study_uid

    @property
    def is_sending(self) -> bool:
        """Whether something is not answered yet."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Send nothing any more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send_all(self, groups: Sequence[Sequence[Path]]) -> None:
        for group in groups:
            rest = list(group)
            while rest and not self._stop.is_set():
                done = self._send(rest)
                self._note(rest[:done])
                rest = rest[done:]
                time.sleep(0.3 if rest else 0.0)

    def _send(self, paths: Sequence[Path]) -> int:
        """Send files over one association; return how many were answered Success."""
        with suppress(subprocess.TimeoutExpired):
            sent = subprocess.run(
                [
                    *("storescu", "-v", "-xe", "-to", "10", "-ta", "20", "-td", "60"),
                    *("-aet", "MG1", "-aec", "SECONDREAD", "127.0.0.1", str(self._port)),
                    *map(str, paths),
                ],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            return sent.stdout.count("Received Store Response (Success)") + sent.stderr.count(
                "Received Store Response (Success)"
            )
        return 0

    def _note(self, paths: Sequence[Path]) -> None:
        for path in paths:
            study_uid, uid = invariants.read_identity(path)
            digest = invariants.hash_data_set(path.read_bytes())
            with self._lock:
                self.answered.append(SentImage(study_uid, uid, digest))


class KillableNode(NodeProcess):
    """A node whose steps are written down, and which is started again when it is killed.

    Parameters
    ----------
    folder
        Where everything is.
    pacs
        The destination.
    database_url
        Empty for SQLite.
    plant
        Name of a bug, see `tests.kills.plants`.
    """

    def __init__(
        self, folder: Path, pacs: Orthanc, database_url: str = "", plant: str = "", workers: int = 1
    ) -> None:
        super().__init__(folder, pacs.port, pacs_ae_title=pacs.ae_title, database_url=database_url)
        work = f"poll_seconds = 0.1\nprocesses = {workers}\nheartbeat_seconds = 1"
        text = self.file.read_text().replace("timeout_seconds = 5", "timeout_seconds = 2")
        # Long enough that a receiver's restart does not make two readings of most studies.
        text = text.replace("quiet_seconds = 2", "quiet_seconds = 6")
        self.file.write_text(text.replace("poll_seconds = 0.1", f"{work}\ntakeover_seconds = 5"))
        self.add(_MORE_SETTINGS)
        self.data_dir = self.settings.node.data_dir.resolve()
        self.steps = (folder / "steps").resolve()
        self.steps.mkdir()
        self.environment = make_environment(self.steps, plant)
        self.database = Database(self.settings.tracker_url)
        pacs.configure(self.port)

    def start(self) -> None:
        """Start it, and wait until its receiver answers."""
        self.launch()
        until(lambda: self.echo() == 0, "the receiver", 120)

    def launch(self) -> None:
        """Start it; an earlier one has been killed."""
        if self._process is not None:
            self._process.wait()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "secondread", "serve", "--settings", str(self.file)],
                stderr=log,
                stdout=log,
                env=self.environment,
                start_new_session=True,
            )

    def keep_running(self) -> None:
        """Start it again if its supervisor was killed."""
        if self._process is not None and self._process.poll() is not None:
            until(lambda: not self.processes(), "the children's end", 120)
            self.launch()

    def processes(self) -> dict[int, str]:
        """Return the kinds of its processes by process id."""
        return invariants.list_processes(self.steps)

    def find(self, kind: str) -> list[int]:
        """Return its processes of a kind."""
        return sorted(pid for pid, of_kind in self.processes().items() if of_kind == kind)

    def cut_power(self) -> int:
        """Kill everything, and take from the disk what was not flushed; return how many files."""
        self.kill()
        until(lambda: not self.processes(), "the end of all processes", 120)
        steps, _ = read_trace(self.steps)
        lost = 0
        for path in invariants.find_unflushed(steps, self.data_dir):
            if path.is_file():
                path.unlink()
                lost += 1
        return lost

    def has_delivered(self, study_uid: str) -> bool:
        """Whether a study is reported, and all its results are proven to be at the PACS."""
        with suppress(TransientError), self.database.begin_read() as session:
            return not invariants.find_open_ends(session, study_uid)
        return False


class World:
    """A node, its PACS and its modality, in a folder.

    Parameters
    ----------
    folder
        A folder of its own.
    images
        What studies consist of, see `cut_images`.
    server
        PostgreSQL; None: SQLite.
    plant
        Name of a bug.
    """

    def __init__(
        self,
        folder: Path,
        images: Sequence[Path],
        server: PostgresServer | None = None,
        plant: str = "",
    ) -> None:
        self.pacs = Orthanc(folder / "orthanc")
        self.server = server
        url, workers = ("", 1) if server is None else (server.create(), 2)
        self.node = KillableNode(folder, self.pacs, url, plant, workers)
        self.modality = Modality(images, folder / "sent", self.node.port)
        self.studies: list[str] = []

    def start(self) -> None:
        """Start PACS and node."""
        self.pacs.start()
        self.node.start()

    def close(self) -> None:
        """End everything."""
        self.modality.stop()
        self.node.kill()
        for pid in self.node.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.pacs.kill()
        self.node.database.close()

    def begin_study(self, *, in_one_association: bool = False) -> str:
        """Begin to send a study."""
        study = self.modality.begin(in_one_association=in_one_association)
        self.studies.append(study)
        return study

    def await_study(self, study_uid: str, seconds: float = ANSWER_SECONDS) -> list[str]:
        """Wait until a study is where it should end; return what is not so when the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.keep_running()
            if not self.modality.is_sending and self.node.has_delivered(study_uid):
                return []
            time.sleep(0.2)
        return [f"study {study_uid} has not come to its end within {seconds:g} s"]

    def keep_running(self) -> None:
        """Start again what was killed and that nobody else starts."""
        if self.server is not None and not self.server.pid:
            self.server.start_again()
        if not self.pacs.pid:
            self.pacs.kill()
            self.pacs.start()
        self.node.keep_running()

    def find_faults(self, studies: Sequence[str]) -> list[str]:
        """Return what is wrong with studies that have come to their end, and with the trace."""
        data_dir = self.node.data_dir
        answered = [image for image in self.modality.answered if image.study_uid in set(studies)]
        held = {
            study: {uid: self.pacs.file(i) for uid, i in self.pacs.instances(study).items()}
            for study in studies
        }
        with self.node.database.begin_read() as session:
            return [
                *invariants.find_received_faults(session, data_dir, answered),
                *invariants.find_result_faults(session, answered),
                *invariants.find_pacs_faults(session, data_dir, studies, held),
                *self.find_trace_faults(),
            ]

    def find_trace_faults(self) -> list[str]:
        """Return what the trace of all steps shows."""
        steps, _ = read_trace(self.node.steps)
        return [
            *invariants.find_order_faults(steps, self.node.data_dir),
            *invariants.find_sent_faults(steps),
            *invariants.find_fence_faults(steps),
        ]

    def find_leftovers(self, restarts: int = 2) -> list[str]:
        """Stop the node, and return what is left behind.

        Parameters
        ----------
        restarts
            How often it is started again before, with all its files made old, so that its sweepers
            run; without, files are not looked at.
        """
        until(
            lambda: not invariants.find_engine_faults(self.node.settings.engine_url),
            "the last steps",
            240,
        )
        faults = self._stop_node()
        for _ in range(restarts):
            self._age_files()
            began = len(self.node.log.read_bytes())
            self.node.start()
            # The receiver sweeps and compares when it starts, and so does the worker.
            until(lambda n=began: self._has_compared(n), "the comparison", 240)  # type: ignore[misc]
            time.sleep(5)
            faults += self._stop_node()
        tracker = self.node.tracker()
        try:
            with tracker.database.begin_read() as session:
                faults += invariants.find_lease_faults(session)
            if restarts:
                faults += invariants.find_file_faults(tracker, self.node.data_dir)
        finally:
            tracker.close()
        return [*faults, *invariants.find_engine_faults(self.node.settings.engine_url)]

    def _stop_node(self) -> list[str]:
        status = self.node.stop()
        faults = [f"the node ended with status {status} when it was asked to"] if status else []
        return [*faults, *invariants.find_process_faults(self.node.steps)]

    def _has_compared(self, offset: int) -> bool:
        """Whether the node has finished its comparison and started its worker, by its log."""
        log = self.node.log.read_bytes()[offset:]
        return b'"archive_compared"' in log and b'"worker_started"' in log

    def _age_files(self) -> None:
        """Have every file and folder of the node be old: sweepers leave alone what is new."""
        old = time.time() - 7200
        for path in (self.node.data_dir, *self.node.data_dir.rglob("*")):
            with suppress(FileNotFoundError):
                os.utime(path, (old, old))
