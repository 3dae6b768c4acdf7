"""Results of known readings as files: the documents that validators are given."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from secondread.findings.finding import LeftOutInstance, StudyReading
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.compose import compose_results
from secondread.report.encoding import encode_file
from secondread.report.result import Authorship, Occasion, ResultObject
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.followed import make_followed_study, make_mixed_study
from tests.unit.report.readings import (
    NODE,
    STUDY,
    UIDS,
    WRITTEN_AT,
    index_by_uid,
    make_cluster,
    make_grey_display,
    make_header,
    make_image_reading,
    make_refused_image,
    make_situations,
    make_study_reading,
)

DIALECTS = {
    "shown": ProfileSettings(objects=(ObjectKind.CAD_SR,)),
    "all findings": ProfileSettings(objects=(ObjectKind.CAD_SR,), findings="all"),
    "without calcifications, SRT": ProfileSettings(
        objects=(ObjectKind.CAD_SR,), individual_calcifications=False, snomed_codes="SRT"
    ),
}
"""What a CAD SR holds, in which codes."""

Situation = tuple[StudyReading, dict[str, Dataset]]
"""A reading, and the headers of its images by SOP Instance UID."""

SHOWN = ProfileSettings(objects=(ObjectKind.CAD_SR, ObjectKind.CAPTURE))
PROFILES = {
    "SCT": SHOWN,
    "SRT, all findings, MG": SHOWN.model_copy(
        update={"snomed_codes": "SRT", "findings": "all", "capture_modality": "MG"}
    ),
}


def written(
    folder: Path,
    reading: StudyReading,
    sources: dict[str, Dataset],
    profile: ProfileSettings = SHOWN,
    *,
    later: bool = False,
) -> Iterator[tuple[ResultObject, Path]]:
    occasion = Occasion(WRITTEN_AT, (STUDY, "1.2.3.5", "1.2.3.6") if later else None)
    for result in compose_results(
        reading, sources, make_grey_display, Authorship(NODE, UIDS, occasion, profile)
    ):
        path = folder / f"{result.kind}-{result.index}.dcm"
        path.write_bytes(encode_file(result.dataset))
        yield result, path


SOURCES: dict[str, dict[str, object]] = {
    "MONOCHROME1": {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    "8 bits": {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7},
    "For Processing": {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1",
        "PresentationIntentType": "FOR PROCESSING",
    },
    "with a time zone": {"TimezoneOffsetFromUTC": "+0900", "InstitutionName": "Clinic"},
    "lossy": {"LossyImageCompression": "01", "LossyImageCompressionRatio": "10"},
    "no spacing": {"ImagerPixelSpacing": None, "PatientOrientation": "", "ContentTime": ""},
    "no identity": {"PatientID": "", "PatientName": "", "StudyDate": "", "StudyTime": ""},
    "UTF-8": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Wang^XiaoDong=王^小东"},
    "Japanese": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": "Yamada^Tarou=山田^太郎",
    },
    "Greek": {"SpecificCharacterSet": "ISO_IR 126", "PatientName": "Διονυσιος^Α"},
}


def about(attributes: Mapping[str, object]) -> Situation:
    """Return a partial reading of two images whose headers have these attributes."""
    ds = make_header("LCC", **attributes)
    other = make_header("LMLO", **attributes)
    reading = make_study_reading(
        Outcome.PARTIAL,
        make_image_reading(
            ds, make_cluster(), status=ImageStatus.FLAGGED, reasons=(Reason.EIGHT_BITS,)
        ),
        make_refused_image(other),
        reasons=(Reason.SOME_IMAGES_REFUSED,),
    )
    return reading, index_by_uid(ds, other)


NOT_ELIGIBLE_AS_FAILED = SHOWN.model_copy(update={"not_eligible_as_failed_sr": True})


def not_eligible() -> Situation:
    """Return a study with nothing but tomosynthesis."""
    ds = make_header("LCC", SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3", NumberOfFrames=40)
    reading = replace(
        make_study_reading(Outcome.NOT_ELIGIBLE, reasons=(Reason.NOTHING_IN_SCOPE,)),
        left_out=(LeftOutInstance(str(ds.SOPInstanceUID), "LCC", Reason.TOMOSYNTHESIS),),
    )
    return reading, index_by_uid(ds)


def cad_srs(folder: Path, names: Container[str] | None = None) -> dict[str, Path]:
    """Write the CAD SRs that the situations, profiles and kinds of image lead to.

    Parameters
    ----------
    folder
        Where they are written.
    names
        Which of them; all where it is None.

    Returns
    -------
    dict
        Files by a name that says what each is.
    """
    made: dict[str, Path] = {}

    def add(name: str, at: Situation, profile: ProfileSettings, *, later: bool = False) -> None:
        if names is not None and name not in names:
            return
        place = folder / str(len(made))
        place.mkdir(parents=True)
        results = written(place, *at, profile, later=later)
        made[name] = next(path for result, path in results if result.kind is ObjectKind.CAD_SR)

    for name, situation in make_situations().items():
        for profile_name, profile in PROFILES.items():
            add(f"{name}, {profile_name}", situation, profile)
        add(f"{name}, a later revision", situation, SHOWN, later=True)
    for name, attributes in SOURCES.items():
        add(f"images: {name}", about(attributes), SHOWN)
    add("not eligible, as failed", not_eligible(), NOT_ELIGIBLE_AS_FAILED)
    for name, situation in (
        ("followed up", make_followed_study()),
        ("of every kind", make_mixed_study()),
    ):
        for profile_name, profile in DIALECTS.items():
            add(f"{name}, {profile_name}", situation, profile)
    return made
