"""The Mammography CAD SR of a reading: TID 4000 and its document header.

One tree for all outcomes; what differs is which images answered and which findings there are:

=====================  ========  ================  =========================
situation              111017    111064 detection  containers
=====================  ========  ================  =========================
no findings            111241    Succeeded         successful
findings               111242    Succeeded         successful
some images not read   111243/4  Partially         successful and failed
no image read          111245    Failed            failed
=====================  ========  ================  =========================

Summary of Analyses is Not Attempted: analyses correlate images (PS3.17 E.1), and none is made.
"""

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage

from secondread.codes import FindingType, Status, Summary
from secondread.errors import ReportError
from secondread.findings.finding import StudyReading
from secondread.report import concepts, tree
from secondread.report.detections import algorithm, detection_status, detection_summary
from secondread.report.glance import impression_lines
from secondread.report.header import Authorship, file_meta, result_header
from secondread.report.image_library import evidence, library_entry, source_of
from secondread.report.result import NodeIdentity, Occasion, ResultObject
from secondread.report.single_image_finding import (
    FindingWriter,
    encoded_findings,
    rendering_intent,
)
from secondread.report.tree import Item, Relation
from secondread.report.uids import ResultUids
from secondread.report.wording import ascii_text, impression
from secondread.settings import ObjectKind, ProfileSettings


def cad_sr(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    node: NodeIdentity,
    uids: ResultUids,
    occasion: Occasion,
    profile: ProfileSettings,
) -> ResultObject:
    """Return the CAD SR of a reading.

    Parameters
    ----------
    reading
        What was read. Its `images` become the Image Library and the evidence; what it left out
        is named in the overall impression only.
    sources
        Headers of the images, without pixel data, by SOP Instance UID.
    node, uids, occasion
        Who writes, under which UIDs, when and in whose place.
    profile
        Scheme of SNOMED codes, and whether findings that are not shown are included.

    Raises
    ------
    ReportError
        It would not be valid: no image, an image without header, a point outside its image, an
        open outline, a certainty that is no percentage.
    """
    if not reading.images:
        raise ReportError("a CAD SR needs an image in its library")
    authorship = Authorship(node, uids, occasion, profile)
    source = source_of(reading.images[0].mammogram, sources)
    ds = result_header(source, authorship, ObjectKind.CAD_SR)
    ds.SOPClassUID = MammographyCADSRStorage
    ds.SOPInstanceUID = uids.instance(ObjectKind.CAD_SR.value, "study")
    ds.Modality = "SR"
    ds.SeriesDescription = "Second read: calcification CAD (research use)"
    ds.InstanceNumber = 1
    _add_document(ds, reading, authorship)
    root = _content(reading, sources, uids, include_all=profile.findings == "all")
    ds.update(tree.finished(root, "4000"))
    if profile.snomed_codes == "SRT":
        tree.write_srt(ds)
    ds.file_meta = file_meta(ds.SOPClassUID, ds.SOPInstanceUID)
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
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(
        image.mammogram for image in reading.images
    )
    if authorship.occasion.predecessor is not None:
        ds.PredecessorDocumentsSequence = [_replaced(*authorship.occasion.predecessor)]


def _observer(ds: Dataset, node: NodeIdentity) -> Dataset:
    observer = Dataset()
    observer.ObserverType = "DEV"
    observer.DeviceUID = node.device_uid
    observer.Manufacturer = ascii_text(node.manufacturer, 64)
    observer.ManufacturerModelName = ascii_text(node.model_name, 64)
    observer.StationName = ascii_text(node.station_name, 16)
    observer.InstitutionName = ds.get("InstitutionName", None)
    observer.InstitutionCodeSequence = []
    return observer


def _replaced(study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
    document = tree.reference_item(MammographyCADSRStorage, instance_uid)
    document.PurposeOfReferenceCodeSequence = [tree.code_item(concepts.REPLACED_REPORT)]
    series = Dataset()
    series.SeriesInstanceUID = series_uid
    series.ReferencedSOPSequence = [document]
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = [series]
    return study


def _content(
    reading: StudyReading, sources: Mapping[str, Dataset], uids: ResultUids, *, include_all: bool
) -> Item:
    """Return the content tree: TID 4000, rows in its order."""
    root = tree.container(concepts.CAD_REPORT)
    root.add(Relation.HAS_CONCEPT_MOD, tree.code(concepts.LANGUAGE, concepts.ENGLISH))
    library = root.add(Relation.CONTAINS, tree.container(concepts.IMAGE_LIBRARY))
    entries = {
        image.mammogram.sop_instance_uid: library.add(
            Relation.CONTAINS,
            library_entry(image.mammogram, source_of(image.mammogram, sources)),
        )
        for image in reading.images
    }
    impressions = _individual_impressions(reading, entries, uids, include_all=include_all)
    root.add(Relation.CONTAINS, _processing_summary(reading, impressions))
    root.add(Relation.CONTAINS, detection_summary(reading, entries))
    analyses = tree.code(concepts.ANALYSIS_SUMMARY, Status.NOT_ATTEMPTED.code)
    root.add(Relation.CONTAINS, analyses)
    return root


def _individual_impressions(
    reading: StudyReading, entries: Mapping[str, Item], uids: ResultUids, *, include_all: bool
) -> list[Item]:
    """Return one Individual Impression (TID 4003) for each finding, in reading order."""
    impressions = []
    for image in reading.images:
        entry = entries[image.mammogram.sop_instance_uid]
        writer = FindingWriter(image, entry, reading.model, uids)
        for finding in encoded_findings(image, include_all):
            intent = tree.code(concepts.RENDERING_INTENT, rendering_intent(finding).code)
            item = tree.container(concepts.INDIVIDUAL_IMPRESSION)
            item.add(Relation.HAS_CONCEPT_MOD, intent)
            item.add(Relation.CONTAINS, writer.item(finding))
            impressions.append(item)
    return impressions


def _processing_summary(reading: StudyReading, impressions: list[Item]) -> Item:
    """Return TID 4001: the summary, the overall impression (TID 4002), then each finding's."""
    item = tree.code(concepts.PROCESSING_SUMMARY, _summary(reading, bool(impressions)).code)
    said = impression(reading, impression_lines(reading))
    item.add(Relation.HAS_PROPERTIES, tree.text(concepts.IMPRESSION_DESCRIPTION, said))
    for child in algorithm(reading.model, FindingType.CLUSTER):
        item.add(Relation.HAS_PROPERTIES, child)
    for child in impressions:
        item.add(Relation.INFERRED_FROM, child)
    return item


def _summary(reading: StudyReading, with_findings: bool) -> Summary:
    match detection_status(reading.images):
        case Status.FAILED:
            return Summary.NONE
        case Status.SUCCEEDED:
            return Summary.ALL_WITH_FINDINGS if with_findings else Summary.ALL_WITHOUT_FINDINGS
        case _:
            return Summary.SOME_WITH_FINDINGS if with_findings else Summary.SOME_WITHOUT_FINDINGS
