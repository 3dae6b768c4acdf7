"""A CAD SR against the headers of the images that it is about: identity, library, evidence."""

from collections.abc import Iterator, Mapping
from math import isclose

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from secondread.assemble.mammogram import Mammogram
from secondread.codes import Code
from secondread.element_values import TextElement
from secondread.errors import HeaderError
from secondread.findings.finding import ImageReading, StudyReading
from secondread.report import concepts
from secondread.report.check.checked_report import CheckedReport, Fault, instance_key
from secondread.report.check.item_values import is_date, is_time
from secondread.report.readback.content import Content

_COPIED = ("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "PatientName", "AccessionNumber")


def check_header(
    report: CheckedReport, reading: StudyReading, sources: Mapping[str, Dataset]
) -> Iterator[Fault]:
    """Yield how the document's header differs from its images' headers."""
    ds = report.ds
    if ds.get("StudyInstanceUID") != reading.study_uid:
        yield Fault("header", "StudyInstanceUID is not that of the study that was read")
    uids = [image.mammogram.sop_instance_uid for image in reading.images]
    source = sources.get(uids[0]) if uids else None
    if source is not None:
        for keyword in _COPIED:
            if not _is_copied(ds.get(Tag(keyword)), source.get(Tag(keyword))):
                yield Fault("header", f"{keyword} is not that of the images")
    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        own = ds.get(keyword)
        if any(own == header.get(keyword) for header in sources.values()):
            yield Fault("header", f"{keyword} is one of the images'")


def _is_copied(element: DataElement | None, source: DataElement | None) -> bool:
    """Whether an element has the bytes of an image's, or the value where it came from no file."""
    if element is not None and isinstance(element.value, bytes):
        return isinstance(source, TextElement) and element.value == source.stored
    values = ["" if copy is None else str(copy.value or "") for copy in (element, source)]
    return values[0] == values[1]


def check_library(
    report: CheckedReport, reading: StudyReading, sources: Mapping[str, Dataset]
) -> Iterator[Fault]:
    """Yield where the library lacks what was read, or differs from the headers."""
    entries = [(instance_key(entry)[1], entry) for entry in report.library.values()]
    listed = [uid for uid, _ in entries]
    read = [image.mammogram.sop_instance_uid for image in reading.images]
    for uid in read:
        if uid not in listed:
            yield Fault("1.2", f"{uid} was read and is not in the library")
    expected = {*read, *(image.mammogram.sop_instance_uid for image in list_prior_images(reading))}
    for uid in listed:
        if uid not in expected:
            yield Fault("1.2", f"{uid} was not read and is in the library")
    for uid, entry in entries:
        header = sources.get(uid)
        if header is not None:
            yield from _check_entry(report, entry, header)


def list_prior_images(reading: StudyReading) -> Iterator[ImageReading]:
    """Yield the images of the priors."""
    for prior in reading.prior_readings:
        yield from prior.images


def _check_entry(report: CheckedReport, entry: Content, header: Dataset) -> Iterator[Fault]:
    """Yield how a library entry, or its evidence, differs from the image's header."""
    try:
        mammogram = Mammogram.from_dataset(header)
    except HeaderError as error:
        yield Fault(entry.path, f"the image's header: {error}")
        return
    if instance_key(entry)[0] != mammogram.sop_class_uid:
        yield Fault(entry.path, "not the SOP class of the image")
    if report.find_study(entry) not in {"", mammogram.study_uid}:
        yield Fault(entry.path, "evidence under another study than the image's")
    yield from _check_context(entry, mammogram, header)


def _check_context(entry: Content, mammogram: Mammogram, header: Dataset) -> Iterator[Fault]:
    """Yield how the acquisition context of a library entry differs from the image's."""
    for concept, code in _list_codes(mammogram):
        if not has_code(entry.find_child(concept), code):
            yield Fault(entry.path, f"{concept.meaning} is not that of the image")
    for concept, number in _list_numbers(mammogram):
        if not _is_same(entry.find_number(concept), number):
            yield Fault(entry.path, f"{concept.meaning} is not {number} as in the image")
    for concept, text in _list_texts(mammogram, header):
        if _read_text(entry.find_child(concept)) != text:
            yield Fault(entry.path, f"{concept.meaning} is not {text!r} as in the image")


def _is_same(number: float | None, expected: float | None) -> bool:
    if number is None or expected is None:
        return number is expected
    return isclose(number, expected, rel_tol=1e-6)


def _list_codes(mammogram: Mammogram) -> Iterator[tuple[Code, Code | None]]:
    side, view = mammogram.laterality, mammogram.view
    yield concepts.IMAGE_LATERALITY, side.code if side is not None else None
    yield concepts.IMAGE_VIEW, view.code if view is not None else None


def _list_numbers(mammogram: Mammogram) -> Iterator[tuple[Code, float | None]]:
    spacing = mammogram.spacing if mammogram.is_spacing_at_detector else None
    # In micrometers, as the template has it.
    yield concepts.HORIZONTAL_SPACING, spacing.between_columns * 1000 if spacing else None
    yield concepts.VERTICAL_SPACING, spacing.between_rows * 1000 if spacing else None
    has_size = mammogram.rows > 0 and mammogram.columns > 0
    yield concepts.PIXEL_ROWS, float(mammogram.rows) if has_size else None
    yield concepts.PIXEL_COLUMNS, float(mammogram.columns) if has_size else None


def _list_texts(mammogram: Mammogram, header: Dataset) -> Iterator[tuple[Code, str]]:
    along_rows, along_columns = mammogram.orientation or ("", "")
    yield concepts.ORIENTATION_ROW, along_rows
    yield concepts.ORIENTATION_COLUMN, along_columns
    # What is not a date or a time is left out; dots and colons are of ACR-NEMA's forms.
    for keyword, concept in (
        ("StudyDate", concepts.STUDY_DATE),
        ("ContentDate", concepts.CONTENT_DATE),
    ):
        date = _read_header(header, keyword).replace(":", "").replace(".", "")
        yield concept, date if is_date(date) else ""
    for keyword, concept in (
        ("StudyTime", concepts.STUDY_TIME),
        ("ContentTime", concepts.CONTENT_TIME),
    ):
        time = _read_header(header, keyword).replace(":", "")
        yield concept, time if is_time(time) else ""


def _read_header(header: Dataset, keyword: str) -> str:
    return str(header.get(keyword, None) or "").strip()


def _read_text(content: Content | None) -> str:
    """Return the value of a TEXT, DATE or TIME item; empty without one."""
    for keyword in ("TextValue", "Date", "Time"):
        if content is not None and keyword in content.item:
            return str(content.item[keyword].value)
    return ""


def has_code(content: Content | None, expected: Code | None) -> bool:
    """Whether an item has the expected code as its value, or no code where none is expected."""
    code = content.code if content is not None else None
    if code is None or expected is None:
        return code is expected
    return expected.matches(code.value, code.scheme)
