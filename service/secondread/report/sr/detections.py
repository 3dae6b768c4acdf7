"""What ran on which images: Summary of Detections and its parts (TID 4015, 4017, 4019)."""

from collections.abc import Iterable, Mapping, Sequence

from secondread.codes import FindingType, ResultStatus
from secondread.findings.finding import (
    ImageReading,
    ModelIdentity,
    StatedOperatingPoint,
    StudyReading,
)
from secondread.findings.image_names import format_label
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.operating_points import write_operating_points
from secondread.report.sr.reported_lesions import list_prior_images
from secondread.report.sr.tree import Relation, TreeItem
from secondread.report.sr.wording import describe_image_outcome, describe_operating_point, to_ascii

_DETECTED = {
    FindingType.CALCIFICATION: "individual calcifications",
    FindingType.CLUSTER: "calcification clusters",
}
_GATES = "gates on image quality"


def identify_detection(
    model: ModelIdentity, finding_type: FindingType, parameters: Iterable[str] = ()
) -> tuple[TreeItem, ...]:
    """Return the items of TID 4019 Algorithm Identification, in its order.

    Which row comes first is fixed (Order Significant): name, version, then the parameters.
    """
    return identify_algorithm(model, _DETECTED[finding_type], parameters)


def identify_quality_gates(
    model: ModelIdentity, parameters: Iterable[str] = ()
) -> tuple[TreeItem, ...]:
    """Return the same for what judges whether an image can be read."""
    return identify_algorithm(model, _GATES, parameters)


def identify_algorithm(
    model: ModelIdentity, what: str, parameters: Iterable[str]
) -> tuple[TreeItem, ...]:
    """Return the items of TID 4019 for a part of the model, by what it does."""
    return (
        tree.text(concepts.ALGORITHM_NAME, to_ascii(f"{model.name}: {what}")),
        tree.text(concepts.ALGORITHM_VERSION, to_ascii(model.version)),
        *(tree.text(concepts.ALGORITHM_PARAMETERS, to_ascii(value)) for value in parameters),
    )


def list_model_parameters(model: ModelIdentity) -> tuple[str, ...]:
    """Return what has to be known to repeat a reading, as Algorithm Parameters."""
    return (
        f"manifest_sha256={model.digest}",
        f"operating_point={model.operating_point}",
        *(() if model.site_exams is None else (describe_operating_point(model),)),
        "certainty calibrated" if model.calibrated else "certainty not calibrated",
    )


def list_gate_parameters(image: ImageReading) -> tuple[str, ...]:
    """Return the gate values of one image as one Algorithm Parameters text, or none."""
    values = (
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in sorted(image.gates.items())
    )
    joined = "; ".join(values)
    return (f"gates: {joined}",) if joined else ()


def determine_detection_status(images: Iterable[ImageReading]) -> ResultStatus:
    """Return the status of detection over the images (CID 6042)."""
    answered = {image.status.was_read for image in images}
    if answered == {True}:
        return ResultStatus.SUCCEEDED
    return ResultStatus.PARTIALLY_SUCCEEDED if True in answered else ResultStatus.FAILED


def build_detection_summary(
    reading: StudyReading,
    entries: Mapping[str, TreeItem],
    points: tuple[StatedOperatingPoint, ...] = (),
    qualities: Sequence[str] = (),
) -> TreeItem:
    """Return the Summary of Detections with its containers (TID 4000 rows 6 and 7).

    Every current image of the library is under the successful detections or under the failed
    ones, and the priors' images, all of them read, are under the successful ones. The status is
    that of the current images.

    Parameters
    ----------
    reading
        What was read, and what not.
    entries
        The Image Library entry of each image, by SOP Instance UID.
    points
        Operating points by rank.
    qualities
        SOP Instance UIDs of images with Image Quality findings.
    """
    summary = tree.code(concepts.DETECTION_SUMMARY, determine_detection_status(reading.images).code)
    answered = [image for image in reading.images if image.status.was_read]
    if answered:
        part = summary.add(Relation.INFERRED_FROM, tree.container(concepts.SUCCESSFUL_DETECTIONS))
        images = [*answered, *list_prior_images(reading)]
        _add_detections(part, reading, images, entries, points)
        if qualities:
            performed = tree.code(concepts.DETECTION_PERFORMED, FindingType.IMAGE_QUALITY.code)
            for child in identify_quality_gates(reading.model):
                performed.add(Relation.HAS_PROPERTIES, child)
            for uid in qualities:
                performed.refer_to(Relation.HAS_PROPERTIES, entries[uid])
            part.add(Relation.CONTAINS, performed)
    failed = [image for image in reading.images if not image.status.was_read]
    if failed:
        part = summary.add(Relation.INFERRED_FROM, tree.container(concepts.FAILED_DETECTIONS))
        _add_detections(part, reading, failed, entries, ())
    return summary


def _add_detections(
    part: TreeItem,
    reading: StudyReading,
    images: Sequence[ImageReading],
    entries: Mapping[str, TreeItem],
    points: tuple[StatedOperatingPoint, ...],
) -> None:
    remarks = _image_parameters(reading, images)
    for finding_type in _DETECTED:
        performed = _detection_performed(reading.model, finding_type, remarks)
        for image in images:
            performed.refer_to(Relation.HAS_PROPERTIES, entries[image.mammogram.sop_instance_uid])
        for child in write_operating_points(points):
            performed.add(Relation.HAS_PROPERTIES, child)
        part.add(Relation.CONTAINS, performed)


def _detection_performed(
    model: ModelIdentity, finding_type: FindingType, remarks: Iterable[str]
) -> TreeItem:
    item = tree.code(concepts.DETECTION_PERFORMED, finding_type.code)
    for child in identify_detection(model, finding_type, (*list_model_parameters(model), *remarks)):
        item.add(Relation.HAS_PROPERTIES, child)
    return item


def _image_parameters(reading: StudyReading, images: Iterable[ImageReading]) -> list[str]:
    # The template has no place for a comment on one image, so each image has a parameter that
    # names it, says what became of it, and has the values of its gates.
    return [
        f"{_name(reading, image)}, {image.mammogram.sop_instance_uid}: "
        + "; ".join((describe_image_outcome(image), *list_gate_parameters(image)))
        for image in images
    ]


def _name(reading: StudyReading, image: ImageReading) -> str:
    header = image.mammogram
    if header.study_uid == reading.study_uid:
        return image.name
    day = header.study_date.isoformat() if header.study_date else "unknown date"
    return f"{format_label(header.label)} of the prior of {day}"
