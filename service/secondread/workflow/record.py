"""A reading as the tracker records it."""

from secondread.findings.document import finding_json
from secondread.findings.finding import StudyReading
from secondread.reading import unique_labels
from secondread.report.glance import glance
from secondread.track.values import FindingEntry, ImageEntry


def image_entries(reading: StudyReading) -> tuple[ImageEntry, ...]:
    """Return what became of each image, those outside the scope last."""
    labels = unique_labels([image.mammogram for image in reading.images])
    read = tuple(
        ImageEntry(
            sop_instance_uid=image.mammogram.sop_instance_uid,
            label=labels[image.mammogram.sop_instance_uid],
            status=image.status,
            reasons=image.reasons,
            gates=image.gates,
            seconds=image.seconds,
            detail=image.detail,
        )
        for image in reading.images
    )
    left_out = tuple(
        ImageEntry(left.sop_instance_uid, left.label, None, (left.reason,))
        for left in reading.left_out
    )
    return read + left_out


def finding_entries(reading: StudyReading) -> tuple[FindingEntry, ...]:
    """Return all candidates of all images."""
    return tuple(
        FindingEntry(
            finding_id=finding.id,
            sop_instance_uid=image.mammogram.sop_instance_uid,
            kind=finding.mark_class.value,
            certainty=finding.certainty,
            suspicion=finding.suspicion,
            shown=finding.shown,
            document={**finding_json(finding), "line": glance(reading, image, finding)},
        )
        for image in reading.images
        for finding in image.findings
    )
