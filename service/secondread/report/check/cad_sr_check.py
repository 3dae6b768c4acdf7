"""The last look at a CAD SR before it leaves, and at any CAD SR that somebody else wrote.

It reads the finished data set and shares no code with the builder but the codes, so that a
mistake of the builder is not repeated here. Three parts:

- `conformity`: the tree against the tables of TID 4000 in `template_4000`;
- `check_rules`: what no table can say: header and evidence, references, coordinates, rendering
  intents, and a summary that agrees with what it sums up;
- `check_findings` and `check_images`: the document against the findings that it was made from and
  the headers of the images that it is about. Only these can tell a wrong number from a right one.
"""

from collections.abc import Mapping

from pydicom.dataset import Dataset

from secondread.findings.finding import StudyReading
from secondread.report.check.checked_report import CheckedReport
from secondread.report.check.conformity import Conformity
from secondread.report.check.document_rules import RULES
from secondread.report.check.fault import ReportFault
from secondread.report.check.finding_checks import compare_with_reading
from secondread.report.check.template_4000 import ROOT, TEMPLATES
from secondread.report.readback.content import ContentError
from secondread.settings import ProfileSettings

__all__ = ["ReportFault", "check_against_reading", "check_cad_sr"]


def check_cad_sr(ds: Dataset) -> list[ReportFault]:
    """Return what is wrong with a CAD SR, whoever wrote it; an empty list if nothing is."""
    try:
        report = CheckedReport(ds)
    except ContentError as error:
        return [ReportFault(error.position, error.fault)]
    faults = [
        *Conformity(report.tree, ROOT, TEMPLATES).find_faults(),
        *(fault for rule in RULES for fault in rule(report)),
    ]
    return list(dict.fromkeys(faults))


def check_against_reading(
    ds: Dataset, reading: StudyReading, sources: Mapping[str, Dataset], profile: ProfileSettings
) -> list[ReportFault]:
    """Return where a CAD SR of ours differs from what it was made from.

    Parameters
    ----------
    ds
        The document; what `check_cad_sr` finds is not repeated.
    reading
        The findings.
    sources
        Headers of the images, and of the priors' images, by SOP Instance UID.
    profile
        What of the findings it is to hold, in which codes.
    """
    try:
        report = CheckedReport(ds)
    except ContentError as error:
        return [ReportFault(error.position, error.fault)]
    return list(dict.fromkeys(compare_with_reading(report, reading, sources, profile)))
