"""Pairs read one by one or side by side, and on again where a run was cut off."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from secondread.errors import SettingsError
from secondread.followup.limits import load_limits
from secondread_lab.judge import pair_runs
from secondread_lab.judge.pair_oracle import ORACLE, ORACLE_READER
from secondread_lab.judge.pair_runs import (
    BenchmarkModel,
    PairBenchmark,
    PairRows,
    judge_all_pairs,
    open_oracle,
)
from tests.worlds.squared_pairs import squared

NOW = BenchmarkModel(partial(open_oracle, 7), ORACLE_READER)
OTHER = replace(NOW, reader=replace(ORACLE_READER, model=replace(ORACLE, digest="1" * 64)))


@pytest.fixture
def bench(tmp_path: Path) -> PairBenchmark:
    return PairBenchmark(7, 5, None, NOW, tmp_path)


def steps(bench: PairBenchmark) -> tuple[PairRows, int]:
    done: list[None] = []
    found = judge_all_pairs(bench, "squares", squared, lambda: done.append(None))
    return found, len(done)


def test_what_is_found_comes_in_the_order_of_the_pairs(bench: PairBenchmark) -> None:
    found, done = steps(bench)

    assert [row["number"] for row in found] == [1, 2, 2, 4]
    assert done == 5


def test_several_processes_find_the_same(bench: PairBenchmark) -> None:
    one, _ = steps(bench)
    (bench.out / "squares.jsonl").unlink()

    assert steps(replace(bench, processes=2)) == (one, 5)


def test_a_run_goes_on_where_it_was_cut_off(bench: PairBenchmark) -> None:
    first, _ = steps(bench)
    path = bench.out / "squares.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:-5], encoding="utf-8")
    for reading in bench.out.glob("read-*"):
        reading.unlink()

    again, done = steps(bench)

    assert again == first
    assert done == 5
    assert sorted(reading.name for reading in bench.out.glob("read-*")) == [
        "read-2",
        "read-3",
        "read-4",
    ]


def test_a_larger_run_takes_over_a_smaller_one(bench: PairBenchmark) -> None:
    steps(bench)
    for reading in bench.out.glob("read-*"):
        reading.unlink()

    found, done = steps(replace(bench, pairs=6))

    assert [row["number"] for row in found] == [1, 2, 2, 4, 5, 5]
    assert done == 6
    assert [reading.name for reading in bench.out.glob("read-*")] == ["read-5"]


def test_pairs_of_another_model_or_seed_are_not_mixed_in(bench: PairBenchmark) -> None:
    steps(bench)

    for changed, words in (
        (replace(bench, seed=8), "holds pairs of another seed;"),
        (replace(bench, model=OTHER), "holds pairs of another model;"),
        (replace(bench, seed=8, model=OTHER), "holds pairs of another seed, another model;"),
    ):
        with pytest.raises(SettingsError, match=words):
            steps(changed)
    assert json.loads((bench.out / "squares.jsonl").read_text().splitlines()[0])["seed"] == 7


def test_an_older_model_reads_along_in_every_process(bench: PairBenchmark) -> None:
    upgraded = replace(bench, older=OTHER, processes=2)

    found, done = steps(upgraded)

    assert (len(found), done) == (4, 5)
    header = json.loads((bench.out / "squares.jsonl").read_text().splitlines()[0])
    assert header["prior_model"] == "1" * 64
    assert steps(replace(upgraded, processes=1)) == (found, 5)


def test_pairs_with_and_without_an_older_model_are_not_mixed(bench: PairBenchmark) -> None:
    steps(bench)
    third = replace(ORACLE_READER, model=replace(ORACLE, digest="2" * 64))

    with pytest.raises(SettingsError, match="pairs of another --prior-model, or of none;"):
        steps(replace(bench, older=OTHER))
    (bench.out / "squares.jsonl").unlink()
    steps(replace(bench, older=OTHER))
    for other in (None, replace(OTHER, reader=third)):
        with pytest.raises(SettingsError, match="pairs of another --prior-model, or of none;"):
            steps(replace(bench, older=other))


def test_pairs_compared_with_other_limits_are_not_mixed_in(
    bench: PairBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps(bench)
    other = replace(load_limits(), made_from="other pairs")
    monkeypatch.setattr(pair_runs, "load_limits", lambda: other)

    with pytest.raises(SettingsError, match="holds pairs of other repeatability limits;"):
        steps(bench)
