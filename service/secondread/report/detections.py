"""What ran on which images: Summary of Detections and its parts (TID 4015, 4017, 4019)."""

from collections.abc import Iterable, Mapping

from secondread.codes import FindingType, Status
from secondread.findings.finding import ImageReading, ModelIdentity, StudyReading
from secondread.report import concepts, tree
from secondread.report.tree import Item, Relation
from secondread.report.wording import ascii_text, image_names, image_outcome, operating_point

_DETECTED = {
    FindingType.CALCIFICATION: "individual calcifications",
    FindingType.CLUSTER: "calcification clusters",
}


def algorithm(
    model: ModelIdentity, finding_type: FindingType, parameters: Iterable[str] = ()
) -> tuple[Item, ...]:
    """Return the items of TID 4019 Algorithm Identification, in its order.

    Which row comes first is fixed (Order Significant): name, version, then the parameters.
    """
    name = ascii_text(f"{model.name}: {_DETECTED[finding_type]}")
    return (
        tree.text(concepts.ALGORITHM_NAME, name),
        tree.text(concepts.ALGORITHM_VERSION, ascii_text(model.version)),
        *(tree.text(concepts.ALGORITHM_PARAMETERS, ascii_text(value)) for value in parameters),
    )


def model_parameters(model: ModelIdentity) -> tuple[str, ...]:
    """Return what has to be known to repeat a reading, as Algorithm Parameters."""
    return (
        f"manifest_sha256={model.digest}",
        f"operating_point={model.operating_point}",
        *(() if model.site_exams is None else (operating_point(model),)),
        "certainty calibrated" if model.calibrated else "certainty not calibrated",
    )


def gate_parameters(image: ImageReading) -> tuple[str, ...]:
    """Return the gate values of one image as one Algorithm Parameters text, or none."""
    values = (
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in sorted(image.gates.items())
    )
    joined = "; ".join(values)
    return (f"gates: {joined}",) if joined else ()


def detection_status(images: Iterable[ImageReading]) -> Status:
    """Return the status of detection over the images (CID 6042)."""
    answered = {image.status.has_findings for image in images}
    if answered == {True}:
        return Status.SUCCEEDED
    return Status.PARTIALLY_SUCCEEDED if True in answered else Status.FAILED


def detection_summary(reading: StudyReading, entries: Mapping[str, Item]) -> Item:
    """Return the Summary of Detections with its containers (TID 4000 rows 6 and 7).

    Every image of the library is under the successful detections or under the failed ones.

    Parameters
    ----------
    reading
        What was read, and what not.
    entries
        The Image Library entry of each image, by SOP Instance UID.
    """
    summary = tree.code(concepts.DETECTION_SUMMARY, detection_status(reading.images).code)
    for concept, succeeded in (
        (concepts.SUCCESSFUL_DETECTIONS, True),
        (concepts.FAILED_DETECTIONS, False),
    ):
        images = [i for i in reading.images if i.status.has_findings is succeeded]
        if images:
            part = summary.add(Relation.INFERRED_FROM, tree.container(concept))
            for finding_type in _DETECTED:
                remarks = _image_parameters(images, image_names(reading))
                performed = _detection_performed(reading.model, finding_type, remarks)
                for image in images:
                    entry = entries[image.mammogram.sop_instance_uid]
                    performed.refer(Relation.HAS_PROPERTIES, entry)
                part.add(Relation.CONTAINS, performed)
    return summary


def _detection_performed(
    model: ModelIdentity, finding_type: FindingType, remarks: Iterable[str]
) -> Item:
    item = tree.code(concepts.DETECTION_PERFORMED, finding_type.code)
    for child in algorithm(model, finding_type, (*model_parameters(model), *remarks)):
        item.add(Relation.HAS_PROPERTIES, child)
    return item


def _image_parameters(images: Iterable[ImageReading], names: Mapping[str, str]) -> list[str]:
    # The template has no place for a comment on one image, so each image has a parameter that
    # names it, says what became of it, and has the values of its gates.
    return [
        f"{names[image.mammogram.sop_instance_uid]}, {image.mammogram.sop_instance_uid}: "
        + "; ".join((image_outcome(image), *gate_parameters(image)))
        for image in images
    ]
