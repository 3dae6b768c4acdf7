"""What it costs to start: commands, a whole node to its open receiver, and a node that idles.

    python -m tests.bench.bench_startup [--repeat N] [--idle SECONDS] [--studies N] [--json FILE]

Seconds of the processor, of the command and of all that it starts, median of some runs; the first
run, which compiles modules, is left out. For a node also seconds by the clock, and the share of a
core that it takes while nothing comes. On a busy machine the processor's time counts, and even that
grows by half; ``--nice -20``, as root, has the node go before all others.

The node that is started has the archive of so many studies, of four images each, as files without
content: after each start it compares them with its database. The one that idles is empty.
"""

import argparse
import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from secondread.accept.archive import Archive
from tests.worlds.grown_tracker import grow_tracker, make_files, name_study

_LIMIT_S = 300.0
_SETTLE_S = 65.0
"""In its first minute the durable engine looks for schedules every second."""


@dataclass(frozen=True)
class _Start:
    """How long a node took from its start."""

    receiver_s: float
    ready_s: float
    cpu_s: float
    """Until it was ready, of all its processes."""
    idle_percent: float
    receiver_mb: float
    """The most private memory of the receiver's process, at the end."""


def make_node(folder: Path, studies: int) -> None:
    """Make the settings, the database and the files of a node, unless they are there."""
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_settings(folder)
    if not (data / "tracker.sqlite").exists():
        url = f"sqlite:///{data}/tracker.sqlite"
        grow_tracker(url, studies)
        archive = Archive(data)
        archive.create()
        print(f"{studies} studies, {make_files(url, archive)} files", flush=True)


def run_command(folder: Path, *arguments: str) -> tuple[float, float]:
    """Run a command to its end; return the seconds of processor and by the clock that it took."""
    before, started = _children_cpu(), time.monotonic()
    command = [sys.executable, "-m", "secondread", *arguments]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=_environment())
    return _children_cpu() - before, time.monotonic() - started


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _environment() -> dict[str, str]:
    # A node that is installed finds its modules compiled.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def write_settings(folder: Path) -> tuple[int, int]:
    """Write the settings of a node with free ports; return those of receiver and web server."""
    receiver, web = _find_port(), _find_port()
    text = (
        f'[node]\ndata_dir = "{folder}/data"\n[receive]\nhost = "127.0.0.1"\nport = {receiver}\n'
        f"minimum_free_bytes = 0\n[web]\nport = {web}\n"
        '[[peers]]\nae_title = "MODALITY"\n'
        '[[destinations]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 1\n'
    )
    (folder / "secondread.toml").write_text(text, encoding="utf-8")
    return receiver, web


def _find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running_node(folder: Path) -> Iterator[int]:
    """Start a whole node, and stop it; yields its process number."""
    with (folder / "node.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "secondread", "serve"],
            cwd=folder,
            env=_environment(),
            stdout=log,
            stderr=log,
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def start_node(folder: Path, idle_s: float) -> _Start:
    """Start a node, wait until it is ready, and watch it idle."""
    receiver, web = write_settings(folder)
    started = time.monotonic()
    with running_node(folder) as pid:
        _wait_for(lambda: _is_open(receiver))
        receiver_s = time.monotonic() - started
        _wait_for(lambda: _is_ready(web))
        ready_s, cpu_s = time.monotonic() - started, _tree_cpu(pid)
        time.sleep(_SETTLE_S if idle_s else 0)
        before, since = _tree_cpu(pid), time.monotonic()
        time.sleep(idle_s)
        share = (_tree_cpu(pid) - before) / max(time.monotonic() - since, 1.0)
        receiver_mb = _measure_receiver(pid)
    return _Start(receiver_s, ready_s, cpu_s, 100 * share, receiver_mb)


def _measure_receiver(root: int) -> float:
    """Return the private memory of the receiver that a node started, in MB."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended
                words = (folder / "cmdline").read_bytes().split(b"\0")
                status = (folder / "status").read_text()
                if b"receive" in words and re.search(rf"^PPid:\s+{root}$", status, re.MULTILINE):
                    private = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
                    return int(private[1]) / 1000 if private else 0.0
    return 0.0


def _wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the node did not start; see node.log")
        time.sleep(0.02)


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5.0) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(100)
    except OSError:
        return False


def _tree_cpu(root: int) -> float:
    """Return the seconds of processor of a process and of all that it started."""
    parents, ticks = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            parents[int(folder.name)] = int(fields[1])
            ticks[int(folder.name)] = sum(map(int, fields[11:15]))
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(ticks.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


def _summarize(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds to watch a node idle")
    parser.add_argument("--studies", type=int, default=1000, help="a thousand at least")
    parser.add_argument("--nice", type=int, default=0, help="added to the priority of all")
    parser.add_argument("--folder", type=Path, help="where the node is left and found again")
    parser.add_argument("--only", default="", help="only commands with this in their name")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.nice(arguments.nice)
    figures: dict[str, dict[str, float]] = {}
    with TemporaryDirectory(prefix="bench-startup-") as name:
        folder = arguments.folder or Path(name)
        make_node(folder, arguments.studies)
        commands = (("--help",), ("studies", "list"), ("studies", "show", name_study(7)))
        for command in commands:
            title = " ".join(command[:2])
            if arguments.only in title:
                runs = [run_command(folder, *command) for _ in range(arguments.repeat + 1)][1:]
                figures[f"{title}, CPU s"] = _summarize([cpu for cpu, _ in runs])
                figures[f"{title}, s"] = _summarize([wall for _, wall in runs])
        if arguments.only in "serve":
            starts = [start_node(folder, 0.0) for _ in range(arguments.repeat)]
            for field in ("receiver_s", "ready_s", "cpu_s"):
                figures[f"serve, {field}"] = _summarize([getattr(one, field) for one in starts])
        if arguments.only in "serve" and arguments.idle:
            # The other has studies to read.
            empty = Path(name) / "empty"
            (empty / "data").mkdir(mode=0o700, parents=True)
            idle = start_node(empty, arguments.idle)
            for field in ("idle_percent", "receiver_mb"):
                figures[f"serve, {field}"] = _summarize([getattr(idle, field)])
    print(f"load {os.getloadavg()[0]:.1f}")
    for title, values in figures.items():
        print(f"  {title:26} {values['median']:8.2f} ({values['low']:.2f}-{values['high']:.2f})")
    if arguments.json is not None:
        report = {"studies": arguments.studies, "load": os.getloadavg(), "figures": figures}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
