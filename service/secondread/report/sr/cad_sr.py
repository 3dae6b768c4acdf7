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

from secondread.codes import ProcessingSummary, ResultStatus
from secondread.errors import ReportError
from secondread.findings.finding import StudyReading
from secondread.report import concepts
from secondread.report.result import Authorship, NodeIdentity, ResultObject
from secondread.report.sr import tree
from secondread.report.sr.algorithms import AlgorithmPart, identify_algorithm
from secondread.report.sr.analyses import PerformedAnalysis, build_analysis_summary, list_analyses
from secondread.report.sr.detections import build_detection_summary, determine_detection_status
from secondread.report.sr.header import build_header
from secondread.report.sr.image_library import (
    build_evidence,
    build_library_entry,
    build_study_reference,
    find_source,
)
from secondread.report.sr.impression_words import describe_reading
from secondread.report.sr.impressions import ImpressionWriter
from secondread.report.sr.report_contents import ReportContents, gather_contents
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.wording import to_ascii
from secondread.settings import ObjectKind

_SUMMARIES = {
    (True, True): ProcessingSummary.ALL_WITH_FINDINGS,
    (True, False): ProcessingSummary.ALL_WITHOUT_FINDINGS,
    (False, True): ProcessingSummary.SOME_WITH_FINDINGS,
    (False, False): ProcessingSummary.SOME_WITHOUT_FINDINGS,
}
"""By whether all algorithms succeeded, and whether there are findings (CID 6047)."""


def build_cad_sr(
    reading: StudyReading, sources: Mapping[str, Dataset], authorship: Authorship
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
    ds = build_header(source, authorship, ObjectKind.CAD_SR, "study")
    ds.Modality = "SR"
    ds.InstanceNumber = 1
    _add_document(ds, reading, authorship)
    root = _write_content(reading, sources, authorship)
    ds.update(tree.encode_tree(root, "4000"))
    if authorship.profile.snomed_codes == "SRT":
        tree.convert_to_srt(ds)
    return ResultObject(ObjectKind.CAD_SR, 0, None, ds)


def _add_document(ds: Dataset, reading: StudyReading, authorship: Authorship) -> None:
    """Add the SR Document Series and SR Document General modules (PS3.3 C.17.1, C.17.2)."""
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag = "COMPLETE"
    # Verified would need a person (Verifying Observer Sequence).
    ds.VerificationFlag = "UNVERIFIED"
    ds.PreliminaryFlag = "FINAL"
    ds.AuthorObserverSequence = [_build_observer(ds, authorship.node)]
    ds.CurrentRequestedProcedureEvidenceSequence = build_evidence(
        image.mammogram for image in reading.images
    )
    priors = [image.mammogram for image in reading.prior_images]
    if priors:
        ds.PertinentOtherEvidenceSequence = build_evidence(priors)
    if authorship.occasion.predecessor is not None:
        study_uid, series_uid, instance_uid = authorship.occasion.predecessor
        document = tree.encode_reference(MammographyCADSRStorage, instance_uid)
        document.PurposeOfReferenceCodeSequence = [tree.encode_code(concepts.REPLACED_REPORT)]
        predecessor = build_study_reference(study_uid, {series_uid: [document]})
        ds.PredecessorDocumentsSequence = [predecessor]


def _build_observer(ds: Dataset, node: NodeIdentity) -> Dataset:
    observer = Dataset()
    observer.ObserverType = "DEV"
    observer.DeviceUID = node.device_uid
    observer.Manufacturer = to_ascii(node.manufacturer, 64)
    observer.ManufacturerModelName = to_ascii(node.model_name, 64)
    observer.StationName = to_ascii(node.station_name, 16)
    observer.InstitutionName = ds.get("InstitutionName", None)
    observer.InstitutionCodeSequence = []
    return observer


def _write_content(
    reading: StudyReading, sources: Mapping[str, Dataset], authorship: Authorship
) -> TreeItem:
    """Return the content tree: TID 4000, rows in its order."""
    contents = gather_contents(reading, authorship.profile)
    root = tree.container(concepts.CAD_REPORT)
    root.add(Relation.HAS_CONCEPT_MOD, tree.code(concepts.LANGUAGE, concepts.ENGLISH))
    library = root.add(Relation.CONTAINS, tree.container(concepts.IMAGE_LIBRARY))
    entries = {
        image.sop_instance_uid: library.add(
            Relation.CONTAINS,
            build_library_entry(image.mammogram, find_source(image.mammogram, sources)),
        )
        for image in (*reading.images, *reading.prior_images)
    }
    performed = list_analyses(contents, entries)
    impressions = ImpressionWriter(contents, entries, authorship.uids).write_all()
    root.add(Relation.CONTAINS, _write_processing_summary(contents, performed, impressions))
    root.add(Relation.CONTAINS, build_detection_summary(contents, entries))
    root.add(Relation.CONTAINS, build_analysis_summary(reading.model, performed, entries))
    return root


def _write_processing_summary(
    contents: ReportContents,
    performed: Sequence[PerformedAnalysis],
    impressions: Sequence[TreeItem],
) -> TreeItem:
    """Return TID 4001: the summary, the overall impression (TID 4002), then the individual ones."""
    reading = contents.reading
    detection = determine_detection_status(reading.images)
    if detection is ResultStatus.FAILED:
        summary = ProcessingSummary.NONE
    else:
        all_succeeded = detection is ResultStatus.SUCCEEDED and all(a.succeeded for a in performed)
        summary = _SUMMARIES[all_succeeded, contents.has_findings]
    item = tree.code(concepts.PROCESSING_SUMMARY, summary.code)
    words = describe_reading(reading, contents.missing)
    overall = tree.text(concepts.IMPRESSION_DESCRIPTION, words)
    algorithm = identify_algorithm(reading.model, AlgorithmPart.CLUSTERS)
    item.add_all(Relation.HAS_PROPERTIES, (overall, *algorithm))
    item.add_all(Relation.INFERRED_FROM, impressions)
    return item
