"""What is new inside an old region, as a finding of its own.

A region whose calcifications the prior shows may have gained some that lie together: neither marks
nor pixels of the prior show them. They are what matters, and neither place, number nor type of the
region says anything of them. So they become a finding within the region, and the region is compared
without them: "7 new within a region of 40, unchanged".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist, pdist

from secondread.codes import MarkClass
from secondread.detect.marks import Mark
from secondread.findings.changes import (
    ChangeKind,
    FindingChange,
    FindingRef,
    StudyComparison,
)
from secondread.findings.clusters import CLOSE_MM, GROUPED_MEMBERS, LINK_MM, MINIMUM_MEMBERS
from secondread.findings.finding import Calcification, Finding, ImageReading, StudyReading
from secondread.findings.priority import compute_priority
from secondread.findings.view_pair import ViewPair
from secondread.followup.comparison import RegisteredComparison
from secondread.followup.recheck import RecheckedFinding
from secondread.followup.view_changes import ClusterMeasures
from secondread.geometry import Outline, PointPx, SpacingMm, clamp_to_image

DescribeGroup = Callable[[ImageReading, Sequence[Mark], Sequence[Mark]], Finding]
"""Describes some calcifications of an image as one cluster, with an outline around the latter."""

MOST_OF_REGION = 0.5
"""What is new lies together if it is no longer than this share of the region, or than 1 cm."""
_SAME_PX = 0.5
"""Between a calcification and the same by way of millimetres."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A region of a current image, and its calcifications that have appeared together."""

    image: ImageReading
    region: Finding
    new: tuple[Calcification, ...]
    number: int
    """Of the comparison that shows it."""

    @property
    def name(self) -> str:
        """The id of the new finding: that of the region, and a letter."""
        return f"{self.region.id}a"


def separate_new(
    reading: StudyReading,
    registered: Sequence[RegisteredComparison],
    comparisons: Sequence[StudyComparison],
    rechecked: Sequence[RecheckedFinding],
    describe: DescribeGroup,
) -> tuple[StudyReading, list[StudyComparison]]:
    """Return a reading in which what is new within an old region is a finding of its own.

    Parameters
    ----------
    reading
        The study.
    registered
        Its comparisons by the findings, the nearest prior first.
    comparisons
        The same after the rechecks.
    rechecked
        What the pixels of the priors showed.
    describe
        Describes the new cluster, and what is left of the region.

    Returns
    -------
    StudyReading
        Its new findings are named after their region, as ``LCC-2a``.
    list of StudyComparison
        With a change for each new finding, and those of the regions without it.
    """
    parts = list(_find_parts(reading, registered, comparisons, rechecked))
    if not parts:
        return reading, list(comparisons)
    found = {part.image.refer_to(part.region): part for part in parts}
    made = {ref: _make_findings(part, describe) for ref, part in found.items()}
    images = tuple(_replace_findings(image, made) for image in reading.images)
    pairs = (*reading.view_pairs, *_pair_parts(reading.view_pairs, found))
    separated = _renew_priorities(replace(reading, images=images, view_pairs=pairs))
    changed = [
        _separate_changes(number, registered[number], comparison, found, made)
        for number, comparison in enumerate(comparisons)
    ]
    return separated, changed


def _find_parts(
    reading: StudyReading,
    registered: Sequence[RegisteredComparison],
    comparisons: Sequence[StudyComparison],
    rechecked: Sequence[RecheckedFinding],
) -> Iterator[_Part]:
    for image in reading.images:
        for finding in image.shown_findings:
            ref = image.refer_to(finding)
            nearest = _find_nearest(ref, comparisons)
            if nearest is None or finding.mark_class is not MarkClass.CLUSTER:
                continue
            number, change = nearest
            points = _list_new(ref, change, registered[number], rechecked)
            new = _select_members(finding, points)
            older = comparisons[number + 1 :]
            if _lies_within(finding, new, image.mammogram.spacing) and not _was_there(
                ref, points, older
            ):
                yield _Part(image, finding, new, number)


def _find_nearest(
    ref: FindingRef, comparisons: Sequence[StudyComparison]
) -> tuple[int, FindingChange] | None:
    """Return the change against the nearest prior that shows the place, with its number."""
    for number, comparison in enumerate(comparisons):
        change = comparison.find_change(ref.sop_instance_uid, ref.finding_id)
        if change is not None and change.kind.change is not None:
            return number, change
    return None


def _list_new(
    ref: FindingRef,
    change: FindingChange,
    registered: RegisteredComparison,
    rechecked: Sequence[RecheckedFinding],
) -> tuple[PointPx, ...]:
    """Return the calcifications that have appeared, those too that no look was left for.

    The pixels are looked at for the surest few; what else has no partner and was not seen counts
    with them.
    """
    looked = change.new_calcifications
    before = registered.find_change(ref.sop_instance_uid, ref.finding_id)
    if not change.prior or len(looked) < MINIMUM_MEMBERS or before is None:
        return ()
    seen = [point for answer in rechecked if answer.current == ref for point in answer.seen]
    left = [p for p in before.unpaired if _is_far(p, looked) and _is_far(p, seen)]
    return (*looked, *left)


def _is_far(point: PointPx, others: Sequence[PointPx]) -> bool:
    return all(max(abs(point.col - p.col), abs(point.row - p.row)) > _SAME_PX for p in others)


def _select_members(finding: Finding, points: Sequence[PointPx]) -> tuple[Calcification, ...]:
    return tuple(member for member in finding.members if not _is_far(member.center, points))


def _lies_within(finding: Finding, new: Sequence[Calcification], spacing: SpacingMm | None) -> bool:
    """Whether new calcifications lie together within a region of others."""
    rest = [member for member in finding.members if member not in new]
    known = all(member.mark is not None for member in finding.members)
    if spacing is None or not known or len(new) < MINIMUM_MEMBERS or len(rest) < GROUPED_MEMBERS:
        return False
    if finding.long_axis_mm <= 2 * CLOSE_MM:
        return False
    at_mm = _measure_places(new, spacing)
    extent = float(pdist(at_mm).max())
    is_chain = float(np.sort(cdist(at_mm, at_mm), axis=1)[:, 1].max()) < LINK_MM
    return is_chain and extent <= max(2 * CLOSE_MM, MOST_OF_REGION * finding.long_axis_mm)


def _measure_places(
    members: Sequence[Calcification], spacing: SpacingMm
) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    points = [spacing.to_mm(member.center) for member in members]
    return np.array([(p.x, p.y) for p in points], np.float64).reshape(-1, 2)


def _was_there(
    ref: FindingRef, points: Sequence[PointPx], older: Sequence[StudyComparison]
) -> bool:
    """Whether an older prior shows as many of the new ones as make a cluster."""
    for comparison in older:
        change = comparison.find_change(ref.sop_instance_uid, ref.finding_id)
        pairs = () if change is None else change.pairs
        if sum(not _is_far(here, points) for here, _ in pairs) >= MINIMUM_MEMBERS:
            return True
    return False


def _make_findings(part: _Part, describe: DescribeGroup) -> tuple[Finding, Finding]:
    """Return a region without what is new in it, and that as a finding within the region."""
    region = part.region
    inner = [member for finding in part.image.list_inner(region) for member in finding.members]
    new = _list_marks(part.new)
    rest = _list_marks([member for member in region.members if member not in part.new])
    around = (*rest, *new, *_list_marks(inner))
    kept = replace(
        describe(part.image, rest, around),
        id=region.id,
        region=region.region,
        shown=region.shown,
    )
    cluster = describe(part.image, new, new)
    return kept, replace(cluster, id=part.name, region=region.id)


def _list_marks(members: Sequence[Calcification]) -> tuple[Mark, ...]:
    return tuple(member.mark for member in members if member.mark is not None)


_Made = Mapping[FindingRef, tuple[Finding, Finding]]
"""Of each region that has a new part: what is left of it, and the part."""


def _replace_findings(image: ImageReading, made: _Made) -> ImageReading:
    findings: list[Finding] = []
    for finding in image.findings:
        findings += made.get(image.refer_to(finding), (finding,))
    return replace(image, findings=tuple(sorted(findings, key=lambda finding: finding.rank)))


def _pair_parts(pairs: Sequence[ViewPair], found: Mapping[FindingRef, _Part]) -> Iterator[ViewPair]:
    """Yield the pairs of what is new in a region in both views of it."""
    for pair in pairs:
        if pair.cc in found and pair.mlo in found:
            cc, mlo = (replace(ref, finding_id=found[ref].name) for ref in (pair.cc, pair.mlo))
            yield replace(pair, cc=cc, mlo=mlo)


def _renew_priorities(reading: StudyReading) -> StudyReading:
    """Give the views of a lesion, which have one number, the highest of their priorities."""
    own: dict[tuple[str, str], list[float]] = {}
    for image in reading.images:
        for finding in _list_clusters(image):
            priority = compute_priority(finding.certainty, finding.suspicion)
            own.setdefault(_name_lesion(image, finding), []).append(priority or 0.0)

    def renew(image: ImageReading, finding: Finding) -> Finding:
        views = own.get(_name_lesion(image, finding), [])
        shared = max(views) if len(views) > 1 and finding.suspicion is not None else None
        return replace(finding, lesion_priority=shared)

    renewed = reading.map_findings(renew)
    return replace(renewed, images=tuple(_replace_findings(i, {}) for i in renewed.images))


def _list_clusters(image: ImageReading) -> list[Finding]:
    return [finding for finding in image.findings if finding.mark_class is MarkClass.CLUSTER]


def _name_lesion(image: ImageReading, finding: Finding) -> tuple[str, str]:
    side = image.mammogram.laterality
    known = side is not None and side.letter in {"L", "R"}
    return side.letter if side is not None and known else image.label, finding.number


def _separate_changes(
    number: int,
    registered: RegisteredComparison,
    comparison: StudyComparison,
    found: Mapping[FindingRef, _Part],
    made: _Made,
) -> StudyComparison:
    """Return a comparison with the changes of new parts, and of their regions without them."""
    changes: list[FindingChange] = []
    of_whole = _count_new(number, comparison, found)
    for change in comparison.changes:
        ref = change.current
        part = found.get(ref) if ref is not None else None
        if ref is None or (part is None and change.prior not in of_whole):
            changes.append(change)
        elif part is not None and part.number != number:
            # Against another prior the region is compared as it was found: with its new part.
            with_part = (*change.counted_with, replace(ref, finding_id=part.name))
            changes.append(replace(change, counted_with=with_part))
        else:
            changes.append(_take_away(change, of_whole[change.prior], clean=part is not None))
            if part is not None:
                changes.append(_describe_part(part, change, made[ref][1], registered))
    return replace(comparison, changes=tuple(changes))


def _count_new(
    number: int, comparison: StudyComparison, found: Mapping[FindingRef, _Part]
) -> dict[tuple[FindingRef, ...], int]:
    """Return how many new calcifications each whole of a prior has had, by its findings there."""
    counts: dict[tuple[FindingRef, ...], int] = {}
    for change in comparison.changes:
        part = found.get(change.current) if change.current is not None else None
        if part is not None and part.number == number:
            counts[change.prior] = counts.get(change.prior, 0) + len(part.new)
    return counts


def _take_away(change: FindingChange, new: int, *, clean: bool) -> FindingChange:
    """Return the change of a region without so many new calcifications."""
    measured = change.number
    if measured is None:
        return change
    measured = replace(measured, current=max(measured.current - new, 0.0))
    # The extent was measured with them.
    extent = change.extent_mm
    extent = None if extent is not None and extent.direction > 0 else extent
    kind = change.kind
    if kind is not ChangeKind.NOT_COMPARABLE:
        kind = ClusterMeasures(measured, extent, change.diameter_mm).change
    changed = replace(change, kind=kind, number=measured, extent_mm=extent)
    return replace(changed, unpaired=(), recheck=None) if clean else changed


def _describe_part(
    part: _Part, change: FindingChange, cluster: Finding, registered: RegisteredComparison
) -> FindingChange:
    ref = part.image.refer_to(cluster)
    place, error_mm = _locate(part, change, cluster, registered)
    return FindingChange(
        ChangeKind.NEW, ref, (), place=place, error_mm=error_mm, recheck=change.recheck
    )


def _locate(
    part: _Part, change: FindingChange, cluster: Finding, registered: RegisteredComparison
) -> tuple[Outline, float | None]:
    """Return where a new part would be in the prior's image, and the standard error of that."""
    images = {ref.sop_instance_uid for ref in change.prior}
    for pair in registered.pairs:
        is_current = pair.image.sop_instance_uid == part.image.sop_instance_uid
        if is_current and pair.prior_image.sop_instance_uid in images:
            frame = pair.registration.prior
            outline = pair.registration.map_to_prior(cluster.outline)
            centers = pair.registration.current.to_mm([m.center for m in cluster.members])
            error_mm = round(pair.registration.estimate_error(centers), 2)
            clamped = (clamp_to_image(point, frame.rows, frame.columns) for point in outline)
            return tuple(clamped), error_mm
    return (), change.error_mm
