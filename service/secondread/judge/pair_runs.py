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
from secondread.followup.constellation import METHOD
from secondread.followup.limits import shipped_limits
from secondread.judge.pair_oracle import ORACLE_READER, Oracle
from secondread.judge.pairs import Detect, LookAt, detected, looked_at
from secondread.judge.records import cut_off_rest
from secondread.judge.viewing import OpenReader
from secondread.reading import Reader
from secondread.settings import FindingsSettings

Step = Callable[[], None]
"""Is called after each pair."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model, ready to read views."""

    detect: Detect
    reader: Reader
    look: LookAt | None = None
    """Looks at places of a view again; None for what answers without pixels."""


Open = Callable[[], Opened]
"""Opens what reads the views of a pair; is called once in each process."""

Found = list[dict[str, Any]]
"""What was found of one pair, as plain values."""


@dataclass(frozen=True, slots=True)
class BenchModel:
    """One model of a benchmark."""

    open: Open
    reader: Reader
    """What `open` opens the same."""

    @property
    def described(self) -> str:
        """Which model it is, for people."""
        model = self.reader.model
        return f"{model.name} {model.version}, manifest {model.digest[:12]}"


@dataclass(frozen=True, slots=True)
class Models:
    """What reads the views of a pair in this process."""

    now: Opened
    older: Opened | None


@dataclass(frozen=True, slots=True)
class Bench:
    """What a benchmark runs on."""

    seed: int
    pairs: int
    pitch_mm: float | None
    model: BenchModel
    out: Path
    processes: int = 1
    older: BenchModel | None = None
    """What read the priors before an upgrade; None where no upgrade is judged."""

    def open_models(self) -> Models:
        """Open what reads the views."""
        return Models(self.model.open(), None if self.older is None else self.older.open())

    @property
    def described(self) -> str:
        """What was judged, for people."""
        read_by = self.model.described
        return f"{self.pairs} simulated pairs (seed {self.seed}), read by {read_by}"


Judge = Callable[[Bench, Models, int], Found]
"""Reads the pair of a number and tells what was found; a function of a module."""


def open_model(manifest: Path | None, open_reader: OpenReader, folder: Path) -> Opened:
    """Open a model in this process; the views that it reads pass through a folder."""

    def read_file(path: Path, _display: Path, overrides: frozenset[str]) -> Detection:
        return detector.detect(path, overrides)[0]

    detector = Detector(load(manifest))
    look = looked_at(detector.scores_at, folder)
    return Opened(detected(read_file, folder), open_reader(FindingsSettings()), look)


def open_oracle(seed: int) -> Opened:
    """Open what answers from the truth."""
    return Opened(Oracle(seed), ORACLE_READER)


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
        The file there is of another model, older model, seed or judge, of other limits of
        repeatability, or of another way to look again.
    """
    path = bench.out / f"{name}.jsonl"
    header = {
        "seed": bench.seed,
        "model": bench.model.reader.model.digest,
        "of": name,
        "limits": shipped_limits().made_from,
        "second_look": METHOD,
    }
    if bench.older is not None:
        header["prior_model"] = bench.older.reader.model.digest
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


_HEADER = {
    "seed": "another seed",
    "model": "another model",
    "prior_model": "another --prior-model, or of none",
    "of": "another measurement",
    "limits": "other repeatability limits",
    "second_look": "another way to look again",
}


def _lines(path: Path, header: dict[str, Any]) -> dict[int, Found]:
    """Return what the file holds by pair, a last line that was cut off left out."""
    cut_off_rest(path)
    if not path.stat().st_size:
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
    first, *others = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    other = [words for key, words in _HEADER.items() if first.get(key) != header.get(key)]
    if other:
        raise SettingsError(
            f"{path}: holds pairs of {', '.join(other)}; name another folder, or remove it"
        )
    return {line["pair"]: line["found"] for line in others}


def _judged(bench: Bench, judge: Judge, numbers: Sequence[int]) -> Iterator[tuple[int, Found]]:
    if bench.processes == 1 or len(numbers) < 2:
        models = bench.open_models() if numbers else None
        for number in numbers:
            yield number, judge(bench, models, number)  # type: ignore[arg-type]
        return
    with ProcessPoolExecutor(
        min(bench.processes, len(numbers)),
        # A forked child would share the parent's locks and threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_open,
        initargs=(bench,),
    ) as pool:
        waiting = {pool.submit(_judge_pair, bench, judge, number): number for number in numbers}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_opened: list[Models] = []
"""The reading process's own; a process pool hands nothing else from its start to its tasks."""


def _open(bench: Bench) -> None:
    _opened[:] = [bench.open_models()]


def _judge_pair(bench: Bench, judge: Judge, number: int) -> Found:
    return judge(bench, _opened[0], number)
