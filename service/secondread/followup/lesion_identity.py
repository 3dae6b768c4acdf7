"""One lesion, one identifier: carried from exam to exam, and over both views of an exam.

A finding's name, as ``LCC-1``, is that of one reading and may be another finding's in the next.
What holds over readings of one image, by whatever model, is the place in it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from secondread.codes import MarkClass
from secondread.findings.changes import FindingRef, StudyComparison
from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.view_pair import ViewPair
from secondread.geometry import Outline, bounding_box

MintLesionUid = Callable[[FindingRef], str]
"""Derives the Tracking Unique Identifier of a lesion from the finding that it was first seen as."""

SAME_LESION = 0.5
"""Confidence from which on a cluster in one view and one in the other are one lesion."""

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
    readings: Iterable[StudyReading], known: Sequence[Sequence[TrackedFinding]]
) -> dict[FindingRef, str]:
    """Return the lesions of clusters that an earlier reading of the same image had in their place.

    Parameters
    ----------
    readings
        Of the study and of its priors.
    known
        The findings of each earlier reading, the latest reading first: it has the last word.
    """
    found: dict[FindingRef, str] = {}
    for reading in readings:
        for image in reading.images:
            uid = image.mammogram.sop_instance_uid
            of_image = [[one for one in old if one.sop_instance_uid == uid] for old in known]
            for ref, outline in _clusters(image):
                lesion = next((one for old in of_image if (one := _there(outline, old))), None)
                if lesion is not None:
                    found[ref] = lesion
    return found


def _clusters(image: ImageReading) -> list[tuple[FindingRef, Outline]]:
    return [
        (image.refer_to(finding), finding.outline)
        for finding in image.findings
        if finding.mark_class is MarkClass.CLUSTER
    ]


def _there(outline: Outline, known: Sequence[TrackedFinding]) -> str | None:
    """Return the lesion of the known finding that covers most of the same place."""
    shares = [(_shared(outline, one.outline), -index) for index, one in enumerate(known)]
    share, index = max(shares, default=(0.0, 0))
    return known[-index].lesion if share >= SAME_PLACE else None


def _shared(one: Outline, other: Outline) -> float:
    """Return the share of what the boxes of two outlines cover that both cover."""
    (a, b), (c, d) = bounding_box(one), bounding_box(other)
    width = min(b.col, d.col) - max(a.col, c.col)
    height = min(b.row, d.row) - max(a.row, c.row)
    both = max(width, 0.0) * max(height, 0.0)
    areas = (b.col - a.col) * (b.row - a.row) + (d.col - c.col) * (d.row - c.row)
    return both / (areas - both) if both else 0.0


def assign_lesions(
    reading: StudyReading,
    comparisons: Sequence[StudyComparison],
    pairs: Sequence[ViewPair],
    known: Mapping[FindingRef, str],
    mint: MintLesionUid,
) -> dict[FindingRef, str]:
    """Return the lesion that each cluster of a study is (Tracking Unique Identifier, 112040).

    Parameters
    ----------
    reading
        The study.
    comparisons
        With its priors, the nearest first: the first that knows a finding decides.
    pairs
        Its clusters that were recognized in both views.
    known
        Lesions of findings of earlier readings.
    mint
        Makes the identifier of a lesion that has none yet.

    Returns
    -------
    dict
        Lesion by finding: of the current study's clusters, and of the priors' findings that they
        are or that are missed, so that what a prior had no identifier for gets one.
    """
    found: dict[FindingRef, str] = {}
    clusters = [ref for image in reading.images for ref, _ in _clusters(image)]
    for ref in clusters:
        earlier = _earlier(ref, comparisons)
        if earlier:
            found[ref] = _name(earlier, found, known, mint, own=known.get(ref))
        elif ref in known:
            found[ref] = known[ref]
    for pair in (one for one in pairs if one.confidence >= SAME_LESION):
        _join(pair.cc, pair.mlo, found, frozenset(known.values()), mint)
    for ref in clusters:
        found.setdefault(ref, mint(ref))
    for missed in _missed(comparisons):
        _name(missed, found, known, mint)
    return found


def _earlier(ref: FindingRef, comparisons: Sequence[StudyComparison]) -> list[FindingRef]:
    """Return what a finding was in the priors, the nearest prior's first."""
    changes = [one.find_change(ref.sop_instance_uid, ref.finding_id) for one in comparisons]
    return [prior for change in changes if change is not None for prior in change.prior]


def _missed(comparisons: Sequence[StudyComparison]) -> list[tuple[FindingRef, ...]]:
    """Return the priors' findings that no finding of the study is."""
    return [
        change.prior
        for comparison in comparisons
        for change in comparison.changes
        if change.current is None
    ]


def _name(
    priors: Sequence[FindingRef],
    found: dict[FindingRef, str],
    known: Mapping[FindingRef, str],
    mint: MintLesionUid,
    own: str | None = None,
) -> str:
    """Return the lesion of a finding that was these in the priors; `own` is what it was called.

    The priors' findings get it too, where nothing else is known of them.
    """
    names = (*(known.get(one) for one in priors), own, *(found.get(one) for one in priors))
    uid = next((name for name in names if name), None) or mint(priors[0])
    for one in priors:
        found.setdefault(one, known.get(one, uid))
    return uid


def _join(
    a: FindingRef,
    b: FindingRef,
    found: dict[FindingRef, str],
    old: Collection[str],
    mint: MintLesionUid,
) -> None:
    """Give both views the identifier that one has; two that differ since earlier stay."""
    one = found.get(a) or found.get(b) or mint(a)
    other = found.get(b) or one
    kept, given_up = (one, other) if other not in old else (other, one)
    if given_up not in old:
        found.update({ref: kept for ref, uid in found.items() if uid == given_up})
    found.setdefault(a, kept)
    found.setdefault(b, kept)


def add_lesions(reading: StudyReading, lesions: Mapping[FindingRef, str]) -> StudyReading:
    """Return a reading whose findings, and those of its priors, say which lesion they are."""
    images = tuple(
        replace(
            image,
            findings=tuple(
                replace(finding, lesion_uid=lesions.get(image.refer_to(finding)))
                for finding in image.findings
            ),
        )
        for image in reading.images
    )
    earlier = tuple(add_lesions(one, lesions) for one in reading.prior_readings)
    return replace(reading, images=images, prior_readings=earlier)
