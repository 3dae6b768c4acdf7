"""What the engine makes of outages: workflows wait, go on, and are blamed for nothing."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

SCRIPT = textwrap.dedent(
    """
    import errno, json, pathlib, sqlite3, sys, threading, time
    from sqlalchemy.exc import OperationalError
    from dbos._sys_db_sqlite import SQLiteSystemDatabase
    from secondread import engine as module
    from secondread.engine import Engine, WorkflowProgress
    from secondread.errors import InputError, LeaseLostError, TransientError

    folder = pathlib.Path(sys.argv[1])
    module.STEP_PAUSES_SECONDS = (0.05, 0.05)
    module.SHORTEST_WAIT_SECONDS = module.LONGEST_WAIT_SECONDS = 0.2
    calls, hold_ups = {}, []

    def count(name):
        calls[name] = calls.get(name, 0) + 1
        return calls[name]

    def away():
        # Far more often than the tries of one run.
        if count("away") < 10:
            raise TransientError("the database does not answer")

    def full():
        if count("full") < 5:
            raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/of-a-patient")

    def deposed():
        if count("deposed") == 1:
            raise LeaseLostError("another run")

    def broken():
        count("broken")
        raise InputError("Doe^Jane")

    def before():
        count("before")

    def after():
        count("after")

    def fill_disk():
        # The engine's own record of this very step cannot be written.
        if count("fill") == 1:
            original = SQLiteSystemDatabase._record_operation_result_txn
            def fail(*args, **kwargs):
                SQLiteSystemDatabase._record_operation_result_txn = original
                raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk is full"))
            SQLiteSystemDatabase._record_operation_result_txn = fail

    def begins_badly(run, uid, revision):
        if count("begin") < 3:
            raise TransientError("no run can be begun")
        run("after", after)

    def around(step):
        def body(run, uid, revision):
            run("before", before)
            run("step", step)
            run("after", after)
        return body

    bodies = {"away": around(away), "full": around(full), "deposed": around(deposed),
              "broken": around(broken), "fill": around(fill_disk), "begin": begins_badly}
    engine = Engine(
        f"sqlite:///{folder / 'engine.sqlite'}", "w0",
        {f"{name}.v1": body for name, body in bodies.items()},
        poll_seconds=0.05,
        report_hold_up=lambda uid, revision, why, waited: hold_ups.append((uid, why)),
    )
    engine.start()
    for name in bodies:
        engine.submit(f"{name}.v1", name, 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        progress = {name: engine.check_progress(f"{name}.v1", name, 1) for name in bodies}
        if WorkflowProgress.UNDER_WAY not in progress.values():
            break
        engine.go_on()
        time.sleep(0.1)
    assert engine.is_alive
    print(json.dumps({"progress": progress, "calls": calls, "hold_ups": hold_ups}))
    engine.stop(1)
    """
)


def test_outages_hold_workflows_up_and_never_break_them(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=environment,
        capture_output=True,
        timeout=100,
        check=True,
    )
    told = json.loads(ran.stdout.splitlines()[-1])

    # What is the workflow's own fault breaks it at once; nothing else does.
    assert told["progress"].pop("broken") == "broken"
    assert set(told["progress"].values()) == {"done"}
    assert told["calls"]["broken"] == 1
    # Steps that were finished are not repeated, however often their workflow is put back; only
    # the one whose record was lost is.
    assert told["calls"]["before"] == 5
    assert told["calls"]["after"] == 5
    assert (told["calls"]["away"], told["calls"]["full"]) == (10, 5)
    assert (told["calls"]["deposed"], told["calls"]["fill"]) == (2, 2)
    # Who waits is said, with what for, and what an error quotes stays out of it.
    reasons = dict(told["hold_ups"])
    assert reasons["away"] == "the database does not answer"
    assert reasons["full"] == "No space left on device"
    assert "deposed" not in reasons
    assert b"Doe" not in ran.stdout + ran.stderr
    stored = (tmp_path / "engine.sqlite").read_bytes()
    assert b"Doe^Jane" not in stored
