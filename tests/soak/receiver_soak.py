"""A receiver under thousands of hostile connections, beside peers that go on storing.

Run it as ``python -m tests.soak.receiver_soak --connections 20000 --seed 1`` from the root of the
repository, with ``service`` on PYTHONPATH or the package installed (Linux: it reads /proc). It runs
the receiver's own command on SQLite, and ends by comparing what the process holds with what it held
when the crowd had begun: threads, descriptors, memory and the spool are where they were, nothing
that it logged quotes or has a traceback, and no polite peer waited for more than half a second of
the receiver's processor time.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.peers.hostile_peers import Target, behave_badly, store_politely

MEMORY_SHARE = 0.10
"""By how much the memory may have grown."""
POLITE_CPU_SECONDS = 0.5
_WARM_SHARE = 0.2
"""This much of the crowd comes before the first look at the process: caches fill."""
_LEFT_OPEN = 100
"""How many connections the crowd leaves open at a time."""
_CONNECTIONS_PER_LINE = 1000
_REST_SECONDS = 30.0
_P_DATA, _RELEASED = 4, 6
"""PDU types that answer a request and a release (PS3.8 9.3)."""
_UNEXPECTED = {
    "association_failed",
    "cleanup_failed",
    "housekeeping_failed",
    "process_failed",
    "thread_failed",
}
"""Events that only a fault of ours causes."""

SETTINGS = """
[node]
data_dir = "{folder}"
[receive]
host = "127.0.0.1"
port = {port}
minimum_free_bytes = 0
acse_seconds = 2
network_seconds = 5
[[peers]]
ae_title = "POLITE"
[[peers]]
ae_title = "CROWD"
"""


@dataclass(frozen=True)
class Holdings:
    """What a process holds at a moment."""

    threads: int
    descriptors: int
    megabytes: float
    spool_files: int

    def __str__(self) -> str:
        return (
            f"{self.threads} threads, {self.descriptors} descriptors, {self.megabytes:.0f} MB, "
            f"{self.spool_files} files in the spool"
        )


def measure_cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ReceiverProcess:
    """The command ``secondread receive`` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = int(free.getsockname()[1])
        self.spool = folder / "data" / "spool"
        self.log = folder / "receiver.log"
        settings = folder / "secondread.toml"
        settings.write_text(SETTINGS.format(folder=folder / "data", port=self.port))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "secondread", "receive"),
                    *("--settings", str(settings), "--parent", str(os.getpid())),
                ],
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def wait_until_listening(self) -> None:
        """Wait until it takes connections."""
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            if not self.is_alive:
                break
            time.sleep(0.1)
        raise SystemExit(f"the receiver does not listen:\n{self.log.read_text()}")

    def measure(self) -> Holdings:
        """Look at what it holds."""
        proc = Path(f"/proc/{self._process.pid}")
        return Holdings(
            threads=len(list((proc / "task").iterdir())),
            descriptors=len(list((proc / "fd").iterdir())),
            megabytes=int((proc / "statm").read_text().split()[1])
            * os.sysconf("SC_PAGESIZE")
            / 1e6,
            spool_files=len(list(self.spool.iterdir())),
        )

    def measure_cpu_seconds(self) -> float:
        """Return the processor time that it has taken."""
        return measure_cpu_seconds(self.pid)

    def measure_at_rest(self, threads: int = 0) -> Holdings:
        """Look at it when it has come to rest: with so many threads, or after half a minute."""
        deadline = time.monotonic() + _REST_SECONDS
        seen = self.measure()
        while time.monotonic() < deadline and (seen.threads > threads or seen.spool_files):
            time.sleep(0.5)
            seen = self.measure()
        return seen

    def stop(self) -> None:
        """Have it end."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_receiver(folder: Path) -> Iterator[ReceiverProcess]:
    """Run a receiver in a folder while the block runs."""
    receiver = ReceiverProcess(folder)
    try:
        receiver.wait_until_listening()
        yield receiver
    finally:
        receiver.stop()


class Crowd:
    """Hostile connections, several at a time; connection n of a seed always does the same."""

    def __init__(self, target: Target, seed: int, workers: int = 16) -> None:
        self._target = target
        self._seed = seed
        self._workers = workers
        self._left_open: deque[socket.socket] = deque()
        self._lock = threading.Lock()
        self._next = 0
        self.done = 0
        """How many connections have done what they came for."""

    def come(self, connections: int) -> None:
        """Make so many more connections, and leave none of them open at the end."""
        end = self._next + connections
        workers = [threading.Thread(target=self._work, args=(end,)) for _ in range(self._workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self._close(keep=0)

    def _work(self, end: int) -> None:
        while (number := self._take(end)) is not None:
            left = behave_badly(self._target, Random(f"{self._seed}-{number}"))
            with self._lock:
                self._left_open.extend(left)
                self.done += 1
            if self.done % _CONNECTIONS_PER_LINE == 0:
                print(f"{self.done} connections", flush=True)
            self._close(keep=_LEFT_OPEN)

    def _take(self, end: int) -> int | None:
        with self._lock:
            if self._next >= end:
                return None
            self._next += 1
            return self._next

    def _close(self, keep: int) -> None:
        while len(self._left_open) > keep:
            with contextlib.suppress(IndexError):
                self._left_open.popleft().close()


class PolitePeer:
    """Stores an instance again and again, and notes what that took of the receiver's time.

    It has a process of its own, so that it does not wait for the crowd on its own side. What it
    stores first, before the crowd comes, does not count.
    """

    def __init__(self, receiver: ReceiverProcess) -> None:
        module = (sys.executable, "-m", "tests.soak.receiver_soak")
        self._process = subprocess.Popen(
            [*module, "--polite", str(receiver.port), str(receiver.pid)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.cpu_seconds: list[float] = []
        self.faults: list[str] = []
        assert self._process.stdout is not None
        # A crowd may be gone before a process has started, which then would have seen none of it.
        self._read_note(self._process.stdout.readline())
        self.cpu_seconds.clear()

    def stop(self) -> None:
        """Have it end after the instance that it is at, and read its notes."""
        self._process.send_signal(signal.SIGTERM)
        written, _ = self._process.communicate()
        for line in written.splitlines():
            self._read_note(line)

    def _read_note(self, line: str) -> None:
        note = json.loads(line)
        if note["answers"] == [_P_DATA, _RELEASED]:
            self.cpu_seconds.append(note["cpu_seconds"])
        else:
            self.faults.append(f"a polite peer was answered {note['answers']}")


def store_until_stopped(port: int, receiver_pid: int) -> None:
    """Store politely until terminated; writes a line of JSON for each time."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    target = Target(port, "POLITE")
    while not stopping.wait(0.1):
        before = measure_cpu_seconds(receiver_pid)
        try:
            answers: object = store_politely(target)
        except OSError as error:
            answers = type(error).__name__
        taken = measure_cpu_seconds(receiver_pid) - before
        print(json.dumps({"answers": answers, "cpu_seconds": taken}), flush=True)


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    connections: int
    seconds: float
    cpu_seconds: float
    """Processor time of the receiver, its start among it."""
    warm: Holdings
    end: Holdings
    done: int
    polite_cpu_seconds: list[float]
    """What each of these took of the receiver's processor time, others' requests among it."""
    polite_faults: list[str]
    events: Counter[str]
    tracebacks: int
    is_alive: bool

    def list_faults(self) -> list[str]:
        """Return what is not as it should be."""
        grown = self.warm.megabytes * (1 + MEMORY_SHARE)
        seen = {
            f"{self.done} of {self.connections} came to an end": self.done != self.connections,
            "the receiver died": not self.is_alive,
            "threads are left": self.end.threads > self.warm.threads,
            "descriptors are left": self.end.descriptors > self.warm.descriptors,
            "memory has grown by more than a tenth": self.end.megabytes > grown,
            "files are left in the spool": bool(self.end.spool_files),
            f"{self.tracebacks} tracebacks in the log": bool(self.tracebacks),
            "no polite peer was served": not self.polite_cpu_seconds,
            "a polite peer had to wait": max(self.polite_cpu_seconds, default=0)
            > POLITE_CPU_SECONDS,
        }
        unexpected = [f"{event} in the log" for event in _UNEXPECTED if self.events[event]]
        return [
            *(fault for fault, is_so in seen.items() if is_so),
            *unexpected,
            *self.polite_faults,
        ]


def read_log(path: Path) -> tuple[Counter[str], int]:
    """Count the events of a log, and the tracebacks in it."""
    events: Counter[str] = Counter()
    text = path.read_text(errors="replace")
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            events[str(json.loads(line).get("event"))] += 1
    return events, text.count("Traceback")


def besiege(folder: Path, connections: int, seed: int) -> Outcome:
    """Send a crowd to a receiver in a folder, and a polite peer beside it."""
    with running_receiver(folder) as receiver:
        crowd = Crowd(Target(receiver.port, "CROWD"), seed)
        fresh = receiver.measure()
        started = time.monotonic()
        warm_connections = int(connections * _WARM_SHARE)
        crowd.come(warm_connections)
        warm = receiver.measure_at_rest(fresh.threads)
        peer = PolitePeer(receiver)
        crowd.come(connections - warm_connections)
        seconds = time.monotonic() - started
        peer.stop()
        end = receiver.measure_at_rest(warm.threads)
        is_alive, cpu_seconds = receiver.is_alive, receiver.measure_cpu_seconds()
    events, tracebacks = read_log(receiver.log)
    return Outcome(
        connections=connections,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        warm=warm,
        end=end,
        done=crowd.done,
        polite_cpu_seconds=sorted(peer.cpu_seconds),
        polite_faults=peer.faults,
        events=events,
        tracebacks=tracebacks,
        is_alive=is_alive,
    )


def main() -> None:
    """Run it, and end with 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--keep-log", type=Path, help="copy the receiver's log there")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--polite", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.polite is not None:
        store_until_stopped(*arguments.polite)
        return
    with tempfile.TemporaryDirectory(prefix="soak-receiver-") as folder:
        outcome = besiege(Path(folder), arguments.connections, arguments.seed)
        if arguments.keep_log is not None:
            shutil.copy(Path(folder) / "receiver.log", arguments.keep_log)
    print(
        f"{outcome.connections} hostile connections in {outcome.seconds:.0f} s, "
        f"{outcome.cpu_seconds:.0f} s of processor time"
    )
    print(f"when the crowd had begun: {outcome.warm}")
    print(f"at the end:               {outcome.end}")
    cpu = outcome.polite_cpu_seconds
    print(
        f"stored politely: {len(cpu)}, within {statistics.median(cpu):.2f} s of processor time "
        f"(median), {cpu[-1]:.2f} s (slowest)"
    )
    print(f"in the log: {dict(outcome.events.most_common())}")
    faults = outcome.list_faults()
    print(*(f"FAULT {fault}" for fault in faults[:20]), sep="\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
