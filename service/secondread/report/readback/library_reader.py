"""The Image Library of a CAD SR and the evidence that goes with it, read (TID 4020)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from pydicom.dataset import Dataset

from secondread.codes import Code, Laterality, View, ViewModifier
from secondread.findings.cad_report import CadImage
from secondread.geometry import SpacingMm
from secondread.report import concepts
from secondread.report.readback.attributes import read_text
from secondread.report.readback.content import (
    Content,
    InstanceReference,
    list_references,
    read_enum,
)

_MOST_PIXELS = 65_535
"""Of an image's rows or columns, which have the VR US."""


def read_evidence(ds: Dataset) -> dict[str, tuple[str, str]]:
    """Return study and series UID of all evidence, by SOP Instance UID."""
    return {
        uid: (read_text(study, "StudyInstanceUID"), read_text(series, "SeriesInstanceUID"))
        for keyword in (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
        )
        for study, series, instance in list_references(ds, keyword)
        if (uid := read_text(instance, "ReferencedSOPInstanceUID"))
    }


def read_library(root: Content, evidence: Mapping[str, tuple[str, str]]) -> Iterator[CadImage]:
    """Yield the entries of the Image Library; other items in it are passed over."""
    library = root.find_child(concepts.IMAGE_LIBRARY)
    for entry in library.children if library is not None else ():
        reference = entry.reference
        if entry.value_type == "IMAGE" and reference is not None:
            yield _read_entry(entry, reference, evidence.get(reference[1], ("", "")))


def _read_entry(
    entry: Content, reference: InstanceReference, evidence: tuple[str, str]
) -> CadImage:
    sop_class_uid, uid, frame = reference
    view = entry.find_child(concepts.IMAGE_VIEW)
    modifiers = view.find_children(concepts.IMAGE_VIEW_MODIFIER) if view is not None else ()
    study_date = entry.find_child(concepts.STUDY_DATE)
    return CadImage(
        sop_instance_uid=uid,
        sop_class_uid=sop_class_uid,
        study_uid=evidence[0],
        series_uid=evidence[1],
        laterality=read_enum(entry.find_child(concepts.IMAGE_LATERALITY), Laterality),
        view=read_enum(view, View),
        modifiers=frozenset(m for item in modifiers if (m := read_enum(item, ViewModifier))),
        orientation=_read_orientation(entry),
        study_date=parse_date(read_text(study_date.item, "Date")) if study_date else None,
        spacing=_read_spacing(entry),
        rows=_read_size(entry, concepts.PIXEL_ROWS),
        columns=_read_size(entry, concepts.PIXEL_COLUMNS),
        frame=frame,
    )


def _read_size(entry: Content, concept: Code) -> int:
    """Return a number of rows or columns; 0 where none is stated that an image can have."""
    number = entry.find_number(concept) or 0
    return round(number) if 0 < number <= _MOST_PIXELS else 0


def _read_orientation(entry: Content) -> tuple[str, str] | None:
    along_rows = entry.find_text(concepts.ORIENTATION_ROW)
    along_columns = entry.find_text(concepts.ORIENTATION_COLUMN)
    return (along_rows, along_columns) if along_rows and along_columns else None


def _read_spacing(entry: Content) -> SpacingMm | None:
    rows, columns = (
        item.millimeters if item is not None else None
        for item in map(entry.find_child, (concepts.VERTICAL_SPACING, concepts.HORIZONTAL_SPACING))
    )
    return SpacingMm(rows, columns) if rows and columns and min(rows, columns) > 0 else None


def parse_date(text: str) -> date | None:
    """Return a date in DICOM's form; None for any other text."""
    try:
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
