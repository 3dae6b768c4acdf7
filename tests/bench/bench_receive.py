"""How fast the receiver takes mammograms in, beside other receivers in the same run.

    python -m tests.bench.bench_receive [--rounds N] [--files N] [--associations N ...]
        [--only NAME ...] [--no-large] [--json FILE]

The process is the command ``secondread receive`` with its SQLite database, as it is installed.
Beside it: Orthanc, which flushes as well (SyncStorageArea); DCMTK's storescp, which never does; a
few lines of pynetdicom; and the floor, which takes bytes, writes, flushes and answers
(`receivers`). Each is sent the same images, of 27.3 MB with the header of a simulated exam, by one
storescu for each association. In each round all take their turn, so that what else the machine
does meets all.

Megabytes a second depend on the machine: compare ratios, and the receiver's own processor time (of
it and its children, user and system). RssAnon is private memory, the highest seen while it
received.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pydicom.dataset import FileDataset
from pydicom.uid import UID, BreastTomosynthesisImageStorage

from secondread.clock import utc_now
from secondread_lab.simulate.exam import ExamSpec, simulate_exam
from tests.bench.receivers import (
    CALLED,
    CALLING,
    PDU_BYTES,
    RECEIVERS,
    RunningReceiver,
    measure_usage,
    run_receiver,
    send_to_floor,
)

_ROWS, _COLUMNS = 4096, 3328
_LARGE_FRAMES = 44
"""Of the one large object: 1.2 GB."""
_MARK = "1.2.826.0.1.3680043.10.99.77"
_REAP_SECONDS = 0.3
"""Children that have ended are waited for by some receivers a little later."""


@dataclass(frozen=True)
class Result:
    """One measurement."""

    receiver: str
    associations: int
    megabytes: float
    seconds: float
    cpu_ms_per_mb: float
    anonymous_mb: float
    """Highest private memory."""
    resident_mb: float
    """Highest resident memory at a sample, mapped files included."""
    load: float
    """Of the machine, before: processes that ran or waited, mean of a minute."""
    others_cpu: float
    """Share of all cores that neither the receiver nor its senders took."""

    @property
    def rate(self) -> float:
        """Megabytes a second."""
        return self.megabytes / self.seconds


class SourceFiles:
    """Images to send, whose UIDs are written anew for each measurement."""

    def __init__(self, folder: Path, count: int) -> None:
        spec = ExamSpec(utc_now().date(), prior_years=None, pitch_mm=1.0)
        views = [view.instances[0][1] for view in simulate_exam(spec).views]
        self.paths = [folder / f"{number}.dcm" for number in range(count)]
        self._places: list[list[tuple[int, bytes]]] = []
        self._round = 0
        pixels = os.urandom(_ROWS * _COLUMNS * 2)
        for number, path in enumerate(self.paths):
            self._places.append(_write_image(path, views[number % 4], pixels, number))

    def renew(self) -> None:
        """Give all of them UIDs that no receiver has seen, four images in each study."""
        self._round += 1
        for number, (path, places) in enumerate(zip(self.paths, self._places, strict=True)):
            with path.open("r+b") as file:
                for position, kind in places:
                    key = number if kind == b"3" else number // 4
                    file.seek(position)
                    file.write(_format_uid(kind, self._round, key))


def _format_uid(kind: bytes, turn: int, key: int) -> bytes:
    return b"%s.%s.1%05d.1%04d" % (_MARK.encode(), kind, turn, key)


def _write_image(
    path: Path, view: FileDataset, pixels: bytes, number: int
) -> list[tuple[int, bytes]]:
    """Write an image; return where its UIDs are, and the kind of each."""
    uids = [_format_uid(kind, 0, number).decode() for kind in (b"1", b"2", b"3")]
    view.StudyInstanceUID, view.SeriesInstanceUID, view.SOPInstanceUID = uids
    view.file_meta.MediaStorageSOPInstanceUID = UID(uids[2])
    view.Rows, view.Columns = _ROWS, _COLUMNS
    view.PixelData = pixels
    view.save_as(path, enforce_file_format=True)
    with path.open("rb") as file:
        beginning = file.read(64 * 1024)
    found = []
    for uid in map(str.encode, uids):
        position = -1
        while (position := beginning.find(uid, position + 1)) >= 0:
            found.append((position, uid[len(_MARK) + 1 :][:1]))
    return found


def write_large(folder: Path) -> Path:
    """Write one tomosynthesis object of 1.2 GB."""
    spec = ExamSpec(utc_now().date(), prior_years=None, pitch_mm=1.0, views=("RCC",))
    view = simulate_exam(spec).views[0].instances[0][1]
    view.SOPClassUID = view.file_meta.MediaStorageSOPClassUID = BreastTomosynthesisImageStorage
    view.Rows, view.Columns, view.NumberOfFrames = _ROWS, _COLUMNS, _LARGE_FRAMES
    view.PixelData = bytes(_ROWS * _COLUMNS * 2 * _LARGE_FRAMES)
    view.save_as(folder / "large.dcm", enforce_file_format=True)
    return folder / "large.dcm"


def send(receiver: RunningReceiver, batches: Sequence[Sequence[Path]], *more: str) -> None:
    """Send each batch over an association of its own, all at once."""
    if receiver.name == "floor":
        with ThreadPoolExecutor(len(batches)) as pool:
            list(pool.map(lambda batch: send_to_floor(receiver.port, batch), batches))
        return
    options = [*more, "--max-pdu", str(PDU_BYTES), "-xe", "-aet", CALLING, "-aec", CALLED]
    command = ["storescu", *options, "127.0.0.1", str(receiver.port)]
    senders = [subprocess.Popen([*command, *map(str, batch)]) for batch in batches]
    codes = [sender.wait() for sender in senders]
    if any(codes):
        raise SystemExit(f"storescu failed with {receiver.name}")


@contextmanager
def watch_memory(pid: int) -> Iterator[list[tuple[float, float]]]:
    """Collect private and resident megabytes of a process while the block runs."""
    samples: list[tuple[float, float]] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            usage = measure_usage(pid)
            samples.append((usage.anonymous_megabytes, usage.resident_megabytes))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def measure(receiver: RunningReceiver, batches: Sequence[Sequence[Path]], *more: str) -> Result:
    """Send batches to a receiver, with more options of storescu; take what it needs for them."""
    megabytes = sum(path.stat().st_size for batch in batches for path in batch) / 1e6
    load, busy, ours = os.getloadavg()[0], _measure_machine(), _measure_self()
    before, started = measure_usage(receiver.pid).cpu_seconds, time.perf_counter()
    with watch_memory(receiver.pid) as samples:
        send(receiver, batches, *more)
        seconds = time.perf_counter() - started
        time.sleep(_REAP_SECONDS)
    cpu = measure_usage(receiver.pid).cpu_seconds - before
    elapsed = time.perf_counter() - started
    others = _measure_machine() - busy - cpu - (_measure_self() - ours)
    result = Result(
        receiver=receiver.name,
        associations=len(batches),
        megabytes=round(megabytes, 1),
        seconds=round(seconds, 3),
        cpu_ms_per_mb=round(1000 * cpu / megabytes, 2),
        anonymous_mb=round(max(anonymous for anonymous, _ in samples), 1),
        resident_mb=round(max(resident for _, resident in samples), 1),
        load=round(load, 2),
        others_cpu=round(max(0.0, others) / elapsed / (os.cpu_count() or 1), 2),
    )
    receiver.forget()
    os.sync()  # what one leaves to be written must not slow the next
    return result


def _measure_machine() -> float:
    """Return the seconds that all cores have worked since the start of the machine."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _measure_self() -> float:
    """Return the processor time of this process and of the senders that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compare(
    receivers: Sequence[RunningReceiver], files: SourceFiles, counts: Sequence[int], rounds: int
) -> Iterator[Result]:
    """Measure all in turn, each round in another order; the first images are not counted."""
    for turn in range(-1, rounds):
        for count in counts if turn >= 0 else counts[:1]:
            batches = [files.paths[first::count] for first in range(count)]
            shift = turn % len(receivers)
            for receiver in (*receivers[shift:], *receivers[:shift]):
                files.renew()
                result = measure(receiver, batches)
                if turn >= 0:
                    yield result


def report(results: Sequence[Result]) -> None:
    """Print medians with their spread, and what secondread is at beside each other receiver."""
    by_count: dict[int, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        by_count[result.associations][result.receiver].append(result)
    for count, by_name in by_count.items():
        print(f"{count} association(s)")
        print(f"  {'':12} {'MB/s':>20} {'CPU ms/MB':>20} {'RssAnon MB':>11}   secondread is at")
        ours = by_name.get("secondread", [])
        for name, group in by_name.items():
            rate = _spread([result.rate for result in group], 0)
            cpu = _spread([result.cpu_ms_per_mb for result in group], 2)
            memory = max(result.anonymous_mb for result in group)
            ratios = [mine.rate / its.rate for mine, its in zip(ours, group, strict=False)]
            print(f"  {name:12} {rate:>20} {cpu:>20} {memory:11.0f}   {_spread(ratios, 2)}")


def _spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return ""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=16, help="images to send, 27.3 MB each")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--only", nargs="+", choices=list(RECEIVERS), default=list(RECEIVERS))
    parser.add_argument("--no-large", action="store_true", help="without the object of 1.2 GB")
    parser.add_argument("--folder", type=Path, help="where to write; default: the temporary one")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-receive-", dir=arguments.folder))
    try:
        files = SourceFiles(folder, arguments.files)
        with ExitStack() as stack:
            receivers = [
                stack.enter_context(run_receiver(name, folder / name)) for name in arguments.only
            ]
            results = list(compare(receivers, files, arguments.associations, arguments.rounds))
            report(results)
            large = [] if arguments.no_large else _measure_large(receivers, folder)
    finally:
        shutil.rmtree(folder)
    if arguments.json is not None:
        found = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "results": [asdict(result) for result in results],
            "large": [asdict(result) for result in large],
        }
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _measure_large(receivers: Sequence[RunningReceiver], folder: Path) -> list[Result]:
    path = write_large(folder)
    print(f"one object of {path.stat().st_size / 1e6:.0f} MB")
    results = []
    for receiver in receivers:
        held = measure_usage(receiver.pid).anonymous_megabytes
        # Of itself, storescu does not propose tomosynthesis.
        result = measure(receiver, [[path]], "-R")
        grown = result.anonymous_mb - held
        print(
            f"  {result.receiver:12} {result.rate:4.0f} MB/s {result.cpu_ms_per_mb:6.2f} CPU ms/MB"
            f"   RssAnon {held:.0f} MB before, at most {result.anonymous_mb:.0f} ({grown:+.0f})"
        )
        results.append(result)
    return results


if __name__ == "__main__":
    main()
