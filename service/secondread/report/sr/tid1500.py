"""The measurement report of a reading (TID 1500), for viewers that know no CAD SR.

It says what TID 4000 has no row for: suspicion, the place relative to the treated site, every
reason as a code, and what a report is not. One measurement group for each finding in each view
(TID 1410), each with a tracking UID of its own: viewers merge groups with equal ones and draw
one of them. One group for each image says what became of it (TID 1501).
"""

from collections.abc import Iterator, Mapping

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from secondread.assemble.mammogram import Mammogram
from secondread.codes import Code
from secondread.findings.finding import StudyReading
from secondread.findings.image_names import format_label
from secondread.report import concepts
from secondread.report.result import Authorship, NodeIdentity, ResultObject
from secondread.report.sr import own_codes
from secondread.report.sr.finding_lines import list_impression_lines
from secondread.report.sr.header import build_header
from secondread.report.sr.highdicom_adapter import build_stand_in, replace_header
from secondread.report.sr.image_library import find_mammogram, find_source
from secondread.report.sr.measurement_groups import (
    MeasurementGroupWriter,
    build_comment,
    to_coded_concept,
)
from secondread.report.sr.own_codes import get_own_code
from secondread.report.sr.single_image_finding import select_findings
from secondread.report.sr.wording import (
    DISCLAIMER,
    PURPOSE,
    describe_image_outcome,
    describe_reading,
    to_ascii,
)
from secondread.settings import ObjectKind

IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
DEVICE = Code("121007", "DCM", "Device")
Group = sr.PlanarROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")


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
    referenced = list(_referenced(reading, sources))
    if not referenced:
        return None
    evidence = [build_stand_in(m, find_source(m, sources)) for m in referenced]
    header = build_header(find_source(referenced[0], sources), authorship, ObjectKind.TID1500)
    made = sr.ComprehensiveSR(
        evidence=evidence,
        content=_content(reading, sources, evidence, authorship)[0],
        series_instance_uid=header.SeriesInstanceUID,
        series_number=header.SeriesNumber,
        sop_instance_uid=authorship.uids.derive_instance_uid(ObjectKind.TID1500.value, "study"),
        instance_number=1,
        is_complete=True,
        is_final=True,
        previous_versions=_previous(authorship),
    )
    ds = replace_header(made, header)
    ds.CodingSchemeIdentificationSequence = [own_codes.build_scheme_item()]
    return ResultObject(ObjectKind.TID1500, 0, None, ds)


def _referenced(reading: StudyReading, sources: Mapping[str, Dataset]) -> Iterator[Mammogram]:
    """Yield what the report is about: the images in scope, and instances that were left out."""
    yield from (image.mammogram for image in reading.images)
    for instance in reading.left_out:
        mammogram = find_mammogram(instance.sop_instance_uid, sources)
        if mammogram is not None:
            yield mammogram


def _content(
    reading: StudyReading,
    sources: Mapping[str, Dataset],
    evidence: list[Dataset],
    authorship: Authorship,
) -> sr.MeasurementReport:
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(_observer(authorship.node)),
        procedure_reported=to_coded_concept(IMAGING_PROCEDURE),
        imaging_measurements=list(_groups(reading, sources, authorship)),
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            to_coded_concept(concepts.ENGLISH)
        ),
        # What TID 1603 demands of an entry.
        referenced_images=[
            ds for ds in evidence if "PatientOrientation" in ds and "ImagerPixelSpacing" in ds
        ],
    )
    report[0].ContentSequence.append(_evaluations(reading))
    return report


def _observer(node: NodeIdentity) -> sr.ObserverContext:
    return sr.ObserverContext(
        observer_type=to_coded_concept(DEVICE),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=node.device_uid,
            name=to_ascii(node.station_name, 64),
            manufacturer_name=to_ascii(node.manufacturer, 64),
            model_name=to_ascii(node.model_name, 64),
        ),
    )


def _groups(
    reading: StudyReading, sources: Mapping[str, Dataset], authorship: Authorship
) -> Iterator[Group]:
    include_all = authorship.profile.findings == "all"
    writer = MeasurementGroupWriter(reading, authorship.uids, with_intent=include_all)
    for image in reading.images:
        for finding in select_findings(image, include_all):
            yield writer.write_finding(image, finding)
    for image in reading.images:
        yield writer.write_image(image, f"{image.name}: {describe_image_outcome(image)}")
    for instance in reading.left_out:
        mammogram = find_mammogram(instance.sop_instance_uid, sources)
        if mammogram is not None:
            words = f"{format_label(instance.label)}: {instance.reason.sentence}"
            class_uid, uid = mammogram.sop_class_uid, mammogram.sop_instance_uid
            yield writer.write_left_out(class_uid, uid, instance.reason, words)


def _evaluations(reading: StudyReading) -> sr.ContainerContentItem:
    """Return what is said of the study as a whole (TID 1500 row 12)."""
    contains = sr.RelationshipTypeValues.CONTAINS
    container = sr.ContainerContentItem(
        name=to_coded_concept(QUALITATIVE_EVALUATIONS), relationship_type=contains
    )
    container.ContentSequence = sr.ContentSequence()
    values = [
        (own_codes.OUTCOME, get_own_code(reading.outcome)),
        *((own_codes.REASON, get_own_code(reason)) for reason in reading.reasons),
    ]
    for name, value in values:
        item = sr.CodeContentItem(to_coded_concept(name), to_coded_concept(value), contains)
        container.ContentSequence.append(item)
    for words in (
        f"{DISCLAIMER}: {PURPOSE}",
        describe_reading(reading, list_impression_lines(reading)),
    ):
        container.ContentSequence.append(build_comment(words))
    return container


def _previous(authorship: Authorship) -> list[Dataset] | None:
    """Return the measurement report that this one replaces."""
    replaced = authorship.occasion.predecessor_measurements
    if replaced is None:
        return None
    ds = Dataset()
    ds.SOPClassUID = ComprehensiveSRStorage
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = replaced
    return [ds]
