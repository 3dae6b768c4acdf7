"""What becomes of a mark, and of what there is to be found."""

import math

import pytest

from secondread.codes import MarkClass
from secondread.reasons import ImageStatus
from secondread_lab.judge.outcomes import MISSED, ViewOutcome, score_image
from secondread_lab.judge.rules import MarkOutcome
from secondread_lab.simulate.truth import TruthRow
from tests.unit.lab.judge.view_records import calcification, cluster, found, mark, record, thing

FIVE = [(50.0, 50.0), (53.0, 51.0), (51.0, 55.0), (55.0, 54.0), (52.0, 52.0)]
ELSEWHERE = [(90.0, 90.0), (92.0, 91.0), (91.0, 93.0)]


def marks_of(view: ViewOutcome) -> list[MarkOutcome]:
    return list(view.marks)


def test_a_mark_on_a_visible_cluster_finds_it() -> None:
    view = score_image(record(cluster(FIVE), [found(FIVE, 83.0)]))

    assert marks_of(view) == [MarkOutcome.HIT]
    (one,) = view.clusters
    assert (one.hit, one.centre, one.overlap) == (83.0, 83.0, 83.0)
    assert one.shown_at == {1}
    assert one.best == 0


def test_a_mark_elsewhere_is_false_and_the_cluster_missed() -> None:
    view = score_image(record(cluster(FIVE), [found(ELSEWHERE)]))

    assert marks_of(view) == [MarkOutcome.FALSE]
    assert view.clusters[0].hit == MISSED
    assert view.clusters[0].best is None


def test_a_mark_that_swallows_the_breast_has_its_centre_in_the_cluster_but_does_not_find_it() -> (
    None
):
    far = [(10.0, 10.0), (94.0, 94.0), (10.0, 94.0), (94.0, 10.0)]
    view = score_image(record(cluster(FIVE), [found(far)]))

    assert marks_of(view) == [MarkOutcome.NEAR]
    assert view.clusters[0].centre == 80.0
    assert view.clusters[0].overlap == MISSED
    assert view.clusters[0].hit == MISSED


def test_two_matched_members_find_a_cluster_whose_box_barely_overlaps() -> None:
    long = [(40.0 + 4 * n, 50.0) for n in range(12)]
    part = [(52.0, 50.0), (60.0, 50.0), (56.0, 50.0)]
    view = score_image(record(cluster(long), [found(part)]))

    assert view.clusters[0].overlap == MISSED
    assert marks_of(view) == [MarkOutcome.HIT]


def test_the_centre_may_lie_two_millimetres_outside_the_box() -> None:
    def shifted(by: float) -> list[MarkOutcome]:
        # The same members, so that they match; the centre is set apart from them.
        mark_ = found(FIVE)
        moved = type(mark_)(
            mark_.certainty, None, (by / 0.1, 530.0), mark_.outline, mark_.members, (), (), (1,)
        )
        return marks_of(score_image(record(cluster(FIVE), [moved])))

    assert shifted(55.0 + 1.9) == [MarkOutcome.HIT]
    assert shifted(55.0 + 2.1) == [MarkOutcome.NEAR]


@pytest.mark.parametrize(
    ("truth", "wanted"),
    [
        (cluster(FIVE, cnr=2.0), MarkOutcome.IGNORED),
        (cluster(FIVE[:2]), MarkOutcome.IGNORED),
        (cluster(FIVE, morphology="dystrophic"), MarkOutcome.BENIGN),
        (cluster(FIVE, morphology="eggshell", cnr=2.0), MarkOutcome.BENIGN),
        ((thing("metal", (48, 48, 57, 57)),), MarkOutcome.METAL),
        ((thing("vascular", (48, 48, 57, 57)),), MarkOutcome.VASCULAR),
        ((thing("skin", (48, 48, 57, 57)),), MarkOutcome.SKIN),
        ((), MarkOutcome.FALSE),
    ],
)
def test_what_a_mark_lies_on_decides_how_it_counts(
    truth: tuple[TruthRow, ...], wanted: MarkOutcome
) -> None:
    view = score_image(record(truth, [found(FIVE)]))
    assert marks_of(view) == [wanted]


def test_a_mark_with_most_members_beside_a_clip_is_not_on_it() -> None:
    clip = thing("metal", (49.5, 49.5, 50.5, 50.5))
    view = score_image(record((clip,), [found(FIVE)]))
    assert marks_of(view) == [MarkOutcome.FALSE]


def test_a_clip_in_a_cluster_does_not_take_the_cluster_away() -> None:
    clip = thing("metal", (48, 48, 57, 57))
    view = score_image(record((*cluster(FIVE), clip), [found(FIVE)]))
    assert marks_of(view) == [MarkOutcome.HIT]


def test_contrast_that_nobody_measured_counts_as_visible() -> None:
    box_alone = cluster(FIVE, cnr=None)[:1]
    view = score_image(record(box_alone, [found(FIVE)]))

    assert view.clusters[0].truth.visible
    assert marks_of(view) == [MarkOutcome.HIT]


def test_of_several_marks_the_most_certain_counts() -> None:
    view = score_image(
        record(cluster(FIVE), [found(FIVE, 90.0, shown_at=()), found(FIVE[:3], 60.0)])
    )
    assert view.clusters[0].hit == 90.0
    assert view.clusters[0].shown_at == {1}


def test_a_view_is_free_of_clusters_only_if_it_holds_none_of_any_kind() -> None:
    assert score_image(record((calcification(50, 50),))).cluster_free
    assert not score_image(record(cluster(FIVE, cnr=1.0))).cluster_free
    assert not score_image(record(cluster(FIVE, morphology="dystrophic"))).cluster_free
    assert not score_image(record((), status=ImageStatus.REFUSED)).cluster_free


def test_single_marks_find_calcifications_and_are_false_on_nothing_alone() -> None:
    truth = (
        calcification(10, 10, 1),
        calcification(20, 20, 2, cnr=1.0),
        thing("metal", (30, 30, 32, 32)),
        thing("vascular", (40, 40, 42, 42)),
    )
    marks = [
        mark(10.2, 10.0, 0.9),  # on the visible one
        mark(10.0, 10.2, 0.8),  # a double of it
        mark(20.0, 20.1, 0.7),  # on the faint one
        mark(32.9, 31.0, 0.6),  # metal's edge
        mark(41.0, 41.0, 0.55),  # vessel
        mark(70.0, 70.0, 0.5),  # nothing
    ]
    singles = score_image(record(truth, marks=marks)).singles

    assert singles.found.tolist() == [0.9]
    assert singles.true.tolist() == [0.9]
    assert singles.false.tolist() == [0.5]


def test_a_large_calcification_is_found_farther_from_its_middle() -> None:
    def found_at(x: float, size_mm: float) -> float:
        view = score_image(record((calcification(10, 10, size_mm=size_mm),), marks=[mark(x, 10)]))
        return float(view.singles.found[0])

    assert found_at(10.29, 0.1) == 0.9
    assert found_at(10.31, 0.1) == -math.inf
    assert found_at(10.64, 1.0) == 0.9
    assert found_at(10.66, 1.0) == -math.inf


def test_members_of_a_cluster_known_by_its_box_alone_are_not_false() -> None:
    singles = score_image(record(cluster(FIVE)[:1], marks=[mark(52, 52)])).singles
    assert singles.false.tolist() == []


def test_objects_are_known_by_kind() -> None:
    view = score_image(record((thing("metal", (1, 1, 2, 2)),)))
    assert view.holds(MarkClass.METAL)
    assert not view.holds(MarkClass.SKIN)
