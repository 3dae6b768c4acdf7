"""A CAD SR against the headers of the images that it is about: identity, library, evidence."""

from collections.abc import Iterator, Mapping
from math import isclose

from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.codes import Code
from secondread.errors import HeaderError
from secondread.findings.finding import ImageReading, StudyReading
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport
from secondread.report.check.fault import ReportFault
from secondread.report.check.item_values import is_moment
from secondread.report.readback.content import Content

_COPIED = ("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "PatientName", "AccessionNumber")


def check_header(
    report: CheckedReport, reading: StudyReading, sources: Mapping[str, Dataset]
) -> Iterator[ReportFault]:
    """Yield where the document's header is not that of its images."""
    ds = report.ds
    if ds.get("StudyInstanceUID") != reading.study_uid:
        yield ReportFault("header", "StudyInstanceUID is not that of the study that was read")
    uids = [image.mammogram.sop_instance_uid for image in reading.images]
    source = sources.get(uids[0]) if uids else None
    for keyword in _COPIED if source is not None else ():
        if str(ds.get(keyword, "") or "") != str((source or ds).get(keyword, "") or ""):
            yield ReportFault("header", f"{keyword} is not that of the images")
    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        own = ds.get(keyword)
        if any(own == header.get(keyword) for header in sources.values()):
            yield ReportFault("header", f"{keyword} is one of the images'")


def check_library(
    report: CheckedReport, reading: StudyReading, sources: Mapping[str, Dataset]
) -> Iterator[ReportFault]:
    """Yield where the library does not hold what was read, or not as its headers say."""
    wanted = [image.mammogram.sop_instance_uid for image in reading.images]
    held = [entry.reference[1] for entry in report.library.values() if entry.reference]
    for uid in wanted:
        if uid not in held:
            yield ReportFault("1.2", f"{uid} was read and is not in the library")
    known = {*wanted, *(image.mammogram.sop_instance_uid for image in list_prior_images(reading))}
    for uid in held:
        if uid not in known:
            yield ReportFault("1.2", f"{uid} was not read and is in the library")
    for entry in report.library.values():
        header = sources.get(entry.reference[1]) if entry.reference else None
        if header is not None:
            yield from _entry(report, entry, header)


def list_prior_images(reading: StudyReading) -> Iterator[ImageReading]:
    """Yield the images of the priors."""
    for earlier in reading.prior_readings:
        yield from earlier.images


def _entry(report: CheckedReport, entry: Content, header: Dataset) -> Iterator[ReportFault]:
    """Yield where a library entry, or its evidence, is not as the image's header says."""
    try:
        mammogram = Mammogram.from_dataset(header)
    except HeaderError as error:
        yield ReportFault(entry.path, f"the image's header: {error}")
        return
    if entry.reference and entry.reference[0] != mammogram.sop_class_uid:
        yield ReportFault(entry.path, "not the SOP class of the image")
    if report.find_study(entry) not in {"", mammogram.study_uid}:
        yield ReportFault(entry.path, "evidence under another study than the image's")
    yield from _context(entry, mammogram, header)


def _context(entry: Content, mammogram: Mammogram, header: Dataset) -> Iterator[ReportFault]:
    for concept, value in _as_coded(mammogram):
        if not has_code(entry.find_child(concept), value):
            yield ReportFault(entry.path, f"{concept.meaning} is not that of the image")
    for concept, number in _as_numbers(mammogram):
        found = entry.find_child(concept)
        if not _is_number(found, number):
            yield ReportFault(entry.path, f"{concept.meaning} is not {number} as in the image")
    for concept, text in _as_texts(mammogram, header):
        found = entry.find_child(concept)
        if (_told(found) if found is not None else "") != text:
            yield ReportFault(entry.path, f"{concept.meaning} is not {text!r} as in the image")


def _is_number(content: Content | None, wanted: float | None) -> bool:
    found = content.number if content is not None else None
    if found is None or wanted is None:
        return found is None and wanted is None
    return isclose(found, wanted, rel_tol=1e-6)


def _as_coded(mammogram: Mammogram) -> Iterator[tuple[Code, Code | None]]:
    side, view = mammogram.laterality, mammogram.view
    yield concepts.IMAGE_LATERALITY, side.code if side is not None else None
    yield concepts.IMAGE_VIEW, view.code if view is not None else None


def _as_numbers(mammogram: Mammogram) -> Iterator[tuple[Code, float | None]]:
    spacing = mammogram.spacing if mammogram.is_spacing_at_detector else None
    micrometers = (
        (spacing.between_columns * 1000, spacing.between_rows * 1000) if spacing else (None, None)
    )
    yield concepts.HORIZONTAL_SPACING, micrometers[0]
    yield concepts.VERTICAL_SPACING, micrometers[1]
    yield concepts.PIXEL_ROWS, float(mammogram.rows)
    yield concepts.PIXEL_COLUMNS, float(mammogram.columns)


def _as_texts(mammogram: Mammogram, header: Dataset) -> Iterator[tuple[Code, str]]:
    along_rows, along_columns = mammogram.orientation or ("", "")
    yield concepts.ORIENTATION_ROW, along_rows
    yield concepts.ORIENTATION_COLUMN, along_columns
    for keyword, concept in (
        ("StudyDate", concepts.STUDY_DATE),
        ("StudyTime", concepts.STUDY_TIME),
        ("ContentDate", concepts.CONTENT_DATE),
        ("ContentTime", concepts.CONTENT_TIME),
    ):
        text = str(header.get(keyword, None) or "").strip().replace(":", "")
        text = text.replace(".", "") if keyword.endswith("Date") else text
        # What is no date or time is left out.
        yield concept, text if is_moment(text, date=keyword.endswith("Date")) else ""


def _told(content: Content) -> str:
    for keyword in ("TextValue", "Date", "Time"):
        if keyword in content.item:
            return str(content.item[keyword].value)
    return ""


def has_code(content: Content | None, wanted: Code | None) -> bool:
    """Whether an item has a code as its value; without one wanted, whether there is none."""
    found = content.code if content is not None else None
    if found is None or wanted is None:
        return found is None and wanted is None
    return wanted.matches(found.value, found.scheme)
