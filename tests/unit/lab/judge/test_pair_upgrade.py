"""A pair whose prior an older model read: what its stored findings serve for, and would serve."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest

from secondread.detect.marks import Detection
from secondread.findings.changes import ChangeKind
from secondread.reading import Reader
from secondread_lab.judge import pair_benchmark
from secondread_lab.judge.pair_benchmark import group_by_side, judge_pair, write_figures
from secondread_lab.judge.pair_oracle import ORACLE, ORACLE_READER, Oracle
from secondread_lab.judge.pair_runs import BenchmarkModel, OpenedModel, OpenedModels, PairBenchmark
from secondread_lab.judge.pair_scores import ChangeOutcome, PriorSide
from secondread_lab.judge.pairs import DetectView, PairViews, draw_pair_spec, simulate_pair
from secondread_lab.simulate.exam import SimulatedView

SHARP = Oracle(1, sure=1.0, faint=0.0, jitter_mm=0.0, false_per_cm2=0.0)
BLIND = replace(SHARP, sure=0.0)
OLD_READER = replace(ORACLE_READER, model=replace(ORACLE, name="older", digest="1" * 64))


def counted(oracle: Oracle, read: list[str]) -> DetectView:
    def detect(view: SimulatedView, number: int) -> Detection:
        read.append(view.exam)
        return oracle(view, number)

    return detect


@cache
def simulated(number: int) -> PairViews:
    spec = draw_pair_spec(1, number, 0.4)
    return simulate_pair(replace(spec, views=spec.views[:1]))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PairBenchmark:
    monkeypatch.setattr(pair_benchmark, "draw_pair_spec", lambda _, number, __: number + 3)
    monkeypatch.setattr(pair_benchmark, "simulate_pair", simulated)
    now, older = (
        BenchmarkModel(partial(opened, oracle, reader), reader)
        for oracle, reader in ((SHARP, ORACLE_READER), (BLIND, OLD_READER))
    )
    return PairBenchmark(1, 1, None, now, tmp_path, older=older)


def opened(oracle: Oracle, reader: Reader) -> OpenedModel:
    return OpenedModel(oracle, reader)


def list_changes(
    found: Sequence[ChangeOutcome], side: PriorSide
) -> list[tuple[str, ChangeKind | None]]:
    return [(outcome.truth, outcome.verdict) for outcome in found if outcome.prior is side]


def answered(bench: PairBenchmark, models: OpenedModels) -> list[ChangeOutcome]:
    return [ChangeOutcome.from_json(one) for one in judge_pair(bench, models, 0)]


def test_each_view_is_read_once_by_each_model(bench: PairBenchmark) -> None:
    now: list[str] = []
    then: list[str] = []

    judge_pair(
        bench,
        OpenedModels(
            OpenedModel(counted(SHARP, now), ORACLE_READER),
            OpenedModel(counted(BLIND, then), OLD_READER),
        ),
        0,
    )

    assert now == ["current", "prior"]
    assert then == ["prior"]


def test_an_older_models_findings_are_not_comparable_by_rule(bench: PairBenchmark) -> None:
    found = answered(
        bench, OpenedModels(OpenedModel(SHARP, ORACLE_READER), OpenedModel(SHARP, OLD_READER))
    )

    again, stored = (list_changes(found, side) for side in (PriorSide.READ_AGAIN, PriorSide.STORED))
    shown = [verdict for truth, verdict in again if truth != "gone" and verdict is not None]
    assert shown
    assert [v for _, v in stored if v is not None] == [ChangeKind.NOT_COMPARABLE] * len(shown)


def test_an_older_model_that_sees_as_well_would_say_the_same(bench: PairBenchmark) -> None:
    found = answered(
        bench, OpenedModels(OpenedModel(SHARP, ORACLE_READER), OpenedModel(SHARP, OLD_READER))
    )

    assert list_changes(found, PriorSide.STORED_COMPARED) == list_changes(
        found, PriorSide.READ_AGAIN
    )


def test_what_an_older_model_missed_would_be_new(bench: PairBenchmark) -> None:
    found = answered(
        bench, OpenedModels(OpenedModel(SHARP, ORACLE_READER), OpenedModel(BLIND, OLD_READER))
    )

    compared = list_changes(found, PriorSide.STORED_COMPARED)
    assert {verdict for _, verdict in compared} == {ChangeKind.NEW}
    assert {truth for truth, _ in compared} != {"new"}
    figures = group_by_side(found, [0])
    assert figures[PriorSide.STORED_COMPARED].new_specificity.value == 0.0
    assert figures[PriorSide.READ_AGAIN].new_specificity.value == 1.0
    assert figures[PriorSide.STORED].not_comparable.value == 1.0


def test_answers_of_a_run_that_knew_no_upgrade_are_those_of_a_prior_read_again() -> None:
    values = {"pair": 1, "truth": "new", "verdict": "new", "same_unit": True, "zone": ""}

    answer = ChangeOutcome.from_json(values)

    assert (answer.prior, answer.verdict) == (PriorSide.READ_AGAIN, ChangeKind.NEW)


def test_the_card_says_what_an_upgrade_does(bench: PairBenchmark) -> None:
    text = write_figures(bench, lambda: None)

    rows = text.partition("### After a model upgrade")[2].splitlines()
    assert "older 1, manifest 111111111111" in " ".join(rows)
    (new,) = [row for row in rows if row.startswith("| specificity for new")]
    assert [cell.split()[0] for cell in new.split(" | ")[1:]] == ["1.00", "-", "0.00"]
    kept = json.loads((bench.out / "pairs.json").read_text())
    assert kept["prior_model"].startswith("older 1")
    assert kept["after_an_upgrade"]["stored-compared"]["new_specificity"]["value"] == 0.0
    assert kept["new_specificity"]["value"] == 1.0


def test_without_an_older_model_the_card_says_nothing_of_upgrades(bench: PairBenchmark) -> None:
    text = write_figures(replace(bench, older=None), lambda: None)

    assert "upgrade" not in text
    assert json.loads((bench.out / "pairs.json").read_text())["after_an_upgrade"] == {}
