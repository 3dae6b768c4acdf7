"""The outcome of every mark and every true object of one image, before any threshold."""

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
"""The score of a target without a mark: below every threshold."""


@dataclass(frozen=True, slots=True)
class ClusterOutcome:
    """A true cluster, and the highest certainty of a mark that found it by each criterion."""

    truth: TrueCluster
    hit: float
    """Centre in the box, and overlap or members: the criterion that counts. Else `MISSED`."""
    centre: float
    """Centre in the box alone."""
    overlap: float
    """Overlap of the boxes alone."""
    shown_at: frozenset[int]
    """Operating points that show such a mark."""
    best: int | None
    """Index of the most certain such mark."""
    marks: tuple[int, ...] = ()
    """Indices of all such marks."""
    is_set_aside: bool = False
    """Whether marks found it that are left unmarked as typically benign, and no other did: it is
    missed then."""


@dataclass(frozen=True, slots=True)
class Singles:
    """Marks of single calcifications against the truth."""

    found: Scores
    """Of each visible calcification, the score of its mark, or `MISSED`."""
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
        """Whether the detector answered; everything in a refused image is missed."""
        return self.record.detection.status.was_read

    @property
    def cluster_free(self) -> bool:
        """Whether false clusters are counted in it: it was read, and has no cluster at all."""
        return self.was_read and not self.truth.clusters

    @property
    def has_target(self) -> bool:
        """Whether it holds a visible target cluster."""
        return any(cluster.visible and cluster.target for cluster in self.truth.clusters)

    def holds(self, kind: MarkClass) -> bool:
        """Whether it holds an object of a kind."""
        return len(self.truth.objects[kind]) > 0


def score_image(record: ViewRecord) -> ViewOutcome:
    """Score one image."""
    truth = arrange_truth(record.truth, record.image.spacing_mm)
    marks = [_MarkInMm.from_cluster(cluster, record) for cluster in record.clusters]
    contacts = [[_compare(true, mark) for mark in marks] for true in truth.clusters]
    return ViewOutcome(
        record=record,
        truth=truth,
        marks=tuple(
            _judge_mark(mark, [row[number] for row in contacts], truth)
            for number, mark in enumerate(marks)
        ),
        clusters=tuple(
            _judge_cluster(true, row, record.clusters)
            for true, row in zip(truth.clusters, contacts, strict=True)
        ),
        singles=_judge_singles(record, truth),
    )


@dataclass(frozen=True, slots=True)
class _MarkInMm:
    """A cluster mark in mm."""

    center: Points
    members: Points
    box: Box

    @classmethod
    def from_cluster(cls, cluster: FoundCluster, record: ViewRecord) -> "_MarkInMm":
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
    """The position of a mark relative to a true cluster."""

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


def _compare(true: TrueCluster, mark: _MarkInMm) -> _Contact:
    reference = np.array([grow_box(true.box, rules.CENTRE_MARGIN_MM)])
    return _Contact(
        true,
        centred=bool(find_inside(mark.center, reference)[0]),
        overlaps=compute_iou(true.box, mark.box) >= rules.MINIMUM_IOU,
        members=count_matches(mark.members, true.members, true.reach) >= rules.MATCHED_MEMBERS,
    )


def _judge_mark(mark: _MarkInMm, contacts: Sequence[_Contact], truth: ImageTruth) -> MarkOutcome:
    wanted = [contact for contact in contacts if contact.true.target and contact.true.visible]
    if any(contact.hit for contact in wanted):
        return MarkOutcome.HIT
    if any(contact.touches for contact in wanted):
        return MarkOutcome.NEAR
    touched = [contact for contact in contacts if contact.touches]
    if any(contact.true.target for contact in touched):
        return MarkOutcome.IGNORED
    if touched:
        return MarkOutcome.BENIGN
    return _find_object(mark, truth)


def _find_object(mark: _MarkInMm, truth: ImageTruth) -> MarkOutcome:
    """Return the kind of object with at least half of a mark's members, or with its centre."""
    for kind in rules.OBJECTS:
        boxes = truth.objects[kind]
        if not len(boxes):
            continue
        by = rules.OBJECT_MARGIN_MM
        around = boxes + np.array([-by, -by, by, by])
        share = find_inside(mark.members, around).mean() if len(mark.members) else 0.0
        if share >= 0.5 or find_inside(mark.center, around)[0]:
            return MarkOutcome(kind.value)
    return MarkOutcome.FALSE


def _judge_cluster(
    true: TrueCluster, contacts: Sequence[_Contact], marks: Sequence[FoundCluster]
) -> ClusterOutcome:
    met = [number for number, contact in enumerate(contacts) if contact.hit]
    hits = [number for number in met if not marks[number].is_set_aside]

    def highest(numbers: Sequence[int]) -> float:
        seen = (marks[number] for number in numbers)
        return max((mark.certainty for mark in seen if not mark.is_set_aside), default=MISSED)

    return ClusterOutcome(
        truth=true,
        hit=highest(hits),
        centre=highest([n for n, contact in enumerate(contacts) if contact.centred]),
        overlap=highest([n for n, contact in enumerate(contacts) if contact.overlaps]),
        shown_at=frozenset(point for number in hits for point in marks[number].shown_at),
        best=max(hits, key=lambda number: (marks[number].certainty, -number), default=None),
        marks=tuple(hits),
        is_set_aside=bool(met) and not hits,
    )


def _judge_singles(record: ViewRecord, truth: ImageTruth) -> Singles:
    spacing = record.image.spacing_mm
    marks = [m for m in record.detection.marks if m.mark_class is MarkClass.CALCIFICATION]
    positions = _scale_points(
        [mark.center for mark in marks], (spacing.between_columns, spacing.between_rows)
    )
    scores = np.array([mark.score for mark in marks], np.float64)
    rows = np.flatnonzero(truth.visible)
    match = match_points(positions, scores, truth.centres[rows], truth.reach[rows])
    found = np.full(len(rows), MISSED)
    found[match.owner[match.owner >= 0]] = scores[match.owner >= 0]
    false = ~(match.near | _find_excused(positions, truth))
    return Singles(found, rows, scores[match.owner >= 0], scores[false])


def _find_excused(positions: Points, truth: ImageTruth) -> npt.NDArray[np.bool_]:
    """Return which marks are on something that is neither a target nor false."""
    faint = ~truth.visible
    near_faint = match_points(
        positions, np.zeros(len(positions)), truth.centres[faint], truth.reach[faint]
    ).near
    metal = rules.METAL_MARGIN_MM * np.array([-1, -1, 1, 1])
    reach = rules.REACH_MM * np.array([-1, -1, 1, 1])
    return (
        near_faint
        | find_inside(positions, truth.objects[MarkClass.METAL] + metal)
        | find_inside(positions, truth.objects[MarkClass.VASCULAR] + reach)
        | find_inside(positions, truth.objects[MarkClass.SKIN] + reach)
        | find_inside(positions, truth.unlisted)
    )


def _scale_points(points: Sequence[PointPx], scale: tuple[float, float]) -> Points:
    return np.array([(p.col, p.row) for p in points], np.float64).reshape(-1, 2) * scale
