"""The recheck: the prior's pixels are looked at again where a finding is new by the findings.

A cluster that has grown may have been so faint that the detector marked nothing of it then. The
current calcifications say exactly where to look; whether they were there, `constellation` decides.
How many there were remains unknown: fewer than are marked now.
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
)
from secondread.findings.finding import Finding, StudyReading
from secondread.followup.comparison import RegisteredComparison
from secondread.followup.constellation import (
    METHOD,
    ConstellationQuery,
    Scores,
    build_query,
    judge_scores,
)
from secondread.followup.view_changes import RegisteredPair
from secondread.geometry import Outline, PointPx

ScoreImage = Callable[[str, Sequence[PointPx]], Scores | None]
"""Scores places of an image, by SOP Instance UID; None where the model has no graph for it.
Raises `DetectorDiedError`, `InputError` or `TransientError` where the image cannot be had."""

ScoreFile = Callable[[Path, Sequence[PointPx]], Scores | None]
"""The same of an image's file."""

MOST_IN_AN_IMAGE = 8
"""Clusters looked for again in one image of a prior, by priority: each takes most of a second."""

_TOO_MANY = "too many clusters are new"
_NO_MODEL = "the model has no way to look"
_DIED = "the detector was lost over the prior's image"
_NOT_READ = "the prior's image could not be read again"
_BROKE = "the look broke"
_AT_ANOTHER = "what was looked at is another finding"


@dataclass(frozen=True, slots=True)
class RecheckedFinding:
    """What came of the recheck of one finding in one image of a prior."""

    current: FindingRef
    subject: str
    """What the finding was, from `describe_subject`: after an upgrade its name alone may be
    another's."""
    recheck: Recheck
    place: Outline
    """Where the finding is in the prior's image."""
    error_mm: float | None
    """Standard error of that place, in each direction."""


def describe_subject(finding: Finding) -> str:
    """Return what a recheck holds for: this finding, and this method."""
    at = finding.center
    return f"{METHOD}: {len(finding.members)} at {round(at.col)}, {round(at.row)}"


def score_files(score_file: ScoreFile, files: Mapping[str, Path]) -> ScoreImage:
    """Return what scores places of images whose files are given by SOP Instance UID."""
    return lambda uid, points: score_file(files[uid], points)


def recheck_priors(
    comparisons: Sequence[RegisteredComparison], score_image: ScoreImage
) -> tuple[RecheckedFinding, ...]:
    """Look in the priors' pixels for what is new by their findings.

    Parameters
    ----------
    comparisons
        The study with its priors.
    score_image
        Scores places of a prior's image. What it raises over one costs the rechecks in it.
    """
    rechecked: list[RecheckedFinding] = []
    for comparison in comparisons:
        by_image: dict[str, list[tuple[ConstellationQuery, RecheckedFinding]]] = {}
        for pair, finding in sorted(_list_new(comparison), key=lambda new: new[1].rank[0]):
            query = build_query(pair, finding)
            if isinstance(query, str):
                rechecked.append(_start_recheck(pair, finding, query))
            else:
                uid = pair.prior_image.mammogram.sop_instance_uid
                started = _start_recheck(pair, finding)
                by_image.setdefault(uid, []).append((query, started))
        for uid, queries in by_image.items():
            rechecked += _recheck_image(uid, queries, score_image)
    return tuple(rechecked)


def _list_new(comparison: RegisteredComparison) -> Iterator[tuple[RegisteredPair, Finding]]:
    """Yield each shown finding that is new, with each image of the prior that it was sought in."""
    for change in comparison.changes:
        if change.kind is ChangeKind.NEW and change.current is not None:
            for pair in comparison.pairs:
                for finding in pair.image.shown_findings:
                    if pair.image.refer_to(finding) == change.current:
                        yield pair, finding


def _start_recheck(pair: RegisteredPair, finding: Finding, why_not: str = "") -> RecheckedFinding:
    """Return the recheck of a finding before any pixel was looked at."""
    place, error_mm = pair.locate_in_prior(finding)
    return RecheckedFinding(
        pair.image.refer_to(finding),
        describe_subject(finding),
        Recheck(
            seen=False,
            why_not=why_not,
            prior_image=pair.prior_image.mammogram.sop_instance_uid,
        ),
        place,
        error_mm,
    )


def _recheck_image(
    uid: str,
    queries: Sequence[tuple[ConstellationQuery, RecheckedFinding]],
    score_image: ScoreImage,
) -> list[RecheckedFinding]:
    """Return the rechecks in one image of a prior, all answered by one call of the detector."""
    chosen = [query for query, _ in queries[:MOST_IN_AN_IMAGE]]
    why_not, scores = _NO_MODEL, None
    try:
        scores = score_image(uid, [point for query in chosen for point in query.points])
    except DetectorDiedError:
        why_not = _DIED
    except (InputError, TransientError):
        why_not = _NOT_READ
    rechecks = [Recheck(seen=False, why_not=why_not)] * len(chosen)
    if scores is not None:
        ends = np.cumsum([len(query.points) for query in chosen]).tolist()
        rechecks = [
            judge_scores(query, scores[end - len(query.points) : end])
            for query, end in zip(chosen, ends, strict=True)
        ]
    rechecks += [Recheck(seen=False, why_not=_TOO_MANY)] * (len(queries) - len(chosen))
    return [
        replace(started, recheck=replace(recheck, prior_image=uid))
        for (_, started), recheck in zip(queries, rechecks, strict=True)
    ]


def apply_rechecks(
    comparison: StudyComparison, current: StudyReading, rechecked: Sequence[RecheckedFinding]
) -> StudyComparison:
    """Return a comparison in which a finding that a recheck has seen is new no more.

    Of several images of a view, what one of them shows counts before what another does not. A
    finding that should have been rechecked and has no answer gets the reason why.

    Parameters
    ----------
    comparison
        By the findings.
    current
        The study's reading that it is of.
    rechecked
        From `recheck_priors`, perhaps of an earlier reading: of those, what holds for these
        findings counts. Empty where the rechecking broke.
    """
    prior_images = {view.prior_sop_instance_uid for view in comparison.views}
    unanswered = Recheck(seen=False, why_not=_AT_ANOTHER if rechecked else _BROKE)
    answers: dict[tuple[FindingRef, str], list[RecheckedFinding]] = {}
    for answer in rechecked:
        if answer.recheck.prior_image in prior_images:
            answers.setdefault((answer.current, answer.subject), []).append(answer)
    subjects = {
        image.refer_to(finding): describe_subject(finding)
        for image in current.images
        for finding in image.shown_findings
    }
    changes = tuple(
        _apply_best(
            replace(change, recheck=unanswered),
            answers.get((change.current, subjects[change.current]), ()),
        )
        if change.kind is ChangeKind.NEW and change.current in subjects
        else change
        for change in comparison.changes
    )
    return replace(comparison, changes=changes)


def _apply_best(change: FindingChange, answers: Sequence[RecheckedFinding]) -> FindingChange:
    if not answers:
        return change
    best = min(
        answers,
        key=lambda answer: (
            not answer.recheck.seen,
            bool(answer.recheck.why_not),
            answer.recheck.as_similar,
        ),
    )
    # At least three are marked now, and then fewer were, though there was something.
    kind = ChangeKind.MORE if best.recheck.seen else change.kind
    return replace(
        change, kind=kind, place=best.place, error_mm=best.error_mm, recheck=best.recheck
    )


def mark_not_rechecked(comparison: StudyComparison, why_not: str) -> StudyComparison:
    """Return a comparison that gives, for what is new, why no prior's pixels were looked at."""
    recheck = Recheck(seen=False, why_not=why_not)
    return replace(
        comparison,
        changes=tuple(
            replace(change, recheck=recheck) if change.kind is ChangeKind.NEW else change
            for change in comparison.changes
        ),
    )
