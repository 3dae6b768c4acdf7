"""A worker in a process of its own, real but for its detector, which waits and finds nothing.

``python -m tests.worlds.light_worker FOLDER NAME DATABASE_URL STEP_SECONDS``. While ``FOLDER/hold``
exists, its detector does not answer. The file ``FOLDER/poison`` lists studies whose report crashes
the worker, or makes it hang.
"""

import ctypes
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from secondread import log
from secondread.app.coordinator import PROCESS_KIND, Coordinator
from secondread.app.fault_record import FaultRecord
from secondread.app.heartbeat import Heartbeat
from secondread.app.vital import VitalThreads
from secondread.app.work import HoldUpReport, _make_engine, _run_until_stopped
from secondread.clock import utc_now
from secondread.detect.marks import Detection
from secondread.workflow.fenced_run import FencedRuns
from secondread.workflow.revision_reader import RevisionReader
from secondread.workflow.steps import ReadingSteps
from tests.worlds.node_world import NodeWorld


class SlowDetector:
    """Answers once nothing holds it up."""

    def __init__(self, world: NodeWorld, folder: Path) -> None:
        self._world, self._folder = world, folder

    def detect(self, path: Path, display_to: Path, overrides: frozenset[str]) -> Detection:
        while (self._folder / "hold").exists():
            time.sleep(0.05)
        return self._world.detect(path, display_to, overrides)

    def write_display(self, path: Path, display_to: Path) -> None:
        self._world.write_display(path, display_to)

    def score_places(self, path: Path, points: object) -> None:
        return None


def run_light_worker(folder: Path, name: str, url: str, step_seconds: float) -> None:
    """Work until the process is ended."""
    log.configure_logging(name)
    world = NodeWorld(folder, url)
    _spread_poison(folder)
    tools = replace(world.tools, detector=SlowDetector(world, folder), clock=utc_now)
    record = FaultRecord(world.settings.work_dir, name, step_seconds)
    if record.has_fault:
        world.node.tracker.runs.record_fault(name)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with record:
        runs = FencedRuns(tools, name, record.watch_step)
        report = HoldUpReport(world.node.tracker, utc_now)
        engine = _make_engine(world.settings, name, runs, report)
        coordinator = Coordinator(world.node, engine, name, "m", utc_now)
        engine.start()
        with Heartbeat(world.node, name, PROCESS_KIND, is_missed=True) as heartbeat:
            vital = VitalThreads({"heartbeat": lambda: heartbeat.is_alive})
            _run_until_stopped(coordinator.step, 0.1, stop, vital)
            engine.stop(2)
            world.node.tracker.runs.release_steps(name)


def _spread_poison(folder: Path) -> None:
    poison = folder / "poison"
    whole = ReadingSteps._finish

    def finish(self: ReadingSteps, reader: RevisionReader, *rest: Any) -> str:
        words = poison.read_text().split() if poison.exists() else []
        if reader.inputs.claimed.study_uid in words:
            if "hang" in words:
                time.sleep(60)
            ctypes.string_at(0)
        return whole(self, reader, *rest)

    ReadingSteps._finish = finish  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    run_light_worker(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]))
