"""A reading as the tracker records it."""

from collections.abc import Mapping

from secondread.findings.comparison import FindingRef
from secondread.findings.document import finding_json
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.followup.view_changes import reference
from secondread.reading import unique_labels
from secondread.report.glance import glance
from secondread.track.values import AnswerEntry, FindingEntry, ImageEntry, PriorFindingEntry
from secondread.workflow.lesions import shown_lesions


def image_entries(reading: StudyReading, answers: Mapping[str, str]) -> tuple[ImageEntry, ...]:
    """Return what became of each image, those outside the scope last.

    `answers` is where the detector's answers are kept, by SOP Instance UID.
    """
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
            answer=answers.get(image.mammogram.sop_instance_uid),
        )
        for image in reading.images
    )
    left_out = tuple(
        ImageEntry(left.sop_instance_uid, left.label, None, (left.reason,))
        for left in reading.left_out
    )
    return read + left_out


def answer_entries(
    paths: Mapping[str, str], digests: Mapping[str, str], maker: str
) -> tuple[AnswerEntry, ...]:
    """Return where the detector's answers lie, by the files that they are about.

    Parameters
    ----------
    paths, digests
        Of each answer and of the image's file, by SOP Instance UID.
    maker
        Digest of all that the answers depend on besides the files.
    """
    return tuple(AnswerEntry(digests[uid], maker, path) for uid, path in paths.items())


def finding_entries(
    reading: StudyReading, crops: Mapping[FindingRef, str]
) -> tuple[FindingEntry, ...]:
    """Return all candidates of all images; `crops` is where their pictures lie."""
    return tuple(
        _entry(image, finding, crops, glance(reading, image, finding))
        for image in reading.images
        for finding in image.findings
    )


def prior_finding_entries(
    reading: StudyReading, crops: Mapping[FindingRef, str]
) -> tuple[PriorFindingEntry, ...]:
    """Return what the priors' images show of lesions that are or were shown, the earliest first."""
    shown = shown_lesions(reading)
    missed = {
        ref: change.verdict.value
        for comparison in reversed(reading.comparisons)
        for change in comparison.changes
        if change.current is None
        for ref in change.prior
    }
    return tuple(
        PriorFindingEntry(
            earlier.study_uid,
            labels[image.mammogram.sop_instance_uid],
            missed.get(reference(image, finding)),
            _entry(image, finding, crops, ""),
        )
        for earlier in reversed(reading.earlier)
        for labels in [unique_labels([image.mammogram for image in earlier.images])]
        for image in earlier.images
        for finding in image.findings
        if finding.lesion in shown
    )


def _entry(
    image: ImageReading, finding: Finding, crops: Mapping[FindingRef, str], line: str
) -> FindingEntry:
    crop = crops.get(reference(image, finding))
    return FindingEntry(
        finding_id=finding.id,
        sop_instance_uid=image.mammogram.sop_instance_uid,
        kind=finding.mark_class.value,
        certainty=finding.certainty,
        suspicion=finding.suspicion,
        shown=finding.shown,
        document={**finding_json(finding), "line": line, "crop": crop and {"path": crop}},
        tracking_uid=finding.lesion,
    )
