"""Where the time of a reading goes: from the last image stored to the report delivered.

    python -m tests.bench.bench_reading [--exam FOLDER] [--repeat N] [--exams N] [--json FILE]

A whole node (`secondread serve`) reads simulated exams of real size, four views with and without
four prior views, which an archive in this process sends it and takes the results of. Settle time is
off. Printed are the median seconds after the last image was stored at which each stage ended, the
node's processor seconds, and the longest time until the results were in the outbox in which it used
less than a tenth of a core. Then
a backlog is read by one worker and by two, beside the compute limit of the same run: what so many
views take when all cores do nothing but read them. Quote ratios: seconds depend on the machine and
on what else runs there.
"""

import argparse
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
from pydicom.uid import UID, generate_uid

from secondread.app.node import Node, open_node
from secondread.clock import utc_now
from secondread.demo.archive_peer import ArchivePeer
from secondread.demo.node_process import wait_for_node
from secondread.send.outbox import PeerAddress
from secondread.settings import load_settings
from secondread.track.states import StudyState
from secondread_lab.simulate.exam import write_exam
from secondread_lab.simulate.spec import ExamSpec, find_latest_study_date
from tests.bench.bench_detect import views_a_second
from tests.bench.cpu_watch import SAMPLE_S, CpuWatch
from tests.peers.ports import free_port

NODE_AE, ARCHIVE_AE = "SECONDREAD", "BENCHARCHIVE"
_LIMIT_S = 600.0


@dataclass(slots=True)
class Exam:
    """One copy of the simulated exam: files of the study and of its prior."""

    study_uid: str
    current: list[Path]
    prior: list[Path]


@dataclass(slots=True)
class Reading:
    """What one reading took."""

    stages: dict[str, float]
    """When each stage ended, in seconds after the last image was stored."""
    cpu_s: float
    idle_s: float
    """The longest, before the results were in the outbox."""
    idle_from_s: float
    in_detector_s: float
    """What the detector took for all images, added up."""


@dataclass(slots=True)
class Figures:
    """Everything that was measured."""

    cores: int
    load: tuple[float, ...]
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    views_per_second: float = 0.0
    """The compute limit."""
    exams_per_hour: dict[int, float] = field(default_factory=dict)
    """By number of workers."""


def copy_exam(folder: Path, source: Path, number: int) -> Exam:
    """Write the simulated exam again, as another patient's."""
    exam = Exam("", [], [])
    for part, paths in (("prior", exam.prior), ("current", exam.current)):
        exam.study_uid, series_uid = generate_uid(None), generate_uid(None)
        for path in sorted((source / part).glob("*.dcm")):
            ds = pydicom.dcmread(path)
            ds.PatientID = f"BENCH{number}"
            ds.StudyInstanceUID, ds.SeriesInstanceUID = exam.study_uid, series_uid
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(generate_uid(None))
            paths.append(folder / f"{number}-{part}-{path.name}")
            ds.save_as(paths[-1], enforce_file_format=True)
    return exam


def write_settings(folder: Path, archive_port: int, workers: int, port: int) -> Path:
    """Write the settings of a node that reads at once whatever is recent."""
    path = folder / "secondread.toml"
    path.write_text(
        f'[node]\ndata_dir = "node"\nae_title = "{NODE_AE}"\n'
        f'[receive]\nhost = "127.0.0.1"\nport = {port}\nminimum_free_bytes = 0\n'
        "[assemble]\nsettle_seconds = 0\n"
        f"[work]\nprocesses = {workers}\n"
        f"[web]\nport = {free_port()}\n"
        f'[[peers]]\nae_title = "{ARCHIVE_AE}"\nmaximum_age_days = 30\n'
        f'[[destinations]]\nname = "archive"\nae_title = "{ARCHIVE_AE}"\nhost = "127.0.0.1"\n'
        f'port = {archive_port}\ninitial_mode = "live"\n',
        encoding="utf-8",
    )
    return path


@dataclass(slots=True)
class Bench:
    """A node that runs, its archive, and what is known of both."""

    folder: Path
    archive: ArchivePeer
    address: PeerAddress
    node: Node

    @contextmanager
    def run_node(self, workers: int) -> Iterator[CpuWatch]:
        """Run the node with so many workers."""
        settings = write_settings(self.folder, self.archive.port, workers, self.address.port)
        with (self.folder / "node.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "secondread", "serve", "--settings", str(settings)],
                stderr=log,
            )
        try:
            wait_for_node(self.archive, self.address)
            expected = {f"worker-{number}" for number in range(workers)}
            self.wait(lambda: self._count_workers() >= len(expected))
            with CpuWatch(process.pid) as watch:
                yield watch
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def _count_workers(self) -> int:
        return sum(p.kind == "work" for p in self.node.tracker.node_queries.list_processes())

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + _LIMIT_S
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"too slow; see {self.folder / 'node.log'}")
            time.sleep(0.02)

    def send(self, paths: Sequence[Path]) -> None:
        """Send files to the node."""
        answers = self.archive.forward(paths, self.address)
        if not all(answer.is_stored for answer in answers):
            raise SystemExit("the node did not take an image")

    def has_state(self, study_uid: str, state: StudyState) -> bool:
        """Whether a study has come to a state."""
        detail = self.node.tracker.study_queries.find_detail(study_uid)
        return detail is not None and detail.summary.state is state

    def has_results(self, study_uid: str) -> bool:
        """Whether everything that was made for a study has come to the archive."""
        detail = self.node.tracker.study_queries.find_detail(study_uid)
        if detail is None or detail.summary.state is not StudyState.REPORTED:
            return False
        received = self.archive.list_received(study_uid).values()
        return sum(map(len, received)) >= len(detail.outbox_objects)

    def read_events(self, study_uid: str) -> Iterator[tuple[str, float]]:
        """Yield the node's log lines about a study: event and instant."""
        for line in (self.folder / "node.log").read_text(encoding="utf-8").splitlines():
            if study_uid in line and line.startswith("{"):
                facts = json.loads(line)
                if facts.get("study_uid") == study_uid:
                    at = datetime.fromisoformat(facts["timestamp"]).timestamp()
                    yield facts["event"], at

    def read_steps(self, study_uid: str) -> Iterator[tuple[str, float]]:
        """Yield the reading's steps, and when each ended."""
        path = self.folder / "node" / "engine.sqlite"
        with closing(sqlite3.connect(path)) as engine:
            rows = engine.execute(
                "SELECT function_name, completed_at_epoch_ms FROM operation_outputs"
                " WHERE workflow_uuid LIKE ? ORDER BY function_id",
                (f"read:{study_uid}:%",),
            )
            for name, at in rows:
                yield name.partition(" 1.")[0].partition(" 2.")[0], at / 1000


def measure_reading(bench: Bench, watch: CpuWatch, exam: Exam, *, priors: bool) -> Reading:
    """Send an exam, wait for its report, and return when each stage ended."""
    if priors:
        bench.send(exam.prior)
        prior_uid = str(pydicom.dcmread(exam.prior[0], stop_before_pixels=True).StudyInstanceUID)
        bench.wait(lambda: bench.has_state(prior_uid, StudyState.HELD))
    bench.send(exam.current)
    bench.wait(lambda: bench.has_results(exam.study_uid))
    delivered = time.time()
    time.sleep(2 * SAMPLE_S)
    detail = bench.node.tracker.study_queries.find_detail(exam.study_uid)
    assert detail is not None
    assert detail.summary.reported_at is not None
    start = detail.summary.last_arrived_at.timestamp()
    ends = {
        event: at
        for event, at in bench.read_events(exam.study_uid)
        if event in {"study_claimed", "delivery_attempted"}
    }
    ends |= dict(bench.read_steps(exam.study_uid))
    ends["outbox"] = detail.summary.reported_at.timestamp()
    ends["delivered"] = delivered
    # While it sends, it waits for the archive, which is this process.
    idle_s, idle_from_s = watch.find_longest_idle(start, ends["outbox"])
    in_detector = sum(image.seconds or 0.0 for image in detail.images)
    return Reading(
        {name: at - start for name, at in sorted(ends.items(), key=lambda item: item[1])},
        watch.measure_cpu(start, delivered),
        idle_s,
        idle_from_s,
        in_detector,
    )


def measure_readings(bench: Bench, source: Path, repeat: int, figures: Figures) -> None:
    """Measure single exams on an idle node; the first one starts the detector."""
    number = 0
    with bench.run_node(1) as watch:
        for name in ("warm up", *(["with priors", "without priors"] * repeat)):
            number += 1
            exam = copy_exam(bench.folder, source, number)
            reading = measure_reading(bench, watch, exam, priors=name != "without priors")
            figures.readings.setdefault(name, []).append(reading)
            for path in (*exam.current, *exam.prior):
                path.unlink()


def measure_backlog(bench: Bench, source: Path, workers: int, exams: int) -> float:
    """Return how many exams without priors an hour so many workers read of a backlog."""
    backlog = [copy_exam(bench.folder, source, 1000 * workers + n) for n in range(exams + workers)]
    with bench.run_node(0):
        for exam in backlog:
            bench.send(exam.current)
    with bench.run_node(workers):
        # The first of each worker starts its detector.
        done = [0.0] * len(backlog)

        def count() -> bool:
            for index, exam in enumerate(backlog):
                if not done[index] and bench.has_state(exam.study_uid, StudyState.REPORTED):
                    done[index] = time.monotonic()
            return all(done)

        bench.wait(count)
    ends = sorted(done)
    return 3600 * (len(ends) - workers) / (ends[-1] - ends[workers - 1])


def print_readings(name: str, readings: Sequence[Reading]) -> None:
    """Print the median of each stage."""
    print(f"\n{name}: seconds after the last image was stored, median of {len(readings)}")
    before = 0.0
    for stage in readings[0].stages:
        at = statistics.median(reading.stages.get(stage, float("nan")) for reading in readings)
        print(f"  {stage:28} {at:7.2f}   +{at - before:5.2f}")
        before = at
    for key in ("cpu_s", "idle_s", "idle_from_s", "in_detector_s"):
        value = statistics.median(getattr(reading, key) for reading in readings)
        print(f"  {key:28} {value:7.2f}")


def print_backlog(figures: Figures) -> None:
    """Print exams an hour beside the compute limit."""
    limit = figures.views_per_second * 3600 / 4
    print(f"\ncompute limit: {limit:.0f} exams of four views an hour on {figures.cores} cores")
    for workers, rate in figures.exams_per_hour.items():
        one = figures.exams_per_hour.get(1, rate)
        print(
            f"  {workers} worker(s): {rate:6.0f} exams an hour, {rate / limit:.2f} of the limit,"
            f" {rate / one:.2f} times one worker"
        )


def encode_figures(figures: Figures) -> dict[str, object]:
    """Return the figures as plain values."""
    return {
        "cores": figures.cores,
        "load": figures.load,
        "views_per_second": figures.views_per_second,
        "exams_per_hour": figures.exams_per_hour,
        "readings": {
            name: [
                {key: getattr(reading, key) for key in Reading.__slots__} for reading in readings
            ]
            for name, readings in figures.readings.items()
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exam", type=Path, help="a folder that `secondread simulate` wrote")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--exams", type=int, default=6, help="in the backlog; 0: no backlog")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    figures = Figures(cores, os.getloadavg())
    with TemporaryDirectory() as name:
        folder, source = Path(name), arguments.exam
        if source is None:
            source = folder / "exam"
            day = find_latest_study_date(utc_now().astimezone())
            write_exam(ExamSpec.for_demo(day), source, lambda _: None)
        port = free_port()
        with ArchivePeer(folder / "archive", ARCHIVE_AE) as archive:
            node = open_node(load_settings(write_settings(folder, archive.port, 1, port)))
            bench = Bench(folder, archive, PeerAddress(NODE_AE, "127.0.0.1", port), node)
            if arguments.repeat:
                measure_readings(bench, source, arguments.repeat, figures)
                for part, readings in figures.readings.items():
                    print_readings(part, readings)
            if arguments.exams:
                views = sorted((source / "current").glob("*.dcm"))
                figures.views_per_second = views_a_second(views, cores, 1)
                for workers in arguments.workers:
                    rate = measure_backlog(bench, source, workers, arguments.exams)
                    figures.exams_per_hour[workers] = rate
                print_backlog(figures)
    print(f"\nload before {figures.load}, after {os.getloadavg()}")
    if arguments.json:
        arguments.json.write_text(json.dumps(encode_figures(figures), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
