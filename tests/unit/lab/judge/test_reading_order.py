"""What is met first: counted on exams small enough to count by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from secondread_lab.judge.bootstrap import draw_resamples
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.reading_order import ReadingOrder, measure_reading_order
from secondread_lab.judge.records import FoundCluster, ViewRecord
from tests.unit.lab.judge.view_records import cluster, found, record

HERE = [(50.0, 50.0), (53.0, 51.0), (51.0, 55.0), (55.0, 54.0), (52.0, 52.0)]
ELSEWHERE = [(90.0, 90.0), (92.0, 91.0), (91.0, 93.0)]


def rated(
    points: Sequence[tuple[float, float]],
    certainty: float,
    suspicion: float,
    shown_at: tuple[int, ...] = (1,),
) -> FoundCluster:
    return replace(found(points, certainty, shown_at), suspicion=suspicion)


def measured(*exams: Sequence[ViewRecord]) -> ReadingOrder:
    scored = [(number, [score_image(view) for view in exam]) for number, exam in enumerate(exams)]
    return measure_reading_order(scored, 1, draw_resamples(len(exams), 100))


def amorphous(*marks: FoundCluster) -> list[ViewRecord]:
    truth = [replace(row, morphology=row.morphology and "amorphous") for row in cluster(HERE)]
    return [record(truth, marks)]


def test_a_sure_dull_cluster_comes_before_a_doubtful_alarming_false_mark() -> None:
    right = measured(amorphous(rated(HERE, 99.0, 30.0), rated(ELSEWHERE, 28.0, 59.0)))
    wrong = measured(amorphous(rated(HERE, 40.0, 8.0), rated(ELSEWHERE, 80.0, 59.0)))

    assert (right.worst_first.value, right.priority_auc.value) == (1.0, 1.0)
    assert (wrong.worst_first.value, wrong.priority_auc.value) == (0.0, 0.0)


def test_a_cluster_that_is_not_marked_is_first_nowhere() -> None:
    hidden = measured(amorphous(rated(HERE, 20.0, 30.0, shown_at=())))

    assert hidden.worst_first.value == 0.0
    assert hidden.priority_auc.value is None


def test_a_round_cluster_is_one_of_the_others() -> None:
    truth = [replace(row, morphology=row.morphology and "round") for row in cluster(HERE)]
    order = measured([record(truth, [rated(HERE, 99.0, 2.0)])], amorphous(rated(HERE, 90.0, 10.0)))

    assert order.priority_auc.value == 1.0
    assert order.worst_first.items == 1  # the exam with the round cluster asks for nothing


def test_marks_are_counted_on_exams_without_any_cluster() -> None:
    two = [rated(HERE, 50.0, 5.0), rated(ELSEWHERE, 60.0, 5.0)]
    order = measured([record([], two)], [record([], [])], amorphous(*two))

    assert order.marks_per_free_exam.value == pytest.approx(1.0)
    assert order.marks_per_free_exam.items == 2


def test_the_worst_cluster_has_the_rank_of_the_marks_before_it() -> None:
    def exam(*marks: FoundCluster) -> list[ViewRecord]:
        (row, *members) = cluster(HERE)
        worst = [replace(row, morphology="fine linear"), *members]
        return [record(worst, marks), record([], [])]

    before = rated(ELSEWHERE, 99.0, 80.0)
    order = measured(
        exam(rated(HERE, 99.0, 30.0)),
        exam(rated(HERE, 99.0, 30.0), before),
        exam(before),
        exam(rated(HERE, 50.0, 1.0), *[before] * 4),
    )

    assert order.worst_ranks == {"1": 1, "2": 1, "3": 0, "later": 1, "not marked": 1}
