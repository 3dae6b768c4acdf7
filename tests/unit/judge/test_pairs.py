from dataclasses import replace

import pytest

from secondread.findings.comparison import Verdict
from secondread.followup.comparison import compare
from secondread.judge.pair_oracle import ORACLE_READER, Oracle
from secondread.judge.pair_scores import Answer, answers, figures
from secondread.judge.pairs import detections, pair_spec, read_exam, repeated, simulated_pair

PERFECT = Oracle(1, sure=1.0, faint=0.0, jitter_mm=0.0, false_per_cm2=0.0)


def answer(
    truth: str, verdict: Verdict | None, pair: int = 0, error: float | None = None
) -> Answer:
    return Answer(pair, truth, verdict, same_unit=True, error_mm=error)


def test_a_pair_is_a_pure_function_of_its_number() -> None:
    assert pair_spec(1, 5) == pair_spec(1, 5)
    assert len({repr(pair_spec(1, n)) for n in range(20)}) == 20
    specs = [pair_spec(1, n) for n in range(60)]
    assert 15 < sum(spec.vendor == spec.prior_vendor for spec in specs) < 50
    assert {lesion.course for spec in specs for lesion in spec.lesions} >= {"new", "gone"}


def test_in_a_repeat_nothing_changes() -> None:
    assert {lesion.course for lesion in repeated(pair_spec(1, 3)).lesions} == {"stable"}


def test_figures_count_what_was_said_of_what_is_true() -> None:
    said = [
        answer("new", Verdict.NEW, 0, 1.0),
        answer("new", Verdict.MORE, 1, 3.0),
        answer("unchanged", Verdict.NEW, 0),
        answer("unchanged", Verdict.UNCHANGED, 1),
        answer("more", Verdict.LARGER, 1),
        answer("larger", Verdict.UNCHANGED, 0),
        answer("none", Verdict.NEW, 1),
        answer("new", None, 0),
        answer("gone", Verdict.GONE, 1),
        answer("gone", None, 0),
    ]

    found = figures(said, [0, 1])

    assert found.new_sensitivity.value == pytest.approx(0.5)
    assert found.new_specificity.value == pytest.approx(3 / 4)
    assert found.increased_sensitivity.value == pytest.approx(0.5)
    assert found.increased_specificity.value == pytest.approx(1.0)
    assert found.false_new_per_exam.value == pytest.approx(1.0)
    assert found.gone_sensitivity.value == pytest.approx(0.5)
    assert found.localisation_mm.value == pytest.approx(2.0)
    assert found.table["new"] == {"new": 1, "more": 1}


def test_with_perfect_marks_every_word_is_true() -> None:
    spec = pair_spec(1, 3)
    pair = simulated_pair(replace(spec, pitch_mm=0.4, views=spec.views[:1]))
    current, prior = (
        read_exam(pair, exam, detections(pair, exam, 3, PERFECT), ORACLE_READER)
        for exam in ("current", "prior")
    )

    found = answers(3, pair, current, prior, compare(current, [prior])[0])

    said = [(one.truth, one.verdict) for one in found if one.verdict is not None]
    assert said
    for truth, verdict in said:
        assert verdict is not None
        assert verdict.value == truth
    assert all(one.error_mm < 2 for one in found if one.error_mm is not None)
