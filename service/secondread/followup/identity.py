"""One lesion, one identifier: carried from exam to exam, and over both views of an exam."""

from collections.abc import Callable, Mapping, Sequence

from secondread.codes import MarkClass
from secondread.findings.comparison import FindingRef, StudyComparison
from secondread.findings.finding import StudyReading
from secondread.followup.correlation import ViewPair
from secondread.followup.view_changes import reference

Mint = Callable[[FindingRef], str]
"""Derives the Tracking Unique Identifier of a lesion from the finding that it was first seen as."""

SAME_LESION = 0.5
"""Confidence from which on a cluster in one view and one in the other are one lesion."""


def lesion_uids(
    reading: StudyReading,
    comparisons: Sequence[StudyComparison],
    pairs: Sequence[ViewPair],
    known: Mapping[FindingRef, str],
    mint: Mint,
) -> dict[FindingRef, str]:
    """Return the lesion that each cluster of a study is (Tracking Unique Identifier, 112040).

    Parameters
    ----------
    reading
        The study.
    comparisons
        With its priors, the nearest first: the first that knows a finding decides.
    pairs
        Its clusters that were recognised in both views.
    known
        Lesions of findings of earlier studies.
    mint
        Makes the identifier of a lesion that has none yet.

    Returns
    -------
    dict
        Lesion by finding, of the current study's clusters and of the priors' findings that they
        are, so that what a prior had no identifier for gets the one that its finding gives it.
    """
    found: dict[FindingRef, str] = {}
    clusters = [
        reference(image, finding)
        for image in reading.images
        for finding in image.findings
        if finding.mark_class is MarkClass.CLUSTER
    ]
    for ref in clusters:
        prior = _earlier(ref, comparisons)
        if prior is not None:
            found[ref] = found[prior] = known.get(prior) or found.get(prior) or mint(prior)
    for pair in pairs:
        if pair.confidence >= SAME_LESION:
            _join(pair.cc, pair.mlo, found, mint)
    for ref in clusters:
        found.setdefault(ref, mint(ref))
    return found


def _earlier(ref: FindingRef, comparisons: Sequence[StudyComparison]) -> FindingRef | None:
    for comparison in comparisons:
        change = comparison.of(ref.sop_instance_uid, ref.finding_id)
        if change is not None and change.prior:
            return change.prior[0]
    return None


def _join(a: FindingRef, b: FindingRef, found: dict[FindingRef, str], mint: Mint) -> None:
    """Give both the identifier that one has; two that differ stay, as history says."""
    uid = found.get(a) or found.get(b) or mint(a)
    found.setdefault(a, uid)
    found.setdefault(b, uid)
