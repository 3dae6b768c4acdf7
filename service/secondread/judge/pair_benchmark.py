"""Comparison judged on simulated pairs, and repeatability limits measured on them."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from secondread.findings.finding import StudyReading
from secondread.followup.comparison import compare
from secondread.judge.pair_card import markdown
from secondread.judge.pair_runs import Bench, Found, Models, Opened, Step, collected
from secondread.judge.pair_scores import Answer, PairFigures, PriorSide, answers, figures
from secondread.judge.pair_upgrade import against_rule, by_rule, stored_prior
from secondread.judge.pairs import (
    PairViews,
    detections,
    pair_spec,
    read_exam,
    repeated,
    seen_again,
    simulated_pair,
)
from secondread.judge.repeatability import Repeat, fitted, limits_toml, repeats


def write_figures(bench: Bench, step: Step) -> str:
    """Judge comparison, write `pairs.json` and `pairs.md`, and return the latter.

    Raises
    ------
    SettingsError
        What an earlier run left is of another model, older model, seed, or of other limits.
    """
    found = [Answer.from_json(one) for one in collected(bench, "answers", judged, step)]
    sides = by_side(found, range(bench.pairs))
    older = None if bench.older is None else bench.older.described
    values = {
        "on": bench.described,
        "prior_model": older,
        **asdict(sides[PriorSide.READ_AGAIN]),
        "after_an_upgrade": {
            side.value: asdict(one)
            for side, one in sides.items()
            if side is not PriorSide.READ_AGAIN
        },
        "answers": [asdict(one) for one in found],
    }
    path = bench.out / "pairs.json"
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    text = markdown(bench.described, sides, older)
    (bench.out / "pairs.md").write_text(text, encoding="utf-8")
    return text


def by_side(found: Sequence[Answer], pairs: Sequence[int]) -> dict[PriorSide, PairFigures]:
    """Return the figures of each side that the answers are of, the normal one always."""
    known = {PriorSide.READ_AGAIN, *(one.prior for one in found)}
    return {
        side: figures([one for one in found if one.prior is side], pairs)
        for side in PriorSide
        if side in known
    }


def judged(bench: Bench, models: Models, number: int) -> Found:
    """Read both exams of a pair and return the answers; each view is read once by each model."""
    pair = simulated_pair(pair_spec(bench.seed, number, bench.pitch_mm))
    current, prior = _read(pair, number, models.now)
    said = seen_again(pair, current, prior, models.now.look)
    found = answers(number, pair, current, prior, said)
    if models.older is not None:
        older = models.older
        answered = detections(pair, "prior", number, older.detect)
        stored = stored_prior(pair, answered, older.reader)
        for side, say in (
            (PriorSide.STORED, by_rule),
            (PriorSide.STORED_COMPARED, against_rule),
        ):
            found += answers(number, pair, current, stored, say(current, stored), side)
    return [asdict(one) for one in found]


def write_limits(bench: Bench, step: Step) -> str:
    """Measure repeatability limits, write `limits.toml`, and return its content.

    Raises
    ------
    SettingsError
        Too few clusters were found, or what an earlier run left is of another model or seed.
    """
    found = [Repeat.from_json(one) for one in collected(bench, "repeats", _repeated, step)]
    text = limits_toml(fitted(found, bench.described))
    (bench.out / "limits.toml").write_text(text, encoding="utf-8")
    return text


def _repeated(bench: Bench, models: Models, number: int) -> Found:
    # Beyond the benchmark's numbers, so that no figure comes from what set the limits.
    far = number + 1_000
    pair = simulated_pair(repeated(pair_spec(bench.seed, far, bench.pitch_mm)))
    current, prior = _read(pair, far, models.now)
    return [asdict(one) for one in repeats(compare(current, [prior])[0])]


def _read(pair: PairViews, number: int, model: Opened) -> tuple[StudyReading, StudyReading]:
    """Return the readings of the current exam and of the prior."""
    current, prior = (
        read_exam(pair, exam, detections(pair, exam, number, model.detect), model.reader)
        for exam in ("current", "prior")
    )
    return current, prior
