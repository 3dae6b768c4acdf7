"""Which findings of which images are one lesion: what an Individual Impression is about.

A cluster of one image is joined with what it was in the priors, and with what it is in the other
view. Joined are only findings that the report holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from secondread.codes import Change
from secondread.findings.changes import (
    FindingChange,
    FindingRef,
    StudyComparison,
)
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
    """A finding of a prior, and what it says of a current one."""

    prior: ImageFinding
    current: FindingRef
    comparison: StudyComparison
    change: FindingChange


@dataclass(frozen=True, slots=True)
class ReportedLesionView:
    """A lesion in one view: usually one current finding, with what it was in the priors."""

    current: tuple[ImageFinding, ...]
    """Several where the prior's was one and is in parts now."""
    matches: tuple[PriorMatch, ...] = ()
    """In the order of the priors; empty for what is new, for what only a second look saw then, and
    for what was not compared."""

    @property
    def prior(self) -> tuple[ImageFinding, ...]:
        """The priors' findings, each once."""
        return tuple({one.prior.ref: one.prior for one in self.matches}.values())


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
        return tuple(seen for part in self.views for seen in part.current)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The words of its findings against the priors, each once, in reading order."""
        said = (seen.finding.change for seen in self.current)
        return tuple(dict.fromkeys(change for change in said if change is not None))


@dataclass(frozen=True, slots=True)
class MissingFinding:
    """A finding that the prior shows and the current image does not."""

    prior: ImageFinding
    comparison: StudyComparison
    change: FindingChange
    """Gone, or why that cannot be said."""

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
    """Return what came of second looks for a lesion's findings at the priors, the nearest first."""
    said = (
        (comparison, comparison.find_change(seen.ref.sop_instance_uid, seen.ref.finding_id))
        for comparison in reading.comparisons
        for seen in lesion.current
    )
    return tuple((one, change) for one, change in said if change is not None and change.recheck)


def list_prior_images(reading: StudyReading) -> tuple[ImageReading, ...]:
    """Return the priors' images that were read, the nearest prior's first."""
    known = {
        image.mammogram.sop_instance_uid: image
        for earlier in reading.prior_readings
        for image in earlier.images
        if image.status.was_read
    }
    return tuple(known.values())


def group_lesions(
    reading: StudyReading, encoded: Callable[[ImageReading], Sequence[Finding]]
) -> tuple[ReportedLesion, ...]:
    """Return the lesions of a reading, in reading order of their first findings.

    Parameters
    ----------
    reading
        The study, with its comparisons.
    encoded
        The findings of a current image that the report holds.
    """
    seen = [ImageFinding(image, finding) for image in reading.images for finding in encoded(image)]
    parts = _parts(seen, _then(reading))
    at = {one.ref: number for number, part in enumerate(parts) for one in part.current}
    pairs = [
        pair
        for pair in reading.view_pairs
        if pair.confidence >= SAME_LESION and pair.cc in at and pair.mlo in at
    ]
    groups = _joined(len(parts), [(at[pair.cc], at[pair.mlo]) for pair in pairs])
    joining = {at[pair.cc]: pair for pair in reversed(pairs)}
    joining |= {at[pair.mlo]: pair for pair in reversed(pairs)}
    return tuple(
        ReportedLesion(tuple(parts[number] for number in group), joining.get(group[0]))
        for group in groups
    )


def find_missing(reading: StudyReading) -> tuple[MissingFinding, ...]:
    """Return what the nearest prior that was compared showed and the study does not show.

    Of older priors it is known from the report of the time between.
    """
    found = _findings(list_prior_images(reading))
    return tuple(
        MissingFinding(found[change.prior[0]], comparison, change)
        for comparison in [one for one in reading.comparisons if one.compared][:1]
        for change in comparison.changes
        if change.current is None and change.prior and change.prior[0] in found
    )


def _findings(images: Iterable[ImageReading]) -> dict[FindingRef, ImageFinding]:
    return {
        image.refer_to(finding): ImageFinding(image, finding)
        for image in images
        for finding in image.findings
    }


def _then(reading: StudyReading) -> Mapping[FindingRef, tuple[PriorMatch, ...]]:
    """Return what each current finding was in the priors."""
    found = _findings(list_prior_images(reading))
    then: dict[FindingRef, list[PriorMatch]] = {}
    for comparison in reading.comparisons:
        for change in comparison.changes:
            if change.current is not None:
                then.setdefault(change.current, []).extend(
                    PriorMatch(found[ref], change.current, comparison, change)
                    for ref in change.prior
                    if ref in found
                )
    return {ref: tuple(several) for ref, several in then.items()}


def _parts(
    seen: Sequence[ImageFinding], then: Mapping[FindingRef, tuple[PriorMatch, ...]]
) -> list[ReportedLesionView]:
    # A new finding has no partner, whatever an older prior showed (TID 4004 needs two).
    of = {
        number: then.get(one.ref, ()) if one.finding.change is not Change.NEW else ()
        for number, one in enumerate(seen)
    }
    first: dict[FindingRef, int] = {}
    shared: list[tuple[int, int]] = []
    for number, several in of.items():
        shared += [(first.setdefault(one.prior.ref, number), number) for one in several]
    return [
        ReportedLesionView(
            tuple(seen[number] for number in group),
            tuple(one for number in group for one in of[number]),
        )
        for group in _joined(len(seen), shared)
    ]


def _joined(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the numbers below `count` in groups that pairs connect, each in rising order."""
    group = list(range(count))
    for a, b in pairs:
        low, high = sorted((group[a], group[b]))
        group = [low if one == high else one for one in group]
    members: dict[int, list[int]] = {}
    for number, name in enumerate(group):
        members.setdefault(name, []).append(number)
    return list(members.values())
