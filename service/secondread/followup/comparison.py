"""A study against its priors: `compare_with_priors`, from readings to words.

Pure: the prior's side is a reading of the prior's images with the model that read the current
ones, so that no upgrade ever makes anything "new".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from secondread.assemble.identity import has_several_patients
from secondread.assemble.mammogram import Mammogram
from secondread.findings.changes import (
    PRIOR_REREAD,
    ChangeKind,
    FindingChange,
    FindingRef,
    StudyComparison,
    ViewComparison,
)
from secondread.findings.finding import ImageReading, StudyReading
from secondread.followup.calcifications import find_clusters
from secondread.followup.limits import RepeatabilityLimits, load_limits
from secondread.followup.registration.frame import find_frame
from secondread.followup.registration.register import register
from secondread.followup.view_changes import RegisteredPair

MOST_PITCH_RATIO = 2.1
"""Pitches farther apart than those of any two of today's detectors show other calcifications."""


def compare_with_priors(
    current: StudyReading,
    priors: Sequence[StudyReading],
    limits: RepeatabilityLimits | None = None,
    basis: str = PRIOR_REREAD,
) -> tuple[StudyComparison, ...]:
    """Compare a study with each of its priors.

    Parameters
    ----------
    current
        The study.
    priors
        Readings of the priors' images, the nearest in time first.
    limits
        Repeatability limits; the shipped ones where none are given.
    basis
        What the priors' readings are, for people.

    Returns
    -------
    tuple of StudyComparison
        One for each prior, in the same order.
    """
    return tuple(_study(current, prior, limits or load_limits(), basis) for prior in priors)


def find_doubts(current: StudyReading, prior: StudyReading) -> tuple[str, ...]:
    """Return why two exams that a person put together may be no exam and its prior.

    As clauses without a full stop. The node itself compares nothing of the kind.
    """
    found = []
    if has_several_patients(
        image.mammogram for reading in (current, prior) for image in reading.images
    ):
        found.append("the exams name different patients")
    now, then = _day(current), _day(prior)
    if now is not None and now == then:
        found.append("both exams are of one day")
    if now is not None and then is not None and now < then:
        found.append("the prior is of a later day than the exam")
    return tuple(found)


def _day(reading: StudyReading) -> date | None:
    days = (image.mammogram.study_date for image in reading.images)
    return next((day for day in days if day is not None), None)


def _study(
    current: StudyReading, prior: StudyReading, limits: RepeatabilityLimits, basis: str
) -> StudyComparison:
    views: list[ViewComparison] = []
    changes: list[FindingChange] = []
    same_model = current.model.digest == prior.model.digest
    for image in current.images:
        others = [other for other in prior.images if _same_view(image, other)]
        sides = [_side(image, other, limits, same_model=same_model) for other in others]
        if not sides:
            views.append(
                ViewComparison(
                    image.mammogram.sop_instance_uid,
                    None,
                    same_unit=False,
                    error_mm=None,
                    aligned=False,
                    why_not="the prior has no image of this view",
                )
            )
            changes += _not_comparable(image, views[-1].why_not)
            continue
        views += [side.view for side in sides]
        changes += _best([side.changes for side in sides])
    return StudyComparison(
        prior.study_uid,
        _day(prior),
        basis,
        tuple(views),
        tuple(changes),
    )


def _same_view(image: ImageReading, other: ImageReading) -> bool:
    a, b = image.mammogram, other.mammogram
    return (
        a.view is not None
        and a.laterality is not None
        and (a.view, a.laterality) == (b.view, b.laterality)
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """A current image against one image of the prior."""

    view: ViewComparison
    changes: tuple[FindingChange, ...]


def _side(
    image: ImageReading, other: ImageReading, limits: RepeatabilityLimits, *, same_model: bool
) -> _Side:
    same_unit = is_same_unit(image.mammogram, other.mammogram)
    why_not = _why_not(image, other, same_model=same_model)
    here, there = find_frame(image), find_frame(other)
    registration = None
    if not why_not and here is not None and there is not None:
        registration = register(here, there)
        if not registration.is_usable:
            why_not = "the images could not be laid on each other"
    usable = registration is not None and registration.is_usable
    view = ViewComparison(
        image.mammogram.sop_instance_uid,
        other.mammogram.sop_instance_uid,
        same_unit,
        round(registration.error_mm, 2) if registration is not None and usable else None,
        aligned=registration is not None and registration.is_aligned,
        why_not=why_not,
    )
    if registration is None or not usable:
        return _Side(view, tuple(_not_comparable(image, why_not)))
    laid = RegisteredPair(image, other, registration, limits.select(same_unit=same_unit))
    return _Side(view, laid.find_changes())


def is_same_unit(a: Mammogram, b: Mammogram) -> bool:
    """Whether two images were taken and processed by units of one model, in one way."""
    kinds = [(m.manufacturer, m.model, m.intent, m.is_lossy, m.bits_stored) for m in (a, b)]
    return kinds[0] == kinds[1] and _pitch_ratio(a, b) < 1.02


def _pitch_ratio(a: Mammogram, b: Mammogram) -> float:
    if a.spacing is None or b.spacing is None:
        return float("inf")
    ratio = a.spacing.mean / b.spacing.mean
    return max(ratio, 1 / ratio)


def _why_not(image: ImageReading, other: ImageReading, *, same_model: bool) -> str:
    """Return why two images of a view cannot be compared; empty where they can."""
    for one, whose in ((image, "current"), (other, "prior")):
        if not one.status.was_read:
            reasons = "; ".join(reason.sentence for reason in one.reasons)
            return f"the {whose} image was not read: {reasons}"
        if find_frame(one) is None:
            return f"the {whose} image has no landmarks or no pixel spacing"
    if not same_model:
        return "the prior was read with another model"
    if image.mammogram.view_modifiers != other.mammogram.view_modifiers:
        return "the view was taken in another way (view modifiers differ)"
    if _pitch_ratio(image.mammogram, other.mammogram) > MOST_PITCH_RATIO:
        return "the pixel spacings are too different"
    return ""


def _not_comparable(image: ImageReading, why: str) -> list[FindingChange]:
    return [
        FindingChange(ChangeKind.NOT_COMPARABLE, image.refer_to(finding), (), why_not=why)
        for finding in (image.findings[number] for number in find_clusters(image))
    ]


# Against several images of a view, what one of them shows counts before what another does not.
_RANK = {
    ChangeKind.NEW: 1,
    ChangeKind.GONE: 1,
    ChangeKind.NOT_IN_FIELD: 2,
    ChangeKind.NOT_COMPARABLE: 3,
}


def _best(sides: Sequence[Sequence[FindingChange]]) -> list[FindingChange]:
    """Return one answer for each finding from the answers of several images of the prior."""
    best: dict[FindingRef, FindingChange] = {}
    for changes in sides:
        for change in changes:
            about = change.current or change.prior[0]
            known = best.get(about)
            if known is None or _RANK.get(change.kind, 0) < _RANK.get(known.kind, 0):
                best[about] = change
    return list(best.values())
