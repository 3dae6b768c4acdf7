"""The contract with the durable engine, in real processes that are really killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

SCRIPT = textwrap.dedent(
    """
    import pathlib, sys, time
    from secondread.engine import Engine, WorkflowProgress

    folder, name, job = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]

    def note(word):
        with (folder / "notes").open("a") as f:
            f.write(f"{name} {word}\\n")

    def first():
        assert not engine.is_idle
        note("first")

    def second():
        note("second")
        while (folder / "hang").exists():
            time.sleep(0.05)

    def breaks():
        raise ValueError("always")

    def body(run, uid, revision):
        run("first", first)
        run("second", second)

    def renamed():
        note("renamed")

    engine = Engine(
        f"sqlite:///{folder / 'engine.sqlite'}",
        name,
        {
            "read.v2": lambda run, uid, revision: run("renamed", renamed),
            "read.v1": body,
            "fail.v1": lambda run, uid, revision: run("breaks", breaks),
        },
        poll_seconds=0.05,
    )
    engine.start()
    if job == "submit":
        engine.submit("read.v1", "1.2.3", 1)
        engine.submit("read.v1", "1.2.3", 1)
    if job == "upgraded":
        engine.submit("read.v2", "1.2.3", 1)
    if job == "takeover":
        note(f"took {engine.take_over([sys.argv[4]])}")
    if job == "break":
        engine.submit("fail.v1", "1.2.3", 1)
        while engine.check_progress("fail.v1", "1.2.3", 1) is WorkflowProgress.UNDER_WAY:
            time.sleep(0.05)
        note(engine.check_progress("fail.v1", "1.2.3", 1))
        note(engine.check_progress("fail.v1", "9.9.9", 1))
        engine.stop(5)
        sys.exit()
    while engine.check_progress("read.v1", "1.2.3", 1) is not WorkflowProgress.DONE:
        time.sleep(0.05)
    assert engine.is_idle
    note("done")
    engine.stop(5)
    """
)


def start(folder: Path, name: str, *job: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), name, *job], env=environment
    )


def run(folder: Path, name: str, *job: str) -> int:
    process = start(folder, name, *job)
    try:
        return process.wait(120)
    finally:
        process.kill()
        process.wait()


def notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def killed_in_the_second_step(folder: Path) -> None:
    (folder / "hang").touch()
    process = start(folder, "w0", "submit")
    try:
        wait_for(lambda: "w0 second" in notes(folder))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (folder / "hang").unlink()


def test_a_killed_worker_goes_on_at_the_step_where_it_stopped(tmp_path: Path) -> None:
    killed_in_the_second_step(tmp_path)

    assert run(tmp_path, "w0", "wait") == 0

    assert notes(tmp_path) == ["w0 first", "w0 second", "w0 second", "w0 done"]


def test_another_worker_takes_over_what_a_dead_one_had_begun(tmp_path: Path) -> None:
    killed_in_the_second_step(tmp_path)

    assert run(tmp_path, "w1", "takeover", "w0") == 0

    assert "w1 took 1" in notes(tmp_path)
    assert notes(tmp_path).count("w1 second") == 1
    assert "w1 first" not in notes(tmp_path)


def test_a_workflow_that_raises_is_known_as_broken_and_an_unheard_one_as_unknown(
    tmp_path: Path,
) -> None:
    assert run(tmp_path, "w0", "break") == 0

    assert notes(tmp_path) == ["w0 broken", "w0 unknown"]


def test_what_was_begun_before_an_upgrade_ends_by_its_old_steps_and_is_not_begun_again(
    tmp_path: Path,
) -> None:
    killed_in_the_second_step(tmp_path)

    assert run(tmp_path, "w0", "upgraded") == 0

    assert notes(tmp_path) == ["w0 first", "w0 second", "w0 second", "w0 done"]
