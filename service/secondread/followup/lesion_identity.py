"""One lesion, one identifier: carried from exam to exam, and over both views of an exam.

A finding's name, as ``LCC-1``, is that of one reading and may be another finding's in the next.
What holds over readings of one image, by whatever model, is the place in it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from secondread.codes import MarkClass
from secondread.findings.changes import FindingRef, StudyComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.view_pair import RepeatPair, ViewPair
from secondread.geometry import Outline, bounding_box

MintLesionUid = Callable[[FindingRef], str]
"""Derives the Tracking Unique Identifier of a lesion from the finding that it was first seen as."""

SAME_LESION = 0.5
"""Confidence from which on a cluster in one view and one in the other are one lesion."""

Link = tuple[FindingRef, FindingRef]
"""Two findings of one exam that are one lesion."""

SAME_PLACE = 0.1
"""Share of what two outlines' boxes cover that both cover, from which on they are one finding.
Little, because models may draw one group of calcifications as a part of another's."""


@dataclass(frozen=True, slots=True)
class TrackedFinding:
    """A finding of an earlier reading of an image, and the lesion that it was."""

    sop_instance_uid: str
    outline: Outline
    lesion: str


def recognize_lesions(
    readings: Iterable[StudyReading], tracked: Sequence[Sequence[TrackedFinding]]
) -> dict[FindingRef, str]:
    """Return the lesions of clusters that an earlier reading of the same image had in their place.

    Parameters
    ----------
    readings
        Of the study and of its priors.
    tracked
        The findings of each earlier reading, the latest reading first: it has the last word.
    """
    recognized: dict[FindingRef, str] = {}
    for reading in readings:
        for image in reading.images:
            uid = image.mammogram.sop_instance_uid
            by_reading = [
                [finding for finding in findings if finding.sop_instance_uid == uid]
                for findings in tracked
            ]
            for ref, outline in _list_clusters(image):
                lesions = (_find_in_place(outline, findings) for findings in by_reading)
                lesion = next((lesion for lesion in lesions if lesion), None)
                if lesion is not None:
                    recognized[ref] = lesion
    return recognized


def _list_clusters(image: ImageReading) -> list[tuple[FindingRef, Outline]]:
    return [
        (image.refer_to(finding), finding.outline)
        for finding in image.findings
        if finding.mark_class is MarkClass.CLUSTER
    ]


def _find_in_place(outline: Outline, tracked: Sequence[TrackedFinding]) -> str | None:
    """Return the lesion of the tracked finding that covers most of the same place."""
    shares = [
        (_measure_overlap(outline, finding.outline), -index)
        for index, finding in enumerate(tracked)
    ]
    share, index = max(shares, default=(0.0, 0))
    return tracked[-index].lesion if share >= SAME_PLACE else None


def _measure_overlap(outline: Outline, other: Outline) -> float:
    """Return the share of what the boxes of two outlines cover that both cover."""
    (a, b), (c, d) = bounding_box(outline), bounding_box(other)
    width = min(b.col, d.col) - max(a.col, c.col)
    height = min(b.row, d.row) - max(a.row, c.row)
    both = max(width, 0.0) * max(height, 0.0)
    areas = (b.col - a.col) * (b.row - a.row) + (d.col - c.col) * (d.row - c.row)
    return both / (areas - both) if both else 0.0


def list_links(pairs: Iterable[ViewPair], repeats: Iterable[RepeatPair]) -> list[Link]:
    """Return which findings of an exam are one lesion, the surest first."""
    views = sorted(pairs, key=lambda pair: -pair.confidence)
    return [
        *((repeat.first, repeat.second) for repeat in repeats),
        *((pair.cc, pair.mlo) for pair in views if pair.confidence >= SAME_LESION),
    ]


def assign_lesions(
    reading: StudyReading, recognized: Mapping[FindingRef, str], mint: MintLesionUid
) -> dict[FindingRef, str]:
    """Return the lesion that each cluster of a study is (Tracking Unique Identifier, 112040).

    Parameters
    ----------
    reading
        The study, with its comparisons, view pairs and repeat pairs. Of the comparisons, the
        first that has a finding decides.
    recognized
        Lesions of findings of earlier readings.
    mint
        Makes the identifier of a lesion that has none yet.

    Returns
    -------
    dict
        Lesion by finding: of the current study's clusters, and of the priors' findings that they
        are or that are missed, so that what a prior had no identifier for gets one.
    """
    lesions: dict[FindingRef, str] = {}
    clusters = [ref for image in reading.images for ref, _ in _list_clusters(image)]
    for ref in clusters:
        priors = _list_priors(ref, reading.comparisons)
        if priors:
            lesions[ref] = _name_lesion(priors, lesions, recognized, mint, recognized.get(ref))
        elif ref in recognized:
            lesions[ref] = recognized[ref]
    for first, second in list_links(reading.view_pairs, reading.repeat_pairs):
        _join_views(first, second, lesions, frozenset(recognized.values()), mint)
    for ref in clusters:
        lesions.setdefault(ref, mint(ref))
    for comparison in reading.comparisons:
        for missed in comparison.missed:
            _name_lesion(missed.prior, lesions, recognized, mint)
    return lesions


def _list_priors(ref: FindingRef, comparisons: Sequence[StudyComparison]) -> list[FindingRef]:
    """Return what a finding was in the priors, the nearest prior's first."""
    changes = (c.find_change(ref.sop_instance_uid, ref.finding_id) for c in comparisons)
    return [prior for change in changes if change is not None for prior in change.prior]


def _name_lesion(
    priors: Sequence[FindingRef],
    lesions: dict[FindingRef, str],
    recognized: Mapping[FindingRef, str],
    mint: MintLesionUid,
    own: str | None = None,
) -> str:
    """Return the lesion of a finding that was these in the priors; `own` is what it was called.

    The priors' findings get it too, unless they have one already.
    """
    names = (
        *(recognized.get(prior) for prior in priors),
        own,
        *(lesions.get(prior) for prior in priors),
    )
    uid = next((name for name in names if name), None) or mint(priors[0])
    for prior in priors:
        lesions.setdefault(prior, recognized.get(prior, uid))
    return uid


def _join_views(
    here: FindingRef,
    there: FindingRef,
    lesions: dict[FindingRef, str],
    old: Collection[str],
    mint: MintLesionUid,
) -> None:
    """Give both findings one identifier; two that differ in earlier readings stay."""
    first = lesions.get(here) or lesions.get(there) or mint(here)
    second = lesions.get(there) or first
    # An old identifier wins over a new one; between two new ones, the first.
    remaining, given_up = (first, second) if second not in old else (second, first)
    if given_up not in old:
        lesions.update({ref: remaining for ref, uid in lesions.items() if uid == given_up})
    lesions.setdefault(here, remaining)
    lesions.setdefault(there, remaining)


def add_lesions(reading: StudyReading, lesions: Mapping[FindingRef, str]) -> StudyReading:
    """Return a reading whose findings, and those of its priors, have the lesion that they are."""
    named = reading.map_findings(
        lambda image, finding: replace(finding, lesion_uid=lesions.get(image.refer_to(finding)))
    )
    prior_readings = tuple(add_lesions(prior, lesions) for prior in reading.prior_readings)
    return replace(named, prior_readings=prior_readings)
