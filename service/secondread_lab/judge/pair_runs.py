"""Reading simulated pairs, several at a time, and continuing after an interruption.

The results of each pair are a line of a file, so that a run which ends early loses at most one
pair of each process. A run with the same model, seed and numbers continues where the last one
stopped; any other needs another folder.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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
from secondread_lab.judge.process_pool import work_in_processes
from secondread_lab.judge.records import trim_partial_line
from secondread_lab.judge.viewing import OpenReader

ReportPair = Callable[[], None]
"""Called after each pair."""


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model, ready to read views."""

    detect: DetectView
    reader: Reader
    recheck: RecheckView | None = None
    """None for a model that answers without pixels."""


OpenModel = Callable[[], OpenedModel]
"""Opens a model that reads the views of a pair; called once in each process."""

PairRows = list[dict[str, Any]]
"""The results of one pair, as plain values."""


@dataclass(frozen=True, slots=True)
class BenchmarkModel:
    """One model of a benchmark."""

    open: OpenModel
    reader: Reader
    """The same as that of the opened model."""

    @property
    def description(self) -> str:
        """Name, version and digest of the model, for people."""
        model = self.reader.model
        return f"{model.name} {model.version}, manifest {model.digest[:12]}"


@dataclass(frozen=True, slots=True)
class OpenedModels:
    """The models that read the views of a pair in this process."""

    current: OpenedModel
    older: OpenedModel | None


@dataclass(frozen=True, slots=True)
class PairBenchmark:
    """The pairs and models of a benchmark."""

    seed: int
    pairs: int
    pitch_mm: float | None
    model: BenchmarkModel
    out: Path
    processes: int = 1
    older: BenchmarkModel | None = None
    """The model that read the priors before an upgrade; None where no upgrade is judged."""
    halved: bool = False
    """Whether every cluster is in two halves in one of its exams."""

    def open_models(self) -> OpenedModels:
        """Open the models."""
        return OpenedModels(self.model.open(), None if self.older is None else self.older.open())

    @property
    def description(self) -> str:
        """The pairs and the model, for people."""
        read_by = self.model.description
        halved = " of clusters in halves in one exam" if self.halved else ""
        return f"{self.pairs} simulated pairs{halved} (seed {self.seed}), read by {read_by}"


Judge = Callable[[PairBenchmark, OpenedModels, int], PairRows]
"""Reads the pair of a number and returns its results; a function of a module, to be pickled."""


def open_model(manifest: Path | None, open_reader: OpenReader, folder: Path) -> OpenedModel:
    """Open a model in this process; the views that it reads pass through a folder."""

    def read_file(path: Path, _display: Path, overrides: frozenset[str]) -> Detection:
        return detector.detect(path, overrides)[0]

    detector = Detector(load_manifest(manifest))
    recheck = make_recheck(detector.score_places, folder)
    return OpenedModel(make_detect(read_file, folder), open_reader(FindingsSettings()), recheck)


def open_oracle(seed: int) -> OpenedModel:
    """Open an oracle, which answers from the truth."""
    return OpenedModel(Oracle(seed), ORACLE_READER)


def judge_all_pairs(
    benchmark: PairBenchmark, name: str, judge: Judge, step: ReportPair
) -> PairRows:
    """Return the results of all pairs of a benchmark, in the order of their numbers.

    Parameters
    ----------
    benchmark
        Which pairs, what reads them, and where the lines go.
    name
        Of the file of lines in ``benchmark.out``, without its suffix.
    judge
        Judges one pair.
    step
        Called for each pair that is done.

    Raises
    ------
    SettingsError
        The file is of another model, older model, seed or judge, of other repeatability limits,
        or of another method of the recheck.
    """
    path = benchmark.out / f"{name}.jsonl"
    header = {
        "seed": benchmark.seed,
        "model": benchmark.model.reader.model.digest,
        "of": name,
        "limits": load_limits().made_from,
        "second_look": METHOD,
    }
    if benchmark.older is not None:
        header["prior_model"] = benchmark.older.reader.model.digest
    done = _read_lines(path, header)
    for _ in done:
        step()
    left = [number for number in range(benchmark.pairs) if number not in done]
    with path.open("a", encoding="utf-8") as lines:
        work = partial(judge, benchmark)
        for number, rows in work_in_processes(
            left, benchmark.open_models, work, benchmark.processes
        ):
            lines.write(json.dumps({"pair": number, "found": rows}) + "\n")
            lines.flush()
            done[number] = rows
            step()
    return [row for number in range(benchmark.pairs) for row in done[number]]


_HEADER = {
    "seed": "another seed",
    "model": "another model",
    "prior_model": "another --prior-model, or of none",
    "of": "another measurement",
    "limits": "other repeatability limits",
    "second_look": "another method of the recheck",
}


def _read_lines(path: Path, header: dict[str, Any]) -> dict[int, PairRows]:
    """Return the results in the file by pair, without a last line that was cut off."""
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
