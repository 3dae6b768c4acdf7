"""What the tracker records of an instance's header, as values."""

from dataclasses import dataclass
from datetime import date

from pydicom.dataset import Dataset

from secondread.accept.dispositions import IMAGE_DISPOSITIONS, Disposition
from secondread.assemble.header_person import read_person
from secondread.assemble.mammogram import Mammogram
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import UNKNOWN_PERSON, Person
from secondread.assemble.scope import find_exclusion_reason
from secondread.errors import HeaderError
from secondread.reasons import Reason
from secondread.track.values import RejectionNote

_LONGEST_ACCESSION = 64
"""Characters that are kept; the standard allows 16 (SH)."""


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """The columns that come from the header."""

    patient: PatientKey | None
    """None where the header has no Patient ID: nobody is taken for anybody else then."""
    person: Person
    study_date: date | None
    modality: str
    laterality: str | None
    view: str | None
    intent: str | None
    scope_reason: Reason | None
    accession_number: str = ""
    """Of the order; empty where the header has none."""
    device: str = ""
    """Maker, model and station of the unit that made an image; empty for what is no image."""


def read_header_facts(header: Dataset, disposition: Disposition) -> HeaderFacts:
    """Return what is recorded of a header; one that makes no sense is recorded with that reason."""
    if disposition is Disposition.NOT_ANALYSED:
        # A worksheet under a wrong name must not cost the images theirs.
        return HeaderFacts(None, UNKNOWN_PERSON, None, "", None, None, None, None)
    patient = _read_patient_key(header)
    try:
        mammogram = Mammogram.from_dataset(header)
    except HeaderError:
        person = read_person(header, None)
        return HeaderFacts(
            *(patient, person, None, "", None, None, None, Reason.HEADER_INVALID),
            accession_number=_clean_text(header.get("AccessionNumber"), _LONGEST_ACCESSION),
        )
    is_image = disposition in IMAGE_DISPOSITIONS
    return HeaderFacts(
        patient=patient,
        person=mammogram.person,
        study_date=mammogram.study_date,
        modality=_clean_text(mammogram.modality, 16),
        laterality=mammogram.laterality.letter if mammogram.laterality else None,
        view=mammogram.view.name if mammogram.view else None,
        intent=mammogram.intent.value if mammogram.intent else None,
        scope_reason=find_exclusion_reason(mammogram) if is_image else None,
        accession_number=_clean_text(header.get("AccessionNumber"), _LONGEST_ACCESSION),
        device=_describe_device(header) if is_image else "",
    )


def read_rejection_note(header: Dataset) -> RejectionNote:
    """Return what a rejection note withdraws.

    The instances are listed in the Current Requested Procedure Evidence Sequence (0040,A375), as
    the Key Object Document module requires (PS3.3 C.17.6.2).
    """
    titles = header.get("ConceptNameCodeSequence") or ()
    code = next((str(title.get("CodeValue", "")) for title in titles), "")
    uids = [
        str(item.get("ReferencedSOPInstanceUID", ""))
        for study in header.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.get("ReferencedSeriesSequence") or ()
        for item in series.get("ReferencedSOPSequence") or ()
    ]
    return RejectionNote(_clean_text(code, 16), tuple(dict.fromkeys(uid for uid in uids if uid)))


def _read_patient_key(header: Dataset) -> PatientKey | None:
    patient_id = _clean_text(header.get("PatientID"), 256)
    return (
        PatientKey(patient_id, _clean_text(header.get("IssuerOfPatientID"), 256))
        if patient_id
        else None
    )


def _describe_device(header: Dataset) -> str:
    names = ("Manufacturer", "ManufacturerModelName", "StationName")
    return " ".join(filter(None, (_clean_text(header.get(name), 64) for name in names)))


def _clean_text(value: object, length: int) -> str:
    # PostgreSQL cannot hold U+0000, and a peer may send anything.
    return str(value or "").replace("\0", "").strip()[:length]
