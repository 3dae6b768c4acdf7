"""Comparison judged on simulated pairs, and repeatability limits measured on them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from secondread.followup.comparison import compare
from secondread.judge.pair_scores import Answer, PairFigures, answers, figures
from secondread.judge.pairs import Detect, pair_spec, read_exam, repeated, simulated_pair
from secondread.judge.repeatability import Repeat, fitted, limits_toml, repeats
from secondread.reading import Reader

Step = Callable[[], None]
"""Is called after each pair."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a benchmark runs on."""

    seed: int
    pairs: int
    pitch_mm: float | None
    detect: Detect
    reader: Reader

    @property
    def described(self) -> str:
        """What was judged, for people."""
        model = self.reader.model
        return (
            f"{self.pairs} simulated pairs (seed {self.seed}), read by {model.name} "
            f"{model.version}, manifest {model.digest[:12]}"
        )


def write_figures(bench: Bench, out: Path, step: Step) -> str:
    """Judge comparison, write `pairs.json`, and return the figures as Markdown."""
    found: list[Answer] = []
    for number in range(bench.pairs):
        found += _judged(bench, number)
        step()
    result = figures(found, range(bench.pairs))
    values = {"on": bench.described, **asdict(result), "answers": [asdict(one) for one in found]}
    path = out / "pairs.json"
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    text = markdown(bench, result)
    (out / "pairs.md").write_text(text, encoding="utf-8")
    return text


def _judged(bench: Bench, number: int) -> list[Answer]:
    pair = simulated_pair(pair_spec(bench.seed, number, bench.pitch_mm))
    current = read_exam(pair, "current", number, bench.detect, bench.reader)
    prior = read_exam(pair, "prior", number, bench.detect, bench.reader)
    return answers(number, pair, current, prior, compare(current, [prior])[0])


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


def write_limits(bench: Bench, out: Path, step: Step) -> str:
    """Measure repeatability limits, write `limits.toml`, and return its content.

    Raises
    ------
    ValueError
        Too few clusters were found.
    """
    found: list[Repeat] = []
    for number in range(bench.pairs):
        # Beyond the benchmark's numbers, so that no figure comes from what set the limits.
        far = number + 1_000
        pair = simulated_pair(repeated(pair_spec(bench.seed, far, bench.pitch_mm)))
        current = read_exam(pair, "current", far, bench.detect, bench.reader)
        prior = read_exam(pair, "prior", far, bench.detect, bench.reader)
        found += repeats(compare(current, [prior])[0])
        step()
    text = limits_toml(fitted(found, bench.described))
    (out / "limits.toml").write_text(text, encoding="utf-8")
    return text
