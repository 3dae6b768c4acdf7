"""The Image Library of a CAD SR (TID 4020) and the evidence that goes with it."""

import re
from collections.abc import Iterable, Mapping

from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.codes import ViewModifier
from secondread.errors import HeaderError, ReportError
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.tree import Relation, TreeItem

_A_DATE = re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_A_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_DATES = (
    ("StudyDate", concepts.STUDY_DATE),
    ("StudyTime", concepts.STUDY_TIME),
    ("ContentDate", concepts.CONTENT_DATE),
    ("ContentTime", concepts.CONTENT_TIME),
)


def build_library_entry(mammogram: Mammogram, source: Dataset) -> TreeItem:
    """Return the IMAGE item of one image with its acquisition context, in TID 4020's order."""
    entry = tree.image(mammogram.sop_class_uid, mammogram.sop_instance_uid)
    context = (
        *_write_view(mammogram),
        *_write_orientation(mammogram),
        *_write_dates(source),
        *_write_spacing(mammogram),
        *_write_size(mammogram),
    )
    entry.add_all(Relation.HAS_ACQ_CONTEXT, context)
    return entry


def _write_view(mammogram: Mammogram) -> Iterable[TreeItem]:
    if mammogram.laterality is not None:
        yield tree.code(concepts.IMAGE_LATERALITY, mammogram.laterality.code)
    if mammogram.view is not None:
        view = tree.code(concepts.IMAGE_VIEW, mammogram.view.code)
        for modifier in ViewModifier:
            if modifier in mammogram.view_modifiers:
                item = tree.code(concepts.IMAGE_VIEW_MODIFIER, modifier.code)
                view.add(Relation.HAS_CONCEPT_MOD, item)
        yield view


def _write_orientation(mammogram: Mammogram) -> Iterable[TreeItem]:
    if mammogram.orientation is not None:
        along_rows, along_columns = mammogram.orientation
        yield tree.text(concepts.ORIENTATION_ROW, along_rows)
        yield tree.text(concepts.ORIENTATION_COLUMN, along_columns)


def _write_dates(source: Dataset) -> Iterable[TreeItem]:
    for keyword, concept in _DATES:
        is_date = keyword.endswith("Date")
        # Dots and colons are from the age of ACR-NEMA (PS3.5 6.2). A value that is neither date nor
        # time otherwise has no place in an item that must hold one.
        value = str(source.get(keyword, None) or "").strip().replace(":", "")
        value = value.replace(".", "") if is_date else value
        if (_A_DATE if is_date else _A_TIME).fullmatch(value):
            yield (tree.date if is_date else tree.time)(concept, value)


def _write_spacing(mammogram: Mammogram) -> Iterable[TreeItem]:
    # Imager Pixel Spacing only: TID 4020 rows 11 and 12 have no other.
    spacing = mammogram.spacing
    if spacing is not None and mammogram.is_spacing_at_detector:
        for concept, millimeters in (
            (concepts.HORIZONTAL_SPACING, spacing.between_columns),
            (concepts.VERTICAL_SPACING, spacing.between_rows),
        ):
            yield tree.number(concept, millimeters * 1000, concepts.MICROMETER)


def _write_size(mammogram: Mammogram) -> Iterable[TreeItem]:
    """Yield rows and columns (TID 4020 rows 27 and 28): both, of an image that has pixels."""
    if min(mammogram.rows, mammogram.columns) > 0:
        yield tree.number(concepts.PIXEL_ROWS, mammogram.rows, concepts.PIXELS)
        yield tree.number(concepts.PIXEL_COLUMNS, mammogram.columns, concepts.PIXELS)


def build_evidence(mammograms: Iterable[Mammogram]) -> list[Dataset]:
    """Return the items of an evidence sequence: study, series, instance (PS3.3 C.17-3)."""
    studies: dict[str, dict[str, list[Dataset]]] = {}
    for mammogram in mammograms:
        reference = tree.encode_reference(mammogram.sop_class_uid, mammogram.sop_instance_uid)
        series = studies.setdefault(mammogram.study_uid, {})
        series.setdefault(mammogram.series_uid, []).append(reference)
    return [build_study_reference(study_uid, series) for study_uid, series in studies.items()]


def build_study_reference(study_uid: str, series: Mapping[str, list[Dataset]]) -> Dataset:
    """Return the item that references instances of a study, by series."""
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = []
    for series_uid, references in series.items():
        item = Dataset()
        item.SeriesInstanceUID = series_uid
        item.ReferencedSOPSequence = references
        study.ReferencedSeriesSequence.append(item)
    return study


def find_source(mammogram: Mammogram, sources: Mapping[str, Dataset]) -> Dataset:
    """Return the header of an image.

    Raises
    ------
    ReportError
        It is not among the sources.
    """
    try:
        return sources[mammogram.sop_instance_uid]
    except KeyError as error:
        raise ReportError(f"no header for image {mammogram.sop_instance_uid}") from error


def find_mammogram(sop_instance_uid: str, sources: Mapping[str, Dataset]) -> Mammogram | None:
    """Return an instance as its header describes it; None without a header, or with a bad one."""
    source = sources.get(sop_instance_uid)
    try:
        return None if source is None else Mammogram.from_dataset(source)
    except HeaderError:
        return None
