"""Reading simulated pairs, several side by side, and on again after an interruption.

What was found of each pair is a line of a file, so that a run which ends early costs one pair of
each process. The same model, seed and numbers go on where a run stopped; others need another
folder.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secondread.detect.detector import Detector
from secondread.detect.manifest import load
from secondread.detect.marks import Detection
from secondread.errors import SettingsError
from secondread.followup.limits import shipped_limits
from secondread.judge.pairs import ORACLE_READER, Detect, Oracle, detected
from secondread.judge.records import cut_off_rest
from secondread.judge.viewing import OpenReader
from secondread.reading import Reader
from secondread.settings import FindingsSettings

Step = Callable[[], None]
"""Is called after each pair."""

Opened = tuple[Detect, Reader]
Open = Callable[[], Opened]
"""Opens what reads the views of a pair; is called once in each process."""

Found = list[dict[str, Any]]
"""What was found of one pair, as plain values."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a benchmark runs on."""

    seed: int
    pairs: int
    pitch_mm: float | None
    open: Open
    reader: Reader
    """What `open` opens the same."""
    out: Path
    processes: int = 1

    @property
    def described(self) -> str:
        """What was judged, for people."""
        model = self.reader.model
        return (
            f"{self.pairs} simulated pairs (seed {self.seed}), read by {model.name} "
            f"{model.version}, manifest {model.digest[:12]}"
        )


Judge = Callable[[Bench, Opened, int], Found]
"""Reads the pair of a number and tells what was found; a function of a module."""


def open_model(manifest: Path | None, open_reader: OpenReader, folder: Path) -> Opened:
    """Open a model in this process; the views that it reads pass through a folder."""

    def read_file(path: Path, _display: Path, overrides: frozenset[str]) -> Detection:
        return detector.detect(path, overrides)[0]

    detector = Detector(load(manifest))
    return detected(read_file, folder), open_reader(FindingsSettings())


def open_oracle(seed: int) -> Opened:
    """Open what answers from the truth."""
    return Oracle(seed), ORACLE_READER


def collected(bench: Bench, name: str, judge: Judge, step: Step) -> Found:
    """Return what was found of all pairs of a benchmark, in the order of their numbers.

    Parameters
    ----------
    bench
        Which pairs, what reads them, and where the lines go.
    name
        Of the file of lines in ``bench.out``, without its ending.
    judge
        What is done with one pair.
    step
        Is called for each pair that is done.

    Raises
    ------
    SettingsError
        The file there is of another model, seed, judge, or of other limits of repeatability.
    """
    path = bench.out / f"{name}.jsonl"
    header = {
        "seed": bench.seed,
        "model": bench.reader.model.digest,
        "of": name,
        "limits": shipped_limits().made_from,
    }
    done = _lines(path, header)
    for _ in done:
        step()
    left = [number for number in range(bench.pairs) if number not in done]
    with path.open("a", encoding="utf-8") as lines:
        for number, found in _judged(bench, judge, left):
            lines.write(json.dumps({"pair": number, "found": found}) + "\n")
            lines.flush()
            done[number] = found
            step()
    return [one for number in range(bench.pairs) for one in done[number]]


def _lines(path: Path, header: dict[str, Any]) -> dict[int, Found]:
    """Return what the file holds by pair, a last line that was cut off left out."""
    cut_off_rest(path)
    if not path.stat().st_size:
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
    first, *others = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    if first != header:
        raise SettingsError(
            f"{path}: holds the pairs of another model or seed, or of other repeatability limits; "
            "name another folder, or remove it"
        )
    return {line["pair"]: line["found"] for line in others}


def _judged(bench: Bench, judge: Judge, numbers: Sequence[int]) -> Iterator[tuple[int, Found]]:
    if bench.processes == 1 or len(numbers) < 2:
        opened = bench.open() if numbers else None
        for number in numbers:
            yield number, judge(bench, opened, number)  # type: ignore[arg-type]
        return
    with ProcessPoolExecutor(
        min(bench.processes, len(numbers)),
        # A forked child would share the parent's locks and threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_open,
        initargs=(bench.open,),
    ) as pool:
        waiting = {pool.submit(_judge_pair, bench, judge, number): number for number in numbers}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_opened: list[Opened] = []
"""The reading process's own; a process pool hands nothing else from its start to its tasks."""


def _open(how: Open) -> None:
    _opened[:] = [how()]


def _judge_pair(bench: Bench, judge: Judge, number: int) -> Found:
    return judge(bench, _opened[0], number)
