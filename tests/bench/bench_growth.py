"""How what a node asks of its tracker grows with the studies in it, on SQLite and PostgreSQL.

    python -m tests.bench.bench_growth [--studies 1000 200000] [--only NAME] [--json FILE]

Trackers of each size are filled by SQL, then asked the same things in turn by the node's own code:
pages, sweeps, claims, arrivals. Printed are the median milliseconds of each size, its spread (a
fifth of the rounds lie outside of it), and the ratio of the largest to the smallest of the same
run: 1.0 is flat. On a busy machine the ratios count; for SQLite also the processor's time, which
for PostgreSQL is the client's alone. A million studies take some 12 GB and half an hour to fill.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from secondread import log
from tests.peers.postgres_server import running_server
from tests.worlds.grown_node import GrownNode
from tests.worlds.grown_tracker import grow_tracker

_TIMES = {"claim and results": 8, "arrival of an image": 10}
"""How often a round asks what changes something and is quick; other things are asked twice."""


@dataclass
class Figures:
    """What one question took, at one size."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def summarize(self) -> dict[str, float]:
        """Return the median, the spread and the 95th percentile."""
        ordered = sorted(self.wall_ms)
        cut = len(ordered) // 5
        return {
            "median_ms": statistics.median(ordered),
            "low_ms": ordered[cut],
            "high_ms": ordered[-1 - cut],
            "p95_ms": ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))],
            "cpu_ms": statistics.median(self.cpu_ms),
        }


@dataclass(frozen=True)
class Line:
    """One question at all sizes."""

    backend: str
    name: str
    sizes: dict[int, dict[str, float]]

    def ratio(self, figure: str) -> float:
        """Return how many times as much the largest tracker takes as the smallest."""
        return self.sizes[max(self.sizes)][figure] / max(self.sizes[min(self.sizes)][figure], 1e-6)

    def __str__(self) -> str:
        columns = "  ".join(
            f"{values['median_ms']:8.1f} ({values['low_ms']:.1f}-{values['high_ms']:.1f})"
            for _, values in sorted(self.sizes.items())
        )
        ratios = f"{self.ratio('median_ms'):6.2f} {self.ratio('p95_ms'):6.2f}"
        return f"  {self.name:26} {columns}   {ratios} {self.ratio('cpu_ms'):6.2f}"


def ask(question: object, times: int, figures: Figures) -> None:
    """Ask some times, and note how long each took."""
    assert callable(question)
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        question()
        figures.wall_ms.append(1000 * (time.perf_counter() - wall))
        figures.cpu_ms.append(1000 * (time.process_time() - cpu))


def measure(backend: str, nodes: dict[int, GrownNode], rounds: int, only: str) -> Iterator[Line]:
    """Yield the figures of each question; the sizes take turns, so that a busy hour hits all."""
    questions = {size: node.list_questions() for size, node in nodes.items()}
    for name in questions[min(nodes)]:
        if only not in name:
            continue
        figures = {size: Figures() for size in nodes}
        for size in nodes:  # the first time compiles statements and fills caches
            ask(questions[size][name], 1, Figures())
        for _ in range(rounds):
            for size in nodes:
                ask(questions[size][name], _TIMES.get(name, 2), figures[size])
        yield Line(backend, name, {size: one.summarize() for size, one in figures.items()})


@contextmanager
def grown_nodes(
    urls: dict[int, str], folder: Path, *, are_filled: bool
) -> Iterator[dict[int, GrownNode]]:
    """Fill databases, and yield a node over each."""
    nodes = {}
    for size, url in urls.items():
        if not are_filled:
            started = time.perf_counter()
            grow_tracker(url, size)
            print(f"  {size} studies written in {time.perf_counter() - started:.0f} s", flush=True)
        nodes[size] = GrownNode(url, folder / f"archive-{size}", size)
    yield nodes
    for node in nodes.values():
        node.tracker.close()


def run_sqlite(sizes: Sequence[int], folder: Path, rounds: int, only: str) -> list[Line]:
    """Measure on SQLite; print as it goes."""
    urls = {size: f"sqlite:///{folder}/{size}.sqlite" for size in sizes}
    are_filled = all((folder / f"{size}.sqlite").is_file() for size in sizes)
    with grown_nodes(urls, folder, are_filled=are_filled) as nodes:
        return _report(measure("sqlite", nodes, rounds, only))


def run_postgresql(sizes: Sequence[int], folder: Path, rounds: int, only: str) -> list[Line]:
    """Measure on PostgreSQL; print as it goes."""
    with (
        running_server() as server,
        grown_nodes({size: server.create() for size in sizes}, folder, are_filled=False) as nodes,
    ):
        return _report(measure("postgresql", nodes, rounds, only))


def _report(lines: Iterator[Line]) -> list[Line]:
    print(f"  {'':26} median ms (spread) by size          ratio    p95    cpu")
    found = []
    for line in lines:
        print(line, flush=True)
        found.append(line)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, nargs="+", default=[1000, 200_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only questions with this in their name")
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], help="default: both")
    parser.add_argument("--folder", type=Path, help="where SQLite files are left and found again")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    log.configure_logging("bench", level="critical")
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="bench-growth-"))
    folder.mkdir(exist_ok=True)
    lines: list[Line] = []
    before = os.getloadavg()
    try:
        for backend, run in (("sqlite", run_sqlite), ("postgresql", run_postgresql)):
            if arguments.backend in {None, backend}:
                print(f"{backend}, load {os.getloadavg()[0]:.1f}", flush=True)
                lines += run(arguments.studies, folder, arguments.rounds, arguments.only)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)
    if arguments.json is not None:
        report = {
            "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            "load_before": before,
            "load_after": os.getloadavg(),
            "questions": [asdict(line) for line in lines],
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
