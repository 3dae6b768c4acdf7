"""Groups of marks to findings: outline, count, extent, distribution, certainty, shown or not.

Morphology needs a model that tells types; without one it stays empty rather than guessed, and so
does suspicion, which is an index of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from secondread.codes import Distribution, MarkClass, Morphology
from secondread.detect.marks import Mark
from secondread.findings.clusters import MINIMUM_MEMBERS, OUTLINE_MARGIN_MM, group, whole
from secondread.findings.finding import Calcification, Finding
from secondread.findings.morphology import type_of
from secondread.findings.shown import OperatingPoint
from secondread.findings.suspicion import suspicion_of
from secondread.geometry import Outline, PointPx, SpacingMm, clamp, padded_hull

Calibrate = Callable[[MarkClass, float], float]
"""A mark's class and score (0-1) to the certainty (0-100) that it is what its class says."""

CANDIDATE_LIMIT = 100
"""At most this many findings of each class are listed for one image, the most certain first."""

REGIONAL_MM = 20.0
"""BI-RADS calls calcifications regional that fill more than 2 cm of tissue."""

DIFFUSE_MM = 60.0
"""Beyond this extent the group no longer fits a quadrant and is called diffuse."""


def describe(
    label: str,
    marks: Sequence[Mark],
    spacing: SpacingMm,
    size: tuple[int, int],
    calibrate: Calibrate,
    point: OperatingPoint,
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

    Returns
    -------
    tuple of Finding
        Shown ones first, then by falling certainty; numbered in that order from 1.
    """
    calcifications = [mark for mark in marks if mark.mark_class is MarkClass.CALCIFICATION]
    drafts: list[_Draft] = []
    for members in group(whole(calcifications, spacing), spacing):
        if len(members) >= MINIMUM_MEMBERS:
            drafts.append(_cluster(members, spacing, calibrate))
        else:
            drafts += [_single(mark, calibrate) for mark in members]
    drafts += _landmarks(marks, spacing, calibrate)
    findings = [_finish(draft, spacing, size, point) for draft in _capped(drafts)]
    findings.sort(key=lambda f: (not f.shown, -f.certainty, f.center.row, f.center.col))
    return tuple(
        replace(finding, id=f"{label}-{number}") for number, finding in enumerate(findings, 1)
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A finding before it is clipped to the image, judged and numbered."""

    mark_class: MarkClass
    certainty: float
    marks: Sequence[Mark]
    members: tuple[Calcification, ...] = ()
    morphology: tuple[tuple[Morphology, float], ...] = ()
    distribution: tuple[tuple[Distribution, float], ...] = ()


def _capped(drafts: Sequence[_Draft]) -> list[_Draft]:
    kept: list[_Draft] = []
    for mark_class in MarkClass:
        same = [draft for draft in drafts if draft.mark_class is mark_class]
        same.sort(key=lambda d: (-d.certainty, d.marks[0].center.row, d.marks[0].center.col))
        kept += same[:CANDIDATE_LIMIT]
    return kept


def _cluster(members: Sequence[Mark], spacing: SpacingMm, calibrate: Calibrate) -> _Draft:
    certainties = [calibrate(MarkClass.CALCIFICATION, mark.score) for mark in members]
    score = evidence([mark.score for mark in members])
    return _Draft(
        MarkClass.CLUSTER,
        calibrate(MarkClass.CLUSTER, score),
        members,
        tuple(
            Calcification(mark.center, mark.diameter_mm, certainty)
            for mark, certainty in zip(members, certainties, strict=True)
        ),
        type_of(members),
        _distribution(members, spacing),
    )


LANDMARK_LINK_MM = {MarkClass.VASCULAR: 8.0, MarkClass.SKIN: 5.0}
"""Marks of these classes that are this near belong to one vessel, or to one patch of skin."""


def _landmarks(marks: Sequence[Mark], spacing: SpacingMm, calibrate: Calibrate) -> Iterator[_Draft]:
    """Yield what is no calcification of the breast's tissue: one a vessel, one a clip."""
    for mark_class in MarkClass:
        if mark_class in {MarkClass.CALCIFICATION, MarkClass.CLUSTER}:
            continue
        same = [mark for mark in marks if mark.mark_class is mark_class]
        link = LANDMARK_LINK_MM.get(mark_class, 0.0)
        for members in group(same, spacing, link) if link else ((mark,) for mark in same):
            yield _Draft(mark_class, calibrate(mark_class, members[0].score), members)


def evidence(scores: Sequence[float]) -> float:
    """Return a group's score, 0-1: the mean log odds of as many marks as make a cluster.

    A group is a cluster if its minimum number of members is real; the best candidates for that
    are its strongest marks. Members beyond them add nothing, so that a large group of faint
    marks, which is what texture makes, stays faint.
    """
    best = np.clip(np.sort(scores)[::-1][:MINIMUM_MEMBERS], _SURE, 1.0 - _SURE)
    return float(1.0 / (1.0 + np.exp(-np.mean(np.log(best / (1.0 - best))))))


_SURE = 1e-3
"""No mark is surer than this: one alone must not outweigh two doubtful ones."""


def _single(mark: Mark, calibrate: Calibrate) -> _Draft:
    return _Draft(mark.mark_class, calibrate(mark.mark_class, mark.score), [mark])


def _finish(
    draft: _Draft, spacing: SpacingMm, size: tuple[int, int], point: OperatingPoint
) -> Finding:
    points = [mark.center for mark in draft.marks]
    reach = max(mark.diameter_mm for mark in draft.marks) / 2
    outline = padded_hull(points, spacing, OUTLINE_MARGIN_MM + reach)
    suspicion = suspicion_of(draft.morphology, draft.distribution)
    return Finding(
        id="",
        mark_class=draft.mark_class,
        certainty=round(draft.certainty, 1),
        suspicion=suspicion,
        center=_middle(points),
        outline=_inside(outline, size),
        members=draft.members,
        long_axis_mm=round(_longest(points, spacing) + 2 * reach, 2),
        morphology=draft.morphology,
        distribution=draft.distribution,
        shown=point.shows(draft.mark_class, draft.certainty, suspicion),
    )


def _middle(points: Sequence[PointPx]) -> PointPx:
    return PointPx(
        sum(p.col for p in points) / len(points), sum(p.row for p in points) / len(points)
    )


def _inside(outline: Outline, size: tuple[int, int]) -> Outline:
    rows, columns = size
    return tuple(clamp(point, rows, columns) for point in outline)


def _longest(points: Sequence[PointPx], spacing: SpacingMm) -> float:
    at = _array_mm(points, spacing)
    return float(np.max(np.linalg.norm(at[:, None] - at[None, :], axis=-1)))


def _array_mm(points: Sequence[PointPx], spacing: SpacingMm) -> npt.NDArray[np.float64]:
    return np.array([(p.x, p.y) for p in map(spacing.to_mm, points)], dtype=np.float64)


def _distribution(
    members: Sequence[Mark], spacing: SpacingMm
) -> tuple[tuple[Distribution, float], ...]:
    """Describe the distribution by extent and by the ratio of the group's principal axes.

    The confidences are those of the rule: full where the measure is far from the rule's border,
    shared evenly on the border. Segmental needs the nipple's direction and is never given here.
    """
    points = [mark.center for mark in members]
    extent = _longest(points, spacing)
    if extent > DIFFUSE_MM:
        return _two(Distribution.DIFFUSE, Distribution.REGIONAL, extent / DIFFUSE_MM)
    if extent > REGIONAL_MM:
        return _two(Distribution.REGIONAL, Distribution.GROUPED, extent / REGIONAL_MM)
    ratio = _axis_ratio(_array_mm(points, spacing))
    if len(members) >= 5 and ratio > _LINEAR_RATIO:
        return _two(Distribution.LINEAR, Distribution.GROUPED, ratio / _LINEAR_RATIO)
    other = Distribution.LINEAR if ratio > _LINEAR_RATIO / 2 else Distribution.REGIONAL
    return _two(Distribution.GROUPED, other, min(REGIONAL_MM / max(extent, 0.1), 2.0))


_LINEAR_RATIO = 4.0


def _axis_ratio(at: npt.NDArray[np.float64]) -> float:
    """Return the ratio of standard deviations along the principal axes; 1 for a round group."""
    low, high = np.linalg.eigvalsh(np.cov(at.T))
    return float(np.sqrt(high / max(low, 0.01)))  # 0.1 mm: finer than a position is known


def _two(
    first: Distribution, second: Distribution, over: float
) -> tuple[tuple[Distribution, float], ...]:
    # `over` is 1 on the rule's border and grows away from it; twice the border counts as clear.
    confidence = round(min(0.5 + 0.45 * (over - 1.0), 0.95), 2)
    return (first, confidence), (second, round(1 - confidence, 2))
