"""What a radiologist meets first: marks of exams in the order of priority.

A cluster is like a recurrence by its type (amorphous, coarse heterogeneous, fine pleomorphic, fine
linear or branching); others are round or typically benign. Simulated truth cannot tell more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from secondread.findings.priority import compute_priority, rank_priority
from secondread.findings.suspicion import MALIGNANT_SHARE
from secondread.findings.typically_benign import SUSPICIOUS as LIKE_RECURRENCE
from secondread_lab.judge.agreement import compute_auc
from secondread_lab.judge.annotations import TrueCluster
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
    worst_ranks: dict[str, int]
    """The same exams by the rank of the worst cluster: one more than the marks that come before its
    own, marks of other views of it left out. The worst is that of the most suspicious true type."""


RANKS = ("1", "2", "3", "later", "not marked")
"""Keys of `ReadingOrder.worst_ranks`."""


class _ShownMark(NamedTuple):
    cluster: FoundCluster
    is_like_recurrence: bool
    counts: bool
    """Whether it is one or the other."""
    lesions: frozenset[str]
    """The true clusters that it finds."""


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
    ranks: list[str] = []
    for owner, views in exams:
        marks = [mark for view in views for mark in _list_shown(view, point)]
        if all(view.cluster_free for view in views):
            free.append((owner, float(len(marks))))
        if any(map(_holds_recurrence, views)):
            counting = (mark for mark in marks if mark.counts)
            ordered = sorted(counting, key=lambda mark: _rank(mark.cluster))
            first.append((owner, bool(ordered) and ordered[0].is_like_recurrence))
            ranks.append(_rank_worst(ordered, _find_worst(views)))
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
        worst_ranks={name: ranks.count(name) for name in RANKS},
    )


def _find_worst(views: Sequence[ViewOutcome]) -> frozenset[str]:
    """Return the true lesions of the most suspicious type that is visible in an exam."""
    share_of = {
        _name_lesion(view, cluster): MALIGNANT_SHARE[kind]
        for view in views
        for cluster in view.truth.clusters
        if cluster.visible and (kind := find_morphology(cluster.row.morphology)) in LIKE_RECURRENCE
    }
    return frozenset(name for name, share in share_of.items() if share == max(share_of.values()))


def _rank_worst(ordered: Sequence[_ShownMark], worst: frozenset[str]) -> str:
    """Return the rank of the first mark on one of the worst lesions, marks on them not counted."""
    on_worst = [bool(mark.lesions & worst) for mark in ordered]
    if not any(on_worst):
        return "not marked"
    rank = on_worst.index(True) + 1
    return str(rank) if str(rank) in RANKS else "later"


def _name_lesion(view: ViewOutcome, cluster: TrueCluster) -> str:
    name = cluster.row.lesion_id or cluster.row.id or repr(cluster.row)
    return f"{view.record.image.laterality} {name}"


def _list_shown(view: ViewOutcome, point: int) -> list[_ShownMark]:
    on_recurrence = {
        number
        for cluster in view.clusters
        if find_morphology(cluster.truth.row.morphology) in LIKE_RECURRENCE
        for number in cluster.marks
    }
    found: dict[int, set[str]] = {}
    for cluster in view.clusters:
        for number in cluster.marks:
            found.setdefault(number, set()).add(_name_lesion(view, cluster.truth))
    return [
        _ShownMark(
            cluster,
            number in on_recurrence,
            outcome not in _NEITHER,
            frozenset(found.get(number, ())),
        )
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
