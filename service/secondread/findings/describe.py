"""Groups of marks to findings: outline, count, extent, distribution, certainty, shown or not.

A group is a cluster if three of its calcifications within 1 cm are real, and how likely that is
follows from how likely its surest three are: two that are sure and texture around them are none.

Morphology needs a model that distinguishes types; without one it stays empty rather than guessed,
and so does suspicion, which is an index of it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect.groups import GroupTables
from secondread.detect.marks import Mark, TypeShares
from secondread.findings.certainty import round_certainty
from secondread.findings.clusters import (
    CLOSE_MM,
    GROUPED_MEMBERS,
    MINIMUM_MEMBERS,
    OUTLINE_MARGIN_MM,
    SURE,
    average_points,
    estimate_presence_of_three,
    group_marks,
    join_pieces,
    join_regions,
    positions_mm,
)
from secondread.findings.descriptors import classify_distribution, classify_type
from secondread.findings.finding import Calcification, Finding
from secondread.findings.group_features import Surroundings, measure_group
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.suspicion import compute_suspicion
from secondread.findings.typically_benign import sum_benign
from secondread.geometry import SpacingMm, clamp_to_image, padded_hull
from secondread.log_odds import to_log_odds

Calibrate = Callable[[MarkClass, float], float]
"""Turns a mark's class and score (0-1) into the certainty (0-100) that it is of that class."""

LABELS = 2
"""Readers agree little on types: the two likeliest are given, and how likely they are."""

FINDINGS_PER_CLASS = 100
"""At most this many findings of each class are listed for one image, the most certain first."""

LANDMARK_LINK_MM = {MarkClass.VASCULAR: 8.0, MarkClass.SKIN: 5.0}
"""Marks of these classes that are this near belong to one vessel, or to one patch of skin."""

_CASTING = frozenset({Morphology.FINE_LINEAR, Morphology.FINE_LINEAR_BRANCHING})
_EVIDENT = 0.25
"""Probability of three calcifications from which on they may be casting ones. On validation and
test views it leaves 26 of 28 fine linear and branching clusters that are marked their label, where
0.5 leaves 21; of the arteries of a real film it leaves none theirs, where 0.15 leaves one its."""

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
    tables: GroupTables = _RULES,
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
    tables
        What the model knows about groups; rules decide what it does not know.

    Returns
    -------
    tuple of Finding
        By priority; numbered in that order from 1.
    """
    single = [mark for mark in marks if mark.mark_class is MarkClass.CALCIFICATION]
    calcifications = join_pieces(single, spacing)
    surroundings = Surroundings.from_marks(calcifications, spacing)
    groups = group_marks(calcifications, spacing)
    few = [mark for group in groups if len(group) < MINIMUM_MEMBERS for mark in group]
    drafts = [_draft([mark], calibrate) for mark in few]
    several = [group for group in groups if len(group) >= MINIMUM_MEMBERS]
    presence = [_estimate_presence(group, calibrate) for group in several]
    for members in join_regions(several, presence, spacing):
        features = measure_group(members, spacing, surroundings)
        drafts.append(_draft_cluster(members, spacing, calibrate, tables, features))
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
    types: TypeShares = ()
    """All types; `morphology` lacks those that do not count."""


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
    tables: GroupTables,
    features: Mapping[str, float],
) -> _Draft:
    presence, at_mm = _estimate_presence(members, calibrate), positions_mm(members, spacing)
    likely = estimate_presence_of_three(presence, at_mm)
    groundless = _find_groundless(presence, at_mm, likely)
    types = classify_type(members, features, tables.types)
    return _Draft(
        MarkClass.CLUSTER,
        # The geometric mean of the three, on which scale the many doubtful groups stay apart.
        calibrate(MarkClass.CLUSTER, likely ** (1 / MINIMUM_MEMBERS)),
        members,
        tuple(
            Calcification(mark.center, mark.diameter_mm, 100 * probability)
            for mark, probability in zip(members, presence.tolist(), strict=True)
        ),
        _drop(types, groundless),
        _drop(classify_distribution(at_mm, features, tables.distributions), groundless),
        types=types,
    )


def _estimate_presence(marks: Sequence[Mark], calibrate: Calibrate) -> npt.NDArray[np.float64]:
    """Return the probability, 0-1, of each mark that it is a calcification."""
    return np.array([calibrate(MarkClass.CALCIFICATION, mark.score) / 100.0 for mark in marks])


def _find_groundless(
    presence: npt.NDArray[np.float64], at_mm: npt.NDArray[np.float64], likely: float
) -> frozenset[Morphology | Distribution]:
    """Return the labels that do not count, however confident the model is of them.

    What raises an alarm needs its evidence: casting calcifications, three that may well be there; a
    segment, five calcifications or more over more than 1 cm.
    """
    groundless: frozenset[Morphology | Distribution] = frozenset()
    if likely < _EVIDENT:
        groundless |= _CASTING
    sure = at_mm[presence >= SURE]
    if len(sure) < GROUPED_MEMBERS or float(pdist(sure).max()) <= 2 * CLOSE_MM:
        groundless |= {Distribution.SEGMENTAL}
    return groundless


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


def _finish(
    draft: _Draft, spacing: SpacingMm, size: tuple[int, int], point: OperatingPoint
) -> Finding:
    points = [mark.center for mark in draft.marks]
    reach = max(mark.diameter_mm for mark in draft.marks) / 2
    outline = padded_hull(points, spacing, OUTLINE_MARGIN_MM + reach)
    at_mm = positions_mm(draft.marks, spacing)
    is_set_aside = point.sets_aside(draft.types)
    extent = float(np.max(np.linalg.norm(at_mm[:, None] - at_mm[None, :], axis=-1)))
    return Finding(
        id="",
        mark_class=draft.mark_class,
        certainty=round_certainty(draft.certainty),
        suspicion=compute_suspicion(draft.morphology, draft.distribution),
        center=average_points(points),
        outline=tuple(clamp_to_image(corner, *size) for corner in outline),
        members=draft.members,
        long_axis_mm=round(extent + 2 * reach, 2),
        morphology=_keep_likeliest(draft.morphology),
        distribution=_keep_likeliest(draft.distribution),
        shown=point.shows(draft.mark_class, draft.certainty) and not is_set_aside,
        benign_share=sum_benign(draft.types),
        is_set_aside=is_set_aside,
        certainty_log_odds=round(to_log_odds(draft.certainty / 100), 3),
    )


def _drop(
    labels: Sequence[tuple[_Label, float]], groundless: Collection[Morphology | Distribution]
) -> tuple[tuple[_Label, float], ...]:
    return tuple((label, share) for label, share in labels if label not in groundless)


def _keep_likeliest(labels: Sequence[tuple[_Label, float]]) -> tuple[tuple[_Label, float], ...]:
    return tuple((label, round(share, 2)) for label, share in labels[:LABELS])
