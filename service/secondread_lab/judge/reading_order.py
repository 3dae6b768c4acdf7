"""What a radiologist meets first: marks of exams in the order of priority.

A cluster is like a recurrence by its type (amorphous, coarse heterogeneous, fine pleomorphic, fine
linear or branching); others are round or typically benign. Simulated truth cannot tell more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from secondread.codes import Morphology
from secondread.findings.priority import compute_priority, rank_priority
from secondread_lab.judge.agreement import compute_auc
from secondread_lab.judge.bootstrap import (
    Draws,
    Estimate,
    Owners,
    Values,
    estimate_interval,
    estimate_mean,
)
from secondread_lab.judge.outcomes import ViewOutcome
from secondread_lab.judge.records import FoundCluster
from secondread_lab.judge.rules import MarkOutcome, find_morphology

LIKE_RECURRENCE = frozenset(
    {
        Morphology.AMORPHOUS,
        Morphology.COARSE_HETEROGENEOUS,
        Morphology.FINE_PLEOMORPHIC,
        Morphology.FINE_LINEAR,
        Morphology.FINE_LINEAR_BRANCHING,
    }
)

_NEITHER = frozenset({MarkOutcome.NEAR, MarkOutcome.IGNORED})
"""Marks that count neither way: what they touch may be like a recurrence."""


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """Shown marks of one operating point, and how priority orders them."""

    marks_per_free_exam: Estimate
    """On exams without any cluster."""
    priority_auc: Estimate
    """Marks on clusters like a recurrence against all others, false ones included."""
    worst_first: Estimate
    """Exams with a visible cluster like a recurrence: the share whose first mark, of those that
    count, is on one. A cluster that is not marked is not first."""


class _ShownMark(NamedTuple):
    cluster: FoundCluster
    is_like_recurrence: bool
    counts: bool
    """Whether it is one or the other."""


def measure_reading_order(
    exams: Sequence[tuple[int, Sequence[ViewOutcome]]], point: int, draws: Draws
) -> ReadingOrder:
    """Return the figures of an operating point.

    Parameters
    ----------
    exams
        The views of each exam, with the index of its patient.
    point
        Number of the operating point.
    draws
        Resamples of patients.
    """
    free: list[tuple[int, float]] = []
    first: list[tuple[int, bool]] = []
    like: list[tuple[int, float]] = []
    other: list[tuple[int, float]] = []
    for owner, views in exams:
        marks = [mark for view in views for mark in _list_shown(view, point)]
        if all(view.cluster_free for view in views):
            free.append((owner, float(len(marks))))
        if any(map(_holds_recurrence, views)):
            counting = (mark for mark in marks if mark.counts)
            ordered = sorted(counting, key=lambda mark: _rank(mark.cluster))
            first.append((owner, bool(ordered) and ordered[0].is_like_recurrence))
        for mark in marks:
            if mark.counts:
                priority = compute_priority(mark.cluster.certainty, mark.cluster.suspicion) or 0.0
                (like if mark.is_like_recurrence else other).append((owner, priority))
    values = compute_auc(*_split(like), *_split(other), draws)
    owners = np.array([owner for owner, _ in (*like, *other)], np.int64)
    return ReadingOrder(
        marks_per_free_exam=estimate_mean([n for _, n in free], [o for o, _ in free], draws),
        priority_auc=estimate_interval(values, owners),
        worst_first=estimate_mean(
            [is_first for _, is_first in first], [o for o, _ in first], draws
        ),
    )


def _list_shown(view: ViewOutcome, point: int) -> list[_ShownMark]:
    on_recurrence = {
        number
        for cluster in view.clusters
        if find_morphology(cluster.truth.row.morphology) in LIKE_RECURRENCE
        for number in cluster.marks
    }
    return [
        _ShownMark(cluster, number in on_recurrence, outcome not in _NEITHER)
        for number, (cluster, outcome) in enumerate(
            zip(view.record.clusters, view.marks, strict=True)
        )
        if point in cluster.shown_at
    ]


def _holds_recurrence(view: ViewOutcome) -> bool:
    return any(
        cluster.visible and find_morphology(cluster.row.morphology) in LIKE_RECURRENCE
        for cluster in view.truth.clusters
    )


def _rank(cluster: FoundCluster) -> tuple[bool, float, float]:
    priority = compute_priority(cluster.certainty, cluster.suspicion)
    return rank_priority(priority, cluster.certainty, shown=True)


def _split(marks: Sequence[tuple[int, float]]) -> tuple[Values, Owners]:
    """Return the values and the owners."""
    return np.array([v for _, v in marks], np.float64), np.array([o for o, _ in marks], np.int64)
