"""The header that all results share: patient and study of the images, node, series, dates."""

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from typing import NamedTuple

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    MammographyCADSRStorage,
    SecondaryCaptureImageStorage,
)

from secondread import __version__
from secondread.assemble.header_dates import read_zone
from secondread.report.result import Authorship, NodeIdentity
from secondread.report.sr.copied_text import copy_as_it_came, drop_character_set_without_ascii
from secondread.report.sr.uids import derive_uid
from secondread.report.sr.wording import to_ascii
from secondread.settings import ObjectKind

IMPLEMENTATION_CLASS_UID = derive_uid("secondread", "implementation class")
"""Names this software in file meta information (0002,0012)."""

IMPLEMENTATION_VERSION_NAME = f"SREAD_{__version__}"[:16]
"""Implementation Version Name (0002,0013), 16 characters at most."""

# Attributes of the Patient, Patient Study and General Study modules (PS3.3 C.7.1.1, C.7.2.1,
# C.7.2.2) that images carry. All results of a study repeat them as they are: a study whose
# instances disagree about them is split or rejected by some archives.
COPIED_ATTRIBUTES = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDsSequence",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "EthnicGroup",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "ConsultingPhysicianName",
    "ProcedureCodeSequence",
)

TYPE_2_ATTRIBUTES = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Attributes of patient and study that have to be there, if only without a value."""


class ResultSeries(NamedTuple):
    """The series of one kind of result: each kind has its own, apart from the images."""

    number: int
    """Within the ten Series Numbers of a revision."""
    sop_class: UID
    description: str
    """In Series Description between the profile's beginning and the revision; 64 characters."""


RESULT_SERIES = {
    ObjectKind.CAD_SR: ResultSeries(1, MammographyCADSRStorage, "calcification CAD (research use)"),
    ObjectKind.CAPTURE: ResultSeries(
        2, SecondaryCaptureImageStorage, "captures (not for diagnosis)"
    ),
    ObjectKind.TID1500: ResultSeries(3, ComprehensiveSRStorage, "measurements (research use)"),
    ObjectKind.PRESENTATION: ResultSeries(
        4, GrayscaleSoftcopyPresentationStateStorage, "marks (not for diagnosis)"
    ),
}


RESULT_SYNTAX = ExplicitVRLittleEndian
"""The transfer syntax of results as they are stored."""


def build_header(source: Dataset, authorship: Authorship, kind: ObjectKind, about: str) -> Dataset:
    """Return the modules of a result about patient, study, series, equipment and instance.

    Parameters
    ----------
    source
        Header of an image of the study. Patient and study attributes are copied with its
        Specific Character Set and their bytes, also where these two disagree.
    authorship
        Who writes.
    kind
        Which series: each kind has its own, apart from the images.
    about
        What the result is about, for its UID: an image's UID, or a word.
    """
    copy = copy_as_it_came if authorship.profile.character_set == "source" else deepcopy
    ds = Dataset()
    for keyword in COPIED_ATTRIBUTES:
        if keyword in source:
            ds[keyword] = copy(source[keyword])
    drop_character_set_without_ascii(ds)
    if authorship.profile.character_set != "source":
        _decode_names(ds)
        ds.SpecificCharacterSet = authorship.profile.character_set
    for keyword in TYPE_2_ATTRIBUTES:
        if keyword not in ds:
            setattr(ds, keyword, None)
    uids, profile, series = authorship.uids, authorship.profile, RESULT_SERIES[kind]
    ds.SOPClassUID = series.sop_class
    ds.SOPInstanceUID = uids.derive_instance_uid(kind.value, about)
    ds.file_meta = build_file_meta(ds.SOPClassUID, ds.SOPInstanceUID)
    ds.SeriesInstanceUID = uids.derive_series_uid(kind.value)
    # A ten for each revision, so that series sort in the order in which they were made.
    ds.SeriesNumber = profile.series_number + 10 * uids.revision + series.number
    words = f"{profile.series_description}: {series.description}"
    ds.SeriesDescription = f"{words}, rev {uids.revision}"
    _add_equipment(ds, authorship.node, source, copy)
    written_at = to_local_time(authorship.occasion.written_at, source)
    for prefix in ("InstanceCreation", "Series", "Content"):
        setattr(ds, f"{prefix}Date", written_at.strftime("%Y%m%d"))
        setattr(ds, f"{prefix}Time", written_at.strftime("%H%M%S"))
    return ds


def _decode_names(ds: Dataset) -> None:
    """Turn person names, which keep the bytes they were read from, into text.

    Other values are text already, and all of it is encoded where it is written.
    """
    for element in ds.iterall():
        if element.VR == "PN" and element.value:
            names = element.value if element.VM > 1 else [element.value]
            element.value = [str(name) for name in names]


def _add_equipment(
    ds: Dataset, node: NodeIdentity, source: Dataset, copy: Callable[[DataElement], DataElement]
) -> None:
    ds.Manufacturer = to_ascii(node.manufacturer, 64)
    ds.ManufacturerModelName = to_ascii(node.model_name, 64)
    ds.StationName = to_ascii(node.station_name, 16)
    ds.SoftwareVersions = to_ascii(node.version, 64)
    if node.institution:
        ds.InstitutionName = to_ascii(node.institution, 64)
    elif "InstitutionName" in source:
        ds["InstitutionName"] = copy(source["InstitutionName"])


def to_local_time(at: datetime, source: Dataset) -> datetime:
    """Return the instant in the time zone of the images.

    Timezone Offset From UTC (0008,0201) holds for every time of an object (PS3.3 C.12.1.1.8),
    and Study Time is the images'. Where the images name no zone, neither does the result, and
    the instant is written in the zone that it came with.
    """
    zone = read_zone(source)
    return at if zone is None else at.astimezone(zone)


def build_file_meta(sop_class_uid: str, sop_instance_uid: str) -> FileMetaDataset:
    """Return the file meta information of a result (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = RESULT_SYNTAX
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
