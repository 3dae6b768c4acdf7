"""A reading with what follow-up says about it: change, place, and which priors were compared."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from secondread.codes import Change
from secondread.findings.changes import StudyComparison
from secondread.findings.finding import Finding, ImageReading, PriorStudy, StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.correlation import add_quadrants, correlate_views
from secondread.followup.finding_position import add_positions
from secondread.followup.recheck import RecheckedFinding, apply_rechecks
from secondread.followup.zone import add_zones
from secondread.reasons import Reason


def follow_up(
    reading: StudyReading,
    priors: Sequence[StudyReading],
    rechecks: Sequence[RecheckedFinding] | None = None,
) -> StudyReading:
    """Return a reading with its findings' places, and compared with its priors.

    Parameters
    ----------
    reading
        The study, as `reading.read_study` gives it.
    priors
        Readings of its priors' images with the same model, the nearest in time first.
    looks
        What was seen in the priors' pixels of findings that are new by the priors' findings; empty
        where that broke, None where nobody was to look.
    """
    placed = add_positions(reading)
    pairs = correlate_views(placed)
    placed = replace(add_zones(add_quadrants(placed, pairs), pairs), view_pairs=pairs)
    if not priors:
        return placed
    found = compare_with_priors(placed, priors)
    if rechecks is not None:
        found = tuple(apply_rechecks(one, placed, rechecks) for one in found)
    return replace(add_comparisons(placed, found), prior_readings=tuple(priors))


def mark_not_compared(reading: StudyReading, study_uids: Collection[str]) -> StudyReading:
    """Return a reading whose priors of these studies could not be compared with it."""
    priors = tuple(
        replace(prior, compared=False, reason=Reason.PRIOR_NOT_COMPARABLE, archive_reasons=())
        if prior.study_uid in study_uids
        else prior
        for prior in reading.priors
    )
    return replace(reading, priors=priors)


def add_comparisons(reading: StudyReading, comparisons: Sequence[StudyComparison]) -> StudyReading:
    """Return a reading that holds its comparisons, and whose findings say what changed."""
    compared = {one.prior_study_uid: one for one in comparisons}
    priors = tuple(_told(prior, compared.get(prior.study_uid)) for prior in reading.priors)
    images = tuple(_changed(image, comparisons) for image in reading.images)
    reasons = reading.reasons
    if any(one.compared for one in comparisons):
        reasons = tuple(reason for reason in reasons if reason is not Reason.NO_COMPARISON)
    return replace(
        reading,
        reasons=reasons,
        images=images,
        priors=priors,
        comparisons=tuple(comparisons),
    )


def _told(prior: PriorStudy, found: StudyComparison | None) -> PriorStudy:
    if found is None:
        return prior
    if found.compared:
        return replace(prior, compared=True, reason=None, archive_reasons=())
    return replace(prior, compared=False, reason=Reason.PRIOR_NOT_COMPARABLE, archive_reasons=())


def _changed(image: ImageReading, comparisons: Sequence[StudyComparison]) -> ImageReading:
    uid = image.mammogram.sop_instance_uid
    findings = tuple(
        replace(finding, change=_change(uid, finding, comparisons)) for finding in image.findings
    )
    return replace(image, findings=findings)


def _change(uid: str, finding: Finding, comparisons: Sequence[StudyComparison]) -> Change | None:
    """Return the change against the nearest prior that shows the place."""
    for comparison in comparisons:
        change = comparison.find_change(uid, finding.id)
        if change is not None and change.kind.change is not None:
            return change.kind.change
    return None
