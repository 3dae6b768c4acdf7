"""What a worker leaves behind tells a crash and a hang from a kill."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from secondread.app.fault_record import FaultRecord

SCRIPT = """
    import ctypes, os, resource, signal, sys, time
    from pathlib import Path
    from secondread.app.fault_record import FaultRecord
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    patient = "Doe^Jane"
    with FaultRecord(Path(sys.argv[1]), "w0", 0.3) as record, record.watch_step():
        if sys.argv[2] == "crash":
            ctypes.string_at(0)
        if sys.argv[2] == "hang":
            time.sleep(30)
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
"""


def run(folder: Path, how: str) -> int:
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), how]
    return subprocess.run(command, check=False, timeout=60).returncode


@pytest.mark.parametrize(
    ("how", "status", "is_fault"),
    [
        ("crash", -signal.SIGSEGV, True),
        ("hang", 1, True),
        ("kill", -signal.SIGKILL, False),
        ("nothing", 0, False),
    ],
)
def test_a_crash_or_a_hang_is_the_workers_own_fault_and_a_kill_is_not(
    tmp_path: Path, how: str, status: int, is_fault: bool
) -> None:
    assert run(tmp_path, how) == status

    record = FaultRecord(tmp_path, "w0")
    assert record.has_fault is is_fault
    assert not FaultRecord(tmp_path, "w1").has_fault
    assert b"Doe" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    record.clear()
    assert not record.has_fault


def test_a_step_that_ends_in_time_is_watched_no_longer(tmp_path: Path) -> None:
    with FaultRecord(tmp_path, "../w0", 60) as record:
        for _ in range(2):
            with record.watch_step():
                pass
    assert not record.has_fault
    assert [path.parent for path in tmp_path.iterdir()] == [tmp_path]
