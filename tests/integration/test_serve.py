"""The supervisor: restarts what dies, stops in good order, leaves no orphan."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from secondread.app.serve import Supervisor
from secondread.errors import SettingsError


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for this program that notes its starts and ends when it is asked to."""
    package = tmp_path / "secondread"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        textwrap.dedent(
            f"""
            import os, pathlib, signal, sys, time
            notes = pathlib.Path({str(tmp_path)!r}) / "notes"

            def note(word):
                with notes.open("a") as f:
                    f.write(f"{{word}} {{os.getpid()}}\\n")

            def stop(*_):
                note("stopped")
                sys.exit(0)

            signal.signal(signal.SIGTERM, stop)
            note("started")
            time.sleep(600)
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "notes"


def words(notes: Path) -> list[tuple[str, int]]:
    if not notes.exists():
        return []
    return [(w, int(pid)) for w, pid in (line.split() for line in notes.read_text().splitlines())]


def wait(notes: Path, count: int) -> list[tuple[str, int]]:
    deadline = time.monotonic() + 90
    while len(words(notes)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return words(notes)


def test_a_process_that_dies_is_started_again_and_all_stop_on_request(program: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(
        target=Supervisor({"a": ["x"], "b": ["x"]}, {}).supervise, args=(stop,)
    )
    thread.start()
    first = wait(program, 2)
    os.kill(first[0][1], signal.SIGKILL)
    third = wait(program, 3)[2]
    stop.set()
    thread.join(60)

    assert third[0] == "started"
    stopped = {pid for word, pid in words(program) if word == "stopped"}
    assert stopped == {first[1][1], third[1]}


def test_the_processes_of_a_killed_supervisor_stop_by_themselves(tmp_path: Path) -> None:
    script = (
        "import os, sys, time, subprocess\n"
        "child = 'import os, sys, time\\n"
        "from secondread.app.signals import make_stop_event\\n"
        "stop = make_stop_event(int(sys.argv[1]))\\n"
        "print(os.getpid(), flush=True)\\n"
        "stop.wait(600)'\n"
        "subprocess.Popen([sys.executable, '-c', child, str(os.getpid())])\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as supervisor:
        assert supervisor.stdout is not None
        orphan = int(supervisor.stdout.readline())
        supervisor.kill()
        supervisor.wait()
        deadline = time.monotonic() + 60
        while Path(f"/proc/{orphan}").exists() and "Z" not in state_of(orphan):
            assert time.monotonic() < deadline, "the orphan lives on"
            time.sleep(0.05)


def test_processes_end_with_a_killed_supervisor_even_before_they_are_loaded(program: Path) -> None:
    script = (
        "import sys, threading\n"
        "from secondread.app.serve import Supervisor\n"
        "environment = {'PYTHONPATH': sys.argv[1]}\n"
        "Supervisor({'a': ['x']}, environment).supervise(threading.Event())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(program.parent)], env=environment
    ) as supervisor:
        ((_, orphan),) = wait(program, 1)
        supervisor.kill()
        supervisor.wait()
        deadline = time.monotonic() + 60
        while state_of(orphan) != "Z":
            assert time.monotonic() < deadline, "the orphan lives on"
            time.sleep(0.05)
    assert [word for word, _ in words(program)] == ["started"]


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_process_that_its_settings_keep_from_starting_is_not_started_in_a_loop(
    program: Path,
) -> None:
    (program.parent / "secondread" / "__main__.py").write_text("import sys; sys.exit(2)")
    with pytest.raises(SettingsError, match="a cannot start"):
        Supervisor({"a": ["x"]}, {}).supervise(threading.Event())


def test_one_process_can_be_started_before_the_others_and_is_not_started_twice(
    program: Path,
) -> None:
    stop = threading.Event()
    supervisor = Supervisor({"a": ["x"], "b": ["x"]}, {})
    supervisor.start("b")
    (_, first) = wait(program, 1)[0]
    thread = threading.Thread(target=supervisor.supervise, args=(stop,))
    thread.start()
    wait(program, 2)
    stop.set()
    thread.join(60)

    started = [pid for word, pid in words(program) if word == "started"]
    assert len(started) == 2
    assert started[0] == first
