"""The Image Library of a CAD SR and the evidence that goes with it, read (TID 4020)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from pydicom.dataset import Dataset

from secondread.codes import Code, Laterality, View, ViewModifier
from secondread.findings.cad_report import CadImage
from secondread.geometry import SpacingMm
from secondread.report import concepts
from secondread.report.readback.content import Content, InstanceReference, read_enum

_TO_MM = {"mm": 1.0, "cm": 10.0, "um": 0.001}


def read_evidence(ds: Dataset) -> dict[str, tuple[str, str]]:
    """Return study and series of all evidence, by SOP Instance UID."""
    return {
        str(one.ReferencedSOPInstanceUID): (
            str(study.StudyInstanceUID),
            str(series.get("SeriesInstanceUID", "")),
        )
        for keyword in (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
        )
        for study in ds.get(keyword, None) or ()
        for series in study.get("ReferencedSeriesSequence", None) or ()
        for one in series.get("ReferencedSOPSequence", None) or ()
    }


def read_library(root: Content, evidence: Mapping[str, tuple[str, str]]) -> Iterator[CadImage]:
    """Yield the entries of the Image Library; another item in it is passed over."""
    library = root.find_child(concepts.IMAGE_LIBRARY)
    for entry in library.children if library is not None else ():
        instance = entry.reference
        if entry.value_type == "IMAGE" and instance is not None:
            yield _image(entry, instance, evidence.get(instance[1], ("", "")))


def _image(entry: Content, instance: InstanceReference, where: tuple[str, str]) -> CadImage:
    of_class, uid, frame = instance
    view = entry.find_child(concepts.IMAGE_VIEW)
    modifiers = view.find_children(concepts.IMAGE_VIEW_MODIFIER) if view is not None else ()
    known = {ViewModifier.from_code(c.value, c.scheme) for m in modifiers if (c := m.code)}
    rows, columns = (
        _number(entry, concept) for concept in (concepts.PIXEL_ROWS, concepts.PIXEL_COLUMNS)
    )
    return CadImage(
        sop_instance_uid=uid,
        sop_class_uid=of_class,
        study_uid=where[0],
        series_uid=where[1],
        laterality=read_enum(entry.find_child(concepts.IMAGE_LATERALITY), Laterality),
        view=read_enum(view, View),
        modifiers=frozenset(one for one in known if one is not None),
        orientation=_orientation(entry),
        study_date=_entry_date(entry),
        spacing=_spacing(entry),
        rows=round(rows or 0),
        columns=round(columns or 0),
        frame=frame,
    )


def _orientation(entry: Content) -> tuple[str, str] | None:
    row, column = (
        entry.find_child(concepts.ORIENTATION_ROW),
        entry.find_child(concepts.ORIENTATION_COLUMN),
    )
    return (row.text, column.text) if row and column and row.text and column.text else None


def _entry_date(entry: Content) -> date | None:
    found = entry.find_child(concepts.STUDY_DATE)
    return None if found is None else parse_date(str(found.item.get("Date", "") or ""))


def _spacing(entry: Content) -> SpacingMm | None:
    values = []
    for concept in (concepts.VERTICAL_SPACING, concepts.HORIZONTAL_SPACING):
        found = entry.find_child(concept)
        if found is None or not found.number or found.unit not in _TO_MM:
            return None
        values.append(found.number * _TO_MM[found.unit])
    return SpacingMm(*values) if min(values) > 0 else None


def _number(entry: Content, concept: Code) -> float | None:
    found = entry.find_child(concept)
    return None if found is None else found.number


def parse_date(text: str) -> date | None:
    """Return a date in DICOM's form; None where it is none."""
    try:
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
