"""The sets of test exams: repeatable, balanced, and without a cluster where none may be."""

from collections import Counter

import pytest

from secondread.assemble.intent import Intent
from secondread.codes import Distribution, MarkClass, Morphology
from secondread_lab.judge import exam_mix
from secondread_lab.judge.population import (
    DAILY_EXAMS,
    RESERVED_SEEDS,
    SEED,
    PlannedExam,
    plan_exam,
    plan_exams,
)
from secondread_lab.simulate.vendors import VENDORS, list_held_out_vendors


@pytest.fixture(scope="module")
def full() -> tuple[PlannedExam, ...]:
    return plan_exams("full")


@pytest.fixture(scope="module")
def daily() -> tuple[PlannedExam, ...]:
    return plan_exams("daily")


def test_an_exam_is_a_function_of_seed_and_number(full: tuple[PlannedExam, ...]) -> None:
    assert plan_exam(SEED, 17) == full[17]
    assert plan_exam(SEED + 1, 17).spec != full[17].spec


def test_half_of_the_full_set_has_clusters_and_half_has_none(full: tuple[PlannedExam, ...]) -> None:
    with_cluster = [exam for exam in full if exam.has_cluster]
    assert len(with_cluster) >= 110
    assert len(full) - len(with_cluster) >= 110
    suspicious = [exam for exam in with_cluster if exam.morphology not in exam_mix.BENIGN]
    assert len(suspicious) >= 100


def test_an_exam_without_a_cluster_has_no_group_that_truth_would_call_one(
    full: tuple[PlannedExam, ...],
) -> None:
    for exam in full:
        groups = [
            one for one in exam.spec.lesions if one.kind is MarkClass.CLUSTER and one.count > 1
        ]
        assert bool(groups) is exam.has_cluster, exam.name


def test_exams_without_a_cluster_hold_what_may_be_taken_for_one(
    full: tuple[PlannedExam, ...],
) -> None:
    specs = [exam.spec for exam in full if not exam.has_cluster]
    kinds = Counter(one.kind for spec in specs for one in spec.lesions)
    assert kinds[MarkClass.VASCULAR] >= 20
    assert kinds[MarkClass.SKIN] >= 10
    assert sum(bool(spec.metal) for spec in specs) >= 10
    assert sum(spec.treatment is not None and spec.treatment.clips > 0 for spec in specs) >= 30
    assert sum(spec.markers != () for spec in specs) >= 30


def test_every_type_distribution_family_and_metal_is_in_the_full_set(
    full: tuple[PlannedExam, ...],
) -> None:
    lesions = [one for exam in full for one in exam.spec.lesions]
    assert {one.morphology for one in lesions} == set(Morphology) - {Morphology.LUCENT_CENTERED}
    assert {one.distribution for one in lesions} == set(Distribution)
    assert {exam.spec.vendor for exam in full} == set(VENDORS)
    assert {one.kind for exam in full for one in exam.spec.metal} == {
        "staples",
        "wire",
        "biopsy-marker",
    }
    assert {exam.spec.intents for exam in full} == {(Intent.PRESENTATION,), (Intent.PROCESSING,)}
    assert {len(exam.spec.views) for exam in full} == {2, 4}


def test_the_shares_are_those_that_are_written_down(full: tuple[PlannedExam, ...]) -> None:
    for half in (full[0::2], full[1::2]):
        assert Counter(exam.spec.vendor for exam in half) == exam_mix.VENDORS
        assert Counter(exam.spec.density for exam in half) == exam_mix.DENSITIES
    assert Counter(exam.morphology for exam in full[0::2]) == exam_mix.TYPES


def test_the_daily_set_is_part_of_the_full_one_and_covers_it(
    full: tuple[PlannedExam, ...], daily: tuple[PlannedExam, ...]
) -> None:
    assert len(daily) == DAILY_EXAMS
    assert set(daily) <= set(full)
    halves = [[exam for exam in daily if exam.has_cluster is has] for has in (True, False)]
    assert [len(half) for half in halves] == [10, 10]
    for half in halves:
        assert {exam.spec.vendor for exam in half} == set(VENDORS)
        assert {exam.spec.density for exam in half} == {"a", "b", "c", "d"}
    suspicious = set(exam_mix.TYPES) - set(exam_mix.BENIGN)
    assert suspicious <= {one.morphology for exam in halves[0] for one in exam.spec.lesions}


def test_every_test_exam_is_another_woman_from_the_reserved_range(
    full: tuple[PlannedExam, ...],
) -> None:
    seeds = [exam.spec.seeds.anatomy for exam in full]
    assert len(set(seeds)) == len(seeds)
    assert all(seed in RESERVED_SEEDS for seed in seeds)


def test_families_that_are_held_out_make_up_a_third(full: tuple[PlannedExam, ...]) -> None:
    names = {vendor.name for vendor in list_held_out_vendors()}
    share = sum(exam.spec.vendor in names for exam in full) / len(full)
    assert 0.25 < share < 0.40
