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
from secondread.detect.manifest import load_manifest
from secondread.detect.marks import Detection
from secondread.errors import SettingsError
from secondread.followup.constellation import METHOD
from secondread.followup.limits import load_limits
from secondread.reading import Reader
from secondread.settings import FindingsSettings
from secondread_lab.judge.pair_oracle import ORACLE_READER, Oracle
from secondread_lab.judge.pairs import DetectView, RecheckView, make_detect, make_recheck
from secondread_lab.judge.records import trim_partial_line
from secondread_lab.judge.viewing import OpenReader

ReportPair = Callable[[], None]
"""Is called after each pair."""


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model, ready to read views."""

    detect: DetectView
    reader: Reader
    recheck: RecheckView | None = None
    """Looks at places of a view again; None for what answers without pixels."""


OpenModel = Callable[[], OpenedModel]
"""Opens what reads the views of a pair; is called once in each process."""

PairRows = list[dict[str, Any]]
"""What was found of one pair, as plain values."""


@dataclass(frozen=True, slots=True)
class BenchmarkModel:
    """One model of a benchmark."""

    open: OpenModel
    reader: Reader
    """What `open` opens the same."""

    @property
    def description(self) -> str:
        """Which model it is, for people."""
        model = self.reader.model
        return f"{model.name} {model.version}, manifest {model.digest[:12]}"


@dataclass(frozen=True, slots=True)
class OpenedModels:
    """What reads the views of a pair in this process."""

    current: OpenedModel
    older: OpenedModel | None


@dataclass(frozen=True, slots=True)
class PairBenchmark:
    """What a benchmark runs on."""

    seed: int
    pairs: int
    pitch_mm: float | None
    model: BenchmarkModel
    out: Path
    processes: int = 1
    older: BenchmarkModel | None = None
    """What read the priors before an upgrade; None where no upgrade is judged."""

    def open_models(self) -> OpenedModels:
        """Open what reads the views."""
        return OpenedModels(self.model.open(), None if self.older is None else self.older.open())

    @property
    def description(self) -> str:
        """What was judged, for people."""
        read_by = self.model.description
        return f"{self.pairs} simulated pairs (seed {self.seed}), read by {read_by}"


Judge = Callable[[PairBenchmark, OpenedModels, int], PairRows]
"""Reads the pair of a number and tells what was found; a function of a module."""


def open_model(manifest: Path | None, open_reader: OpenReader, folder: Path) -> OpenedModel:
    """Open a model in this process; the views that it reads pass through a folder."""

    def read_file(path: Path, _display: Path, overrides: frozenset[str]) -> Detection:
        return detector.detect(path, overrides)[0]

    detector = Detector(load_manifest(manifest))
    look = make_recheck(detector.score_places, folder)
    return OpenedModel(make_detect(read_file, folder), open_reader(FindingsSettings()), look)


def open_oracle(seed: int) -> OpenedModel:
    """Open what answers from the truth."""
    return OpenedModel(Oracle(seed), ORACLE_READER)


def judge_all_pairs(bench: PairBenchmark, name: str, judge: Judge, step: ReportPair) -> PairRows:
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
        "limits": load_limits().made_from,
        "second_look": METHOD,
    }
    if bench.older is not None:
        header["prior_model"] = bench.older.reader.model.digest
    done = _read_lines(path, header)
    for _ in done:
        step()
    left = [number for number in range(bench.pairs) if number not in done]
    with path.open("a", encoding="utf-8") as lines:
        for number, rows in _judge_pairs(bench, judge, left):
            lines.write(json.dumps({"pair": number, "found": rows}) + "\n")
            lines.flush()
            done[number] = rows
            step()
    return [row for number in range(bench.pairs) for row in done[number]]


_HEADER = {
    "seed": "another seed",
    "model": "another model",
    "prior_model": "another --prior-model, or of none",
    "of": "another measurement",
    "limits": "other repeatability limits",
    "second_look": "another way to look again",
}


def _read_lines(path: Path, header: dict[str, Any]) -> dict[int, PairRows]:
    """Return what the file holds by pair, a last line that was cut off left out."""
    trim_partial_line(path)
    if not path.stat().st_size:
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
    first, *others = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    other = [words for key, words in _HEADER.items() if first.get(key) != header.get(key)]
    if other:
        raise SettingsError(
            f"{path}: holds pairs of {', '.join(other)}; name another folder, or remove it"
        )
    return {line["pair"]: line["found"] for line in others}


def _judge_pairs(
    bench: PairBenchmark, judge: Judge, numbers: Sequence[int]
) -> Iterator[tuple[int, PairRows]]:
    if bench.processes == 1 or len(numbers) < 2:
        models = bench.open_models() if numbers else None
        for number in numbers:
            yield number, judge(bench, models, number)  # type: ignore[arg-type]
        return
    with ProcessPoolExecutor(
        min(bench.processes, len(numbers)),
        # A forked child would share the parent's locks and threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_open_models,
        initargs=(bench,),
    ) as pool:
        waiting = {pool.submit(_judge_pair, bench, judge, number): number for number in numbers}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_opened: list[OpenedModels] = []
"""The reading process's own; a process pool hands nothing else from its start to its tasks."""


def _open_models(bench: PairBenchmark) -> None:
    _opened[:] = [bench.open_models()]


def _judge_pair(bench: PairBenchmark, judge: Judge, number: int) -> PairRows:
    return judge(bench, _opened[0], number)
