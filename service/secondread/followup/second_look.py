"""A second look at the prior's pixels, where a finding is new as far as the prior's findings tell.

A cluster that has grown may have been so faint that the detector marked nothing of it then. The
current calcifications say exactly where to look; whether they were there, `constellation` decides.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from secondread.errors import DetectorDiedError, InputError, TransientError
from secondread.findings.comparison import (
    FindingChange,
    FindingRef,
    Look,
    StudyComparison,
    Verdict,
    ViewComparison,
)
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.followup.comparison import compare
from secondread.followup.constellation import Question, Scores, judged, question_about
from secondread.followup.limits import Limits
from secondread.followup.view_changes import reference
from secondread.geometry import PointPx

Ask = Callable[[str, Sequence[PointPx]], Scores | None]
"""Looks at places of an image, by SOP Instance UID; None where the model has nothing to look with.
Raises `DetectorDiedError`, `InputError` or `TransientError` where the image cannot be had."""

ScoresAt = Callable[[Path, Sequence[PointPx]], Scores | None]
"""The same of an image's file."""

MOST_IN_AN_IMAGE = 8
"""Clusters looked for again in one image of a prior: each takes most of a second."""

_TOO_MANY = "too many clusters are new"
_NO_MODEL = "the model has no way to look"
_DIED = "the detector was lost over the prior's image"
_NOT_AT_HAND = "its images are not at hand any more"
_NOT_READ = "the prior's image could not be read again"


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a second look for one finding in one image of a prior."""

    current: FindingRef
    prior_image: str
    """SOP Instance UID."""
    look: Look


def in_files(scores_at: ScoresAt, files: Mapping[str, Path]) -> Ask:
    """Return what looks at images by their files, which are named by SOP Instance UID."""
    return lambda uid, points: scores_at(files[uid], points)


def look_again(
    current: StudyReading, priors: Sequence[StudyReading], ask: Ask
) -> tuple[Looked, ...]:
    """Look in the priors' pixels for what is new by their findings.

    Parameters
    ----------
    current, priors
        Readings of the study, and of its priors' images.
    ask
        Looks at places of a prior's image. What it raises over one costs the looks at it.
    """
    found: list[Looked] = []
    for prior, comparison in zip(priors, compare(current, priors), strict=True):
        questions, refused = _asked(current, prior, comparison)
        found += refused
        for uid in dict.fromkeys(one.prior_image for one in questions):
            found += _answers([one for one in questions if one.prior_image == uid], ask)
    return tuple(found)


def _answers(questions: Sequence[Question], ask: Ask) -> list[Looked]:
    """Return the answers to the questions about one image."""
    chosen, rest = questions[:MOST_IN_AN_IMAGE], questions[MOST_IN_AN_IMAGE:]
    points = [point for one in chosen for point in one.points]
    why_not, scores = _NO_MODEL, None
    try:
        scores = ask(chosen[0].prior_image, points)
    except DetectorDiedError:
        why_not = _DIED
    except (InputError, TransientError):
        why_not = _NOT_READ
    looks = [Look(seen=False, why_not=why_not)] * len(chosen)
    if scores is not None:
        ends = np.cumsum([len(one.points) for one in chosen]).tolist()
        looks = [
            judged(one, scores[last - len(one.points) : last])
            for one, last in zip(chosen, ends, strict=True)
        ]
    looks += [Look(seen=False, why_not=_TOO_MANY)] * len(rest)
    return [
        Looked(one.current, one.prior_image, look)
        for one, look in zip(questions, looks, strict=True)
    ]


def with_looks(
    comparison: StudyComparison, looks: Sequence[Looked], limits: Limits
) -> StudyComparison:
    """Return a comparison in which what was seen at a second look is new no more.

    Of several images of a view, what one of them shows counts before what another does not.
    """
    changes = tuple(
        _looked_at(change, comparison.views, looks, limits) for change in comparison.changes
    )
    return replace(comparison, changes=changes)


def without_look(comparison: StudyComparison) -> StudyComparison:
    """Return a comparison that says of what is new that the prior's images are not at hand."""
    look = Look(seen=False, why_not=_NOT_AT_HAND)
    return replace(
        comparison,
        changes=tuple(
            replace(change, looked=look) if change.verdict is Verdict.NEW else change
            for change in comparison.changes
        ),
    )


def _looked_at(
    change: FindingChange,
    views: Sequence[ViewComparison],
    looks: Sequence[Looked],
    limits: Limits,
) -> FindingChange:
    if change.verdict is not Verdict.NEW or change.current is None:
        return change
    same_unit = {
        view.prior_sop_instance_uid: view.same_unit
        for view in views
        if view.sop_instance_uid == change.current.sop_instance_uid
    }
    of_it = [one for one in looks if one.current == change.current and one.prior_image in same_unit]
    if not of_it:
        return change
    best = min(of_it, key=lambda one: (not one.look.seen, bool(one.look.why_not)))
    if not best.look.seen:
        return replace(change, looked=best.look)
    number = limits.of(same_unit=same_unit[best.prior_image]).number(best.look.now, best.look.then)
    # What was so faint that it was not marked is counted from below: it never became less.
    verdict = Verdict.MORE if number.direction > 0 else Verdict.UNCHANGED
    return replace(change, verdict=verdict, number=number, looked=best.look)


def _asked(
    current: StudyReading, prior: StudyReading, comparison: StudyComparison
) -> tuple[tuple[Question, ...], tuple[Looked, ...]]:
    """Return what there is to look for in a prior, and for what no look is possible."""
    here = {image.mammogram.sop_instance_uid: image for image in current.images}
    there = {image.mammogram.sop_instance_uid: image for image in prior.images}
    questions: list[Question] = []
    refused: list[Looked] = []
    for image, finding, view in _new(comparison, here):
        other = there.get(view.prior_sop_instance_uid or "")
        if other is None:
            continue
        about = reference(image, finding)
        one = question_about(image, finding, other)
        if isinstance(one, str):
            uid = other.mammogram.sop_instance_uid
            refused.append(Looked(about, uid, Look(seen=False, why_not=one)))
        else:
            questions.append(one)
    return tuple(questions), tuple(refused)


def _new(
    comparison: StudyComparison, images: Mapping[str, ImageReading]
) -> Iterator[tuple[ImageReading, Finding, ViewComparison]]:
    """Yield each shown finding that is new, with each image of the prior that it was looked in."""
    for change in comparison.changes:
        if change.verdict is not Verdict.NEW or change.current is None:
            continue
        uid, name = change.current.sop_instance_uid, change.current.finding_id
        for view in comparison.views:
            if view.sop_instance_uid == uid and not view.why_not:
                image = images[uid]
                yield from ((image, finding, view) for finding in image.shown if finding.id == name)
