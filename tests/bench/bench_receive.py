"""How fast the receiver takes mammograms in, beside the floor of the disk and DCMTK's storescp.

Run it as ``python -m tests.bench.bench_receive`` from the root of the repository, with
``service`` on PYTHONPATH or the package installed. Peers: storescu, storescp (DCMTK). Megabytes
a second depend on the machine; compare ratios and CPU milliseconds per megabyte.

The receiver runs in a process of its own over a ledger that commits to SQLite with
``synchronous=FULL``. The floor writes the same bytes and flushes file and folder as the archive
does. storescp never flushes, so it is a ceiling for the network side, not an equal.
"""

import argparse
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID

from secondread import log
from secondread.accept.archive import Archive
from secondread.accept.ledger import (
    PeerAssociation,
    RecordOutcome,
    Refusal,
    StoredInstance,
    Transfer,
)
from secondread.accept.scp import Receiver
from secondread.settings import NodeSettings, PeerSettings, ReceiveSettings, Settings
from tests.unit.accept.fakes import MemoryCommitments, instance

_PDU = "131072"
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Result:
    """One measurement."""

    megabytes: float
    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        cpu = 1000 * self.cpu_seconds / self.megabytes
        return f"{self.megabytes / self.seconds:7.0f} MB/s   {cpu:5.2f} CPU ms/MB"


class SqliteLedger:
    """Writes a row for each instance, as durably as the tracker does."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE instances (uid TEXT, sha256 TEXT, path TEXT)")
        self._lock = threading.Lock()

    def record_receiver_start(self, at: datetime) -> None: ...

    def find_own(self, sop_instance_uid: str) -> None: ...

    def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
        row = (instance.sop_instance_uid, instance.sha256, instance.relative_path)
        with self._lock, self._connection:
            self._connection.execute("INSERT INTO instances VALUES (?, ?, ?)", row)
        return RecordOutcome.NEW

    def record_association_start(self, association: PeerAssociation) -> None: ...

    def record_association_end(
        self, association_id: str, at: datetime, transfers: Sequence[Transfer] = ()
    ) -> None: ...

    def record_refusals(self, refusals: Sequence[Refusal]) -> None: ...


def make_files(folder: Path, count: int) -> list[Path]:
    """Write mammograms of 27.3 MB that differ in their SOP Instance UID."""
    ds = instance(0, rows=4096, columns=3328)
    paths = []
    for number in range(count):
        ds.SOPInstanceUID = f"1.2.3.{number}"
        ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        paths.append(folder / f"{number}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def send(port: int, batches: Sequence[Sequence[Path]]) -> float:
    """Send each batch over an association of its own, all at once; return the seconds taken."""
    command = ["storescu", "--max-pdu", _PDU, "-xe", "-aet", "BENCH", "-aec", "SECONDREAD"]
    started = time.perf_counter()
    senders = [
        subprocess.Popen([*command, "127.0.0.1", str(port), *map(str, batch)]) for batch in batches
    ]
    codes = [sender.wait() for sender in senders]
    if any(codes):
        raise SystemExit("storescu failed")
    return time.perf_counter() - started


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def our_receiver(folder: Path) -> Iterator[tuple[int, int]]:
    """The receiver in a process of its own; yields its port and process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bench_receive", "--serve", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def storescp(folder: Path) -> Iterator[tuple[int, int]]:
    """DCMTK's receiver; yields its port and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir()
    process = subprocess.Popen(
        ["storescp", "--fork", "+B", "--max-pdu", _PDU, "-od", str(folder), str(port)]
    )
    try:
        time.sleep(0.5)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def measure(port: int, pid: int, batches: Sequence[Sequence[Path]]) -> Result:
    """Send the batches to a receiver, and take its time."""
    before = cpu_seconds(pid)
    seconds = send(port, batches)
    time.sleep(0.3)  # forked children are waited for a little later
    return Result(_size(batches), seconds, cpu_seconds(pid) - before)


def write_floor(folder: Path, batches: Sequence[Sequence[Path]]) -> Result:
    """Write the same bytes durably, a thread for each batch, without a network."""
    data = batches[0][0].read_bytes()
    archive = Archive(folder)
    archive.create()

    def write(number: int, batch: Sequence[Path]) -> None:
        for index in range(len(batch)):
            spooled = archive.spool / f"{number}-{index}"
            with spooled.open("wb") as file:
                for start in range(0, len(data), int(_PDU)):
                    file.write(data[start : start + int(_PDU)])
            archive.commit(spooled, f"{number:032x}{index:032x}")

    before, started = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(len(batches)) as pool:
        list(pool.map(write, range(len(batches)), batches))
    seconds = time.perf_counter() - started
    return Result(_size(batches), seconds, time.process_time() - before)


def _size(batches: Sequence[Sequence[Path]]) -> float:
    return sum(path.stat().st_size for batch in batches for path in batch) / _MEGABYTE


def serve(folder: Path) -> None:
    """Run a receiver until terminated; its port is the first line of standard output."""
    log.configure_logging("bench", level="error")
    archive = Archive(folder)
    archive.create()
    settings = Settings(
        node=NodeSettings(data_dir=folder),
        receive=ReceiveSettings(host="127.0.0.1", port=0, minimum_free_bytes=0),
        peers=(PeerSettings(ae_title="BENCH"),),
    )
    receiver = Receiver(
        settings, archive, SqliteLedger(folder / "ledger.sqlite"), MemoryCommitments()
    )
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    sys.stdout.write(f"{receiver.start()}\n")
    sys.stdout.flush()
    done.wait()
    receiver.stop(1.0)


def compare(folder: Path, files: Sequence[Path], associations: int) -> None:
    """Measure all three with the same files, and print them."""
    batches = [files[first::associations] for first in range(associations)]
    total = _size(batches)
    print(f"{associations} association(s), {len(files)} files, {total:.0f} MB")
    with our_receiver(folder / f"ours-{associations}") as (port, pid):
        ours = measure(port, pid, batches)
    floor = write_floor(folder / f"floor-{associations}", batches)
    with storescp(folder / f"storescp-{associations}") as (port, pid):
        theirs = measure(port, pid, batches)
    for name, result in (("secondread", ours), ("write + fsync", floor), ("storescp", theirs)):
        ratio = ours.megabytes / ours.seconds / (result.megabytes / result.seconds)
        print(f"  {name:14} {result}   secondread is at {100 * ratio:3.0f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path, help="internal: run the receiver in this folder")
    parser.add_argument("--files", type=int, default=8, help="mammograms to send (27.3 MB each)")
    parser.add_argument("--folder", type=Path, help="where to write; default: the temporary one")
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-receive-", dir=arguments.folder))
    try:
        (folder / "in").mkdir()
        files = make_files(folder / "in", arguments.files)
        for associations in (1, 4):
            compare(folder, files, associations)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
