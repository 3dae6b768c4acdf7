"""From scored images to figures, on a set small enough to count by hand."""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from secondread.reasons import ImageStatus
from secondread_lab.judge.figures import PartFigures
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.records import ViewRecord
from secondread_lab.judge.score import score_part
from secondread_lab.judge.scored_items import ScoredSet
from secondread_lab.judge.scored_model import ModelPoint, ScoredModel
from tests.unit.lab.judge.view_records import calcification, cluster, found, mark, record, thing

FIVE = [(50.0, 50.0), (53.0, 51.0), (51.0, 55.0), (55.0, 54.0), (52.0, 52.0)]
ELSEWHERE = [(90.0, 90.0), (92.0, 91.0), (91.0, 93.0)]
MODEL = ScoredModel(
    (ModelPoint(1, "standard", default=True), ModelPoint(2, "sensitive", default=False)),
    lambda score: 100 * score,
    lambda any_cluster: 100 * any_cluster,
)


def scored(records: Sequence[ViewRecord], held_out: frozenset[str] = frozenset()) -> PartFigures:
    return score_part(
        ScoredSet.from_views(map(score_image, records), held_out), "all", MODEL, resamples=200
    )


def exam(number: int, family: str = "alpha") -> list[ViewRecord]:
    """Two views with a cluster that only the CC view finds, and two of a free breast."""
    one = partial(record, patient=f"p{number}", family=family)
    truth = [replace(row, vendor_family=family) for row in cluster(FIVE)]
    study, free = f"s{number}", f"s{number}-free"
    return [
        one(truth, [found(FIVE, 80)], key=f"{number}/CC", view="CC", study=study),
        one(truth, [], key=f"{number}/MLO", view="MLO", study=study),
        one([], [found(ELSEWHERE, 60)], key=f"{number}/free-CC", view="CC", study=free),
        one([], [], key=f"{number}/free-MLO", view="MLO", study=free),
    ]


SIX = [one for number in range(6) for one in exam(number)]


def test_figures_of_a_set_counted_by_hand() -> None:
    part = scored(SIX)
    point = part.points[0]

    assert (part.counts.patients, part.counts.exams, part.counts.views) == (6, 12, 24)
    assert (part.counts.target_clusters, part.counts.cluster_free_views) == (12, 12)
    assert point.hit.value == 0.5
    assert point.case.value == 1.0
    assert point.false_per_view.value == 0.5
    assert point.free_exams_unmarked.value == 0.0
    assert (point.two_views.both, point.two_views.one, point.two_views.none) == (0, 6, 0)
    assert part.points[1].hit.value == 0.0  # nothing is shown at the second point
    by_rate = {row.false_per_view: row for row in part.clusters[0].at}
    assert by_rate[0.1].hit.value == 0.5  # all false ones are below 80
    assert by_rate[0.1].case.value == 1.0
    assert part.clusters[0].curve.ends_at == 0.5
    assert part.exam_auc.value == 1.0
    assert part.seconds.median == 1.5


def test_a_perfect_detector_scores_one_everywhere() -> None:
    records = [
        record(
            cluster(FIVE),
            [found(FIVE, 100)],
            [mark(x, y) for x, y in FIVE],
            key=str(number),
            patient=str(number),
        )
        for number in range(8)
    ] + [record([], [], key=f"free {n}", patient=f"free {n}", study=f"f{n}") for n in range(8)]
    part = scored(records)

    assert all(row.hit.value == 1.0 and row.hit.low == 1.0 for row in part.clusters[0].at)
    assert all(one.value == 1.0 for one in part.singles[0].at)
    assert part.points[0].false_per_view.value == 0.0
    assert part.points[0].free_exams_unmarked.value == 1.0
    assert part.cluster_reliability.ece == 0.0


def test_the_order_of_images_changes_nothing() -> None:
    shuffled = random.Random(3).sample(SIX, len(SIX))
    assert scored(shuffled) == scored(SIX)


def test_what_a_refused_image_holds_is_missed_and_its_lack_of_clusters_counts_nowhere() -> None:
    refused = [
        record(cluster(FIVE), key="r", patient="r", study="r", status=ImageStatus.REFUSED),
        record([], key="q", patient="q", study="q", status=ImageStatus.REFUSED),
    ]
    before, after = scored(SIX), scored([*SIX, *refused])

    assert after.counts.target_clusters == before.counts.target_clusters + 1
    assert after.counts.cluster_free_views == before.counts.cluster_free_views
    assert after.counts.not_read == {"breast-not-found": 2}
    assert after.counts.breast_cm2 == before.counts.breast_cm2
    assert after.points[0].hit.value == pytest.approx(6 / 13)


def test_typically_benign_clusters_stand_in_a_table_of_their_own() -> None:
    benign = [
        record(
            cluster(FIVE, morphology="dystrophic"),
            [found(FIVE, 70)],
            key=f"b{n}",
            patient=f"b{n}",
            study=f"b{n}",
        )
        for n in range(3)
    ]
    part = scored([*SIX, *benign])

    assert [(row.label, row.at_point.value) for row in part.benign] == [("dystrophic", 1.0)]
    assert part.counts.target_clusters == 12
    assert part.points[0].false_per_view.value == 0.5


def test_false_clusters_of_a_domain_are_counted_on_its_own_views() -> None:
    out = [one for number in range(6, 12) for one in exam(number, family="omega")]
    quiet = [replace(one, clusters=()) if "free" in one.key else one for one in out]
    part = scored([*SIX, *quiet], frozenset({"omega"}))
    ends = {curve.domain: curve.curve.ends_at for curve in part.clusters}

    # A family is taken from the record, so the quiet ones have no false cluster at all.
    assert ends == {"all": 0.25, "in-domain": 0.5, "held-out": 0.0}


def test_marks_on_objects_are_counted_by_view() -> None:
    clip = thing("metal", (48, 48, 57, 57))
    records = [
        record(
            (clip,),
            [found(FIVE, 90)] if number < 2 else [],
            key=f"m{number}",
            patient=f"m{number}",
            study=f"m{number}",
        )
        for number in range(8)
    ]
    rows = {(row.kind, row.point): row for row in scored(records).objects}

    assert rows["metal", 1].views == 8
    assert rows["metal", 1].share.value == 0.25
    assert rows["metal", 2].share.value == 0.0
    assert rows["skin", 1].share.value is None


def test_the_worst_group_has_enough_patients_and_is_found_least() -> None:
    amorphous = [
        record(cluster(FIVE), key=f"w{n}", patient=f"w{n}", study=f"w{n}") for n in range(9)
    ]
    round_ = [
        record(
            cluster(FIVE, morphology="round"),
            [found(FIVE)],
            key=f"x{n}",
            patient=f"x{n}",
            study=f"x{n}",
        )
        for n in range(9)
    ]
    lonely = [record(cluster(FIVE, morphology="fine_linear"), key="l", patient="l", study="l")]
    free = [record([], key=f"f{n}", patient=f"f{n}", study=f"f{n}") for n in range(4)]
    worst = scored([*amorphous, *round_, *lonely, *free]).worst

    assert worst is not None
    assert (worst.facet, worst.label, worst.at_rate.value) == ("morphology", "amorphous", 0.0)


def test_descriptors_are_compared_over_what_was_found() -> None:
    ranked = (("round", 0.6), ("amorphous", 0.3))
    records = [
        record(cluster(FIVE), [found(FIVE, morphology=ranked)], key="a"),
        record(cluster(FIVE), [], key="b"),
    ]
    confusion = scored(records).morphology

    assert confusion.count == 1
    assert (confusion.first, confusion.either) == (0.0, 1.0)


def test_single_calcifications_are_counted_by_diameter() -> None:
    truth = [calcification(10, 10, 1, size_mm=0.15), calcification(20, 20, 2, size_mm=0.3)]
    part = scored([record(truth, marks=[mark(20, 20)], key="a")])
    rows = {(row.facet, row.label): row for row in part.singles}

    assert rows["diameter", "0.1-0.17 mm"].at[0].value == 0.0
    assert rows["diameter", "0.25-0.4 mm"].at[0].value == 1.0
    assert rows["all", "all"].at[0].value == 0.5


def test_a_set_with_nothing_in_it_to_find_still_has_figures() -> None:
    part = scored([record([], [found(FIVE)], key="a")])
    assert part.points[0].hit.value is None
    assert part.points[0].false_per_view.value == 1.0
    assert part.worst is None


def test_costs_are_counted_by_exam_and_apart_for_held_out_families() -> None:
    records = [*SIX, *exam(7, "zeta")]
    part = scored(records, frozenset({"zeta"}))
    costs = {row.exams: row for row in part.costs if row.point == 1}

    assert set(costs) == {"all", "two views", "held-out family zeta"}
    assert costs["all"].found.value == 0.5
    assert costs["all"].false_marks.value == 1.0
    assert costs["all"].unmarked.value == 0.0
    assert costs["held-out family zeta"].unmarked.items == 1
    assert [row.unmarked.value for row in part.costs if row.point == 2] == [1.0] * 3


def test_the_score_of_exams_is_compared_with_what_they_hold() -> None:
    scores = scored(SIX).exam_scores

    assert scores.auc.value == 1.0  # 80 with a cluster, 60 without
    assert [b.stated for b in scores.reliability.bins] == pytest.approx([0.6, 0.8])
    assert [b.observed for b in scores.reliability.bins] == [0.0, 1.0]


def test_a_suspicious_cluster_that_is_left_unmarked_as_benign_is_missed() -> None:
    aside = replace(found(FIVE, 99.0, ()), is_set_aside=True)
    vessel = thing("vascular", (58.0, 40.0, 60.0, 60.0))
    part = scored([record([*cluster(FIVE), vessel], [aside])])
    shares = {row.clusters: row.share for row in part.set_aside}

    assert part.points[0].hit.value == 0.0
    assert part.clusters[0].at[-1].hit.value in {0.0, None}
    assert shares["suspicious"].value == 1.0
    assert shares["suspicious, beside a vessel"].items == 1
    assert shares["suspicious, in or near a bed"].items == 0


def test_a_cluster_that_is_marked_as_well_is_not_missed() -> None:
    aside = replace(found(FIVE, 99.0, ()), is_set_aside=True)
    part = scored([record(cluster(FIVE), [aside, found(FIVE, 60.0)])])

    assert part.points[0].hit.value == 1.0
    assert part.set_aside[0].share.value == 0.0
