"""Mammography CAD SRs read back: our own whole, those of other makers as far as they go.

A pure function from a data set to a `CadReport`. What our own software wrote is read strictly: a
finding that cannot be read is an error, with its position. Another maker's finding that cannot be
read is left out, with a remark; unknown codes are kept with their meaning, codes of SNOMED are
recognized in their retired form too, and images are read by value as well as by reference.

Whose report it is follows from the software's own marks alone. The manufacturer in the header is a
setting and proves nothing. The model name, and the manifest's digest among the parameters of an
algorithm, show that this software wrote it; the author observer's device UID, which is derived from
the installation's id, that this installation did.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage

from secondread.assemble.patient_key import PatientKey
from secondread.codes import Code, ProcessingSummary, ResultStatus
from secondread.dicom_files import read_document
from secondread.errors import DataSetError
from secondread.findings.cad_report import (
    Algorithm,
    AlgorithmRun,
    CadReport,
    Equipment,
    ReportOrigin,
)
from secondread.report import concepts
from secondread.report.readback.attributes import list_items, read_text
from secondread.report.readback.content import (
    ContentError,
    ContentTree,
    list_references,
    read_code,
    read_enum,
)
from secondread.report.readback.finding_reader import FindingReader, read_algorithm
from secondread.report.readback.library_reader import parse_date, read_evidence, read_library

MODEL_NAME = "Secondread"
"""Manufacturer's Model Name (0008,1090) of this software's results."""

_LONGEST_NAME = 64
"""Characters of the equipment's names, as of the VR LO (PS3.5 6.2)."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RUN_LISTS = (
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
        It is not a Mammography CAD SR, or one of our own that is damaged; with position and fault.
    """
    try:
        return _read_document(ds, device_uid)
    except ContentError:
        raise
    # What a conversion raises for hostile values. The value is not quoted: it may name somebody.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ContentError("header", f"not readable ({type(error).__name__})") from None


def read_cad_report_file(path: Path, device_uid: str = "") -> CadReport:
    """Read a Mammography CAD SR from a Part 10 file.

    Raises
    ------
    ContentError
        As `read_cad_report`, and where the file is not a DICOM file.
    OSError
        The file cannot be opened or read.
    """
    try:
        ds = read_document(path)
    except DataSetError as error:
        raise ContentError("header", str(error)) from None
    return read_cad_report(ds, device_uid)


def _read_document(ds: Dataset, device_uid: str) -> CadReport:
    if read_text(ds, "SOPClassUID") != MammographyCADSRStorage:
        raise ContentError("header", "not a Mammography CAD SR")
    uid, study_uid = (_read_required(ds, name) for name in ("SOPInstanceUID", "StudyInstanceUID"))
    tree = ContentTree(ds)
    root = tree.root
    if not root.is_named(concepts.CAD_REPORT):
        # By its code: a meaning is free text, and this is shown where patients are not named.
        title = f"({root.name.value[:16]}, {root.name.scheme[:16]})" if root.name else "no title"
        raise ContentError(root.path, f"another template than TID 4000: {title}")
    runs = tuple(_list_runs(tree))
    equipment = _read_equipment(ds)
    digest = next((digest for run in runs if (digest := _read_digest(run.algorithm))), "")
    origin = _find_origin(equipment, digest, device_uid)
    reader = FindingReader(tree, origin is not ReportOrigin.FOREIGN, [], [], [])
    summary = root.find_child(concepts.PROCESSING_SUMMARY)
    for impression in summary.find_children(concepts.INDIVIDUAL_IMPRESSION) if summary else ():
        reader.read_impression(impression)
    return CadReport(
        sop_instance_uid=uid,
        series_uid=read_text(ds, "SeriesInstanceUID"),
        study_uid=study_uid,
        patient=PatientKey(read_text(ds, "PatientID"), read_text(ds, "IssuerOfPatientID")),
        study_date=parse_date(read_text(ds, "StudyDate")),
        written_on=parse_date(read_text(ds, "ContentDate")),
        equipment=equipment,
        origin=origin,
        model_digest=digest if origin is not ReportOrigin.FOREIGN else "",
        calibrated=_find_calibration(runs),
        summary=read_enum(summary, ProcessingSummary),
        detection=read_enum(root.find_child(concepts.DETECTION_SUMMARY), ResultStatus),
        analysis=read_enum(root.find_child(concepts.ANALYSIS_SUMMARY), ResultStatus),
        impression=summary.find_text(concepts.IMPRESSION_DESCRIPTION) if summary else "",
        images=tuple(read_library(root, read_evidence(ds))),
        findings=tuple(reader.findings),
        features=tuple(reader.features),
        algorithm_runs=runs,
        replaces=tuple(_list_replaced(ds)),
        remarks=tuple(reader.remarks),
    )


def _read_required(ds: Dataset, keyword: str) -> str:
    text = read_text(ds, keyword)
    if not text:
        raise ContentError("header", f"{keyword} has no value")
    return text


def _read_equipment(ds: Dataset) -> Equipment:
    observers = list_items(ds, "AuthorObserverSequence")
    return Equipment(
        manufacturer=read_text(ds, "Manufacturer", _LONGEST_NAME),
        model=read_text(ds, "ManufacturerModelName", _LONGEST_NAME),
        software=read_text(ds, "SoftwareVersions", _LONGEST_NAME),
        device_uids=tuple(
            filter(None, (read_text(observer, "DeviceUID") for observer in observers))
        ),
    )


def _find_origin(equipment: Equipment, digest: str, device_uid: str) -> ReportOrigin:
    if equipment.model != MODEL_NAME or not digest:
        return ReportOrigin.FOREIGN
    if device_uid in equipment.device_uids:
        return ReportOrigin.OWN
    return ReportOrigin.SAME_SOFTWARE


def _read_digest(algorithm: Algorithm) -> str:
    digest = algorithm.find_parameter("manifest_sha256") or ""
    return digest if _DIGEST.fullmatch(digest) else ""


def _find_calibration(runs: Sequence[AlgorithmRun]) -> bool | None:
    parameters = {parameter for run in runs for parameter in run.algorithm.parameters}
    if "certainty calibrated" in parameters:
        return True
    return False if "certainty not calibrated" in parameters else None


def _list_runs(tree: ContentTree) -> Iterator[AlgorithmRun]:
    performed = (concepts.DETECTION_PERFORMED, concepts.ANALYSIS_PERFORMED)
    summaries = tree.root.find_children(concepts.DETECTION_SUMMARY, concepts.ANALYSIS_SUMMARY)
    for summary in summaries:
        for concept, succeeded in _RUN_LISTS:
            for container in summary.find_children(concept):
                for run in container.find_children(*performed):
                    kind = run.code or Code("", "", "")
                    images = tree.find_image_uids(run)
                    yield AlgorithmRun(kind, read_algorithm(run), images, succeeded)


def _list_replaced(ds: Dataset) -> Iterator[str]:
    for _, _, document in list_references(ds, "PredecessorDocumentsSequence"):
        purpose = read_code(document, "PurposeOfReferenceCodeSequence")
        uid = read_text(document, "ReferencedSOPInstanceUID")
        # The purpose is of type 3 elsewhere than in our own documents.
        if purpose is None or concepts.REPLACED_REPORT.matches(purpose.value, purpose.scheme):
            yield uid
