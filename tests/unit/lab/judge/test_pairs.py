from dataclasses import replace

import pytest

from secondread.findings.changes import ChangeKind
from secondread.followup.comparison import compare_with_priors
from secondread_lab.judge.pair_oracle import ORACLE_READER, Oracle
from secondread_lab.judge.pair_scores import ChangeOutcome, compute_figures, score_pair
from secondread_lab.judge.pairs import (
    detect_exam,
    draw_pair_spec,
    make_halved_pair,
    make_unchanged_pair,
    read_exam,
    simulate_pair,
)

PERFECT = Oracle(1, sure=1.0, faint=0.0, jitter_mm=0.0, false_per_cm2=0.0)


def answer(
    truth: str, verdict: ChangeKind | None, pair: int = 0, error: float | None = None
) -> ChangeOutcome:
    return ChangeOutcome(pair, truth, verdict, same_unit=True, error_mm=error)


def test_a_pair_is_a_pure_function_of_its_number() -> None:
    assert draw_pair_spec(1, 5) == draw_pair_spec(1, 5)
    assert len({repr(draw_pair_spec(1, n)) for n in range(20)}) == 20
    specs = [draw_pair_spec(1, n) for n in range(60)]
    assert 15 < sum(spec.vendor == spec.prior_vendor for spec in specs) < 50
    assert {lesion.course for spec in specs for lesion in spec.lesions} >= {"new", "gone"}


def test_in_a_repeat_nothing_changes() -> None:
    assert {lesion.course for lesion in make_unchanged_pair(draw_pair_spec(1, 3)).lesions} == {
        "stable"
    }


def test_in_a_halved_pair_every_cluster_falls_in_two_or_was_two() -> None:
    specs = [make_halved_pair(draw_pair_spec(1, number)) for number in (2, 3)]

    assert [{lesion.course for lesion in spec.lesions} for spec in specs] == [
        {"splitting"},
        {"joining"},
    ]


def test_the_word_of_a_cluster_in_halves_is_right_where_it_is_unchanged() -> None:
    answers = [
        answer("split", ChangeKind.UNCHANGED),
        answer("split", ChangeKind.FEWER),
        answer("joined", ChangeKind.UNCHANGED),
        answer("none-then", ChangeKind.GONE),
    ]

    figures = compute_figures(answers, [0])

    assert figures.words_right.value == pytest.approx(2 / 3)
    assert figures.false_gone_per_exam.value == 1.0


def test_figures_count_what_was_said_of_what_is_true() -> None:
    outcomes = [
        answer("new", ChangeKind.NEW, 0, 1.0),
        answer("new", ChangeKind.MORE, 1, 3.0),
        answer("unchanged", ChangeKind.NEW, 0),
        answer("unchanged", ChangeKind.UNCHANGED, 1),
        answer("more", ChangeKind.LARGER, 1),
        answer("larger", ChangeKind.UNCHANGED, 0),
        answer("none", ChangeKind.NEW, 1),
        answer("new", None, 0),
        answer("gone", ChangeKind.GONE, 1),
        answer("gone", None, 0),
    ]

    found = compute_figures(outcomes, [0, 1])

    assert found.new_sensitivity.value == pytest.approx(0.5)
    assert found.new_specificity.value == pytest.approx(3 / 4)
    assert found.increased_sensitivity.value == pytest.approx(0.5)
    assert found.increased_specificity.value == pytest.approx(1.0)
    assert found.false_new_per_exam.value == pytest.approx(1.0)
    assert found.gone_sensitivity.value == pytest.approx(0.5)
    assert found.localisation_mm.value == pytest.approx(2.0)
    assert found.table["new"] == {"new": 1, "more": 1}


def test_priority_of_marks_is_ordered_over_all_pairs() -> None:
    def rated(truth: str, *priorities: float, like: bool = False) -> ChangeOutcome:
        one = answer(truth, ChangeKind.NEW, pair=1)
        return replace(one, priorities=priorities, is_like_recurrence=like)

    marks = [
        rated("new", 30.0, 9.0, like=True),
        rated("unchanged", 2.0),  # a round cluster is one of the others
        rated("none", 12.0),
        rated("gone"),
    ]

    assert compute_figures(marks, [1]).priority_auc.value == 0.75
    assert compute_figures([rated("none", 12.0)], [1]).priority_auc.value is None


def test_with_perfect_marks_every_word_is_true() -> None:
    spec = draw_pair_spec(1, 3)
    pair = simulate_pair(replace(spec, pitch_mm=0.4, views=spec.views[:1]))
    current, prior = (
        read_exam(pair, exam, detect_exam(pair, exam, 3, PERFECT), ORACLE_READER)
        for exam in ("current", "prior")
    )

    found = score_pair(3, pair, current, prior, compare_with_priors(current, [prior])[0])

    changes = [(outcome.truth, outcome.verdict) for outcome in found if outcome.verdict is not None]
    assert changes
    for truth, verdict in changes:
        assert verdict is not None
        assert verdict.value == truth
    assert all(outcome.error_mm < 2 for outcome in found if outcome.error_mm is not None)
