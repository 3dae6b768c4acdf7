"""What became of every mark and of everything there was, in one image; no thresholds yet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import MarkClass
from secondread.geometry import PointPx
from secondread_lab.judge import rules
from secondread_lab.judge.annotations import ImageTruth, TrueCluster, arrange_truth
from secondread_lab.judge.mark_matching import (
    Points,
    Scores,
    compute_iou,
    count_matches,
    find_inside,
    grow_box,
    match_points,
)
from secondread_lab.judge.records import Box, FoundCluster, ViewRecord
from secondread_lab.judge.rules import MarkOutcome

MISSED = -math.inf
"""The score of what nothing was found on: below every threshold."""


@dataclass(frozen=True, slots=True)
class ClusterOutcome:
    """A true cluster, and the highest certainty of a mark that found it, by each criterion."""

    truth: TrueCluster
    hit: float
    """Centre in the box, and overlap or members: what counts. `MISSED` where there is none."""
    centre: float
    """Centre in the box alone."""
    overlap: float
    """Overlap of the boxes alone."""
    shown_at: frozenset[int]
    """Operating points that show a mark that found it."""
    best: int | None
    """Index of the most certain mark that found it."""


@dataclass(frozen=True, slots=True)
class Singles:
    """Marks of single calcifications against the truth."""

    found: Scores
    """Of each visible calcification, the score of its mark; `MISSED` where there is none."""
    rows: npt.NDArray[np.int64]
    """Index of each visible calcification in `ImageTruth.calcifications`."""
    true: Scores
    """Scores of the marks that found a visible one."""
    false: Scores
    """Scores of the marks on nothing."""


@dataclass(frozen=True, slots=True)
class ViewOutcome:
    """One image, scored."""

    record: ViewRecord
    truth: ImageTruth
    marks: tuple[MarkOutcome, ...]
    """Of each cluster mark of the record."""
    clusters: tuple[ClusterOutcome, ...]
    singles: Singles

    @property
    def was_read(self) -> bool:
        """Whether the detector answered; what a refused image holds is missed."""
        return self.record.detection.status.was_read

    @property
    def cluster_free(self) -> bool:
        """Whether false clusters are counted in it: read, and no cluster of any visibility."""
        return self.was_read and not self.truth.clusters

    @property
    def has_target(self) -> bool:
        """Whether it holds a visible cluster that is to be found."""
        return any(one.visible and one.target for one in self.truth.clusters)

    def holds(self, kind: MarkClass) -> bool:
        """Whether it holds an object of a kind."""
        return len(self.truth.objects[kind]) > 0


def score_image(record: ViewRecord) -> ViewOutcome:
    """Score one image."""
    truth = arrange_truth(record.truth, record.image.spacing_mm)
    found = [_Found.of(one, record) for one in record.clusters]
    contacts = [[_contact(true, one) for one in found] for true in truth.clusters]
    return ViewOutcome(
        record=record,
        truth=truth,
        marks=tuple(
            _mark_outcome(one, [row[number] for row in contacts], truth)
            for number, one in enumerate(found)
        ),
        clusters=tuple(
            _cluster_outcome(true, row, record.clusters)
            for true, row in zip(truth.clusters, contacts, strict=True)
        ),
        singles=_singles(record, truth),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """A cluster mark in mm."""

    center: Points
    members: Points
    box: Box

    @classmethod
    def of(cls, cluster: FoundCluster, record: ViewRecord) -> "_Found":
        scale = np.array(record.image.spacing[::-1])
        x0, y0, x1, y1 = cluster.box
        (left, top), (right, bottom) = np.array([[x0, y0], [x1, y1]]) * scale
        return cls(
            np.array([cluster.center]) * scale,
            np.array(cluster.members, np.float64).reshape(-1, 2) * scale,
            (float(left), float(top), float(right), float(bottom)),
        )


@dataclass(frozen=True, slots=True)
class _Contact:
    """How a mark lies to a true cluster."""

    true: TrueCluster
    centred: bool
    overlaps: bool
    members: bool

    @property
    def hit(self) -> bool:
        return self.centred and (self.overlaps or self.members)

    @property
    def touches(self) -> bool:
        return self.centred or self.overlaps or self.members


def _contact(true: TrueCluster, found: _Found) -> _Contact:
    reference = np.array([grow_box(true.box, rules.CENTRE_MARGIN_MM)])
    return _Contact(
        true,
        centred=bool(find_inside(found.center, reference)[0]),
        overlaps=compute_iou(true.box, found.box) >= rules.MINIMUM_IOU,
        members=count_matches(found.members, true.members, true.reach) >= rules.MATCHED_MEMBERS,
    )


def _mark_outcome(found: _Found, contacts: Sequence[_Contact], truth: ImageTruth) -> MarkOutcome:
    wanted = [one for one in contacts if one.true.target and one.true.visible]
    if any(one.hit for one in wanted):
        return MarkOutcome.HIT
    if any(one.touches for one in wanted):
        return MarkOutcome.NEAR
    touched = [one for one in contacts if one.touches]
    if any(one.true.target for one in touched):
        return MarkOutcome.IGNORED
    if touched:
        return MarkOutcome.BENIGN
    return _lies_on(found, truth)


def _lies_on(found: _Found, truth: ImageTruth) -> MarkOutcome:
    """Return the kind of object that holds half of a mark's members or more, or its centre."""
    for kind in rules.OBJECTS:
        boxes = truth.objects[kind]
        if not len(boxes):
            continue
        by = rules.OBJECT_MARGIN_MM
        around = boxes + np.array([-by, -by, by, by])
        share = find_inside(found.members, around).mean() if len(found.members) else 0.0
        if share >= 0.5 or find_inside(found.center, around)[0]:
            return MarkOutcome(kind.value)
    return MarkOutcome.FALSE


def _cluster_outcome(
    true: TrueCluster, contacts: Sequence[_Contact], found: Sequence[FoundCluster]
) -> ClusterOutcome:
    hits = [number for number, contact in enumerate(contacts) if contact.hit]

    def highest(numbers: Sequence[int]) -> float:
        return max((found[number].certainty for number in numbers), default=MISSED)

    return ClusterOutcome(
        truth=true,
        hit=highest(hits),
        centre=highest([n for n, contact in enumerate(contacts) if contact.centred]),
        overlap=highest([n for n, contact in enumerate(contacts) if contact.overlaps]),
        shown_at=frozenset(point for number in hits for point in found[number].shown_at),
        best=max(hits, key=lambda number: (found[number].certainty, -number), default=None),
    )


def _singles(record: ViewRecord, truth: ImageTruth) -> Singles:
    spacing = record.image.spacing_mm
    marks = [m for m in record.detection.marks if m.mark_class is MarkClass.CALCIFICATION]
    at = _positions(
        [mark.center for mark in marks], (spacing.between_columns, spacing.between_rows)
    )
    scores = np.array([mark.score for mark in marks], np.float64)
    rows = np.flatnonzero(truth.visible)
    match = match_points(at, scores, truth.centres[rows], truth.reach[rows])
    found = np.full(len(rows), MISSED)
    found[match.owner[match.owner >= 0]] = scores[match.owner >= 0]
    false = ~(match.near | _excused(at, truth))
    return Singles(found, rows, scores[match.owner >= 0], scores[false])


def _excused(at: Points, truth: ImageTruth) -> npt.NDArray[np.bool_]:
    """Return which marks lie on something that is neither to be found nor false."""
    faint = ~truth.visible
    near_faint = match_points(at, np.zeros(len(at)), truth.centres[faint], truth.reach[faint]).near
    metal = rules.METAL_MARGIN_MM * np.array([-1, -1, 1, 1])
    reach = rules.REACH_MM * np.array([-1, -1, 1, 1])
    return (
        near_faint
        | find_inside(at, truth.objects[MarkClass.METAL] + metal)
        | find_inside(at, truth.objects[MarkClass.VASCULAR] + reach)
        | find_inside(at, truth.objects[MarkClass.SKIN] + reach)
        | find_inside(at, truth.unlisted)
    )


def _positions(points: Sequence[PointPx], scale: tuple[float, float]) -> Points:
    return np.array([(p.col, p.row) for p in points], np.float64).reshape(-1, 2) * scale
