"""What ran on which images: Summary of Detections and its containers (TID 4015, 4017)."""

from collections.abc import Iterable, Mapping, Sequence

from secondread.codes import FindingType, ResultStatus
from secondread.findings.finding import ImageReading, StatedOperatingPoint, StudyReading
from secondread.findings.image_names import format_label
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.algorithms import (
    AlgorithmPart,
    combine_successes,
    identify_algorithm,
    list_gate_parameters,
    list_model_parameters,
)
from secondread.report.sr.operating_points import write_operating_points
from secondread.report.sr.report_contents import ReportContents
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.wording import describe_image_outcome, format_day

_DETECTIONS = (
    (FindingType.CALCIFICATION, AlgorithmPart.CALCIFICATIONS),
    (FindingType.CLUSTER, AlgorithmPart.CLUSTERS),
)


def determine_detection_status(images: Iterable[ImageReading]) -> ResultStatus:
    """Return the status of detection over the images (CID 6042)."""
    return combine_successes(image.status.was_read for image in images)


def build_detection_summary(contents: ReportContents, entries: Mapping[str, TreeItem]) -> TreeItem:
    """Return the Summary of Detections with its containers (TID 4000 rows 6 and 7).

    Every current image of the library is under the successful detections or under the failed
    ones, and the priors' images, all of them read, are under the successful ones. The status is
    that of the current images.

    Parameters
    ----------
    contents
        What the report holds.
    entries
        The Image Library entry of each image, by SOP Instance UID.
    """
    reading = contents.reading
    status = determine_detection_status(reading.images)
    summary = tree.code(concepts.DETECTION_SUMMARY, status.code)
    read = [image for image in reading.images if image.status.was_read]
    if read:
        images = [*read, *reading.prior_images]
        detections = _write_detections(contents, images, entries, contents.points)
        if contents.doubtful_images:
            gates = tree.code(concepts.DETECTION_PERFORMED, FindingType.IMAGE_QUALITY.code)
            algorithm = identify_algorithm(reading.model, AlgorithmPart.GATES)
            gates.add_all(Relation.HAS_PROPERTIES, algorithm)
            for image in contents.doubtful_images:
                gates.refer_to(Relation.HAS_PROPERTIES, entries[image.sop_instance_uid])
            detections.append(gates)
        part = summary.add(Relation.INFERRED_FROM, tree.container(concepts.SUCCESSFUL_DETECTIONS))
        part.add_all(Relation.CONTAINS, detections)
    failed = [image for image in reading.images if not image.status.was_read]
    if failed:
        part = summary.add(Relation.INFERRED_FROM, tree.container(concepts.FAILED_DETECTIONS))
        part.add_all(Relation.CONTAINS, _write_detections(contents, failed, entries, ()))
    return summary


def _write_detections(
    contents: ReportContents,
    images: Sequence[ImageReading],
    entries: Mapping[str, TreeItem],
    points: tuple[StatedOperatingPoint, ...],
) -> list[TreeItem]:
    model = contents.reading.model
    parameters = list_model_parameters(model)
    # The template has no place for a comment on one image, so each image has a parameter that
    # names it, describes what became of it, and has the values of its gates.
    remarks = [
        f"{_name_image(image, contents.reading)}, {image.sop_instance_uid}: "
        + "; ".join((describe_image_outcome(image), *list_gate_parameters(image)))
        for image in images
    ]
    detections = []
    for finding_type, part in _DETECTIONS:
        detection = tree.code(concepts.DETECTION_PERFORMED, finding_type.code)
        algorithm = identify_algorithm(model, part, (*parameters, *remarks))
        detection.add_all(Relation.HAS_PROPERTIES, algorithm)
        for image in images:
            detection.refer_to(Relation.HAS_PROPERTIES, entries[image.sop_instance_uid])
        detection.add_all(Relation.HAS_PROPERTIES, write_operating_points(points))
        detections.append(detection)
    return detections


def _name_image(image: ImageReading, reading: StudyReading) -> str:
    header = image.mammogram
    if header.study_uid == reading.study_uid:
        return image.name
    return f"{format_label(header.label)} of the prior of {format_day(header.study_date)}"
