"""How well the comparison of simulated pairs separates new, grown and unchanged clusters."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from secondread.codes import Change
from secondread.findings.changes import ChangeKind, FindingChange, StudyComparison
from secondread.findings.finding import Finding, StudyReading
from secondread.findings.typically_benign import SUSPICIOUS
from secondread.geometry import PointPx, SpacingMm
from secondread_lab.judge.agreement import compute_auc
from secondread_lab.judge.bootstrap import (
    Draws,
    Estimate,
    draw_resamples,
    estimate_interval,
    estimate_mean,
)
from secondread_lab.judge.pairs import PairViews, select_rows
from secondread_lab.judge.rules import find_morphology
from secondread_lab.simulate.exam import SimulatedView
from secondread_lab.simulate.truth import TruthRow

_NEAR_MM = 3.0
_GROWN = {Change.MORE.name.lower(), Change.LARGER.name.lower()}
_INCREASED = {ChangeKind.MORE, ChangeKind.LARGER}
_HALVED = {"splitting": "split", "joining": "joined"}
_STAYED = {Change.UNCHANGED.name.lower(), Change.FEWER.name.lower(), *_HALVED.values()}
_FALSE_THEN = "none-then"
_RIGHT: dict[str, set[ChangeKind]] = {
    "new": {ChangeKind.NEW},
    **dict.fromkeys(_GROWN, _INCREASED),
    "unchanged": {ChangeKind.UNCHANGED},
    "fewer": {ChangeKind.FEWER, ChangeKind.SMALLER},
    "gone": {ChangeKind.GONE},
    "still-there": set(),
    "split": {ChangeKind.UNCHANGED},
    "joined": {ChangeKind.UNCHANGED},
}
"""The right words by true change. Two calcifications fewer or more, which is what splits or joins
a cluster here, are not to be told from a repeat."""


class PriorSide(StrEnum):
    """The reading of the prior that the current exam was compared with."""

    READ_AGAIN = "read-again"
    """Its images, read with the model that read the current ones."""
    STORED = "stored"
    """An older model's findings, which the node treats as not comparable."""
    STORED_COMPARED = "stored-compared"
    """The same findings, compared without that rule."""


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """The true and the reported change of one cluster in one view of one pair."""

    pair: int
    truth: str
    """Name of a `codes.Change` in lower case, ``split`` or ``joined`` for a cluster in halves in
    one of the exams, ``gone``, ``still-there`` where a prior's mark is missed of a cluster that is
    not; without a true cluster ``none``, of the prior ``none-then``."""
    verdict: ChangeKind | None
    """None where the detector showed nothing."""
    same_unit: bool
    zone: str = ""
    error_mm: float | None = None
    """Distance of the reported place in the prior from the true one."""
    estimated_mm: float | None = None
    """The registration's own estimate of its error, in each direction."""
    prior: PriorSide = PriorSide.READ_AGAIN
    priorities: tuple[float, ...] = ()
    """Of the shown marks on the cluster, or of the mark that is on nothing; empty for what is
    missing."""
    is_like_recurrence: bool = False
    """Whether the cluster's type is one of `typically_benign.SUSPICIOUS`."""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ChangeOutcome":
        """Restore an outcome from plain values; old ones do not have the side."""
        answer = cls(**values)
        verdict = None if answer.verdict is None else ChangeKind(answer.verdict)
        return replace(
            answer,
            verdict=verdict,
            prior=PriorSide(answer.prior),
            priorities=tuple(answer.priorities),
        )


def score_pair(
    number: int,
    pair: PairViews,
    current: StudyReading,
    prior: StudyReading,
    comparison: StudyComparison,
    side: PriorSide = PriorSide.READ_AGAIN,
) -> list[ChangeOutcome]:
    """Return the outcomes of one pair: for each true cluster, and each other shown mark.

    Parameters
    ----------
    number, pair
        The pair.
    current, prior
        Readings of both exams.
    found
        Their comparison.
    side
        Which reading of the prior it is.
    """
    same = pair.spec.vendor == (pair.spec.prior_vendor or pair.spec.vendor)
    out: list[ChangeOutcome] = []
    for view, before in zip(pair.select_exam("current"), pair.select_exam("prior"), strict=True):
        uid = view.instances[0][1].SOPInstanceUID
        image = next(i for i in current.images if i.mammogram.sop_instance_uid == uid)
        spacing = image.mammogram.spacing or SpacingMm(0.1, 0.1)
        left = list(image.shown_findings)
        for row in select_rows(view.rows):
            here = [finding for finding in left if _is_at(finding, row, spacing)]
            left = [finding for finding in left if finding not in here]
            change = _pick_gravest([comparison.find_change(uid, finding.id) for finding in here])
            apart, estimated = _measure_error(change, here, view, before)
            verdict = change.kind if change else None
            truth = _name_truth(pair, row)
            outcome = ChangeOutcome(number, truth, verdict, same, row.zone, apart, estimated)
            is_like_recurrence = find_morphology(row.morphology) in SUSPICIOUS
            out.append(_rate(outcome, here, is_like_recurrence=is_like_recurrence))
        for finding in left:
            change = comparison.find_change(uid, finding.id)
            outcome = ChangeOutcome(number, "none", change.kind if change else None, same)
            out.append(_rate(outcome, [finding], is_like_recurrence=False))
        out += _score_missing(number, view, before, prior, comparison, same)
    return [replace(answer, prior=side) for answer in out]


def _rate(
    outcome: ChangeOutcome, marks: Sequence[Finding], *, is_like_recurrence: bool
) -> ChangeOutcome:
    """Return an outcome with the priorities of its marks."""
    priorities = tuple(mark.priority or 0.0 for mark in marks)
    return replace(outcome, priorities=priorities, is_like_recurrence=is_like_recurrence)


def _name_truth(pair: PairViews, row: TruthRow) -> str:
    courses = {lesion.lesion_id: lesion.course for lesion in pair.spec.lesions}
    return _HALVED.get(courses.get(row.lesion_id, ""), row.change)


def _is_at(finding: Finding, row: TruthRow, spacing: SpacingMm) -> bool:
    if row.x0 is None or row.y0 is None or row.x1 is None or row.y1 is None:
        return False
    dx, dy = _NEAR_MM / spacing.between_columns, _NEAR_MM / spacing.between_rows
    center = finding.center
    return row.x0 - dx <= center.col <= row.x1 + dx and row.y0 - dy <= center.row <= row.y1 + dy


_GRAVITY = (
    ChangeKind.NEW,
    ChangeKind.MORE,
    ChangeKind.LARGER,
    ChangeKind.FEWER,
    ChangeKind.SMALLER,
)


def _pick_gravest(changes: Sequence[FindingChange | None]) -> FindingChange | None:
    """Return the gravest of the changes of a cluster that was found in parts."""
    described = [change for change in changes if change is not None]
    order = {verdict: rank for rank, verdict in enumerate(_GRAVITY)}
    return min(described, key=lambda change: order.get(change.kind, 9), default=None)


def _measure_error(
    change: FindingChange | None,
    here: Sequence[Finding],
    view: SimulatedView,
    before: SimulatedView,
) -> tuple[float | None, float | None]:
    if change is None or not change.place or change.current is None:
        return None, None
    finding = next(f for f in here if f.id == change.current.finding_id)
    spacing = before.scene.layout.frame.spacing
    now, then = _find_middle(finding.outline), _find_middle(change.place)
    true = before.scene.layout.to_px(*view.scene.layout.to_view(now))
    return spacing.distance_mm(then, true), change.error_mm


def _find_middle(outline: Sequence[PointPx]) -> PointPx:
    points = np.array([(p.col, p.row) for p in outline[:-1]])
    return PointPx(*(float(v) for v in points.mean(axis=0)))


def _score_missing(
    number: int,
    view: SimulatedView,
    before: SimulatedView,
    prior: StudyReading,
    comparison: StudyComparison,
    same: bool,
) -> Iterable[ChangeOutcome]:
    still = {row.lesion_id for row in select_rows(view.rows)}
    uid = before.instances[0][1].SOPInstanceUID
    image = next(i for i in prior.images if i.mammogram.sop_instance_uid == uid)
    spacing = image.mammogram.spacing or SpacingMm(0.1, 0.1)
    missing = {
        change.prior[0].finding_id: change.kind
        for change in comparison.changes
        if change.current is None and change.prior[0].sop_instance_uid == uid
    }
    left = dict(missing)
    for row in select_rows(before.rows):
        then = [finding.id for finding in image.findings if _is_at(finding, row, spacing)]
        left = {name: kind for name, kind in left.items() if name not in then}
    for kind in left.values():
        yield ChangeOutcome(number, _FALSE_THEN, kind, same)
    for row in select_rows(before.rows):
        then = [finding.id for finding in image.shown_findings if _is_at(finding, row, spacing)]
        verdicts = [missing[finding_id] for finding_id in then if finding_id in missing]
        if row.lesion_id not in still and then:
            yield ChangeOutcome(number, "gone", verdicts[0] if verdicts else None, same, row.zone)
        elif verdicts and row.lesion_id in still:
            yield ChangeOutcome(number, "still-there", verdicts[0], same, row.zone)


@dataclass(frozen=True, slots=True)
class PairFigures:
    """The benchmark's figures; intervals by drawing patients."""

    pairs: int
    words_right: Estimate
    """Share of the true clusters, gone ones too, that have the word that is right for them."""
    not_comparable: Estimate
    """Share of the clusters that were shown; these are not counted in any other figure."""
    new_sensitivity: Estimate
    new_specificity: Estimate
    increased_sensitivity: Estimate
    increased_specificity: Estimate
    false_new_per_exam: Estimate
    gone_sensitivity: Estimate
    false_gone_per_exam: Estimate
    localisation_mm: Estimate
    localisation_p95_mm: float | None
    priority_auc: Estimate
    """Marks on clusters like a recurrence against all others, false ones included."""
    table: dict[str, dict[str, int]]
    """How often each reported change, by true change; clusters that were not shown are left out."""


def compute_figures(all_answers: Sequence[ChangeOutcome], pairs: Sequence[int]) -> PairFigures:
    """Return the figures of outcomes of pairs, where each pair is a patient."""
    compared = [a for a in all_answers if a.verdict is not None]
    no_current = {"none", "gone", "still-there", _FALSE_THEN}
    real = [a for a in compared if a.truth not in no_current]
    counted = [
        a for a in real if a.verdict not in {ChangeKind.NOT_IN_FIELD, ChangeKind.NOT_COMPARABLE}
    ]
    old = [a for a in counted if a.truth != "new"]
    errors = [a for a in real if a.error_mm is not None]
    gone = [a for a in all_answers if a.truth == "gone"]
    worded = [*(a for a in compared if a.truth in _RIGHT and a.truth != "gone"), *gone]
    place = {number: index for index, number in enumerate(pairs)}
    draws = draw_resamples(len(pairs))

    def share(some: Sequence[ChangeOutcome], hit: Iterable[bool]) -> Estimate:
        return estimate_mean([float(h) for h in hit], [place[a.pair] for a in some], draws)

    def per_exam(some: Sequence[ChangeOutcome]) -> Estimate:
        counts = Counter(a.pair for a in some)
        values = [float(counts[number]) for number in pairs]
        return estimate_mean(values, range(len(pairs)), draws)

    new = [a for a in counted if a.truth == "new"]
    grown = [a for a in counted if a.truth in _GROWN]
    stayed = [a for a in counted if a.truth in _STAYED]
    mm = [a.error_mm or 0.0 for a in errors]
    return PairFigures(
        pairs=len(pairs),
        words_right=share(worded, (a.verdict in _RIGHT[a.truth] for a in worded)),
        not_comparable=share(real, (a.verdict is ChangeKind.NOT_COMPARABLE for a in real)),
        new_sensitivity=share(new, (a.verdict is ChangeKind.NEW for a in new)),
        new_specificity=share(old, (a.verdict is not ChangeKind.NEW for a in old)),
        increased_sensitivity=share(grown, (a.verdict in _INCREASED for a in grown)),
        increased_specificity=share(stayed, (a.verdict not in _INCREASED for a in stayed)),
        false_new_per_exam=per_exam(
            [a for a in compared if a.verdict is ChangeKind.NEW and a.truth != "new"]
        ),
        gone_sensitivity=share(gone, (a.verdict is ChangeKind.GONE for a in gone)),
        false_gone_per_exam=per_exam(
            [a for a in compared if a.verdict is ChangeKind.GONE and a.truth != "gone"]
        ),
        localisation_mm=estimate_mean(mm, [place[a.pair] for a in errors], draws),
        localisation_p95_mm=float(np.quantile(mm, 0.95)) if mm else None,
        priority_auc=_measure_order(all_answers, place, draws),
        table=_count_words(compared),
    )


def _measure_order(
    outcomes: Sequence[ChangeOutcome], place: Mapping[int, int], draws: Draws
) -> Estimate:
    """Return how well priority orders the marks of the current exams."""
    like, other = (
        [
            (priority, place[outcome.pair])
            for outcome in outcomes
            if outcome.is_like_recurrence is wanted
            for priority in outcome.priorities
        ]
        for wanted in (True, False)
    )
    columns = [
        (np.array([p for p, _ in marks], np.float64), np.array([o for _, o in marks], np.int64))
        for marks in (like, other)
    ]
    (positive, p_owners), (negative, n_owners) = columns
    values = compute_auc(positive, p_owners, negative, n_owners, draws)
    return estimate_interval(values, np.concatenate([p_owners, n_owners]))


def _count_words(outcomes: Sequence[ChangeOutcome]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        row = table.setdefault(outcome.truth or "none", {})
        word = outcome.verdict.value if outcome.verdict else "nothing"
        row[word] = row.get(word, 0) + 1
    return table
