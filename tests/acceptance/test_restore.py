"""A backup of a node that is receiving, put into an empty folder: nothing answered is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from secondread.settings import load_settings
from secondread.track.tracker import Tracker
from tests.acceptance.test_full_disk import wait_until_open
from tests.peers.ports import free_port
from tests.worlds.builders import header

pytestmark = [
    pytest.mark.peer("storescu"),
    pytest.mark.skipif("SOAK_SEED" not in os.environ, reason="`make soak` runs it"),
]

PER_CALL, CALLS_BEFORE, CALLS = 3, 3, 12


@dataclass
class ReceiverNode:
    """The receiver of a node in a folder of its own."""

    folder: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.file.write_text(
            f"[receive]\nhost = '127.0.0.1'\nport = {self.port}\nminimum_free_bytes = 0\n"
            "[[peers]]\nae_title = 'MG1'\n"
        )

    @property
    def file(self) -> Path:
        return self.folder / "secondread.toml"

    def run(self, *command: object) -> None:
        """Run a command of the program, which has to succeed."""
        subprocess.run(self._build(*command), env=make_environment(), check=True)

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Run the receiver, and kill it in the end."""
        with subprocess.Popen(self._build("receive"), env=make_environment()) as process:
            try:
                wait_until_open(self.port)
                yield
            finally:
                process.send_signal(signal.SIGKILL)

    def list_held(self) -> set[str]:
        settings = load_settings(self.file, {})
        tracker = Tracker(settings.tracker_url, settings.node.data_dir)
        paths = {row.path for row in tracker.archive_rows.list_files()}
        tracker.close()
        return paths

    def _build(self, *command: object) -> list[str]:
        words = [sys.executable, "-m", "secondread", *map(str, command)]
        return [*words, "--settings", str(self.file)]


def make_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def write_calls(folder: Path) -> list[list[Path]]:
    """Write the files of each call of storescu: of several studies, each file another instance."""
    folder.mkdir()
    calls = []
    for call in range(CALLS):
        files = []
        for number in range(PER_CALL):
            ds = header(StudyInstanceUID=f"1.2.3.{number}")
            ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            files.append(folder / f"{call}-{number}.dcm")
            ds.save_as(files[-1], enforce_file_format=True)
        calls.append(files)
    return calls


def store(files: list[Path], port: int) -> None:
    """Send files; succeeds only if each was answered Success."""
    command = ["storescu", "-aet", "MG1", "-aec", "SECONDREAD", "127.0.0.1", str(port)]
    subprocess.run([*command, *map(str, files)], check=True, capture_output=True, timeout=300)


def test_nothing_that_was_answered_before_a_backup_began_is_lost_by_restoring_it(
    tmp_path: Path,
) -> None:
    first, second = ReceiverNode(tmp_path / "first"), ReceiverNode(tmp_path / "second")
    calls, answered = write_calls(tmp_path / "files"), 0

    def send_all() -> None:
        nonlocal answered
        for files in calls:
            store(files, first.port)
            answered += len(files)

    with first.receiving():
        sender = threading.Thread(target=send_all)
        sender.start()
        while answered < CALLS_BEFORE * PER_CALL:
            time.sleep(0.05)
        before = answered
        first.run("backup", tmp_path / "backup")
        sender.join(600)
        assert answered == CALLS * PER_CALL
    held = first.list_held()
    assert len(held) == CALLS * PER_CALL

    second.run("restore", tmp_path / "backup")
    second.run("archive", "verify")
    restored = second.list_held()
    assert before <= len(restored) <= len(held)
    assert restored <= held
    with second.receiving():
        for files in calls:
            store(files, second.port)
    assert second.list_held() == held
    second.run("archive", "verify")
