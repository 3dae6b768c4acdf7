"""Which findings of which images are one lesion: what an Individual Impression is about.

A cluster of one image is joined with what it was in the priors, and with what it is in the other
view. Only findings that the report holds are joined.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from secondread.codes import Change
from secondread.findings.changes import FindingChange, FindingRef, StudyComparison
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.view_pair import ViewPair
from secondread.followup.lesion_identity import SAME_LESION


@dataclass(frozen=True, slots=True)
class ImageFinding:
    """One finding of one image."""

    image: ImageReading
    finding: Finding

    @property
    def ref(self) -> FindingRef:
        """What names it in other studies."""
        return self.image.refer_to(self.finding)


@dataclass(frozen=True, slots=True)
class PriorMatch:
    """What a current finding was in a prior, and the comparison that found it."""

    prior: ImageFinding
    comparison: StudyComparison
    change: FindingChange


@dataclass(frozen=True, slots=True)
class ReportedLesionView:
    """A lesion in one view: usually one current finding, with what it was in the priors."""

    current: tuple[ImageFinding, ...]
    """Several where the prior's was one and is in parts now."""
    matches: tuple[PriorMatch, ...] = ()
    """In the order of the priors; empty for what is new, for what only a recheck saw then, and
    for what was not compared."""

    @property
    def prior(self) -> tuple[ImageFinding, ...]:
        """The priors' findings, each once."""
        return tuple({match.prior.ref: match.prior for match in self.matches}.values())


@dataclass(frozen=True, slots=True)
class ReportedLesion:
    """One lesion: what one Individual Impression is about."""

    views: tuple[ReportedLesionView, ...]
    """By view, in reading order."""
    pair: ViewPair | None = None
    """What joins two views; None for a lesion of one view."""

    @property
    def current(self) -> tuple[ImageFinding, ...]:
        """Its findings in the current images."""
        return tuple(current for view in self.views for current in view.current)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of its findings against the priors, each once, in reading order."""
        changes = (current.finding.change for current in self.current)
        return tuple(dict.fromkeys(change for change in changes if change is not None))


@dataclass(frozen=True, slots=True)
class MissingFinding:
    """A finding that the prior shows and the current image does not."""

    prior: ImageFinding
    comparison: StudyComparison
    change: FindingChange
    """Gone, or why that cannot be known."""

    @property
    def count(self) -> int:
        """How many calcifications it had, counted as those of the current image were."""
        return count_prior_calcifications(self.prior.finding, self.change)


def count_prior_calcifications(finding: Finding, change: FindingChange) -> int:
    """Return how many calcifications a prior's finding had that is missing now."""
    return len(finding.members) if change.number is None else round(change.number.prior)


def find_rechecks(
    reading: StudyReading, lesion: ReportedLesion
) -> tuple[tuple[StudyComparison, FindingChange], ...]:
    """Return each recheck of a prior for a lesion's findings, the nearest prior first."""
    return tuple(
        (comparison, change)
        for comparison in reading.comparisons
        for ref in (current.ref for current in lesion.current)
        if (change := comparison.find_change(ref.sop_instance_uid, ref.finding_id)) is not None
        and change.recheck
    )


def list_prior_images(reading: StudyReading) -> tuple[ImageReading, ...]:
    """Return the priors' images that were read, the nearest prior's first."""
    images = {
        image.mammogram.sop_instance_uid: image
        for prior in reading.prior_readings
        for image in prior.images
        if image.status.was_read
    }
    return tuple(images.values())


def group_lesions(
    reading: StudyReading, select: Callable[[ImageReading], Sequence[Finding]]
) -> tuple[ReportedLesion, ...]:
    """Return the lesions of a reading, in reading order of their first findings.

    Parameters
    ----------
    reading
        The study, with its comparisons.
    select
        Returns the findings of a current image that the report holds.
    """
    current = [
        ImageFinding(image, finding) for image in reading.images for finding in select(image)
    ]
    views = _group_by_prior(current, _match_priors(reading))
    view_of = {item.ref: number for number, view in enumerate(views) for item in view.current}
    pairs = [
        pair
        for pair in reading.view_pairs
        if pair.confidence >= SAME_LESION and pair.cc in view_of and pair.mlo in view_of
    ]
    groups = _join(len(views), [(view_of[pair.cc], view_of[pair.mlo]) for pair in pairs])
    # Of several pairs the first counts, and is found by the number of either view.
    first_pairs = {view_of[ref]: pair for pair in reversed(pairs) for ref in (pair.cc, pair.mlo)}
    return tuple(
        ReportedLesion(tuple(views[number] for number in group), first_pairs.get(group[0]))
        for group in groups
    )


def find_missing(reading: StudyReading) -> tuple[MissingFinding, ...]:
    """Return what the nearest prior that was compared showed and the study does not show.

    What is missing of older priors is known from the report of the time between.
    """
    prior_findings = _index_prior_findings(reading)
    return tuple(
        MissingFinding(prior_findings[change.prior[0]], comparison, change)
        for comparison in [c for c in reading.comparisons if c.compared][:1]
        for change in comparison.changes
        if change.current is None and change.prior and change.prior[0] in prior_findings
    )


def _index_prior_findings(reading: StudyReading) -> dict[FindingRef, ImageFinding]:
    return {
        image.refer_to(finding): ImageFinding(image, finding)
        for image in list_prior_images(reading)
        for finding in image.findings
    }


def _match_priors(reading: StudyReading) -> Mapping[FindingRef, Sequence[PriorMatch]]:
    """Return what each current finding was in the priors."""
    prior_findings = _index_prior_findings(reading)
    matches: dict[FindingRef, list[PriorMatch]] = {}
    for comparison in reading.comparisons:
        for change in comparison.changes:
            if change.current is not None:
                matches.setdefault(change.current, []).extend(
                    PriorMatch(prior_findings[ref], comparison, change)
                    for ref in change.prior
                    if ref in prior_findings
                )
    return matches


def _group_by_prior(
    current: Sequence[ImageFinding], matches: Mapping[FindingRef, Sequence[PriorMatch]]
) -> list[ReportedLesionView]:
    """Return current findings in groups that were one finding in a prior."""
    # A new finding has no partner, whatever an older prior showed (TID 4004 needs two).
    matched = [
        () if item.finding.change is Change.NEW else matches.get(item.ref, ()) for item in current
    ]
    first: dict[FindingRef, int] = {}
    shared = [
        (first.setdefault(match.prior.ref, number), number)
        for number, of_one in enumerate(matched)
        for match in of_one
    ]
    return [
        ReportedLesionView(
            tuple(current[number] for number in group),
            tuple(match for number in group for match in matched[number]),
        )
        for group in _join(len(current), shared)
    ]


def _join(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the numbers below `count` in groups that pairs connect, each in rising order."""
    group_of = list(range(count))
    for a, b in pairs:
        low, high = sorted((group_of[a], group_of[b]))
        group_of = [low if group == high else group for group in group_of]
    members: dict[int, list[int]] = {}
    for number, group in enumerate(group_of):
        members.setdefault(group, []).append(number)
    return list(members.values())
