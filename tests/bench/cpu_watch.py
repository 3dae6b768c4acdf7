"""The processor time of a node, sampled while it works."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SAMPLE_S = 0.05
"""Between two samples."""
_IDLE_CORES = 0.1
"""Below this, the node counts as idle."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Sample:
    """The processor time that all processes of a node had used at an instant."""

    at: float
    cpu_s: float


class CpuWatch:
    """Samples the processor time of a process and of all below it, in a thread of its own."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended: dict[int, float] = {}
        self._stop = threading.Event()
        self.samples: list[Sample] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "CpuWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self._ended |= {pid: _read_cpu(pid) for pid in _list_tree(self._pid)}
            self.samples.append(Sample(time.time(), sum(self._ended.values())))

    def measure_cpu(self, since: float, until: float) -> float:
        """Return the processor seconds used between two instants."""
        inside = [sample.cpu_s for sample in self.samples if since <= sample.at <= until]
        return inside[-1] - inside[0] if inside else 0.0

    def find_longest_idle(self, since: float, until: float) -> tuple[float, float]:
        """Return how long the node was idle at most, and when that began after `since`."""
        inside = [sample for sample in self.samples if since <= sample.at <= until]
        longest, began, start = 0.0, 0.0, since
        for before, after in pairwise(inside):
            # Ticks are coarse: one tick in a sample is no work to speak of.
            used = max(after.cpu_s - before.cpu_s - _TICK_S, 0.0)
            if used > _IDLE_CORES * (after.at - before.at):
                start = after.at
            elif after.at - start > longest:
                longest, began = after.at - start, start - since
        return longest, began


def _list_tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from _list_tree(int(child))


def _read_cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK_S
