"""The last look at a CAD SR before it leaves, and at any CAD SR that somebody else wrote.

It reads the finished data set and shares no code with the builder but the codes, so that a
mistake of the builder is not repeated here. Three parts:

- `conformity`: the tree against the tables of TID 4000 in `template_4000`;
- `document_rules` and `mark_rules`: what no table holds: header and evidence, references,
  coordinates, rendering intents, and a summary that agrees with what it sums up;
- `finding_checks` and `image_checks`: the document against the findings that it was made from and
  the headers of the images that it is about. Only these can tell a wrong number from a right one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from pydicom.dataset import Dataset

from secondread.findings.finding import StudyReading
from secondread.report.check.checked_report import CheckedReport, Fault
from secondread.report.check.conformity import Conformity
from secondread.report.check.document_rules import DOCUMENT_RULES
from secondread.report.check.finding_checks import compare_with_reading
from secondread.report.check.mark_rules import MARK_RULES
from secondread.report.check.template_4000 import TEMPLATES
from secondread.report.readback.content import ContentError
from secondread.settings import ProfileSettings

__all__ = ["Fault", "check_against_reading", "check_cad_sr", "check_own_cad_sr"]

_MOST_FAULTS = 2000
"""With so many, a document is beyond help, and looking for more costs time."""
_LONGEST_MESSAGE = 500
"""Characters: messages quote values, which may be of any length."""


def check_cad_sr(ds: Dataset) -> list[Fault]:
    """Return what is wrong with a CAD SR, whoever wrote it; an empty list if nothing is."""
    return _collect_faults(ds, _check_document)


def _check_document(report: CheckedReport) -> Iterator[Fault]:
    yield from Conformity(report.tree, "4000", TEMPLATES).find_faults()
    for rule in (*DOCUMENT_RULES, *MARK_RULES):
        yield from rule(report)


def check_against_reading(
    ds: Dataset, reading: StudyReading, sources: Mapping[str, Dataset], profile: ProfileSettings
) -> list[Fault]:
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
    return _collect_faults(
        ds, lambda report: compare_with_reading(report, reading, sources, profile)
    )


def check_own_cad_sr(
    ds: Dataset, reading: StudyReading, sources: Mapping[str, Dataset], profile: ProfileSettings
) -> list[Fault]:
    """Return what `check_cad_sr` and `check_against_reading` find, each up to its limit."""
    try:
        report = CheckedReport(ds)
    except ContentError as error:
        return [Fault(error.position, error.fault)]
    return [
        *_list_faults(_check_document(report)),
        *_list_faults(compare_with_reading(report, reading, sources, profile)),
    ]


def _collect_faults(ds: Dataset, check: Callable[[CheckedReport], Iterator[Fault]]) -> list[Fault]:
    """Return the first that a check yields, once each; what makes a document unreadable is one."""
    try:
        report = CheckedReport(ds)
    except ContentError as error:
        return [Fault(error.position, error.fault)]
    return _list_faults(check(report))


def _list_faults(found: Iterator[Fault]) -> list[Fault]:
    faults = list(dict.fromkeys(islice(found, _MOST_FAULTS)))
    return [replace(fault, message=_shorten(fault.message)) for fault in faults]


def _shorten(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."
