"""A reading with its follow-up: changes, places, and which priors were compared."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from secondread.codes import Change
from secondread.findings.changes import ChangeKind, FindingChange, StudyComparison
from secondread.findings.clusters import MINIMUM_MEMBERS
from secondread.findings.finding import Finding, ImageReading, PriorStudy, StudyReading
from secondread.followup.comparison import RegisteredComparison
from secondread.followup.finding_position import add_positions
from secondread.followup.recheck import RecheckedFinding, apply_rechecks
from secondread.followup.view_correlation import add_quadrants
from secondread.followup.zone import add_zones
from secondread.reasons import Reason


def follow_up(
    reading: StudyReading,
    comparisons: Sequence[RegisteredComparison] = (),
    rechecked: Sequence[RecheckedFinding] | None = None,
) -> StudyReading:
    """Return a reading with its findings' places, and compared with its priors.

    Parameters
    ----------
    reading
        The study, as `reading.read_study` gives it.
    comparisons
        With readings of its priors' images by the same model, the nearest in time first.
    rechecked
        What was seen in the priors' pixels of findings that are new by the priors' findings; empty
        where that broke, None where nothing was to be rechecked.
    """
    pairs = reading.view_pairs
    placed = add_zones(add_quadrants(add_positions(reading), pairs), pairs)
    if not comparisons:
        return placed
    # Composing, which comes next, needs the results, and not the images of the registrations.
    final = [comparison.drop_registrations() for comparison in comparisons]
    if rechecked is not None:
        final = [apply_rechecks(comparison, placed, rechecked) for comparison in final]
    prior_readings = tuple(comparison.prior for comparison in comparisons)
    return replace(add_comparisons(placed, final), prior_readings=prior_readings)


def mark_not_compared(reading: StudyReading, study_uids: Collection[str]) -> StudyReading:
    """Return a reading whose priors of these studies could not be compared with it."""
    priors = tuple(
        _mark_prior(prior, compared=False) if prior.study_uid in study_uids else prior
        for prior in reading.priors
    )
    return replace(reading, priors=priors)


def add_comparisons(reading: StudyReading, comparisons: Sequence[StudyComparison]) -> StudyReading:
    """Return a reading that holds its comparisons, and whose findings have their changes.

    Parameters
    ----------
    comparisons
        The nearest prior first.
    """
    comparisons = [
        _doubt_new(comparison, comparisons[number + 1 :])
        for number, comparison in enumerate(comparisons)
    ]
    compared = {comparison.prior_study_uid: comparison.compared for comparison in comparisons}
    reasons = reading.reasons
    if any(compared.values()):
        reasons = tuple(reason for reason in reasons if reason is not Reason.NO_COMPARISON)
    changed = reading.map_findings(
        lambda image, finding: replace(finding, change=_find_change(image, finding, comparisons))
    )
    return replace(
        changed,
        reasons=reasons,
        priors=tuple(
            _mark_prior(prior, compared=compared[prior.study_uid])
            if prior.study_uid in compared
            else prior
            for prior in reading.priors
        ),
        comparisons=tuple(comparisons),
    )


def _mark_prior(prior: PriorStudy, *, compared: bool) -> PriorStudy:
    reason = None if compared else Reason.PRIOR_NOT_COMPARABLE
    return replace(prior, compared=compared, reason=reason, archive_reasons=())


def _doubt_new(comparison: StudyComparison, older: Sequence[StudyComparison]) -> StudyComparison:
    """Return a comparison in which nothing is new that an older prior shows.

    Calcifications do not come, go, and come again: the prior between was not read rightly, and
    nothing can be said against it. It takes as many that are the same as make a cluster.
    """

    def doubt(change: FindingChange) -> FindingChange:
        if change.kind is not ChangeKind.NEW or change.current is None:
            return change
        ref = change.current
        for other in older:
            earlier = other.find_change(ref.sop_instance_uid, ref.finding_id)
            if earlier is not None and len(earlier.pairs) >= MINIMUM_MEMBERS:
                day = other.prior_date
                which = f"the prior of {day.isoformat()}" if day else "an older prior"
                return replace(
                    change,
                    kind=ChangeKind.NOT_COMPARABLE,
                    why_not=f"{which} shows it, and this one's findings do not",
                )
        return change

    return replace(comparison, changes=tuple(map(doubt, comparison.changes)))


def _find_change(
    image: ImageReading, finding: Finding, comparisons: Sequence[StudyComparison]
) -> Change | None:
    """Return the change against the nearest prior that shows the place."""
    for comparison in comparisons:
        change = comparison.find_change(image.mammogram.sop_instance_uid, finding.id)
        if change is not None and change.kind.change is not None:
            return change.kind.change
    return None
