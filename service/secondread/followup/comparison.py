"""A study against its priors: `compare_with_priors`, from readings to words.

Pure: the prior's side is a reading of the prior's images with the model that read the current
ones, so that no upgrade ever makes anything "new".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

from secondread.assemble.identity import (
    collect_identities,
    has_several_patients,
    judge_identities,
)
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.person import IdentityMatch
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
SAME_PITCH_RATIO = 1.02
"""Pitches nearer than this are of one kind of detector."""


@dataclass(frozen=True, slots=True)
class RegisteredComparison(StudyComparison):
    """A study against one prior, with what it was made from."""

    prior: StudyReading = field(compare=False, repr=False)
    """The reading of the prior's images."""
    pairs: tuple[RegisteredPair, ...] = field(compare=False, repr=False)
    """The views that were compared, each with its registration, in the order of `views`."""

    def drop_registrations(self) -> StudyComparison:
        """Return what the comparison found, without the readings and images it was made from."""
        return StudyComparison(
            self.prior_study_uid, self.prior_date, self.basis, self.views, self.changes
        )


def compare_with_priors(
    current: StudyReading,
    priors: Sequence[StudyReading],
    limits: RepeatabilityLimits | None = None,
    basis: str = PRIOR_REREAD,
) -> tuple[RegisteredComparison, ...]:
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
    tuple of RegisteredComparison
        One for each prior, in the same order.
    """
    return tuple(
        _compare_with_prior(current, prior, limits or load_limits(), basis) for prior in priors
    )


def find_doubts(current: StudyReading, prior: StudyReading) -> tuple[str, ...]:
    """Return why two exams that a person put together may be no exam and its prior.

    As clauses without a full stop. The node itself compares nothing of the kind.
    """
    doubts = []
    images = [[image.mammogram for image in reading.images] for reading in (current, prior)]
    here, there = map(collect_identities, images)
    is_doubtful = judge_identities(here, there) is IdentityMatch.IN_DOUBT
    if is_doubtful or has_several_patients(chain(*images)):
        doubts.append("the exams name different patients")
    now, then = _find_day(current), _find_day(prior)
    if now is not None and now == then:
        doubts.append("both exams are of one day")
    if now is not None and then is not None and now < then:
        doubts.append("the prior is of a later day than the exam")
    return tuple(doubts)


def _find_day(reading: StudyReading) -> date | None:
    days = (image.mammogram.study_date for image in reading.images)
    return next((day for day in days if day is not None), None)


def _compare_with_prior(
    current: StudyReading, prior: StudyReading, limits: RepeatabilityLimits, basis: str
) -> RegisteredComparison:
    views: list[ViewComparison] = []
    changes: list[FindingChange] = []
    pairs: list[RegisteredPair] = []
    not_missed: set[FindingRef] = set()
    same_model = current.model.digest == prior.model.digest
    for image in current.images:
        by_image: list[Sequence[FindingChange]] = []
        for other in prior.images:
            if not _is_same_view(image, other):
                continue
            pair, view = _register_pair(image, other, same_model=same_model)
            views.append(view)
            if pair is None:
                by_image.append(_mark_not_comparable(image, view.why_not))
            else:
                pairs.append(pair)
                found = pair.find_changes(limits.select(same_unit=view.same_unit))
                by_image.append(found.changes)
                not_missed |= found.not_missed
        if not by_image:
            why_not = "the prior has no image of this view"
            view = ViewComparison(image.mammogram.sop_instance_uid, None, why_not=why_not)
            views.append(view)
            by_image.append(_mark_not_comparable(image, view.why_not))
        changes += _choose_best(by_image)
    # A tile of a large breast misses what another tile shows.
    changes = [
        change
        for change in _choose_best([changes])
        if change.current is not None or change.prior[0] not in not_missed
    ]
    return RegisteredComparison(
        prior.study_uid,
        _find_day(prior),
        basis,
        tuple(views),
        tuple(changes),
        prior,
        tuple(pairs),
    )


def _is_same_view(image: ImageReading, other: ImageReading) -> bool:
    a, b = image.mammogram, other.mammogram
    return (
        a.view is not None
        and a.laterality is not None
        and (a.view, a.laterality) == (b.view, b.laterality)
    )


def _register_pair(
    image: ImageReading, other: ImageReading, *, same_model: bool
) -> tuple[RegisteredPair | None, ViewComparison]:
    """Register a current image to one of the prior; None where they cannot be compared."""
    why_not = _explain_incomparable(image, other, same_model=same_model)
    here, there = find_frame(image), find_frame(other)
    pair, registration = None, None
    if not why_not and here is not None and there is not None:
        registration = register(here, there)
        if registration.is_usable:
            pair = RegisteredPair.from_images(image, other, registration)
        else:
            why_not = "the images could not be laid on each other"
    return pair, ViewComparison(
        image.mammogram.sop_instance_uid,
        other.mammogram.sop_instance_uid,
        is_same_unit(image.mammogram, other.mammogram),
        None if pair is None else round(pair.registration.error_mm, 2),
        aligned=registration is not None and registration.is_aligned,
        why_not=why_not,
    )


def is_same_unit(a: Mammogram, b: Mammogram) -> bool:
    """Whether two images were taken and processed by units of one model, in one way."""
    kinds = [(m.manufacturer, m.model, m.intent, m.is_lossy, m.bits_stored) for m in (a, b)]
    return kinds[0] == kinds[1] and compute_pitch_ratio(a, b) < SAME_PITCH_RATIO


def compute_pitch_ratio(a: Mammogram, b: Mammogram) -> float:
    """Return the ratio of two images' pixel spacings, 1 or more; infinite where one has none."""
    if a.spacing is None or b.spacing is None:
        return float("inf")
    ratio = a.spacing.mean / b.spacing.mean
    return max(ratio, 1 / ratio)


def _explain_incomparable(image: ImageReading, other: ImageReading, *, same_model: bool) -> str:
    """Return why two images of a view cannot be compared; empty where they can."""
    for side, exam in ((image, "current"), (other, "prior")):
        if not side.status.was_read:
            reasons = "; ".join(reason.sentence for reason in side.reasons)
            return f"the {exam} image was not read: {reasons}"
        if find_frame(side) is None:
            return f"the {exam} image has no landmarks or no pixel spacing"
    if not same_model:
        return "the prior was read with another model"
    if image.mammogram.view_modifiers != other.mammogram.view_modifiers:
        return "the view was taken in another way (view modifiers differ)"
    if compute_pitch_ratio(image.mammogram, other.mammogram) > MOST_PITCH_RATIO:
        return "the pixel spacings are too different"
    return ""


def _mark_not_comparable(image: ImageReading, why: str) -> list[FindingChange]:
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


def _choose_best(by_image: Sequence[Sequence[FindingChange]]) -> list[FindingChange]:
    """Return one answer for each finding from the answers of several images of the prior."""
    best: dict[FindingRef, FindingChange] = {}
    for changes in by_image:
        for change in changes:
            about = change.current or change.prior[0]
            so_far = best.get(about)
            if so_far is None or _RANK.get(change.kind, 0) < _RANK.get(so_far.kind, 0):
                best[about] = change
    return list(best.values())
