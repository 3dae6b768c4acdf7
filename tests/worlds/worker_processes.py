"""Workers in processes of their own on one database: killed, stopped and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from secondread.clock import utc_now
from secondread.reasons import Outcome
from secondread.track.states import RevisionState
from secondread.track.tables import RevisionRow
from tests.worlds.builders import header
from tests.worlds.node_world import NodeWorld

SETTINGS = """
[work]
heartbeat_seconds = 0.5
takeover_seconds = 3
[[peers]]
ae_title = "MG1"
maximum_age_days = -1
[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 104
initial_mode = "live"
"""


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.1)


class Workers:
    """A node on one database, and its workers.

    Parameters
    ----------
    folder
        Where everything is.
    url
        Of the database.
    step_seconds
        How long a step may take.
    environment
        Of the workers; None for this process's own.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        step_seconds: float = 60,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.joinpath("secondread.toml").write_text(SETTINGS)
        self.folder, self.url, self.step_seconds = folder, url, step_seconds
        self.environment = environment or {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }
        self.world = NodeWorld(folder, url)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, url: str | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.worlds.light_worker", str(self.folder), name),
                    *(url or self.url, str(self.step_seconds)),
                ],
                stderr=log,
                stdout=log,
                env=self.environment,
            )

    def deliver(self, *study_uids: str, images: int = 1) -> None:
        """Have studies arrive, and be asked for."""
        self.world.now = utc_now()
        today = f"{self.world.now:%Y%m%d}"
        for uid in study_uids:
            for _ in range(images):
                self.world.deliver(
                    header(
                        StudyInstanceUID=uid,
                        SeriesInstanceUID=f"{uid}.1",
                        StudyDate=today,
                        AcquisitionDate=today,
                        PatientID=uid,
                    )
                )
            self.world.node.tracker.studies.request_reading(uid, "a test", self.world.now)

    def list_revisions(self) -> list[RevisionRow]:
        with self.world.node.tracker.database.begin_read() as session:
            return list(session.scalars(select(RevisionRow).order_by(RevisionRow.id)))

    def list_reading(self) -> set[str]:
        """Return the workers that are in a step."""
        return {revision.worker for revision in self.list_revisions() if revision.in_step}

    def list_outcomes(self) -> dict[str, Outcome | None]:
        return {
            revision.study_uid: revision.outcome
            for revision in self.list_revisions()
            if revision.state is RevisionState.FINISHED
        }

    def count_events(self) -> Counter[tuple[str, str]]:
        """Return how often each worker logged each event."""
        counts: Counter[tuple[str, str]] = Counter()
        for log in self.folder.glob("*.log"):
            for line in log.read_text().splitlines():
                with suppress(ValueError):
                    counts[log.stem, str(json.loads(line).get("event"))] += 1
        return counts

    def signal(self, name: str, number: signal.Signals) -> None:
        self.running[name].send_signal(number)

    def end_all(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.world.node.tracker.close()
