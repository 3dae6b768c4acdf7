"""The Mammography CAD SR of a reading: TID 4000 and its document header.

One tree for all outcomes; what differs is which images answered and which findings there are:

=============================  ========  ================  ======================
situation                      111017    111064 detection  111065 analysis
=============================  ========  ================  ======================
no findings                    111241    Succeeded         Not Attempted
findings                       111242    Succeeded         Not Attempted
some images not read           111243/4  Partially         Not Attempted
no image read                  111245    Failed            Not Attempted
... priors compared            the same  the same          Succeeded
... a comparison failed        111243/4  the same          Failed, or Partially
an image was read with doubts  111243/4  the same          Failed, or Partially
=============================  ========  ================  ======================

What an analysis is, and why doubts are one that failed, is in `secondread.report.sr.analyses`.
"""

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage

from secondread.codes import FindingType, ProcessingSummary, ResultStatus
from secondread.errors import ReportError
from secondread.findings.finding import StudyReading
from secondread.report import concepts
from secondread.report.result import Authorship, NodeIdentity, ResultObject
from secondread.report.sr import tree
from secondread.report.sr.analyses import PerformedAnalysis, build_analysis_summary, list_analyses
from secondread.report.sr.detections import (
    build_detection_summary,
    determine_detection_status,
    identify_detection,
)
from secondread.report.sr.finding_lines import list_impression_lines
from secondread.report.sr.header import build_file_meta, build_header
from secondread.report.sr.image_library import build_evidence, build_library_entry, find_source
from secondread.report.sr.impressions import (
    ImpressionWriter,
    ReportContents,
    describe_missing,
    gather_contents,
)
from secondread.report.sr.reported_lesions import list_prior_images
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.wording import describe_reading, to_ascii
from secondread.settings import ObjectKind


def build_cad_sr(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    authorship: Authorship,
) -> ResultObject:
    """Return the CAD SR of a reading.

    Parameters
    ----------
    reading
        What was read. Its `images` become the Image Library and the evidence, with those of the
        priors behind them; what it left out is named in the overall impression only.
    sources
        Headers of the images and of the priors' images, without pixel data, by SOP Instance UID.
    authorship
        Who writes, under which UIDs, when and in whose place. Its profile has the scheme of SNOMED
        codes, and whether findings that are not shown, and the calcifications of clusters, are
        included.

    Raises
    ------
    ReportError
        It would not be valid: no image, an image without header, a point outside its image, an
        open outline, a certainty that is no percentage.
    """
    if not reading.images:
        raise ReportError("a CAD SR needs an image in its library")
    source = find_source(reading.images[0].mammogram, sources)
    ds = build_header(source, authorship, ObjectKind.CAD_SR)
    ds.SOPClassUID = MammographyCADSRStorage
    ds.SOPInstanceUID = authorship.uids.derive_instance_uid(ObjectKind.CAD_SR.value, "study")
    ds.Modality = "SR"
    ds.InstanceNumber = 1
    _add_document(ds, reading, authorship)
    root = _content(reading, sources, authorship)
    ds.update(tree.encode_tree(root, "4000"))
    if authorship.profile.snomed_codes == "SRT":
        tree.convert_to_srt(ds)
    ds.file_meta = build_file_meta(ds.SOPClassUID, ds.SOPInstanceUID)
    return ResultObject(ObjectKind.CAD_SR, 0, None, ds)


def _add_document(ds: Dataset, reading: StudyReading, authorship: Authorship) -> None:
    """Add the SR Document Series and SR Document General modules (PS3.3 C.17.1, C.17.2)."""
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag = "COMPLETE"
    # Verified would need a person (Verifying Observer Sequence).
    ds.VerificationFlag = "UNVERIFIED"
    ds.PreliminaryFlag = "FINAL"
    ds.AuthorObserverSequence = [_observer(ds, authorship.node)]
    ds.CurrentRequestedProcedureEvidenceSequence = build_evidence(
        image.mammogram for image in reading.images
    )
    priors = [image.mammogram for image in list_prior_images(reading)]
    if priors:
        ds.PertinentOtherEvidenceSequence = build_evidence(priors)
    if authorship.occasion.predecessor is not None:
        ds.PredecessorDocumentsSequence = [_replaced(*authorship.occasion.predecessor)]


def _observer(ds: Dataset, node: NodeIdentity) -> Dataset:
    observer = Dataset()
    observer.ObserverType = "DEV"
    observer.DeviceUID = node.device_uid
    observer.Manufacturer = to_ascii(node.manufacturer, 64)
    observer.ManufacturerModelName = to_ascii(node.model_name, 64)
    observer.StationName = to_ascii(node.station_name, 16)
    observer.InstitutionName = ds.get("InstitutionName", None)
    observer.InstitutionCodeSequence = []
    return observer


def _replaced(study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
    document = tree.encode_reference(MammographyCADSRStorage, instance_uid)
    document.PurposeOfReferenceCodeSequence = [tree.encode_code(concepts.REPLACED_REPORT)]
    series = Dataset()
    series.SeriesInstanceUID = series_uid
    series.ReferencedSOPSequence = [document]
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = [series]
    return study


def _content(
    reading: StudyReading, sources: Mapping[str, Dataset], authorship: Authorship
) -> TreeItem:
    """Return the content tree: TID 4000, rows in its order."""
    held = gather_contents(reading, authorship.profile)
    root = tree.container(concepts.CAD_REPORT)
    root.add(Relation.HAS_CONCEPT_MOD, tree.code(concepts.LANGUAGE, concepts.ENGLISH))
    library = root.add(Relation.CONTAINS, tree.container(concepts.IMAGE_LIBRARY))
    entries = {
        image.mammogram.sop_instance_uid: library.add(
            Relation.CONTAINS,
            build_library_entry(image.mammogram, find_source(image.mammogram, sources)),
        )
        for image in (*reading.images, *list_prior_images(reading))
    }
    performed = list_analyses(reading, held.lesions, entries)
    impressions = ImpressionWriter(held, entries, authorship.uids).write_all()
    root.add(Relation.CONTAINS, _processing_summary(held, performed, impressions))
    qualities = [image.mammogram.sop_instance_uid for image in held.qualities]
    root.add(Relation.CONTAINS, build_detection_summary(reading, entries, held.points, qualities))
    root.add(Relation.CONTAINS, build_analysis_summary(reading, performed, entries))
    return root


def _processing_summary(
    held: ReportContents, performed: Sequence[PerformedAnalysis], impressions: Sequence[TreeItem]
) -> TreeItem:
    """Return TID 4001: the summary, the overall impression (TID 4002), then the individual ones."""
    reading = held.reading
    item = tree.code(concepts.PROCESSING_SUMMARY, _summary(held, performed).code)
    lines = (*list_impression_lines(reading), *map(describe_missing, held.missing))
    said = tree.text(concepts.IMPRESSION_DESCRIPTION, describe_reading(reading, lines))
    for child in (said, *identify_detection(reading.model, FindingType.CLUSTER)):
        item.add(Relation.HAS_PROPERTIES, child)
    for child in impressions:
        item.add(Relation.INFERRED_FROM, child)
    return item


def _summary(held: ReportContents, performed: Sequence[PerformedAnalysis]) -> ProcessingSummary:
    """Return the one word on processing and findings (CID 6047)."""
    detection = determine_detection_status(held.reading.images)
    if detection is ResultStatus.FAILED:
        return ProcessingSummary.NONE
    all_succeeded = detection is ResultStatus.SUCCEEDED and all(one.succeeded for one in performed)
    if all_succeeded:
        return (
            ProcessingSummary.ALL_WITH_FINDINGS
            if held.with_findings
            else ProcessingSummary.ALL_WITHOUT_FINDINGS
        )
    return (
        ProcessingSummary.SOME_WITH_FINDINGS
        if held.with_findings
        else ProcessingSummary.SOME_WITHOUT_FINDINGS
    )
