"""What of a reading a report holds: findings joined to lesions, and what is missing or doubtful.

A cluster of one image is joined with what it was in the priors, and with what it is in the other
view. Only findings that the report holds are joined. An Individual Impression is about one lesion.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from secondread.codes import Change, FindingType, MarkClass, QualityFinding
from secondread.findings.changes import FindingChange, FindingRef, StudyComparison
from secondread.findings.finding import Finding, ImageReading, StatedOperatingPoint, StudyReading
from secondread.findings.priority import RankKey
from secondread.findings.view_pair import RepeatPair, ViewPair
from secondread.followup.lesion_identity import SAME_LESION, list_links
from secondread.reasons import Reason
from secondread.report.sr.operating_points import rank_points
from secondread.settings import ProfileSettings

FINDING_TYPES = {
    MarkClass.CLUSTER: FindingType.CLUSTER,
    MarkClass.CALCIFICATION: FindingType.CALCIFICATION,
}
"""The classes that a CAD SR holds, with their value in CID 6014.

The others are what the second read sets aside: calcified vessels and skin, and benign
calcifications, would be false marks as findings, and for metal the detector does not tell a clip
from a marker, as Non-lesion (CID 6040) would have to.
"""

QUALITY_FINDINGS = {
    Reason.SATURATED: QualityFinding.OVER_EXPOSED,
    Reason.SATURATED_AREA: QualityFinding.OVER_EXPOSED,
    Reason.BREAST_CUT_OFF: QualityFinding.POSITIONING,
    Reason.POLARITY: QualityFinding.PROCESSING,
}
"""The reasons that CID 6041 has a value for.

They are few: CID 6041 names what technologists see, and most gates are about the header or about
what the detector knows. What has no value there is reported in words.
"""


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
    """By priority, and of one priority in reading order."""
    pair: ViewPair | RepeatPair | None = None
    """What joins two images; None for a lesion of one image."""

    @property
    def rank(self) -> RankKey:
        """Its place in the exam's order: that of its first finding."""
        return _find_rank(self.current)

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


@dataclass(frozen=True, slots=True)
class ReportContents:
    """What of a reading a report for a profile holds."""

    reading: StudyReading
    lesions: tuple[ReportedLesion, ...]
    missing: tuple[MissingFinding, ...]
    doubtful_images: tuple[ImageReading, ...]
    """Images with an Image Quality finding."""
    points: tuple[StatedOperatingPoint, ...]
    """Operating points by rank."""
    individual: bool
    """Whether the calcifications of a cluster are written too."""

    @property
    def has_findings(self) -> bool:
        """Whether there is anything in it that the summary calls findings."""
        return bool(self.lesions or self.missing)


def gather_contents(reading: StudyReading, profile: ProfileSettings) -> ReportContents:
    """Return what of a reading a report for a profile holds.

    A quality finding alone would make a workstation announce findings where there is no mark, so
    it is written only beside others; without them, it is reported in words.
    """
    include_all = profile.findings == "all"
    lesions = group_lesions(reading, partial(select_findings, include_all=include_all))
    missing = find_missing(reading)
    doubtful = [i for i in reading.images if i.status.was_read and list_quality_findings(i)]
    return ReportContents(
        reading,
        lesions,
        missing,
        tuple(doubtful) if lesions or missing else (),
        rank_points(reading.model, include_all=include_all),
        profile.individual_calcifications,
    )


def select_findings(image: ImageReading, include_all: bool) -> list[Finding]:
    """Return the findings of an image that a CAD SR holds.

    Parameters
    ----------
    image
        One image; an image that failed has none, whatever the detector answered.
    include_all
        Whether findings that are not shown are included.
    """
    if not image.status.was_read:
        return []
    return [
        finding
        for finding in image.findings
        if finding.mark_class in FINDING_TYPES and (finding.shown or include_all)
    ]


def list_quality_findings(image: ImageReading) -> tuple[QualityFinding, ...]:
    """Return the Quality Findings of CID 6041 among an image's reasons."""
    findings = (QUALITY_FINDINGS.get(reason) for reason in image.reasons)
    return tuple(dict.fromkeys(finding for finding in findings if finding is not None))


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


def group_lesions(
    reading: StudyReading, select: Callable[[ImageReading], Sequence[Finding]]
) -> tuple[ReportedLesion, ...]:
    """Return the lesions of a reading by priority, equal ones in reading order.

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
    links = list_links(reading.view_pairs, reading.repeat_pairs)
    held = [(view_of[a], view_of[b]) for a, b in links if a in view_of and b in view_of]
    lesions = []
    for group in _join(len(views), held):
        # Which view is the surer one does not change the order of a lesion's views.
        of_lesion = sorted((views[n] for n in group), key=lambda v: _find_rank(v.current)[:2])
        pair = _find_pair(reading, [item.ref for view in of_lesion for item in view.current])
        lesions.append(ReportedLesion(tuple(of_lesion), pair))
    return tuple(sorted(lesions, key=lambda lesion: lesion.rank))


def _find_pair(reading: StudyReading, refs: Sequence[FindingRef]) -> ViewPair | RepeatPair | None:
    """Return the surest of what joins some findings; both views tell more than one view twice."""
    pairs = sorted(reading.view_pairs, key=lambda pair: -pair.confidence)
    of_views = (p for p in pairs if p.confidence >= SAME_LESION and {p.cc, p.mlo} <= {*refs})
    repeats = (p for p in reading.repeat_pairs if {p.first, p.second} <= {*refs})
    return next(of_views, None) or next(repeats, None)


def count_shown(reading: StudyReading) -> int:
    """Return how many lesions a reading shows: what several images show counts once."""
    return len(group_lesions(reading, lambda image: image.shown_findings))


def find_missing(reading: StudyReading) -> tuple[MissingFinding, ...]:
    """Return what the nearest prior that was compared showed and the study does not show.

    In the order of the prior. What is missing of older priors is known from the report of the time
    between.
    """
    prior_findings = _index_prior_findings(reading)
    missing = (
        MissingFinding(prior_findings[change.prior[0]], comparison, change)
        for comparison in [c for c in reading.comparisons if c.compared][:1]
        for change in comparison.changes
        if change.current is None and change.prior and change.prior[0] in prior_findings
    )
    # A reading from a report has no priorities, and is in their order already.
    return tuple(sorted(missing, key=lambda item: item.prior.finding.rank[0][:2]))


def _find_rank(findings: Iterable[ImageFinding]) -> RankKey:
    return min(item.finding.rank[0] for item in findings)


def _index_prior_findings(reading: StudyReading) -> dict[FindingRef, ImageFinding]:
    return {
        image.refer_to(finding): ImageFinding(image, finding)
        for image in reading.prior_images
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
