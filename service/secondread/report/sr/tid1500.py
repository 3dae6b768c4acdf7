"""The measurement report of a reading (TID 1500), for viewers that do not know CAD SRs.

It reports what TID 4000 has no row for: suspicion, priority, the place relative to the treated
site, every reason as a code, and what a report is not. One measurement group for each finding in
each view (TID 1410), by priority, each with a tracking UID of its own: viewers merge groups with
equal ones and draw one of them. One group for each image reports what became of it (TID 1501).
"""

from collections.abc import Iterator, Mapping, Sequence

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from secondread.assemble.mammogram import Mammogram
from secondread.findings.finding import LeftOutInstance, StudyReading
from secondread.findings.image_names import format_label
from secondread.report import concepts
from secondread.report.result import Authorship, NodeIdentity, ResultObject
from secondread.report.sr import own_codes
from secondread.report.sr.header import build_header
from secondread.report.sr.highdicom_adapter import build_stand_in, replace_header
from secondread.report.sr.image_library import find_mammogram, find_source
from secondread.report.sr.impression_words import describe_reading
from secondread.report.sr.measurement_groups import (
    MeasurementGroupWriter,
    as_concept,
    build_comment,
)
from secondread.report.sr.own_codes import get_own_code
from secondread.report.sr.report_contents import select_findings
from secondread.report.sr.wording import (
    DISCLAIMER,
    PURPOSE,
    describe_image_outcome,
    to_ascii,
)
from secondread.settings import ObjectKind

MeasurementGroup = (
    sr.PlanarROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations
)


def build_measurement_report(
    reading: StudyReading, sources: Mapping[str, Dataset], authorship: Authorship
) -> ResultObject | None:
    """Return the TID 1500 report of a reading, whatever its outcome.

    None where there is no instance that it could be about.

    Parameters
    ----------
    reading
        What was read and what not.
    sources
        Headers of the study's images, by SOP Instance UID.
    authorship
        Who writes, when, for which destination.

    Raises
    ------
    ReportError
        An image has no header.
    """
    left_out = [
        (instance, mammogram)
        for instance in reading.left_out
        if (mammogram := find_mammogram(instance.sop_instance_uid, sources)) is not None
    ]
    mammograms = [image.mammogram for image in reading.images]
    mammograms += [mammogram for _, mammogram in left_out]
    if not mammograms:
        return None
    evidence = [build_stand_in(m, find_source(m, sources)) for m in mammograms]
    source = find_source(mammograms[0], sources)
    header = build_header(source, authorship, ObjectKind.TID1500, "study")
    groups = list(_write_groups(reading, left_out, authorship))
    made = sr.ComprehensiveSR(
        evidence=evidence,
        content=_write_content(reading, groups, evidence, authorship.node)[0],
        series_instance_uid=header.SeriesInstanceUID,
        series_number=header.SeriesNumber,
        sop_instance_uid=header.SOPInstanceUID,
        instance_number=1,
        is_complete=True,
        is_final=True,
        previous_versions=_list_predecessors(authorship),
    )
    ds = replace_header(made, header)
    ds.CodingSchemeIdentificationSequence = [own_codes.build_scheme_item()]
    return ResultObject(ObjectKind.TID1500, 0, None, ds)


def _write_content(
    reading: StudyReading,
    groups: Sequence[MeasurementGroup],
    evidence: Sequence[Dataset],
    node: NodeIdentity,
) -> sr.MeasurementReport:
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(_build_observer(node)),
        procedure_reported=as_concept(concepts.IMAGING_PROCEDURE),
        imaging_measurements=groups,
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            as_concept(concepts.ENGLISH)
        ),
        # TID 1603 requires both attributes of an entry.
        referenced_images=[
            ds for ds in evidence if "PatientOrientation" in ds and "ImagerPixelSpacing" in ds
        ],
    )
    report[0].ContentSequence.append(_write_evaluations(reading))
    return report


def _build_observer(node: NodeIdentity) -> sr.ObserverContext:
    return sr.ObserverContext(
        observer_type=as_concept(concepts.DEVICE),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=node.device_uid,
            name=to_ascii(node.station_name, 64),
            manufacturer_name=to_ascii(node.manufacturer, 64),
            model_name=to_ascii(node.model_name, 64),
        ),
    )


def _write_groups(
    reading: StudyReading,
    left_out: Sequence[tuple[LeftOutInstance, Mammogram]],
    authorship: Authorship,
) -> Iterator[MeasurementGroup]:
    include_all = authorship.profile.findings == "all"
    writer = MeasurementGroupWriter(reading, authorship.uids, with_intent=include_all)
    findings = [
        (image, finding)
        for image in reading.images
        for finding in select_findings(image, include_all)
    ]
    for image, finding in sorted(findings, key=lambda pair: pair[1].rank[0]):
        yield writer.write_finding(image, finding)
    for image in reading.images:
        words = f"{image.name}: {describe_image_outcome(image)}"
        mammogram, status = image.mammogram, get_own_code(image.status)
        yield writer.write_image(mammogram, mammogram.laterality, status, image.reasons, words)
    for instance, mammogram in left_out:
        words = f"{format_label(instance.label)}: {instance.reason.sentence}"
        status, reasons = own_codes.OUTSIDE_SCOPE, [instance.reason]
        yield writer.write_image(mammogram, None, status, reasons, words)


def _write_evaluations(reading: StudyReading) -> sr.ContainerContentItem:
    """Return what the report states of the study as a whole (TID 1500 row 12)."""
    contains = sr.RelationshipTypeValues.CONTAINS
    container = sr.ContainerContentItem(
        name=as_concept(concepts.QUALITATIVE_EVALUATIONS), relationship_type=contains
    )
    values = [(own_codes.OUTCOME, get_own_code(reading.outcome))]
    values += [(own_codes.REASON, get_own_code(reason)) for reason in reading.reasons]
    items = [
        *(
            sr.CodeContentItem(as_concept(name), as_concept(code), contains)
            for name, code in values
        ),
        build_comment(f"{DISCLAIMER}: {PURPOSE}"),
        build_comment(describe_reading(reading)),
    ]
    container.ContentSequence = sr.ContentSequence(items)
    return container


def _list_predecessors(authorship: Authorship) -> list[Dataset] | None:
    """Return the measurement report that this one replaces."""
    replaced = authorship.occasion.predecessor_measurements
    if replaced is None:
        return None
    ds = Dataset()
    ds.SOPClassUID = ComprehensiveSRStorage
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = replaced
    return [ds]
