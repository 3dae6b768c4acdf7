"""Tables of groups: fitted near the rule, from groups that lie on what was put there."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from models.calcification.training.annotated_regions import AnnotatedRegion
from models.calcification.training.group_tables import AT_MOST, Examples
from models.calcification.training.layouts import lay_out_exams
from models.calcification.training.regions import OBJECT
from models.calcification.training.scattered import Thinning, find_lesion, scatter_groups
from models.calcification.training.softmax import assign_folds, fit_table
from secondread.codes import Distribution
from secondread.detect.marks import Mark
from secondread.findings.clusters import positions_mm
from secondread.geometry import SpacingMm
from tests.worlds.builders import mark

SPACING = SpacingMm(0.1, 0.1)


def region(marks: Sequence[Mark], objects: Sequence[tuple[float, ...]]) -> AnnotatedRegion:
    return AnnotatedRegion(
        "001-00000",
        tuple(marks),
        positions_mm(marks, SPACING),
        np.array(objects, OBJECT),
        SPACING,
        tissue_cm2=2.0,
    )


def test_a_fit_finds_what_tells_words_apart_and_how_surely() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(5.0, 2.0, (4000, 2))
    chance = 1 / (1 + np.exp(-1.5 * (values[:, 0] - 5.0)))
    answers = (rng.random(4000) < chance).astype(np.int64)

    found = fit_table(values, answers, np.ones(4000), np.zeros((2, 2)), decay=1.0)
    steep = (found.weights[1] - found.weights[0]) / found.scales

    assert steep == pytest.approx([1.5, 0.0], abs=0.15)
    assert found.shares(np.array([[6.0, 5.0]]))[0, 1] == pytest.approx(
        1 / (1 + math.exp(-1.5)), abs=0.03
    )


def test_a_fit_of_few_examples_stays_with_the_rule() -> None:
    rule = np.eye(2)
    values = np.array([[0.0, 1.0], [1.0, 0.0]])

    found = fit_table(values, np.array([0, 1]), np.ones(2), rule, decay=1e6)

    assert found.weights / found.scales == pytest.approx(rule, abs=1e-3)


def test_examples_of_one_shard_are_left_out_together() -> None:
    assert assign_folds(["b", "a", "b", "c"], 2).tolist() == [1, 0, 1, 0]


def test_a_group_is_of_the_lesion_that_most_members_lie_on() -> None:
    assert find_lesion(np.array([2, 2, 2, -1, -1])) == 2
    assert find_lesion(np.array([2, 2, -1, -1])) is None  # half is not most
    assert find_lesion(np.array([2, 2])) is None  # no cluster
    assert find_lesion(np.array([-1, -1, -1])) is None


def test_marks_touch_objects_by_the_judges_rule() -> None:
    # Row, column, head, diameter, CNR, group, morphology, distribution, in pixels of 0.1 mm.
    small, large = (9.5, 9.5, 0, 2, 5, 7, 0, 0), (9.5, 59.5, 0, 20, 5, 7, 0, 0)
    single = (59.5, 59.5, 0, 2, 5, -1, 0, -1)
    marks = [mark(8, 9), mark(14, 10), mark(71, 10), mark(90, 90)]

    seen = region(marks, [small, large, single])

    assert seen.touches().tolist() == [
        [True, False, False],  # 0.22 mm from its middle
        [False, False, False],  # 0.4 mm
        [False, True, False],  # 1.1 mm from the middle of what has a radius of 1 mm
        [False, False, False],
    ]
    assert [cluster.tolist() for cluster in seen.clusters()] == [[0, 1]]


def test_thinning_counts_what_is_found_of_clusters_and_what_is_false() -> None:
    members = [(9.5, 9.5 + 20 * n, 0, 2, 5, 7, 0, 0) for n in range(4)]

    thinning = Thinning.from_regions([region([mark(10, 10), mark(30, 10), mark(90, 90)], members)])

    assert thinning.found.tolist() == [0.5]
    assert thinning.false_per_cm2.tolist() == [0.5]


def test_laid_out_exams_have_every_distribution_and_no_two_the_same() -> None:
    laid = [lesion for lesions in lay_out_exams(60) for lesion in lesions]

    assert {lesion.distribution for lesion in laid} == set(Distribution)
    assert len({lesion.at_mm.tobytes() for lesion in laid}) == len(laid)


def test_what_is_found_whole_and_alone_is_grouped_as_it_lies() -> None:
    everything = Thinning(np.array([1.0]), np.array([0.0]))

    found = list(scatter_groups(lay_out_exams(60), everything, np.random.default_rng(1)))
    extent = {
        word: np.median(
            [math.exp(one.features["wide_extent"]) for one in found if one.distribution is word]
        )
        for word in (Distribution.GROUPED, Distribution.REGIONAL)
    }

    assert extent[Distribution.GROUPED] < 20 < extent[Distribution.REGIONAL]


def test_rare_types_count_as_often_as_exams_have_them_within_bounds() -> None:
    examples = Examples([{}] * 11, [0] * 8 + [1] * 2 + [2], [1.0] * 11, ["a"] * 11)

    counted = examples.counted_as(np.array([0.25, 0.25, 0.5])).counted

    assert counted[0] == pytest.approx(0.25 * 11 / 8)
    assert counted[8] == pytest.approx(0.25 * 11 / 2)
    assert counted[10] == AT_MOST
