"""The figures by group: which clusters are found least, and where there are false ones."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from secondread.codes import MarkClass
from secondread_lab.judge import rules
from secondread_lab.judge.bootstrap import (
    Draws,
    Estimate,
    Owners,
    Values,
    estimate_mean,
    estimate_share_above,
)
from secondread_lab.judge.figures import FalseRow, GroupRow, MarkedObjectRow, SingleRow
from secondread_lab.judge.froc import FalseMarks, find_first_excluded
from secondread_lab.judge.outcomes import ViewOutcome
from secondread_lab.judge.scored_items import (
    ClusterItem,
    LesionItem,
    ScoredSet,
    SingleItems,
    is_object_marked,
)
from secondread_lab.judge.scored_model import ModelPoint, ScoredModel

HARDNESS = frozenset({"contrast to noise", "visible members", "extent"})
"""Facets that measure how hard a cluster is; their worst group is obvious."""

WORST_PATIENTS = 8
"""A subgroup of fewer patients is not named the worst, since chance alone may make it so."""


def tabulate_clusters(
    items: Sequence[ClusterItem],
    facets: Sequence[str],
    limit: Values,
    point: ModelPoint,
    draws: Draws,
) -> Iterator[GroupRow]:
    """Return how often the clusters of each group are found.

    Parameters
    ----------
    items
        Clusters that are visible.
    facets
        The clusters are grouped by each.
    limit
        Highest certainty not accepted, in each resample (`froc.find_first_excluded`).
    point
        Operating point that is reported beside it.
    drawn
        Resamples of patients.
    """
    for facet in facets:
        for label in sorted({item.facets[facet] for item in items}, key=rules.order_band):
            inside = [item for item in items if item.facets[facet] == label]
            scores, owners = list_columns(inside)
            is_shown = [point.number in item.outcome.shown_at for item in inside]
            yield GroupRow(
                facet,
                label,
                estimate_share_above(scores, limit, owners, draws),
                estimate_mean(is_shown, owners, draws),
            )


def find_worst_group(groups: Sequence[GroupRow]) -> GroupRow | None:
    """Return the group that is found least often; None without one that has enough patients."""
    candidates = [
        row
        for row in groups
        if row.facet not in HARDNESS
        and row.label not in {"unknown", "unstated"}
        and row.at_rate.patients >= WORST_PATIENTS
        and row.at_rate.value is not None
    ]
    return min(candidates, key=lambda row: (row.at_rate.value or 0.0, row.facet), default=None)


def tabulate_false_clusters(part: ScoredSet, point: ModelPoint, draws: Draws) -> Iterator[FalseRow]:
    """Return how many false clusters an operating point shows in each group of images."""
    facets: dict[str, Callable[[ViewOutcome], str]] = {
        "vendor family": lambda view: view.record.image.family or "unknown",
        "domain": part.name_domain,
        "density": lambda view: view.record.image.density or "unknown",
        "intent": lambda view: view.record.image.intent.lower() or "unknown",
        "view": lambda view: view.record.image.view or "unknown",
        "holds": _name_objects,
    }
    free = part.select(lambda view: view.cluster_free)
    for facet, word in facets.items():
        for label, inside in free.split(word).items():
            yield FalseRow(facet, label, estimate_false_per_view(inside, point.number, draws))


def _name_objects(view: ViewOutcome) -> str:
    return " and ".join(kind.value for kind in rules.OBJECTS if view.holds(kind)) or "nothing"


def tabulate_objects(
    part: ScoredSet, model: ScoredModel, draws: Draws
) -> Iterator[MarkedObjectRow]:
    """Return the share of images with metal, vessels or skin in which one is marked."""
    for kind in rules.OBJECTS:
        holding = part.select(partial(_is_read_and_holds, kind=kind))
        for point in model.points:
            marked = [is_object_marked(view, kind, point.number) for view in holding.views]
            share = estimate_mean(marked, holding.owner, draws)
            yield MarkedObjectRow(kind.value, point.number, len(marked), share)


def _is_read_and_holds(view: ViewOutcome, kind: MarkClass) -> bool:
    return view.was_read and view.holds(kind)


def tabulate_singles(items: SingleItems, false: FalseMarks, draws: Draws) -> Iterator[SingleRow]:
    """Return how often single calcifications of each group are found."""
    limits = find_first_excluded(false, np.array(rules.SINGLE_RATES), draws)

    facets = {"all": ("all",) * len(items.scores), **items.facets}
    for facet, labels in facets.items():
        for label in sorted({"all"} if facet == "all" else set(labels), key=rules.order_band):
            inside = np.array([own == label for own in labels], np.bool_)
            scores, owners = items.scores[inside], items.owners[inside]
            shares = (estimate_share_above(scores, limit, owners, draws) for limit in limits)
            yield SingleRow(facet, label, tuple(shares))


def estimate_false_per_view(free: ScoredSet, point: int, draws: Draws) -> Estimate:
    """Return how many clusters an operating point shows in an image without clusters."""
    counts = [sum(point in c.shown_at for c in view.record.clusters) for view in free.views]
    return estimate_mean(counts, free.owner, draws)


def list_owners(items: Sequence[ClusterItem | LesionItem]) -> Owners:
    """Return the patients' indices."""
    return np.array([item.owner for item in items], np.int64)


def list_columns(items: Sequence[ClusterItem]) -> tuple[Values, Owners]:
    """Return the certainties of the marks on them, and the patients' indices."""
    scores = np.array([item.outcome.hit for item in items], np.float64)
    return scores, list_owners(items)
