"""Comparison judged on simulated pairs, and repeatability limits measured on them."""

import json
from dataclasses import asdict

from secondread.followup.comparison import compare
from secondread.judge.pair_runs import Bench, Found, Opened, Step, collected
from secondread.judge.pair_scores import Answer, PairFigures, answers, figures
from secondread.judge.pairs import pair_spec, read_exam, repeated, simulated_pair
from secondread.judge.repeatability import Repeat, fitted, limits_toml, repeats


def write_figures(bench: Bench, step: Step) -> str:
    """Judge comparison, write `pairs.json`, and return the figures as Markdown."""
    found = [Answer.from_json(one) for one in collected(bench, "answers", _judged, step)]
    result = figures(found, range(bench.pairs))
    values = {"on": bench.described, **asdict(result), "answers": [asdict(one) for one in found]}
    path = bench.out / "pairs.json"
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    text = markdown(bench, result)
    (bench.out / "pairs.md").write_text(text, encoding="utf-8")
    return text


def _judged(bench: Bench, opened: Opened, number: int) -> Found:
    pair = simulated_pair(pair_spec(bench.seed, number, bench.pitch_mm))
    current = read_exam(pair, "current", number, *opened)
    prior = read_exam(pair, "prior", number, *opened)
    found = answers(number, pair, current, prior, compare(current, [prior])[0])
    return [asdict(one) for one in found]


def markdown(bench: Bench, result: PairFigures) -> str:
    """Return the figures as a section for the model card."""
    lines = [
        "## Comparison with the prior",
        "",
        f"On {bench.described}. Clusters that were shown; 95 % intervals by drawing patients.",
        "",
        "| figure | value | clusters |",
        "|---|---|---|",
    ]
    for name, estimate in (
        ("sensitivity for new", result.new_sensitivity),
        ("specificity for new", result.new_specificity),
        ("sensitivity for increased", result.increased_sensitivity),
        ("specificity for increased", result.increased_specificity),
        ("false new per exam", result.false_new_per_exam),
        ("sensitivity for gone", result.gone_sensitivity),
        ("false gone per exam", result.false_gone_per_exam),
        ("localisation error, mm (mean)", result.localisation_mm),
    ):
        lines.append(f"| {name} | {estimate} | {estimate.items} |")
    lines += ["", "| truth | said |", "|---|---|"]
    for truth, said in sorted(result.table.items()):
        words = ", ".join(f"{verdict} {count}" for verdict, count in sorted(said.items()))
        lines.append(f"| {truth} | {words} |")
    return "\n".join(lines) + "\n"


def write_limits(bench: Bench, step: Step) -> str:
    """Measure repeatability limits, write `limits.toml`, and return its content.

    Raises
    ------
    ValueError
        Too few clusters were found.
    """
    found = [Repeat.from_json(one) for one in collected(bench, "repeats", _repeated, step)]
    text = limits_toml(fitted(found, bench.described))
    (bench.out / "limits.toml").write_text(text, encoding="utf-8")
    return text


def _repeated(bench: Bench, opened: Opened, number: int) -> Found:
    # Beyond the benchmark's numbers, so that no figure comes from what set the limits.
    far = number + 1_000
    pair = simulated_pair(repeated(pair_spec(bench.seed, far, bench.pitch_mm)))
    current = read_exam(pair, "current", far, *opened)
    prior = read_exam(pair, "prior", far, *opened)
    return [asdict(one) for one in repeats(compare(current, [prior])[0])]
