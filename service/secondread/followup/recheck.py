"""The recheck: the prior's pixels are looked at again where a finding is new by the findings.

A cluster that has grown may have been so faint that the detector marked nothing of it then. The
current calcifications say exactly where to look; whether they were there, `constellation` decides.
How many there were remains unknown: fewer than are marked now.

Of a cluster that the prior shows, those of its calcifications are looked for again of which the
prior's marks show none, where three or more are together: what its pixels do not show either is
new, inside an old cluster too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, compress
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from secondread.errors import DetectorDiedError, InputError, TransientError
from secondread.findings.changes import (
    ChangeKind,
    FindingChange,
    FindingRef,
    Recheck,
    StudyComparison,
)
from secondread.findings.clusters import average_points
from secondread.findings.finding import Finding, StudyReading
from secondread.followup.calcifications import Calcifications, select_together
from secondread.followup.comparison import RegisteredComparison
from secondread.followup.constellation import (
    METHOD,
    MOST_MEMBERS,
    ConstellationQuery,
    Scores,
    build_query,
    judge_members,
    judge_scores,
)
from secondread.followup.limits import UnitLimits, load_limits
from secondread.followup.view_changes import ClusterMeasures, RegisteredPair
from secondread.geometry import Outline, PointPx

ScoreImage = Callable[[str, Sequence[PointPx]], Scores | None]
"""Scores places of an image, by SOP Instance UID; None where the model has no graph for it.
Raises `DetectorDiedError`, `InputError` or `TransientError` where the image cannot be had."""

ScoreFile = Callable[[Path, Sequence[PointPx]], Scores | None]
"""The same of an image's file."""

RunJobs = Callable[
    [Sequence[Callable[[], list["RecheckedFinding"]]]], list[list["RecheckedFinding"]]
]
"""Runs jobs, in turn or side by side, and returns their answers in order."""

MOST_IN_AN_IMAGE = 8
"""Clusters looked for again in one image of a prior, by priority: each takes most of a second."""

_SAME_MM = 0.01
"""Between a place in millimeters and the same by way of pixels."""

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
    seen: tuple[PointPx, ...] = ()
    """Of the unpaired calcifications that were looked for, those that the prior shows; in the
    current stored image."""
    unseen: tuple[PointPx, ...] = ()
    """Those that it does not show, where three or more are together."""


def describe_subject(finding: Finding, unpaired: Sequence[PointPx] = ()) -> str:
    """Return what a recheck holds for: this finding, or some of it, and this method."""
    at = average_points(unpaired) if unpaired else finding.center
    number = f"{len(unpaired)} of " if unpaired else ""
    return f"{METHOD}: {number}{len(finding.members)} at {round(at.col)}, {round(at.row)}"


def score_files(score_file: ScoreFile, files: Mapping[str, Path]) -> ScoreImage:
    """Return what scores places of images whose files are given by SOP Instance UID."""
    return lambda uid, points: score_file(files[uid], points)


def run_in_turn(
    jobs: Sequence[Callable[[], list[RecheckedFinding]]],
) -> list[list[RecheckedFinding]]:
    """Run one job after the other; a `RunJobs`."""
    return [job() for job in jobs]


def recheck_priors(
    comparisons: Sequence[RegisteredComparison],
    score_image: ScoreImage,
    run_jobs: RunJobs = run_in_turn,
) -> tuple[RecheckedFinding, ...]:
    """Look in the priors' pixels for what is new by their findings.

    Parameters
    ----------
    comparisons
        The study with its priors.
    score_image
        Scores places of a prior's image. What it raises over one costs the rechecks in it.
    run_jobs
        Runs the rechecks of several images; side by side, if `score_image` takes that.
    """
    jobs: list[Callable[[], list[RecheckedFinding]]] = []
    for comparison in comparisons:
        by_image: dict[str, list[tuple[ConstellationQuery, _Question]]] = {}
        for question in sorted(_list_questions(comparison), key=_rank_question):
            query = build_query(question.pair, question.select_calcifications())
            if isinstance(query, str):
                jobs.append(partial(_list_recheck_not_made, question, query))
            else:
                by_image.setdefault(question.prior_image, []).append((query, question))
        for uid, queries in by_image.items():
            jobs.append(partial(_recheck_image, uid, queries, score_image))
    return tuple(chain.from_iterable(run_jobs(jobs)))


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What is looked for in one image of a prior: a shown finding, or some of it."""

    pair: RegisteredPair
    finding: Finding
    unpaired: tuple[PointPx, ...]

    @property
    def prior_image(self) -> str:
        """SOP Instance UID."""
        return self.pair.prior_image.sop_instance_uid

    def select_calcifications(self) -> Calcifications:
        """Return the calcifications that are looked for."""
        calcifications = self.pair.select_calcifications(self.finding)
        if not self.unpaired:
            return calcifications
        at = self.pair.registration.current.to_mm(self.unpaired)
        order = np.argsort(-calcifications.certainty, kind="stable")
        unpaired = cdist(calcifications.centers, at).min(axis=1) < _SAME_MM
        return calcifications.select(order[unpaired[order]][:MOST_MEMBERS])


def _list_questions(comparison: RegisteredComparison) -> Iterator[_Question]:
    """Yield what is to be looked for, with each image of the prior that it was sought in."""
    for change in comparison.changes:
        # One more is never an increase.
        if change.kind is not ChangeKind.NEW and len(change.unpaired) < 2:
            continue
        matched = {prior.sop_instance_uid for prior in change.prior}
        for pair in comparison.pairs:
            if matched and pair.prior_image.sop_instance_uid not in matched:
                continue
            for finding in pair.image.shown_findings:
                if pair.image.refer_to(finding) == change.current:
                    yield _Question(pair, finding, change.unpaired)


def _rank_question(question: _Question) -> tuple[object, ...]:
    return bool(question.unpaired), question.finding.rank[0]


def _start_recheck(question: _Question, why_not: str = "") -> RecheckedFinding:
    """Return a recheck before any pixel was looked at."""
    place, error_mm = question.pair.locate_in_prior(question.finding)
    return RecheckedFinding(
        question.pair.image.refer_to(question.finding),
        describe_subject(question.finding, question.unpaired),
        Recheck(
            seen=False,
            why_not=why_not,
            prior_image=question.prior_image,
        ),
        place,
        error_mm,
    )


def _list_recheck_not_made(question: _Question, why_not: str) -> list[RecheckedFinding]:
    return [_start_recheck(question, why_not)]


def _recheck_image(
    uid: str, queries: Sequence[tuple[ConstellationQuery, _Question]], score_image: ScoreImage
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
    rechecked = []
    for number, (query, question) in enumerate(queries):
        if number >= MOST_IN_AN_IMAGE:
            rechecked.append(_start_recheck(question, _TOO_MANY))
        elif scores is None:
            rechecked.append(_start_recheck(question, why_not))
        else:
            own, scores = scores[: len(query.points)], scores[len(query.points) :]
            rechecked.append(_judge(question, query, own))
    return rechecked


def _judge(question: _Question, query: ConstellationQuery, scores: Scores) -> RecheckedFinding:
    """Return the recheck that the scores of a query decide."""
    started = _start_recheck(question)
    if not question.unpaired:
        recheck = judge_scores(query, scores)
        return replace(started, recheck=replace(recheck, prior_image=question.prior_image))
    look = judge_members(query, scores)
    centers = question.select_calcifications().centers
    points = question.pair.registration.current.to_px(centers)
    unseen = look.unseen.copy()
    unseen[unseen] = select_together(centers[unseen])
    return replace(
        started,
        recheck=replace(look.recheck, prior_image=question.prior_image),
        seen=tuple(compress(points, look.seen)),
        unseen=tuple(compress(points, unseen)),
    )


def apply_rechecks(
    comparison: StudyComparison, current: StudyReading, rechecked: Sequence[RecheckedFinding]
) -> StudyComparison:
    """Return a comparison in which a finding that a recheck has seen is new no more.

    Calcifications that were missed in the prior, and are seen there now, count there, and those
    that are not seen have appeared. Of several images of a view, what one of them shows counts
    before what another does not. A finding that should have been rechecked and has no answer gets
    the reason why.

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
    shown = {
        image.refer_to(finding): finding
        for image in current.images
        for finding in image.shown_findings
    }
    of_parts: dict[tuple[FindingRef, ...], list[RecheckedFinding]] = {}
    changes = []
    for change in comparison.changes:
        ref = change.current
        found: Sequence[RecheckedFinding] = ()
        if ref is not None and ref in shown:
            found = answers.get((ref, describe_subject(shown[ref], change.unpaired)), ())
        if change.unpaired and found:
            of_parts.setdefault(change.prior, []).append(_choose_best(found))
        if change.kind is ChangeKind.NEW and ref in shown:
            changes.append(_apply_best(replace(change, recheck=unanswered), found))
        else:
            changes.append(change)
    units = {view.sop_instance_uid: view.same_unit for view in comparison.views}
    return replace(
        comparison,
        changes=tuple(
            _apply_to_members(
                change,
                of_parts[change.prior],
                load_limits().select(same_unit=units[change.current.sop_instance_uid]),
            )
            if change.current is not None and change.prior in of_parts
            else change
            for change in changes
        ),
    )


def _apply_to_members(
    change: FindingChange, looks: Sequence[RecheckedFinding], limits: UnitLimits
) -> FindingChange:
    """Return the change of a part of a whole, after the looks for members of all its parts."""
    seen = sum(len(look.seen) for look in looks)
    number, extent = change.number, change.extent_mm
    kind = change.kind
    looked = not any(look.recheck.why_not for look in looks)
    if number is not None and (looked or seen):
        then = int(number.prior) + seen
        number = limits.compare_numbers(int(number.current), then, looked=looked)
        # The extent then was measured without what is seen now.
        extent = None if seen and extent is not None and extent.direction > 0 else extent
        if kind is not ChangeKind.NOT_COMPARABLE:
            kind = ClusterMeasures(number, extent, change.diameter_mm).change
    if any(map(_list_new_members, looks)) and kind is not ChangeKind.FEWER:
        # Fewer remain fewer, of which some are new: the word for numbers never contradicts them.
        kind = ChangeKind.MORE
    changed = replace(change, kind=kind, number=number, extent_mm=extent, seen_again=seen)
    if kind is not ChangeKind.NOT_COMPARABLE:
        changed = replace(changed, why_not="")
    own = next((look for look in looks if look.current == change.current), None)
    if own is None or own.recheck.why_not:
        return changed
    new = _list_new_members(own)
    return replace(changed, unpaired=new, recheck=own.recheck if new else None)


def _list_new_members(look: RecheckedFinding) -> tuple[PointPx, ...]:
    """Return the calcifications that have appeared in a cluster of the prior."""
    return () if look.recheck.seen or look.recheck.why_not else look.unseen


def _apply_best(change: FindingChange, answers: Sequence[RecheckedFinding]) -> FindingChange:
    if not answers:
        return change
    best = _choose_best(answers)
    # At least three are marked now, and then fewer were, though there was something.
    kind = ChangeKind.MORE if best.recheck.seen else change.kind
    return replace(
        change, kind=kind, place=best.place, error_mm=best.error_mm, recheck=best.recheck
    )


def _choose_best(answers: Sequence[RecheckedFinding]) -> RecheckedFinding:
    """Return what counts of the looks at several images of a view."""
    return min(
        answers,
        key=lambda answer: (
            not answer.recheck.seen,
            bool(answer.recheck.why_not),
            answer.recheck.as_similar,
        ),
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
