"""The judging of comparison on simulated pairs, and repeatability limits measured on them."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from secondread.findings.finding import StudyReading
from secondread_lab.judge.pair_card import format_card
from secondread_lab.judge.pair_runs import (
    OpenedModel,
    OpenedModels,
    PairBenchmark,
    PairRows,
    ReportPair,
    judge_all_pairs,
)
from secondread_lab.judge.pair_scores import (
    ChangeOutcome,
    PairFigures,
    PriorSide,
    compute_figures,
    score_pair,
)
from secondread_lab.judge.pair_upgrade import compare_against_rule, compare_by_rule, restore_prior
from secondread_lab.judge.pairs import (
    PairViews,
    compare_with_recheck,
    detect_exam,
    draw_pair_spec,
    make_halved_pair,
    make_unchanged_pair,
    read_exam,
    simulate_pair,
)
from secondread_lab.judge.repeatability import Repeat, fit_limits, format_limits, list_repeats


def write_figures(benchmark: PairBenchmark, step: ReportPair) -> str:
    """Judge comparison, write `pairs.json` and `pairs.md`, and return the latter.

    Raises
    ------
    SettingsError
        Results of an earlier run are of another model, older model, seed, or of other limits.
    """
    outcomes = [
        ChangeOutcome.from_json(row)
        for row in judge_all_pairs(
            benchmark, "halves" if benchmark.halved else "answers", judge_pair, step
        )
    ]
    sides = group_by_side(outcomes, range(benchmark.pairs))
    older = None if benchmark.older is None else benchmark.older.description
    values = {
        "on": benchmark.description,
        "prior_model": older,
        **asdict(sides[PriorSide.READ_AGAIN]),
        "after_an_upgrade": {
            side.value: asdict(figures)
            for side, figures in sides.items()
            if side is not PriorSide.READ_AGAIN
        },
        "answers": [asdict(outcome) for outcome in outcomes],
    }
    path = benchmark.out / "pairs.json"
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    text = format_card(benchmark.description, sides, older)
    (benchmark.out / "pairs.md").write_text(text, encoding="utf-8")
    return text


def group_by_side(
    outcomes: Sequence[ChangeOutcome], pairs: Sequence[int]
) -> dict[PriorSide, PairFigures]:
    """Return the figures of each side that has outcomes, and always of the normal one."""
    sides = {PriorSide.READ_AGAIN, *(outcome.prior for outcome in outcomes)}
    return {
        side: compute_figures([outcome for outcome in outcomes if outcome.prior is side], pairs)
        for side in PriorSide
        if side in sides
    }


def judge_pair(benchmark: PairBenchmark, models: OpenedModels, number: int) -> PairRows:
    """Read both exams of a pair and return the outcomes; each model reads each view once."""
    spec = draw_pair_spec(benchmark.seed, number, benchmark.pitch_mm)
    pair = simulate_pair(make_halved_pair(spec) if benchmark.halved else spec)
    current, prior = _read_pair(pair, number, models.current)
    comparison = compare_with_recheck(pair, current, prior, models.current.recheck)
    outcomes = score_pair(number, pair, current, prior, comparison)
    if models.older is not None:
        older = models.older
        answered = detect_exam(pair, "prior", number, older.detect)
        stored = restore_prior(pair, answered, older.reader)
        for side, compare_reports in (
            (PriorSide.STORED, compare_by_rule),
            (PriorSide.STORED_COMPARED, compare_against_rule),
        ):
            outcomes += score_pair(
                number, pair, current, stored, compare_reports(current, stored), side
            )
    return [asdict(outcome) for outcome in outcomes]


def write_limits(benchmark: PairBenchmark, step: ReportPair) -> str:
    """Measure repeatability limits, write `limits.toml`, and return its content.

    Raises
    ------
    SettingsError
        Too few clusters were found, or results of an earlier run are of another model or seed.
    """
    measured = [
        Repeat.from_json(row)
        for row in judge_all_pairs(benchmark, "repeats", _measure_repeats, step)
    ]
    text = format_limits(fit_limits(measured, benchmark.description))
    (benchmark.out / "limits.toml").write_text(text, encoding="utf-8")
    return text


def _measure_repeats(benchmark: PairBenchmark, models: OpenedModels, number: int) -> PairRows:
    # Beyond the benchmark's numbers, so that no figure comes from pairs that set the limits.
    far = number + 1_000
    pair = simulate_pair(
        make_unchanged_pair(draw_pair_spec(benchmark.seed, far, benchmark.pitch_mm))
    )
    current, prior = _read_pair(pair, far, models.current)
    comparison = compare_with_recheck(pair, current, prior, models.current.recheck)
    return [asdict(repeat) for repeat in list_repeats(comparison)]


def _read_pair(
    pair: PairViews, number: int, model: OpenedModel
) -> tuple[StudyReading, StudyReading]:
    """Return the readings of the current exam and of the prior."""
    current, prior = (
        read_exam(pair, exam, detect_exam(pair, exam, number, model.detect), model.reader)
        for exam in ("current", "prior")
    )
    return current, prior
