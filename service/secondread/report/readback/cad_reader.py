"""Mammography CAD SRs read back: our own whole, those of other makers as far as they go.

A pure function from a data set to a `CadReport`. What our own software wrote is read strictly: a
finding that cannot be read is an error, with its position. Another maker's finding that cannot be
read is left out, with a remark; unknown codes are kept by their meaning, codes of SNOMED are known
in their retired form too, and images by value as well as by reference.

Whose report it is decides nothing but the software's own marks: the manufacturer in the header is
a setting, so it is the model name and the algorithm's identification with the manifest's digest
that say it is of this software, and the author observer's device UID, which derives from the
installation's id, that says it is of this installation.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import MammographyCADSRStorage

from secondread.assemble.mammogram import PatientKey
from secondread.codes import Code, ProcessingSummary, ResultStatus
from secondread.findings.cad_report import (
    Algorithm,
    AlgorithmRun,
    CadReport,
    Equipment,
    ReportOrigin,
)
from secondread.report import concepts
from secondread.report.readback.content import ContentError, ContentTree, read_code, read_enum
from secondread.report.readback.finding_reader import FindingReader, read_algorithm
from secondread.report.readback.library_reader import parse_date, read_evidence, read_library

MODEL_NAME = "Secondread"
"""Manufacturer's Model Name (0008,1090) of this software's results."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DONE = (
    (concepts.SUCCESSFUL_DETECTIONS, True),
    (concepts.FAILED_DETECTIONS, False),
    (concepts.SUCCESSFUL_ANALYSES, True),
    (concepts.FAILED_ANALYSES, False),
)


def read_cad_report(ds: Dataset, device_uid: str = "") -> CadReport:
    """Read a Mammography CAD SR.

    Parameters
    ----------
    ds
        The document.
    device_uid
        Of this node, as `uids.device_uid` derives it; empty where there is no node, as offline.

    Raises
    ------
    ContentError
        It is no Mammography CAD SR, or one of our own that is damaged; with position and fault.
    """
    try:
        return _read(ds, device_uid)
    except ContentError:
        raise
    # What hostile values make a conversion raise; the value is not quoted, it may name somebody.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ContentError("header", f"not readable ({type(error).__name__})") from None


def read_cad_report_file(path: Path, device_uid: str = "") -> CadReport:
    """Read a Mammography CAD SR from a Part 10 file.

    Raises
    ------
    ContentError
        As `read_cad_report`, and where the file is no DICOM file.
    OSError
        The file cannot be opened or read.
    """
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        raise ContentError("header", "not a DICOM file") from None
    return read_cad_report(ds, device_uid)


def _read(ds: Dataset, device_uid: str) -> CadReport:
    if str(ds.get("SOPClassUID", "")) != MammographyCADSRStorage:
        raise ContentError("header", "not a Mammography CAD SR")
    tree = ContentTree(ds)
    root = tree.root
    if not root.is_named(concepts.CAD_REPORT):
        title = root.name.meaning[:64] if root.name else "no title"
        raise ContentError(root.path, f"another template than TID 4000: {title}")
    performed = tuple(_performed(tree))
    maker = _maker(ds)
    digest = next((d for one in performed if (d := _digest(one.algorithm))), "")
    origin = _origin(maker, digest, device_uid)
    reader = FindingReader(tree, origin is not ReportOrigin.FOREIGN, [], [], [])
    summary = root.find_child(concepts.PROCESSING_SUMMARY)
    for impression in summary.find_children(concepts.INDIVIDUAL_IMPRESSION) if summary else ():
        reader.read_impression(impression)
    said = summary.find_child(concepts.IMPRESSION_DESCRIPTION) if summary else None
    return CadReport(
        sop_instance_uid=str(ds.SOPInstanceUID),
        series_uid=str(ds.get("SeriesInstanceUID", "")),
        study_uid=str(ds.StudyInstanceUID),
        patient=PatientKey(_text(ds, "PatientID"), _text(ds, "IssuerOfPatientID")),
        study_date=parse_date(_text(ds, "StudyDate")),
        written_on=parse_date(_text(ds, "ContentDate")),
        equipment=maker,
        origin=origin,
        model_digest=digest if origin is not ReportOrigin.FOREIGN else "",
        calibrated=_calibrated(performed),
        summary=read_enum(summary, ProcessingSummary),
        detection=read_enum(root.find_child(concepts.DETECTION_SUMMARY), ResultStatus),
        analysis=read_enum(root.find_child(concepts.ANALYSIS_SUMMARY), ResultStatus),
        impression=said.text if said else "",
        images=tuple(read_library(root, read_evidence(ds))),
        findings=tuple(reader.findings),
        features=tuple(reader.features),
        algorithm_runs=performed,
        replaces=tuple(_replaced(ds)),
        remarks=tuple(reader.remarks),
    )


def _maker(ds: Dataset) -> Equipment:
    observers: Sequence[Dataset] = ds.get("AuthorObserverSequence", None) or ()
    devices = [str(one.DeviceUID) for one in observers if one.get("DeviceUID")]
    return Equipment(
        _text(ds, "Manufacturer"),
        _text(ds, "ManufacturerModelName"),
        _text(ds, "SoftwareVersions"),
        tuple(devices),
    )


def _origin(maker: Equipment, digest: str, device_uid: str) -> ReportOrigin:
    if maker.model != MODEL_NAME or not digest:
        return ReportOrigin.FOREIGN
    return ReportOrigin.OWN if device_uid in maker.device_uids else ReportOrigin.SAME_SOFTWARE


def _digest(algorithm: Algorithm) -> str:
    digest = algorithm.find_parameter("manifest_sha256") or ""
    return digest if _DIGEST.fullmatch(digest) else ""


def _calibrated(performed: Sequence[AlgorithmRun]) -> bool | None:
    said = {p for one in performed for p in one.algorithm.parameters}
    if "certainty calibrated" in said:
        return True
    return False if "certainty not calibrated" in said else None


def _performed(tree: ContentTree) -> Iterator[AlgorithmRun]:
    summaries = tree.root.find_children(concepts.DETECTION_SUMMARY, concepts.ANALYSIS_SUMMARY)
    for summary in summaries:
        for concept, succeeded in _DONE:
            for part in summary.find_children(concept):
                for one in part.find_children(
                    concepts.DETECTION_PERFORMED, concepts.ANALYSIS_PERFORMED
                ):
                    what = one.code or Code("", "", "")
                    yield AlgorithmRun(
                        what, read_algorithm(one), tree.find_image_uids(one), succeeded
                    )


def _replaced(ds: Dataset) -> Iterator[str]:
    for study in ds.get("PredecessorDocumentsSequence", None) or ():
        for series in study.get("ReferencedSeriesSequence", None) or ():
            for one in series.get("ReferencedSOPSequence", None) or ():
                purpose = read_code(one.get("PurposeOfReferenceCodeSequence", None))
                # The purpose is of type 3 elsewhere than in our own documents.
                if purpose is None or concepts.REPLACED_REPORT.matches(
                    purpose.value, purpose.scheme
                ):
                    yield str(one.ReferencedSOPInstanceUID)


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword, None)
    return "" if value is None else str(value).strip()
