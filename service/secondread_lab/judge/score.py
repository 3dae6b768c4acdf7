"""The figures of scored images."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from secondread_lab.judge import rules, subgroups
from secondread_lab.judge.agreement import (
    LesionInView,
    TwoViews,
    compute_auc,
    count_two_views,
    tabulate_confusion,
)
from secondread_lab.judge.annotations import KINDS
from secondread_lab.judge.bootstrap import (
    RESAMPLES,
    Draws,
    Estimate,
    draw_resamples,
    estimate_interval,
    estimate_mean,
    estimate_share_above,
)
from secondread_lab.judge.calibration import Reliability, measure_reliability
from secondread_lab.judge.figures import (
    ClusterCurve,
    EvaluationCounts,
    PartFigures,
    PointRow,
    RateRow,
    Seconds,
)
from secondread_lab.judge.froc import compute_curve, find_first_excluded
from secondread_lab.judge.reading_order import measure_reading_order
from secondread_lab.judge.scored_exams import (
    count_marks,
    is_free,
    list_exams,
    measure_exam_scores,
    tabulate_costs,
)
from secondread_lab.judge.scored_items import (
    HELD_OUT,
    IN_DOMAIN,
    ClusterItem,
    ScoredSet,
    SingleItems,
    group_by_lesion,
    list_singles,
)
from secondread_lab.judge.scored_model import ModelPoint, ScoredModel
from secondread_lab.judge.set_aside import tabulate_set_aside

CLUSTER_GRID = np.array(
    [0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 4]
)
"""Rates of the drawn curve of clusters, per view."""

SINGLE_GRID = np.array([0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5])
"""The same of single calcifications, per cm2."""


def score_part(
    part: ScoredSet, name: str, model: ScoredModel, resamples: int = RESAMPLES
) -> PartFigures:
    """Return all figures of one part of a test set.

    Parameters
    ----------
    part
        Its images; at least one.
    name
        Its name.
    model
        Operating points and calibration.
    resamples
        Of the bootstrap.
    """
    draws = draw_resamples(len(part.patients), resamples)
    items = part.list_clusters()
    targets = [item for item in items if item.outcome.truth.target]
    benign = [item for item in items if not item.outcome.truth.target]
    limit = find_first_excluded(part.list_false_clusters(), np.array([rules.HEADLINE_RATE]), draws)[
        0
    ]
    facets = tuple(targets[0].facets) if targets else ()
    groups = tuple(subgroups.tabulate_clusters(targets, facets, limit, model.default, draws))
    singles, false_singles = list_singles(part), part.list_false_singles()
    exams = list_exams(part)
    return PartFigures(
        name=name,
        counts=_count_all(part, items, singles),
        clusters=tuple(_score_domains(part, draws)),
        points=tuple(_score_point(part, targets, point, draws) for point in model.points),
        groups=groups,
        worst=subgroups.find_worst_group(groups),
        benign=tuple(
            subgroups.tabulate_clusters(benign, ("morphology",), limit, model.default, draws)
        ),
        false_groups=tuple(subgroups.tabulate_false_clusters(part, model.default, draws)),
        objects=tuple(subgroups.tabulate_objects(part, model, draws)),
        singles=tuple(subgroups.tabulate_singles(singles, false_singles, draws)),
        single_curve=compute_curve(
            singles.scores, singles.owners, false_singles, SINGLE_GRID, draws
        ),
        morphology=tabulate_confusion((item.morphology, item.described[0]) for item in items),
        distribution=tabulate_confusion(
            (item.outcome.truth.row.distribution, item.described[1]) for item in items
        ),
        cluster_reliability=_measure_cluster_reliability(part),
        single_reliability=_measure_single_reliability(part, model),
        exam_auc=_estimate_auc(part, draws),
        exam_scores=measure_exam_scores(exams, model.exam_score, draws),
        costs=tuple(tabulate_costs(part, exams, [p.number for p in model.points], draws)),
        set_aside=tuple(tabulate_set_aside(part, draws)),
        seconds=_measure_seconds(part),
    )


def _count_all(
    part: ScoredSet, items: Sequence[ClusterItem], singles: SingleItems
) -> EvaluationCounts:
    views = part.views
    detections = [view.record.detection for view in views]
    every = [cluster.truth for view in views for cluster in view.clusters]
    return EvaluationCounts(
        patients=len(set(part.owner.tolist())),
        exams=len({view.record.image.study_uid for view in views}),
        views=len(views),
        views_read=sum(view.was_read for view in views),
        not_read=dict(
            Counter(r.value for d in detections if not d.status.was_read for r in d.reasons)
        ),
        flagged=dict(Counter(r.value for d in detections if d.status.was_read for r in d.reasons)),
        cluster_free_views=sum(view.cluster_free for view in views),
        target_clusters=sum(item.outcome.truth.target for item in items),
        benign_clusters=sum(not item.outcome.truth.target for item in items),
        faint_clusters=sum(not cluster.visible for cluster in every),
        visible_calcifications=len(singles.scores),
        faint_calcifications=sum(int((~view.truth.visible).sum()) for view in views),
        breast_cm2=round(float(part.list_false_singles().exposure.sum()), 1),
        other_rows=dict(
            Counter(row.kind for v in views for row in v.record.truth if row.kind not in KINDS)
        ),
    )


def _score_domains(part: ScoredSet, draws: Draws) -> Iterator[ClusterCurve]:
    families = {view.record.image.family for view in part.views}
    yield _score_domain(part, "all", draws)
    if families & part.held_out and families - part.held_out:
        for domain in (IN_DOMAIN, HELD_OUT):
            yield _score_domain(part.split(part.name_domain)[domain], domain, draws)


def _score_domain(part: ScoredSet, domain: str, draws: Draws) -> ClusterCurve:
    false = part.list_false_clusters()
    targets = [item for item in part.list_clusters() if item.outcome.truth.target]
    hits, owners = subgroups.list_columns(targets)
    lesions = group_by_lesion(targets)
    columns = (
        (hits, owners),
        ([item.outcome.centre for item in targets], owners),
        ([item.outcome.overlap for item in targets], owners),
        ([lesion.hit for lesion in lesions], subgroups.list_owners(lesions)),
    )
    rates = np.array(rules.CLUSTER_RATES)
    rows = []
    for rate, limit in zip(rates, find_first_excluded(false, rates, draws), strict=True):
        shares = (
            estimate_share_above(scores, limit, column_owners, draws)
            for scores, column_owners in columns
        )
        rows.append(RateRow(float(rate), *shares))
    curve = compute_curve(hits, owners, false, CLUSTER_GRID, draws)
    return ClusterCurve(domain, tuple(rows), curve)


def _score_point(
    part: ScoredSet, targets: Sequence[ClusterItem], point: ModelPoint, draws: Draws
) -> PointRow:
    number = point.number
    hits = [number in item.outcome.shown_at for item in targets]
    lesions = group_by_lesion(targets)
    lesion_hits = [number in lesion.shown_at for lesion in lesions]
    free = part.select(lambda view: view.cluster_free)
    return PointRow(
        number=number,
        name=point.name,
        default=point.default,
        hit=estimate_mean(hits, subgroups.list_owners(targets), draws),
        case=estimate_mean(lesion_hits, subgroups.list_owners(lesions), draws),
        false_per_view=subgroups.estimate_false_per_view(free, number, draws),
        free_exams_unmarked=_estimate_unmarked(part, number, draws),
        two_views=_count_two_views(targets, number),
        order=measure_reading_order(list_exams(part), number, draws),
    )


def _count_two_views(targets: Sequence[ClusterItem], point: int) -> TwoViews:
    return count_two_views(
        LesionInView(item.lesion, item.view, point in item.outcome.shown_at) for item in targets
    )


def _estimate_unmarked(part: ScoredSet, point: int, draws: Draws) -> Estimate:
    exams = list_exams(part)
    free = [(owner, views) for owner, views in exams if is_free(views)]
    is_unmarked = [not count_marks(views, point) for _, views in free]
    return estimate_mean(is_unmarked, [owner for owner, _ in free], draws)


def _estimate_auc(part: ScoredSet, draws: Draws) -> Estimate:
    positive: list[tuple[int, float]] = []
    negative: list[tuple[int, float]] = []
    for owner, views in list_exams(part):
        # An exam without any mark ranks below every other.
        seen = (c for v in views for c in v.record.clusters if not c.is_set_aside)
        top = max((cluster.certainty for cluster in seen), default=-1.0)
        if any(view.has_target for view in views):
            positive.append((owner, top))
        elif is_free(views):
            negative.append((owner, top))
    p_owners, n_owners = (np.array([o for o, _ in s], np.int64) for s in (positive, negative))
    p_scores, n_scores = (np.array([v for _, v in s], np.float64) for s in (positive, negative))
    values = compute_auc(p_scores, p_owners, n_scores, n_owners, draws)
    return estimate_interval(values, np.concatenate([p_owners, n_owners]))


def _measure_cluster_reliability(part: ScoredSet) -> Reliability:
    right = {rules.MarkOutcome.HIT: True, rules.MarkOutcome.BENIGN: True}
    pairs = [
        (cluster.certainty / 100, right.get(outcome, False))
        for view in part.views
        for cluster, outcome in zip(view.record.clusters, view.marks, strict=True)
        if outcome in right or outcome.is_false
    ]
    return measure_reliability(
        np.array([c for c, _ in pairs]), np.array([r for _, r in pairs], np.bool_)
    )


def _measure_single_reliability(part: ScoredSet, model: ScoredModel) -> Reliability:
    true = np.concatenate([np.empty(0), *(view.singles.true for view in part.views)])
    false = np.concatenate([np.empty(0), *(view.singles.false for view in part.views)])
    certainty = [model.certainty(score) / 100 for score in np.concatenate([true, false]).tolist()]
    right = np.concatenate([np.ones(len(true), np.bool_), np.zeros(len(false), np.bool_)])
    return measure_reliability(np.array(certainty), right)


def _measure_seconds(part: ScoredSet) -> Seconds:
    seconds = [view.record.detection.seconds for view in part.views if view.was_read]
    if not seconds:
        return Seconds(None, None, 0)
    median, p95 = (round(float(v), 3) for v in np.percentile(seconds, (50, 95)))
    return Seconds(median, p95, len(seconds))
