"""A second look at the prior's pixels, where a finding is new as far as the prior's findings tell.

A cluster that has grown may have been so faint that the detector marked nothing of it then. The
current calcifications say exactly where to look; whether they were there, `constellation` decides.
How many there were it cannot tell: fewer than are marked now.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from secondread.errors import DetectorDiedError, InputError, TransientError
from secondread.findings.changes import (
    ChangeKind,
    FindingChange,
    FindingRef,
    Recheck,
    StudyComparison,
    ViewComparison,
)
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.constellation import (
    METHOD,
    ConstellationQuery,
    Scores,
    build_query,
    judge_scores,
)
from secondread.followup.view_changes import locate_in_prior
from secondread.geometry import Outline, PointPx

ScoreImage = Callable[[str, Sequence[PointPx]], Scores | None]
"""Looks at places of an image, by SOP Instance UID; None where the model has nothing to look with.
Raises `DetectorDiedError`, `InputError` or `TransientError` where the image cannot be had."""

ScoreFile = Callable[[Path, Sequence[PointPx]], Scores | None]
"""The same of an image's file."""

MOST_IN_AN_IMAGE = 8
"""Clusters looked for again in one image of a prior, the most suspicious: each takes most of a
second."""

_TOO_MANY = "too many clusters are new"
_NO_MODEL = "the model has no way to look"
_DIED = "the detector was lost over the prior's image"
_NOT_READ = "the prior's image could not be read again"
_BROKE = "the look broke"
_AT_ANOTHER = "what was looked at is another finding"


@dataclass(frozen=True, slots=True)
class RecheckedFinding:
    """What came of a second look for one finding in one image of a prior."""

    current: FindingRef
    subject: str
    """What the finding was, from `describe_subject`: after an upgrade its name alone may be
    another's."""
    recheck: Recheck
    place: Outline
    """Where the finding lies in the prior's image; empty where that is outside the image."""
    error_mm: float | None
    """Standard error of that place, in each direction."""


def describe_subject(finding: Finding) -> str:
    """Return what a look at a finding holds for: it alone, and this way of looking."""
    at = finding.center
    return f"{METHOD}: {len(finding.members)} at {round(at.col)}, {round(at.row)}"


def score_files(scores_at: ScoreFile, files: Mapping[str, Path]) -> ScoreImage:
    """Return what looks at images by their files, which are named by SOP Instance UID."""
    return lambda uid, points: scores_at(files[uid], points)


def recheck_priors(
    current: StudyReading, priors: Sequence[StudyReading], ask: ScoreImage
) -> tuple[RecheckedFinding, ...]:
    """Look in the priors' pixels for what is new by their findings.

    Parameters
    ----------
    current, priors
        Readings of the study, and of its priors' images.
    ask
        Looks at places of a prior's image. What it raises over one costs the looks at it.
    """
    found: list[RecheckedFinding] = []
    for prior, comparison in zip(priors, compare_with_priors(current, priors), strict=True):
        asked, refused = _asked(current, prior, comparison)
        found += refused
        for uid in dict.fromkeys(one.prior_image for one, _ in asked):
            found += _answers([one for one in asked if one[0].prior_image == uid], ask)
    return tuple(found)


def _answers(
    asked: Sequence[tuple[ConstellationQuery, RecheckedFinding]], ask: ScoreImage
) -> list[RecheckedFinding]:
    """Return the answers to the questions about one image."""
    chosen = [question for question, _ in asked[:MOST_IN_AN_IMAGE]]
    points = [point for one in chosen for point in one.points]
    uid = chosen[0].prior_image
    why_not, scores = _NO_MODEL, None
    try:
        scores = ask(uid, points)
    except DetectorDiedError:
        why_not = _DIED
    except (InputError, TransientError):
        why_not = _NOT_READ
    looks = [Recheck(seen=False, why_not=why_not)] * len(chosen)
    if scores is not None:
        ends = np.cumsum([len(one.points) for one in chosen]).tolist()
        looks = [
            judge_scores(one, scores[last - len(one.points) : last])
            for one, last in zip(chosen, ends, strict=True)
        ]
    looks += [Recheck(seen=False, why_not=_TOO_MANY)] * (len(asked) - len(chosen))
    return [
        replace(blank, recheck=replace(look, prior_image=uid))
        for (_, blank), look in zip(asked, looks, strict=True)
    ]


def apply_rechecks(
    comparison: StudyComparison, current: StudyReading, looks: Sequence[RecheckedFinding]
) -> StudyComparison:
    """Return a comparison in which what was seen at a second look is new no more.

    Of several images of a view, what one of them shows counts before what another does not. What
    should have been looked for and has no answer says so.

    Parameters
    ----------
    comparison
        By the findings.
    current
        The study's reading that it is of.
    looks
        From `recheck_priors`, perhaps of an earlier reading: of those, what holds for these
        findings counts. Empty where the looking broke.
    """
    uids = [view.prior_sop_instance_uid for view in comparison.views]
    of_prior = [one for one in looks if one.recheck.prior_image in uids]
    nothing = Recheck(seen=False, why_not=_AT_ANOTHER if looks else _BROKE)
    shown = {
        image.refer_to(finding): describe_subject(finding)
        for image in current.images
        for finding in image.shown_findings
    }
    changes = tuple(
        change
        if change.kind is not ChangeKind.NEW or change.current not in shown
        else _looked_at(
            replace(change, recheck=nothing),
            [
                one
                for one in of_prior
                if (one.current, one.subject) == (change.current, shown[change.current])
            ],
        )
        for change in comparison.changes
    )
    return replace(comparison, changes=changes)


def mark_not_rechecked(comparison: StudyComparison, why: str) -> StudyComparison:
    """Return a comparison that says of what is new why no prior's pixels were looked at."""
    look = Recheck(seen=False, why_not=why)
    return replace(
        comparison,
        changes=tuple(
            replace(change, recheck=look) if change.kind is ChangeKind.NEW else change
            for change in comparison.changes
        ),
    )


def _looked_at(change: FindingChange, looks: Sequence[RecheckedFinding]) -> FindingChange:
    if not looks:
        return change
    best = min(
        looks,
        key=lambda one: (not one.recheck.seen, bool(one.recheck.why_not), one.recheck.as_similar),
    )
    # At least three are marked now, and then fewer were, though there was something.
    verdict = ChangeKind.MORE if best.recheck.seen else change.kind
    return replace(
        change, kind=verdict, place=best.place, error_mm=best.error_mm, recheck=best.recheck
    )


def _asked(
    current: StudyReading, prior: StudyReading, comparison: StudyComparison
) -> tuple[tuple[tuple[ConstellationQuery, RecheckedFinding], ...], tuple[RecheckedFinding, ...]]:
    """Return what there is to look for in a prior, and for what no look is possible.

    The most suspicious first, each with its answer as far as that needs no look.
    """
    here = {image.mammogram.sop_instance_uid: image for image in current.images}
    there = {image.mammogram.sop_instance_uid: image for image in prior.images}
    asked: list[tuple[ConstellationQuery, RecheckedFinding]] = []
    refused: list[RecheckedFinding] = []
    for image, finding, view in sorted(_new(comparison, here), key=_least_suspicious):
        other = there[view.prior_sop_instance_uid or ""]
        one = build_query(image, finding, other)
        if isinstance(one, str):
            refused.append(_blank(image, finding, other, one))
        else:
            asked.append((one, _blank(image, finding, other, "")))
    return tuple(asked), tuple(refused)


def _least_suspicious(one: tuple[ImageReading, Finding, ViewComparison]) -> float:
    return -(one[1].suspicion or 0.0)


def _blank(
    image: ImageReading, finding: Finding, other: ImageReading, why_not: str
) -> RecheckedFinding:
    """Return a look at a finding's place that saw nothing so far."""
    place, error_mm = locate_in_prior(image, finding, other)
    return RecheckedFinding(
        image.refer_to(finding),
        describe_subject(finding),
        Recheck(seen=False, why_not=why_not, prior_image=other.mammogram.sop_instance_uid),
        place,
        error_mm,
    )


def _new(
    comparison: StudyComparison, images: Mapping[str, ImageReading]
) -> Iterator[tuple[ImageReading, Finding, ViewComparison]]:
    """Yield each shown finding that is new, with each image of the prior that it was looked in."""
    for change in comparison.changes:
        if change.kind is not ChangeKind.NEW or change.current is None:
            continue
        uid, name = change.current.sop_instance_uid, change.current.finding_id
        for view in comparison.views:
            if view.sop_instance_uid == uid and not view.why_not:
                image = images[uid]
                yield from (
                    (image, finding, view) for finding in image.shown_findings if finding.id == name
                )
