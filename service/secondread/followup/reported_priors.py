"""Priors whose images are lost, compared by what this node once reported about them.

Which report serves is decided here: one that this node wrote, and with the same model, whose
manifest's digest covers the normalisation too. With any other, what that model did not mark would
be called new.
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
    """Return the reports that no other one replaces, the latest first."""
    replaced = {uid for report in reports for uid in report.replaces}
    left = [report for report in reports if report.sop_instance_uid not in replaced]
    return tuple(sorted(left, key=lambda report: report.written_on or date.min, reverse=True))


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
    usable = (report for report in drop_replaced(reports) if not explain_unusable(report, model))
    return next(usable, None)


def add_reported_priors(reading: StudyReading, priors: Sequence[StudyReading]) -> StudyReading:
    """Return a reading that is also compared with readings from priors' reports."""
    if not priors:
        return reading
    further = [
        mark_not_rechecked(comparison.drop_registrations(), _NOT_AT_HAND)
        for comparison in compare_with_priors(reading, priors, basis=PRIOR_REPORT)
    ]
    both = sorted((*reading.comparisons, *further), key=_nearest_first)
    # `prior_readings` stay what was read now: the report lists their images as detected in.
    return add_comparisons(reading, both)


def _nearest_first(comparison: StudyComparison) -> int:
    return -(comparison.prior_date or date.min).toordinal()
