"""Rules of a CAD SR that are in no template: the document, its evidence, its summaries."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from pydicom.uid import MammographyCADSRStorage

from secondread.codes import ProcessingSummary, ResultStatus
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport, Fault, InstanceKey, instance_key
from secondread.report.readback.attributes import list_items, read_text
from secondread.report.readback.content import InstanceReference, read_enum
from secondread.uids import is_standard_uid, is_uid

# PS3.3 C.7.1.1, C.7.2.1, C.7.5.1, C.17.1 and C.17.2, C.12.1.
_TYPE_1 = (
    "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber",
    "ContentDate", "ContentTime",
)  # fmt: skip
_TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName", "Manufacturer",
    "ReferencedPerformedProcedureStepSequence", "PerformedProcedureCodeSequence",
)  # fmt: skip
_WITH_FINDINGS = {ProcessingSummary.ALL_WITH_FINDINGS, ProcessingSummary.SOME_WITH_FINDINGS}
_ALL = {ProcessingSummary.ALL_WITH_FINDINGS, ProcessingSummary.ALL_WITHOUT_FINDINGS}
_UIDS_OF_OTHERS = {
    "StudyInstanceUID", "SeriesInstanceUID", "ReferencedSOPInstanceUID",
    "ReferencedFrameOfReferenceUID",
}  # fmt: skip
"""UIDs that a document takes over from what it is about, as they came; its own series' is not."""
_BY_REFERENCE = {"INFERRED FROM", "HAS PROPERTIES", "SELECTED FROM"}


def _check_identity(report: CheckedReport) -> Iterator[Fault]:
    ds = report.ds
    for keyword in _TYPE_1:
        if ds.get(keyword) in (None, ""):
            yield Fault("header", f"{keyword} has no value")
    for keyword in _TYPE_2:
        if keyword not in ds:
            yield Fault("header", f"{keyword} is not there")
    meta = getattr(ds, "file_meta", None) or {}
    for keyword, stored in (
        ("SOPClassUID", "MediaStorageSOPClassUID"),
        ("SOPInstanceUID", "MediaStorageSOPInstanceUID"),
    ):
        if meta.get(stored, ds.get(keyword)) != ds.get(keyword):
            yield Fault("header", f"{keyword} is not that of the file meta information")


def _check_flags(report: CheckedReport) -> Iterator[Fault]:
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
            yield Fault("header", f"{keyword} is not {words}")
    if ds.get("VerificationFlag") == "VERIFIED" and not ds.get("VerifyingObserverSequence"):
        yield Fault("header", "VerificationFlag is VERIFIED, and nobody is named who verified")
    templates = list_items(ds, "ContentTemplateSequence")
    keywords = ("MappingResource", "TemplateIdentifier")
    names = [tuple(read_text(item, keyword) for keyword in keywords) for item in templates]
    if names != [("DCMR", "4000")]:
        yield Fault("1", f"the template is {names}, not 4000 of DCMR")


def _check_uids(report: CheckedReport) -> Iterator[Fault]:
    own_series = report.ds.get_item("SeriesInstanceUID")
    for element in report.ds.iterall():
        if element.VR == "UI":
            values = [element.value] if element.VM <= 1 else list(element.value)
            is_own = element.keyword not in _UIDS_OF_OTHERS or element is own_series
            is_valid = is_standard_uid if is_own else is_uid
            for value in values:
                if not is_valid(str(value)):
                    yield Fault("header", f"{element.keyword} {value!r} is not a UID")


def _check_evidence(report: CheckedReport) -> Iterator[Fault]:
    library = {instance_key(entry) for entry in report.library.values()}
    current, other = report.current_evidence, report.other_evidence
    for _, uid in sorted(current.keys() - library):
        yield Fault("header", f"{uid} is current evidence and not in the library")
    for _, uid in sorted(library - current.keys() - other.keys()):
        yield Fault("header", f"{uid} is in the library and not evidence of this class")
    for _, uid in sorted(current.keys() & other.keys()):
        yield Fault("header", f"{uid} is both current and other evidence")
    if not current:
        yield Fault("header", "no current evidence")
    for study in set(current.values()) - {read_text(report.ds, "StudyInstanceUID")}:
        yield Fault("header", f"current evidence of another study, {study}")


def _check_library(report: CheckedReport) -> Iterator[Fault]:
    seen: dict[InstanceReference | None, str] = {}
    for entry in report.library.values():
        if entry.reference in seen:
            yield Fault(entry.path, f"the same image as {seen[entry.reference]}")
        seen.setdefault(entry.reference, entry.path)
        sizes = [entry.find_child(name) for name in (concepts.PIXEL_ROWS, concepts.PIXEL_COLUMNS)]
        if sizes.count(None) == 1:
            yield Fault(entry.path, "rows without columns, or columns without rows")


def _check_references(report: CheckedReport) -> Iterator[Fault]:
    for content in report.items.values():
        if content.target is None:
            continue
        if content.relation not in _BY_REFERENCE:
            yield Fault(content.path, f"{content.relation} is never by reference")
        target = report.items.get(content.target)
        if target is not None and target.value_type == "IMAGE":
            if target.position not in report.library:
                yield Fault(content.path, f"{target.path} is not an image of the library")
        elif content.position[: len(content.target)] == content.target:
            yield Fault(content.path, "refers to what it is part of")


def _check_texts(report: CheckedReport) -> Iterator[Fault]:
    if report.ds.get("SpecificCharacterSet"):
        return
    for content in report.items.values():
        if not read_text(content.item, "TextValue").isascii():
            yield Fault(content.path, "text beyond ASCII, and no Specific Character Set")


def _check_summary(report: CheckedReport) -> Iterator[Fault]:
    item = report.tree.root.find_child(concepts.PROCESSING_SUMMARY)
    summary = read_enum(item, ProcessingSummary)
    if item is None or summary is None:
        return
    has_findings = bool(report.findings or report.composites)
    if has_findings is not (summary in _WITH_FINDINGS):
        state = "there are findings" if has_findings else "there are none"
        yield Fault(item.path, f"says {summary.code.meaning!r}, and {state}")
    statuses = {
        read_enum(report.tree.root.find_child(concept), ResultStatus)
        for concept in (concepts.DETECTION_SUMMARY, concepts.ANALYSIS_SUMMARY)
    }
    attempted = {s for s in statuses if s is not None and s is not ResultStatus.NOT_ATTEMPTED}
    if not _sums_up(summary, attempted):
        words = ", ".join(sorted(s.code.meaning for s in attempted)) or "nothing attempted"
        message = f"says {summary.code.meaning!r}, with detections, analyses: {words}"
        yield Fault(item.path, message)


def _sums_up(summary: ProcessingSummary, attempted: AbstractSet[ResultStatus]) -> bool:
    """Whether a summary fits the statuses of detections and analyses."""
    if summary is ProcessingSummary.NONE:
        return attempted <= {ResultStatus.FAILED}
    if summary in _ALL:
        return attempted <= {ResultStatus.SUCCEEDED}
    return bool(attempted - {ResultStatus.SUCCEEDED}) and attempted != {ResultStatus.FAILED}


def _check_performed(report: CheckedReport) -> Iterator[Fault]:
    """TID 4000 rows 6 and 8: together they reference every image of the current evidence."""
    listed: set[InstanceKey] = set()
    for item in report.find_items(concepts.DETECTION_PERFORMED, concepts.ANALYSIS_PERFORMED):
        by_value = [child for child in item.children if child.value_type == "IMAGE"]
        listed |= {instance_key(image) for image in (*report.find_images(item), *by_value)}
    if any(item.children for item in report.find_items(concepts.DETECTION_SUMMARY)):
        for entry in report.library.values():
            key = instance_key(entry)
            if key in report.current_evidence and key not in listed:
                yield Fault(entry.path, "no detection and no analysis names this image")


def _check_algorithms(report: CheckedReport) -> Iterator[Fault]:
    """Within one container, two algorithms for one code have two names (TID 4017)."""
    for performed in report.find_items(concepts.SUCCESSFUL_DETECTIONS, concepts.FAILED_DETECTIONS):
        seen: set[tuple[str, str]] = set()
        for item in performed.find_children(concepts.DETECTION_PERFORMED):
            name = item.find_child(concepts.ALGORITHM_NAME)
            value = item.code
            if name is not None and value is not None:
                if (value.value, name.text) in seen:
                    yield Fault(item.path, "the same detection by the same algorithm again")
                seen.add((value.value, name.text))


DOCUMENT_RULES: tuple[Callable[[CheckedReport], Iterator[Fault]], ...] = (
    _check_identity, _check_flags, _check_uids, _check_evidence, _check_library,
    _check_references, _check_texts, _check_summary, _check_performed, _check_algorithms,
)  # fmt: skip
"""In the order in which their faults are reported."""
