"""Scored exams: what an operating point costs by exam, and whether the score of exams holds."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from secondread.findings.exam_score import CalibrateExam, combine_certainties
from secondread_lab.judge.agreement import compute_auc
from secondread_lab.judge.bootstrap import (
    Draws,
    Estimate,
    Owners,
    Values,
    estimate_interval,
    estimate_mean,
)
from secondread_lab.judge.calibration import Reliability, measure_reliability
from secondread_lab.judge.outcomes import ViewOutcome
from secondread_lab.judge.scored_items import HELD_OUT, ScoredSet

Exam = tuple[int, Sequence[ViewOutcome]]
"""The index of an exam's patient, and its views."""

ALL_EXAMS, FOUR_VIEWS, TWO_VIEWS = "all", "four views", "two views"
HELD_OUT_FAMILY = "held-out family "


@dataclass(frozen=True, slots=True)
class CostRow:
    """What an operating point costs in one kind of exams."""

    point: int
    exams: str
    found: Estimate
    """Share of the visible clusters to be found that is marked, each counted in each view."""
    false_marks: Estimate
    """Marks an exam without any cluster."""
    unmarked: Estimate
    """Share of the exams without any cluster that bear no mark."""


@dataclass(frozen=True, slots=True)
class ExamScores:
    """The score of exams against what they hold."""

    auc: Estimate
    """Exams with a visible cluster to be found against exams without any cluster."""
    reliability: Reliability
    """Stated against observed: an exam is right if it holds a visible cluster to be found. Exams of
    which a view was not read are left out."""


def list_exams(part: ScoredSet) -> list[Exam]:
    """Return the exams of a part."""
    exams: dict[str, list[ViewOutcome]] = defaultdict(list)
    owners: dict[str, int] = {}
    for view, owner in zip(part.views, part.owner.tolist(), strict=True):
        exams[view.record.image.study_uid].append(view)
        owners[view.record.image.study_uid] = owner
    return [(owners[study], views) for study, views in exams.items()]


def is_free(views: Sequence[ViewOutcome]) -> bool:
    """Whether all views of an exam were read and none holds a cluster."""
    return all(view.cluster_free for view in views)


def count_marks(views: Sequence[ViewOutcome], point: int) -> int:
    """Return how many clusters an operating point shows in an exam."""
    return sum(point in cluster.shown_at for view in views for cluster in view.record.clusters)


def tabulate_costs(
    part: ScoredSet, exams: Sequence[Exam], points: Sequence[int], draws: Draws
) -> Iterator[CostRow]:
    """Return what each operating point costs: over all exams, by views, by held-out family."""
    kinds: dict[str, Callable[[Sequence[ViewOutcome]], bool]] = {
        ALL_EXAMS: lambda _views: True,
        FOUR_VIEWS: lambda views: len(views) >= 4,
        TWO_VIEWS: lambda views: len(views) == 2,
    }
    families = {v.record.image.family for v in part.views if part.name_domain(v) == HELD_OUT}
    for family in sorted(families):
        kinds[HELD_OUT_FAMILY + family] = lambda views, family=family: (  # type: ignore[misc]
            views[0].record.image.family == family
        )
    for point in points:
        for name, is_of_kind in kinds.items():
            chosen = [(owner, views) for owner, views in exams if is_of_kind(views)]
            if chosen:
                yield _measure_costs(name, chosen, point, draws)


def _measure_costs(name: str, exams: Sequence[Exam], point: int, draws: Draws) -> CostRow:
    found = [
        (owner, point in cluster.shown_at)
        for owner, views in exams
        for view in views
        for cluster in view.clusters
        if cluster.truth.visible and cluster.truth.target
    ]
    free = [(owner, count_marks(views, point)) for owner, views in exams if is_free(views)]
    owners = [owner for owner, _ in free]
    return CostRow(
        point,
        name,
        estimate_mean([is_found for _, is_found in found], [owner for owner, _ in found], draws),
        estimate_mean([float(marks) for _, marks in free], owners, draws),
        estimate_mean([not marks for _, marks in free], owners, draws),
    )


def combine_views(views: Sequence[ViewOutcome]) -> float:
    """Return what the score of an exam is made from; see `exam_score.combine_certainties`."""
    return combine_certainties(
        cluster.certainty
        for view in views
        for cluster in view.record.clusters
        if not cluster.is_set_aside
    )


def measure_exam_scores(
    exams: Sequence[Exam], calibrate: CalibrateExam, draws: Draws
) -> ExamScores:
    """Compare the scores of exams with what the exams hold."""
    scored: list[tuple[int, float, bool, bool]] = []
    for owner, views in exams:
        score = calibrate(combine_views(views))
        if score is not None and all(view.was_read for view in views):
            holds = any(view.has_target for view in views)
            scored.append((owner, score / 100, holds, is_free(views)))
    positive = _split([(owner, score) for owner, score, holds, _ in scored if holds])
    negative = _split([(owner, score) for owner, score, _, free in scored if free])
    return ExamScores(
        auc=estimate_interval(
            compute_auc(*positive, *negative, draws), np.concatenate([positive[1], negative[1]])
        ),
        reliability=measure_reliability(
            np.array([score for _, score, _, _ in scored], np.float64),
            np.array([holds for _, _, holds, _ in scored], np.bool_),
        ),
    )


def _split(items: Sequence[tuple[int, float]]) -> tuple[Values, Owners]:
    return np.array([v for _, v in items], np.float64), np.array([o for o, _ in items], np.int64)
