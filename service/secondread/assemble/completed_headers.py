"""Headers of one study, each with what its study's other images say, and cut to what is needed."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import date
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from secondread.assemble.identity import has_several_patients
from secondread.assemble.mammogram import Mammogram
from secondread.reasons import Reason

NEEDED_TO_FILE: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "StudyDate",
    "Modality", "PatientID", "IssuerOfPatientID", "Rows", "Columns",
)  # fmt: skip
"""What a PACS needs to file a result about an image, and a report to name the image."""

NEEDED_TO_IDENTIFY: Final = (
    "SpecificCharacterSet", *NEEDED_TO_FILE, "StudyTime", "StudyID", "AccessionNumber",
    "PatientName", "PatientBirthDate", "PatientSex",
)  # fmt: skip
"""The same, and what people know patient and study by."""

_FROM_OTHERS = {
    ("PatientID", "IssuerOfPatientID"): Reason.PATIENT_ID_FROM_OTHERS,
    ("StudyDate",): Reason.STUDY_DATE_FROM_OTHERS,
}
"""What an image may have from the others of its study, and how that is told."""


def complete_headers(
    headers: Mapping[str, Dataset], mammograms: Sequence[Mammogram]
) -> tuple[dict[str, Dataset], list[Mammogram], tuple[Reason, ...]]:
    """Give the images of a study the Patient ID and the study date that its other images have.

    Nothing is taken over where images name two patients, or the others state two dates.

    Parameters
    ----------
    headers
        Of the study's images, by SOP Instance UID; they stay as they are.
    mammograms
        The same, typed.

    Returns
    -------
    tuple
        Headers and images with what they lacked, and the reasons that tell of it.
    """
    completed, images = dict(headers), list(mammograms)
    if has_several_patients(images):
        return completed, images, ()
    reasons = []
    for keywords, reason in _FROM_OTHERS.items():
        stated = [image for image in images if _read_fact(image, reason)]
        lacking = [image for image in images if not _read_fact(image, reason)]
        if lacking and len({_read_fact(image, reason) for image in stated}) == 1:
            source = max(stated, key=lambda image: bool(image.patient.issuer))
            values = headers[source.sop_instance_uid]
            for image in lacking:
                uid = image.sop_instance_uid
                completed[uid] = _take_over(completed[uid], values, keywords)
                images[images.index(image)] = Mammogram.from_dataset(completed[uid])
            reasons.append(reason)
    return completed, images, tuple(reasons)


def _read_fact(mammogram: Mammogram, reason: Reason) -> date | str | None:
    """Return what a reason of `_FROM_OTHERS` is about; false where the image does not have it."""
    if reason is Reason.STUDY_DATE_FROM_OTHERS:
        return mammogram.study_date
    return mammogram.patient.patient_id


def _take_over(header: Dataset, source: Dataset, keywords: Iterable[str]) -> Dataset:
    completed = Dataset()
    completed.update(header)
    completed.file_meta = header.file_meta
    is_same_text = header.get("SpecificCharacterSet") == source.get("SpecificCharacterSet")
    for keyword in keywords:
        if keyword in source:
            element = source[keyword]
            # The bytes of text mean something in their own character set only.
            completed[keyword] = (
                deepcopy(element)
                if is_same_text
                else DataElement(element.tag, element.VR, element.value)
            )
    return completed


def keep_attributes(header: Dataset, keywords: Iterable[str]) -> Dataset:
    """Return a header with these attributes alone, and its file meta information."""
    kept = Dataset()
    for keyword in keywords:
        if keyword in header:
            kept[keyword] = header[keyword]
    kept.file_meta = header.file_meta
    return kept
