"""Priors of which no image can be had any more, compared by what this node once reported of them.

Whether a report serves is decided here. It does when this node wrote it, and with the same model:
the manifest's digest covers its normalisation too. Everything else would make "new" of what the
other model did not mark.
"""

from collections.abc import Sequence
from datetime import date

from secondread.findings.cad_report import CadReport, ReportOrigin
from secondread.findings.changes import PRIOR_REPORT, StudyComparison
from secondread.findings.finding import ModelIdentity, StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import add_comparisons
from secondread.followup.recheck import mark_not_rechecked

_NOT_AT_HAND = "its images are not at hand"


def drop_replaced(reports: Sequence[CadReport]) -> tuple[CadReport, ...]:
    """Return the reports that no other of them replaces, the latest first."""
    replaced = {uid for report in reports for uid in report.replaces}
    left = [report for report in reports if report.sop_instance_uid not in replaced]
    return tuple(sorted(left, key=lambda one: one.written_on or date.min, reverse=True))


def explain_unusable(report: CadReport, model: ModelIdentity) -> str:
    """Return why a report cannot stand for its study's images; empty where it can."""
    if report.origin is ReportOrigin.FOREIGN:
        return f"the prior's images are not at hand, and {report.title} says nothing of ours"
    if report.origin is not ReportOrigin.OWN:
        return "the prior's images are not at hand, and its report is another node's"
    if report.model_digest != model.digest:
        return "the prior's images are not at hand, and its report is of another model"
    return ""


def choose_report(reports: Sequence[CadReport], model: ModelIdentity) -> CadReport | None:
    """Return the report that stands for a prior's images; None where none can."""
    return next((one for one in drop_replaced(reports) if not explain_unusable(one, model)), None)


def add_reported_priors(reading: StudyReading, found: Sequence[StudyReading]) -> StudyReading:
    """Return a reading that is also compared with what is known of priors without images."""
    if not found:
        return reading
    further = [
        mark_not_rechecked(one, _NOT_AT_HAND)
        for one in compare_with_priors(reading, found, basis=PRIOR_REPORT)
    ]
    both = sorted((*reading.comparisons, *further), key=_nearest_first)
    # `earlier` stays what was read now: a report says of those images that it detected in them.
    return add_comparisons(reading, both)


def _nearest_first(comparison: StudyComparison) -> int:
    return -(comparison.prior_date or date.min).toordinal()
