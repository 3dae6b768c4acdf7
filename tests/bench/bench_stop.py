"""How long a worker takes to stop while its PACS is silent, and to send again after a hard kill.

``python -m tests.bench.bench_stop [PHASE ...]``. A real worker process on SQLite, with one result
for a destination that falls silent in the phase. Printed for each: the seconds from SIGTERM to the
end, the exit status, the leases that are left, and the seconds from a restart after SIGKILL until
the PACS is called again. ``PACKAGE=FOLDER`` in the environment measures another checkout's package.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from secondread.app.data_folder import prepare_data_folder
from secondread.app.node import open_node
from secondread.settings import DestinationMode, load_settings
from tests.integration.test_send_delivery import result_file
from tests.peers.silent_peer import Phase, SilentPeer
from tests.worlds.track_world import World, reading

_SETTINGS = """
[node]
data_dir = "{folder}/data"
[log]
level = "info"
[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
initial_mode = "live"
tls = {tls}
"""

_START_SECONDS = 240.0
"""How long a worker may take until it calls."""

_RECALL_SECONDS = 120.0


def _seed(folder: Path, port: int, *, tls: bool) -> Path:
    """Make a node with one result that waits for its destination; return its settings file."""
    file = folder / "secondread.toml"
    file.write_text(_SETTINGS.format(folder=folder, port=port, tls="true" if tls else "false"))
    settings = load_settings(file, {})
    prepare_data_folder(settings)
    node = open_node(settings)
    world = World(node.tracker)
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(150)
    outbox = node.tracker.outbox_dir
    outbox.mkdir(parents=True, exist_ok=True)
    world.record(reading(world.claimed(), entries=[result_file(outbox, 1)]))
    node.tracker.close()
    # The world's clock is not this machine's.
    with contextlib.closing(sqlite3.connect(folder / "data" / "tracker.sqlite")) as database:
        database.execute("UPDATE deliveries SET due_at = '2000-01-01 00:00:00.000000'")
        database.commit()
    return file


@contextlib.contextmanager
def _working(settings: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    package = os.environ.get("PACKAGE")
    environment = dict(os.environ)
    if package:
        environment["PYTHONPATH"] = package
    command = [sys.executable, "-m", "secondread", "work", "--settings", str(settings)]
    with (
        log.open("ab") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _await_call(peer: SilentPeer, log: Path, seconds: float) -> bool:
    """Wait until the worker waits for the peer; return whether it does."""
    if peer.phase is not Phase.CONNECT:
        return peer.reached.wait(seconds)
    deadline = time.monotonic() + seconds
    while b"worker_started" not in log.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(5.0)  # a connection that nobody answers shows nowhere
    return True


def _read_leases(folder: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(folder / "data" / "tracker.sqlite")) as database:
        rows = database.execute("SELECT lease_until FROM deliveries WHERE lease_until IS NOT NULL")
        return [str(row[0]) for row in rows]


def measure(phase: Phase, *, tls: bool = False) -> str:
    """Measure one phase; return a line of words."""
    with tempfile.TemporaryDirectory() as name, SilentPeer(phase) as peer:
        folder = Path(name)
        settings, log = _seed(folder, peer.port, tls=tls), folder / "log"
        with _working(settings, log) as process:
            assert _await_call(peer, log, _START_SECONDS), log.read_text()[-2000:]
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            status = process.wait(120)
            stopped = time.monotonic() - began
        left = _read_leases(folder)
        words = f"{phase}{' (TLS)' if tls else ''}: {stopped:.1f} s, status {status}, "
        words += f"{len(left)} leases left"
        return words if phase is Phase.CONNECT else f"{words}; {_measure_recall(folder, peer)}"


def _measure_recall(folder: Path, peer: SilentPeer) -> str:
    settings, log = folder / "secondread.toml", folder / "log-2"
    with contextlib.closing(sqlite3.connect(folder / "data" / "tracker.sqlite")) as database:
        database.execute(
            "UPDATE deliveries SET due_at = '2000-01-01 00:00:00.000000', state = 'pending', "
            "lease_until = NULL, claim = NULL, leased_by = NULL"
        )
        database.commit()
    peer.reached.clear()
    with _working(settings, log) as process:
        assert _await_call(peer, log, _START_SECONDS), log.read_text()[-2000:]
        process.kill()
        process.wait()
    leases = _read_leases(folder)
    peer.reached.clear()
    with _working(settings, log):
        while log.read_bytes().count(b"worker_started") < 2:
            time.sleep(0.1)
        began = time.monotonic()
        if peer.reached.wait(_RECALL_SECONDS):
            return f"called again {time.monotonic() - began:.1f} s after the new start"
        return f"not called again in {_RECALL_SECONDS:.0f} s; leases until {leases}"


if __name__ == "__main__":
    chosen = [Phase(word) for word in sys.argv[1:]] or list(Phase)
    for one in chosen:
        print(measure(one), flush=True)
    if not sys.argv[1:]:
        print(measure(Phase.GREETING, tls=True), flush=True)
