"""Scored images in columns: targets, false marks, and the patient of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from secondread.codes import MarkClass
from secondread_lab.judge import rules
from secondread_lab.judge.agreement import TrueLesion
from secondread_lab.judge.bootstrap import Owners, Values
from secondread_lab.judge.froc import FalseMarks
from secondread_lab.judge.outcomes import MISSED, ClusterOutcome, ViewOutcome

IN_DOMAIN, HELD_OUT = "in-domain", "held-out"


@dataclass(frozen=True, slots=True)
class ClusterItem:
    """One true cluster in one view."""

    owner: int
    """Index of its patient."""
    lesion: TrueLesion
    view: str
    outcome: ClusterOutcome
    described: tuple[tuple[str, ...], tuple[str, ...]]
    """Morphology and distribution of the mark that found it, the likeliest first."""
    facets: dict[str, str]

    @property
    def morphology(self) -> str:
        """As tables name it; empty where unstated."""
        morphology = rules.find_morphology(self.outcome.truth.row.morphology)
        return rules.name_morphology(morphology) if morphology else ""


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """Scored images of one part of a test set, and their patients."""

    views: tuple[ViewOutcome, ...]
    patients: tuple[str, ...]
    owner: Owners
    """Index of each view's patient."""
    held_out: frozenset[str]
    """Vendor families that the model never saw."""

    @classmethod
    def from_views(cls, views: Iterable[ViewOutcome], held_out: frozenset[str]) -> "ScoredSet":
        """Sort the views, so that the order in which they were read does not matter."""
        ordered = tuple(sorted(views, key=lambda view: view.record.key))
        patients = tuple(sorted({view.record.image.patient for view in ordered}))
        index = {patient: number for number, patient in enumerate(patients)}
        owner = np.array([index[view.record.image.patient] for view in ordered], np.int64)
        return cls(ordered, patients, owner, held_out)

    def name_domain(self, view: ViewOutcome) -> str:
        """Return whether the model may have learnt from images of the view's vendor family."""
        return HELD_OUT if view.record.image.family in self.held_out else IN_DOMAIN

    def select(self, wanted: Callable[[ViewOutcome], bool]) -> "ScoredSet":
        """Return the part whose views are wanted; its patients keep their indices."""
        chosen = self.split(lambda view: "yes" if wanted(view) else "no").get("yes")
        return chosen or ScoredSet((), self.patients, self.owner[:0], self.held_out)

    def split(self, by: Callable[[ViewOutcome], str]) -> "dict[str, ScoredSet]":
        """Return parts of views with equal labels, the labels in alphabetical order."""
        labels = [by(view) for view in self.views]
        parts = {}
        for chosen in sorted(set(labels)):
            numbers = [number for number, label in enumerate(labels) if label == chosen]
            views = tuple(self.views[number] for number in numbers)
            parts[chosen] = ScoredSet(views, self.patients, self.owner[numbers], self.held_out)
        return parts

    def list_clusters(self) -> list[ClusterItem]:
        """Return every visible true cluster, including typically benign ones."""
        return [
            _make_item(view, outcome, int(owner), self.name_domain(view))
            for view, owner in zip(self.views, self.owner, strict=True)
            for outcome in view.clusters
            if outcome.truth.visible
        ]

    def list_false_clusters(self) -> FalseMarks:
        """Return the certainties of all cluster marks on views without clusters.

        Those that are left unmarked as typically benign are none.
        """
        free = [(v, o) for v, o in zip(self.views, self.owner, strict=True) if v.cluster_free]
        scores = [
            (cluster.certainty, owner)
            for view, owner in free
            for cluster in view.record.clusters
            if not cluster.is_set_aside
        ]
        return FalseMarks(
            np.array([score for score, _ in scores], np.float64),
            np.array([owner for _, owner in scores], np.int64),
            self.count_per_patient([owner for _, owner in free]),
        )

    def list_false_singles(self) -> FalseMarks:
        """Return the scores of false single marks over the breasts' area in cm2."""
        exposure = np.zeros(len(self.patients))
        scores: list[Values] = []
        owners: list[Owners] = []
        for view, owner in zip(self.views, self.owner, strict=True):
            breast = view.record.detection.breast
            if view.was_read and breast is not None:
                exposure[owner] += breast.area_cm2
                scores.append(view.singles.false)
                owners.append(np.full(len(view.singles.false), owner, np.int64))
        return FalseMarks(
            np.concatenate([np.empty(0), *scores]),
            np.concatenate([np.empty(0, np.int64), *owners]),
            exposure,
        )

    def count_per_patient(self, owners: Sequence[int]) -> Values:
        """Count items by patient."""
        return np.bincount(np.array(owners, np.int64), minlength=len(self.patients)).astype(
            np.float64
        )


def _make_item(view: ViewOutcome, outcome: ClusterOutcome, owner: int, domain: str) -> ClusterItem:
    image, row = view.record.image, outcome.truth.row
    best = None if outcome.best is None else view.record.clusters[outcome.best]
    return ClusterItem(
        owner=owner,
        lesion=TrueLesion(image.study_uid, image.laterality, row.lesion_id or row.id or repr(row)),
        view=image.view,
        outcome=outcome,
        described=(_list_words(best.morphology), _list_words(best.distribution))
        if best
        else ((), ()),
        facets=_list_facets(view, outcome, domain),
    )


def _list_words(ranked: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    words = []
    for word, _ in ranked:
        morphology = rules.find_morphology(word)
        words.append(rules.name_morphology(morphology) if morphology else word)
    return tuple(words)


def _list_facets(view: ViewOutcome, outcome: ClusterOutcome, domain: str) -> dict[str, str]:
    image, row = view.record.image, outcome.truth.row
    morphology = rules.find_morphology(row.morphology)
    count = outcome.truth.count if len(outcome.truth.members) else None
    return {
        "morphology": rules.name_morphology(morphology) if morphology else "unstated",
        "extent": rules.name_band(row.size_mm, rules.EXTENT_EDGES_MM, " mm"),
        "contrast to noise": rules.name_band(row.cnr, rules.CNR_EDGES),
        "visible members": rules.name_band(count, rules.COUNT_EDGES),
        "distribution": row.distribution or "unstated",
        "density": image.density or "unknown",
        "vendor family": image.family or "unknown",
        "domain": domain,
        "intent": image.intent.lower() or "unknown",
        "view": image.view or "unknown",
        "zone": row.zone or "unknown",
        "change": row.change or "unknown",
    }


@dataclass(frozen=True, slots=True)
class SingleItems:
    """All visible single calcifications, in columns."""

    scores: Values
    owners: Owners
    facets: dict[str, tuple[str, ...]]


def list_singles(part: ScoredSet) -> SingleItems:
    """Return every visible calcification of kind calcification."""
    scores: list[Values] = []
    owners: list[Owners] = []
    facets: dict[str, list[str]] = {"diameter": [], "contrast to noise": [], "domain": []}
    for view, owner in zip(part.views, part.owner, strict=True):
        singles = view.singles
        scores.append(singles.found)
        owners.append(np.full(len(singles.found), owner, np.int64))
        for number in singles.rows.tolist():
            row = view.truth.calcifications[number]
            facets["diameter"].append(rules.name_band(row.size_mm, rules.DIAMETER_EDGES_MM, " mm"))
            facets["contrast to noise"].append(rules.name_band(row.cnr, rules.CNR_EDGES))
            facets["domain"].append(part.name_domain(view))
    return SingleItems(
        np.concatenate([np.empty(0), *scores]),
        np.concatenate([np.empty(0, np.int64), *owners]),
        {name: tuple(values) for name, values in facets.items()},
    )


class LesionItem(NamedTuple):
    """One true lesion over all views."""

    owner: int
    """Index of its patient."""
    hit: float
    """The highest certainty of a mark that found it."""
    shown_at: frozenset[int]
    """Operating points that show it in any view."""


def group_by_lesion(items: Sequence[ClusterItem]) -> list[LesionItem]:
    """Return the lesions of clusters in single views."""
    lesions: dict[TrueLesion, LesionItem] = {}
    for item in items:
        other = lesions.get(item.lesion, LesionItem(item.owner, MISSED, frozenset()))
        hit = max(other.hit, item.outcome.hit)
        shown_at = other.shown_at | item.outcome.shown_at
        lesions[item.lesion] = LesionItem(other.owner, hit, shown_at)
    return list(lesions.values())


def is_object_marked(view: ViewOutcome, kind: MarkClass, point: int) -> bool:
    """Whether an operating point shows a cluster mark on an object of a kind."""
    return any(
        outcome.value == kind.value and point in cluster.shown_at
        for cluster, outcome in zip(view.record.clusters, view.marks, strict=True)
    )
