"""Clusters that are left unmarked as typically benign, suspicious ones among them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from secondread.codes import MarkClass
from secondread.findings.treatment import Zone
from secondread.findings.typically_benign import SUSPICIOUS
from secondread_lab.judge.bootstrap import Draws, Estimate, estimate_mean
from secondread_lab.judge.outcomes import ClusterOutcome, ViewOutcome
from secondread_lab.judge.rules import find_morphology
from secondread_lab.judge.scored_items import ScoredSet

BESIDE_MM = 10.0
"""A cluster is beside a vessel if their boxes are no farther apart than this."""

_BED = frozenset({Zone.BED.value, Zone.NEAR.value})


@dataclass(frozen=True, slots=True)
class SetAsideRow:
    """Visible clusters of one kind."""

    clusters: str
    """The kind, for people."""
    share: Estimate
    """Share that is left unmarked as typically benign and marked by nothing else."""


def tabulate_set_aside(part: ScoredSet, draws: Draws) -> Iterator[SetAsideRow]:
    """Return which share of the clusters of each kind is left unmarked as typically benign.

    Suspicious ones are misses; at most 0.01 of them is wanted, beside vessels and in beds too.
    """
    kinds: dict[str, Callable[[ViewOutcome, ClusterOutcome], bool]] = {
        "suspicious": lambda _view, cluster: _is_suspicious(cluster),
        "suspicious, beside a vessel": lambda view, cluster: (
            _is_suspicious(cluster) and _is_beside_vessel(view, cluster)
        ),
        "suspicious, in or near a bed": lambda _view, cluster: (
            _is_suspicious(cluster) and cluster.truth.row.zone in _BED
        ),
        "other to be found": lambda _view, cluster: (
            cluster.truth.target and not _is_suspicious(cluster)
        ),
        "typically benign": lambda _view, cluster: not cluster.truth.target,
    }
    for name, is_of_kind in kinds.items():
        items = [
            (int(owner), cluster.is_set_aside)
            for view, owner in zip(part.views, part.owner, strict=True)
            for cluster in view.clusters
            if cluster.truth.visible and is_of_kind(view, cluster)
        ]
        yield SetAsideRow(
            name, estimate_mean([hidden for _, hidden in items], [o for o, _ in items], draws)
        )


def _is_suspicious(cluster: ClusterOutcome) -> bool:
    return find_morphology(cluster.truth.row.morphology) in SUSPICIOUS


def _is_beside_vessel(view: ViewOutcome, cluster: ClusterOutcome) -> bool:
    left, top, right, bottom = cluster.truth.box
    boxes = view.truth.objects[MarkClass.VASCULAR]
    if not len(boxes):
        return False
    across = np.maximum(np.maximum(boxes[:, 0] - right, left - boxes[:, 2]), 0)
    down = np.maximum(np.maximum(boxes[:, 1] - bottom, top - boxes[:, 3]), 0)
    return bool((np.hypot(across, down) <= BESIDE_MM).any())
