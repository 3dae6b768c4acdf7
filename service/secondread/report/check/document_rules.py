"""Rules of a CAD SR that no row of a template says: the document, its evidence, its summaries."""

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from pydicom.uid import MammographyCADSRStorage

from secondread.codes import ProcessingSummary, ResultStatus
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport
from secondread.report.check.fault import ReportFault
from secondread.report.check.mark_rules import MARK_RULES
from secondread.report.readback.content import read_enum

Rule = Callable[[CheckedReport], Iterator[ReportFault]]

_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
# PS3.3 C.7.1.1, C.7.2.1, C.7.5.1, C.17.1 and C.17.2, C.12.1.
_TYPE_1 = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "ContentDate",
    "ContentTime",
)
_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "Manufacturer",
    "ReferencedPerformedProcedureStepSequence",
    "PerformedProcedureCodeSequence",
)
_WITH_FINDINGS = {ProcessingSummary.ALL_WITH_FINDINGS, ProcessingSummary.SOME_WITH_FINDINGS}
_ALL = {ProcessingSummary.ALL_WITH_FINDINGS, ProcessingSummary.ALL_WITHOUT_FINDINGS}
_BY_REFERENCE = {"INFERRED FROM", "HAS PROPERTIES", "SELECTED FROM"}


def _identity(report: CheckedReport) -> Iterator[ReportFault]:
    ds = report.ds
    for keyword in _TYPE_1:
        if ds.get(keyword) in (None, ""):
            yield ReportFault("header", f"{keyword} has no value")
    for keyword in _TYPE_2:
        if keyword not in ds:
            yield ReportFault("header", f"{keyword} is not there")
    meta = getattr(ds, "file_meta", None) or {}
    for keyword, stored in (
        ("SOPClassUID", "MediaStorageSOPClassUID"),
        ("SOPInstanceUID", "MediaStorageSOPInstanceUID"),
    ):
        if meta.get(stored, ds.get(keyword)) != ds.get(keyword):
            yield ReportFault("header", f"{keyword} is not that of the file meta information")


def _flags(report: CheckedReport) -> Iterator[ReportFault]:
    ds = report.ds
    for keyword, allowed in (
        ("SOPClassUID", (MammographyCADSRStorage,)),
        ("Modality", ("SR",)),
        ("CompletionFlag", ("COMPLETE", "PARTIAL")),
        ("VerificationFlag", ("UNVERIFIED", "VERIFIED")),
        ("PreliminaryFlag", ("PRELIMINARY", "FINAL", None)),
        ("ContinuityOfContent", ("SEPARATE", "CONTINUOUS")),
    ):
        if ds.get(keyword) not in allowed:
            words = " or ".join(value for value in allowed if value)
            yield ReportFault("header", f"{keyword} is not {words}")
    if ds.get("VerificationFlag") == "VERIFIED" and not ds.get("VerifyingObserverSequence"):
        yield ReportFault(
            "header", "VerificationFlag is VERIFIED, and nobody is named who verified"
        )
    templates = ds.get("ContentTemplateSequence", None) or ()
    named = [(one.get("MappingResource"), one.get("TemplateIdentifier")) for one in templates]
    if named != [("DCMR", "4000")]:
        yield ReportFault("1", f"the template is {named}, not 4000 of DCMR")


def _uids(report: CheckedReport) -> Iterator[ReportFault]:
    for element in report.ds.iterall():
        if element.VR == "UI":
            values = [element.value] if element.VM <= 1 else list(element.value)
            for value in values:
                if not (_UID.fullmatch(str(value)) and len(str(value)) <= 64):
                    yield ReportFault("header", f"{element.keyword} {value!r} is no UID")


def _evidence(report: CheckedReport) -> Iterator[ReportFault]:
    library = {image.reference[:2] for image in report.library.values() if image.reference}
    for _, uid in sorted(report.current_evidence.keys() - library):
        yield ReportFault("header", f"{uid} is current evidence and not in the library")
    for _, uid in sorted(library - report.current_evidence.keys() - report.other_evidence.keys()):
        yield ReportFault("header", f"{uid} is in the library and no evidence of this class")
    for _, uid in sorted(report.current_evidence.keys() & report.other_evidence.keys()):
        yield ReportFault("header", f"{uid} is both current and other evidence")
    if not report.current_evidence:
        yield ReportFault("header", "no current evidence")
    for study in {
        one for one in report.current_evidence.values() if one != report.ds.get("StudyInstanceUID")
    }:
        yield ReportFault("header", f"current evidence of another study, {study}")


def _library(report: CheckedReport) -> Iterator[ReportFault]:
    seen: dict[tuple[str, str, int | None] | None, str] = {}
    for entry in report.library.values():
        if entry.reference in seen:
            yield ReportFault(entry.path, f"the same image as {seen[entry.reference]}")
        seen.setdefault(entry.reference, entry.path)
        sizes = [entry.find_child(one) for one in (concepts.PIXEL_ROWS, concepts.PIXEL_COLUMNS)]
        if sizes.count(None) == 1:
            yield ReportFault(entry.path, "rows without columns, or columns without rows")


def _references(report: CheckedReport) -> Iterator[ReportFault]:
    for content in report.items.values():
        if content.target is None:
            continue
        if content.relation not in _BY_REFERENCE:
            yield ReportFault(content.path, f"{content.relation} is never by reference")
        target = report.items.get(content.target)
        if target is not None and target.value_type == "IMAGE":
            if target.position not in report.library:
                yield ReportFault(content.path, f"{target.path} is no image of the library")
        elif content.position[: len(content.target)] == content.target:
            yield ReportFault(content.path, "refers to what it is part of")


def _texts(report: CheckedReport) -> Iterator[ReportFault]:
    own = not report.ds.get("SpecificCharacterSet")
    for content in report.items.values():
        text = str(content.item.get("TextValue", None) or "-")
        if own and not text.isascii():
            yield ReportFault(content.path, "text beyond ASCII, and no Specific Character Set")


def _summary(report: CheckedReport) -> Iterator[ReportFault]:
    item = report.tree.root.find_child(concepts.PROCESSING_SUMMARY)
    summary = read_enum(item, ProcessingSummary)
    if item is None or summary is None:
        return
    found = bool(report.findings or report.composites)
    if found is not (summary in _WITH_FINDINGS):
        state = "there are findings" if found else "there is none"
        yield ReportFault(item.path, f"says {summary.code.meaning!r}, and {state}")
    states = (
        read_enum(report.tree.root.find_child(concept), ResultStatus)
        for concept in (concepts.DETECTION_SUMMARY, concepts.ANALYSIS_SUMMARY)
    )
    made = {one for one in states if one is not None and one is not ResultStatus.NOT_ATTEMPTED}
    if not _sums_up(summary, made):
        says = ", ".join(sorted(one.code.meaning for one in made)) or "nothing attempted"
        yield ReportFault(
            item.path, f"says {summary.code.meaning!r}, with detections, analyses: {says}"
        )


def _sums_up(summary: ProcessingSummary, made: AbstractSet[ResultStatus]) -> bool:
    """Whether a summary is that of what was made of detections and analyses."""
    if summary is ProcessingSummary.NONE:
        return made <= {ResultStatus.FAILED}
    if summary in _ALL:
        return made <= {ResultStatus.SUCCEEDED}
    return bool(made - {ResultStatus.SUCCEEDED}) and made != {ResultStatus.FAILED}


def _performed(report: CheckedReport) -> Iterator[ReportFault]:
    """TID 4000 rows 6 and 8: together they reference every image of the current evidence."""
    listed: set[tuple[str, str]] = set()
    for item in report.find_items(concepts.DETECTION_PERFORMED, concepts.ANALYSIS_PERFORMED):
        listed |= {one.reference[:2] for one in report.find_images(item) if one.reference}
        listed |= {
            one.reference[:2]
            for one in item.children
            if one.value_type == "IMAGE" and one.reference
        }
    if any(item.children for item in report.find_items(concepts.DETECTION_SUMMARY)):
        for entry in report.library.values():
            instance = entry.reference[:2] if entry.reference else ("", "")
            if instance in report.current_evidence and instance not in listed:
                yield ReportFault(entry.path, "no detection and no analysis names this image")


def _algorithms(report: CheckedReport) -> Iterator[ReportFault]:
    """Of two algorithms for one code the names differ (TID 4017), within one container."""
    for performed in report.find_items(concepts.SUCCESSFUL_DETECTIONS, concepts.FAILED_DETECTIONS):
        seen: set[tuple[str, str]] = set()
        for item in performed.find_children(concepts.DETECTION_PERFORMED):
            name = item.find_child(concepts.ALGORITHM_NAME)
            value = item.code
            if name is not None and value is not None:
                if (value.value, name.text) in seen:
                    yield ReportFault(item.path, "the same detection by the same algorithm again")
                seen.add((value.value, name.text))


RULES: tuple[Rule, ...] = (
    _identity,
    _flags,
    _uids,
    _evidence,
    _library,
    _references,
    _texts,
    _summary,
    _performed,
    _algorithms,
    *MARK_RULES,
)
"""All rules, in the order in which their faults are told."""
