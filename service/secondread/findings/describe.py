"""Groups of marks to findings: outline, count, extent, distribution, certainty, shown or not.

Morphology needs a model that distinguishes types; without one it stays empty rather than guessed,
and so does suspicion, which is an index of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect.groups import GroupTables
from secondread.detect.marks import Mark, TypeShares
from secondread.findings.clusters import (
    MINIMUM_MEMBERS,
    OUTLINE_MARGIN_MM,
    average_points,
    group_marks,
    join_pieces,
    positions_mm,
)
from secondread.findings.descriptors import classify_distribution, classify_type
from secondread.findings.finding import Calcification, Finding
from secondread.findings.group_features import Surroundings, measure_group
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.suspicion import compute_suspicion
from secondread.geometry import SpacingMm, clamp_to_image, padded_hull

Calibrate = Callable[[MarkClass, float], float]
"""Turns a mark's class and score (0-1) into the certainty (0-100) that it is of that class."""

LABELS = 2
"""Readers agree little on types: the two likeliest are given, and how likely they are."""

FINDINGS_PER_CLASS = 100
"""At most this many findings of each class are listed for one image, the most certain first."""

LANDMARK_LINK_MM = {MarkClass.VASCULAR: 8.0, MarkClass.SKIN: 5.0}
"""Marks of these classes that are this near belong to one vessel, or to one patch of skin."""

_LEAST_SCORE = 1e-3  # and its rest to 1 the highest: no mark may outweigh two doubtful ones

_Label = TypeVar("_Label", Morphology, Distribution)

_RULES = GroupTables()
"""For a model without tables of groups."""


def describe_findings(
    label: str,
    marks: Sequence[Mark],
    spacing: SpacingMm,
    size: tuple[int, int],
    calibrate: Calibrate,
    point: OperatingPoint,
    groups: GroupTables = _RULES,
) -> tuple[Finding, ...]:
    """Turn the marks of one image into its findings.

    Parameters
    ----------
    label
        Prefix of the findings' ids, unique among the images of the study, for example ``LCC``.
    marks
        The detector's marks, stored-image pixels.
    spacing
        Distance between pixel centres at the detector plane.
    size
        Rows and columns of the stored image; outlines stay inside.
    calibrate
        The model's calibration.
    point
        The rule that decides what is shown.
    groups
        What the model knows about groups; rules decide what it does not know.

    Returns
    -------
    tuple of Finding
        By priority; numbered in that order from 1.
    """
    single = [mark for mark in marks if mark.mark_class is MarkClass.CALCIFICATION]
    calcifications = join_pieces(single, spacing)
    surroundings = Surroundings.from_marks(calcifications, spacing)
    drafts: list[_Draft] = []
    for members in group_marks(calcifications, spacing):
        if len(members) >= MINIMUM_MEMBERS:
            features = measure_group(members, spacing, surroundings)
            drafts.append(_draft_cluster(members, spacing, calibrate, groups, features))
        else:
            drafts += [_draft([mark], calibrate) for mark in members]
    drafts += _draft_landmarks(marks, spacing, calibrate)
    findings = [_finish(draft, spacing, size, point) for draft in _select_surest(drafts)]
    findings.sort(key=lambda finding: finding.rank)
    return tuple(
        replace(finding, id=f"{label}-{number}") for number, finding in enumerate(findings, 1)
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A finding before it is clipped to the image, measured and numbered."""

    mark_class: MarkClass
    certainty: float
    marks: Sequence[Mark]
    members: tuple[Calcification, ...] = ()
    morphology: TypeShares = ()
    distribution: tuple[tuple[Distribution, float], ...] = ()


def _select_surest(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Return the drafts by class, of each class the most certain ones."""
    surest: list[_Draft] = []
    for mark_class in MarkClass:
        same = [draft for draft in drafts if draft.mark_class is mark_class]
        same.sort(key=lambda d: (-d.certainty, d.marks[0].center.row, d.marks[0].center.col))
        surest += same[:FINDINGS_PER_CLASS]
    return surest


def _draft(marks: Sequence[Mark], calibrate: Calibrate) -> _Draft:
    """Draft a finding of marks of one class, the highest score first."""
    return _Draft(marks[0].mark_class, calibrate(marks[0].mark_class, marks[0].score), marks)


def _draft_cluster(
    members: Sequence[Mark],
    spacing: SpacingMm,
    calibrate: Calibrate,
    groups: GroupTables,
    features: Mapping[str, float],
) -> _Draft:
    return _Draft(
        MarkClass.CLUSTER,
        calibrate(MarkClass.CLUSTER, _score_group([mark.score for mark in members])),
        members,
        tuple(
            Calcification(
                mark.center, mark.diameter_mm, calibrate(MarkClass.CALCIFICATION, mark.score)
            )
            for mark in members
        ),
        classify_type(members, features, groups.types),
        classify_distribution(positions_mm(members, spacing), features, groups.distributions),
    )


def _draft_landmarks(
    marks: Sequence[Mark], spacing: SpacingMm, calibrate: Calibrate
) -> Iterator[_Draft]:
    """Yield what is not a calcification of the breast's tissue: one a vessel, one a clip."""
    for mark_class in MarkClass:
        if mark_class in {MarkClass.CALCIFICATION, MarkClass.CLUSTER}:
            continue
        same = [mark for mark in marks if mark.mark_class is mark_class]
        link = LANDMARK_LINK_MM.get(mark_class, 0.0)
        for members in group_marks(same, spacing, link) if link else ([mark] for mark in same):
            yield _draft(members, calibrate)


def _score_group(scores: Sequence[float]) -> float:
    """Return a group's score, 0-1: the mean log odds of as many marks as make a cluster.

    A group is a cluster if its minimum number of members is real; the best candidates for that
    are its strongest marks. Members beyond them add nothing, so that a large group of faint
    marks, which texture produces, stays faint.
    """
    best = np.clip(np.sort(scores)[::-1][:MINIMUM_MEMBERS], _LEAST_SCORE, 1.0 - _LEAST_SCORE)
    return float(1.0 / (1.0 + np.exp(-np.mean(np.log(best / (1.0 - best))))))


def _finish(
    draft: _Draft, spacing: SpacingMm, size: tuple[int, int], point: OperatingPoint
) -> Finding:
    points = [mark.center for mark in draft.marks]
    reach = max(mark.diameter_mm for mark in draft.marks) / 2
    outline = padded_hull(points, spacing, OUTLINE_MARGIN_MM + reach)
    at_mm = positions_mm(draft.marks, spacing)
    extent = float(np.max(np.linalg.norm(at_mm[:, None] - at_mm[None, :], axis=-1)))
    return Finding(
        id="",
        mark_class=draft.mark_class,
        certainty=round(draft.certainty, 1),
        suspicion=compute_suspicion(draft.morphology, draft.distribution),
        center=average_points(points),
        outline=tuple(clamp_to_image(corner, *size) for corner in outline),
        members=draft.members,
        long_axis_mm=round(extent + 2 * reach, 2),
        morphology=_keep_likeliest(draft.morphology),
        distribution=_keep_likeliest(draft.distribution),
        shown=point.shows(draft.mark_class, draft.certainty),
    )


def _keep_likeliest(labels: Sequence[tuple[_Label, float]]) -> tuple[tuple[_Label, float], ...]:
    return tuple((label, round(confidence, 2)) for label, confidence in labels[:LABELS])
