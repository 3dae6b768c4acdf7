"""A reading as the tracker records it."""

from collections.abc import Mapping

from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.findings_json import encode_finding
from secondread.report.sr.impression_words import describe_finding
from secondread.track.values import (
    RecordedFinding,
    RecordedImage,
    RecordedPriorFinding,
    StoredAnswer,
)
from secondread.workflow.lesions import find_shown_lesions


def make_image_entries(
    reading: StudyReading, answers: Mapping[str, str]
) -> tuple[RecordedImage, ...]:
    """Return what became of each image, those outside the scope last.

    `answers` is where the detector's answers are kept, by SOP Instance UID.
    """
    read = tuple(
        RecordedImage(
            sop_instance_uid=image.mammogram.sop_instance_uid,
            label=image.label,
            status=image.status,
            reasons=image.reasons,
            gates=image.gates,
            seconds=image.seconds,
            detail=image.detail,
            answer_path=answers.get(image.mammogram.sop_instance_uid),
        )
        for image in reading.images
    )
    left_out = tuple(
        RecordedImage(left.sop_instance_uid, left.label, None, (left.reason,))
        for left in reading.left_out
    )
    return read + left_out


def make_answer_entries(
    paths: Mapping[str, str], digests: Mapping[str, str], maker: str
) -> tuple[StoredAnswer, ...]:
    """Return where the detector's answers lie, by the files that they are about.

    Parameters
    ----------
    paths, digests
        Of each answer and of the image's file, by SOP Instance UID.
    maker
        Digest of all that the answers depend on besides the files.
    """
    return tuple(StoredAnswer(digests[uid], maker, path) for uid, path in paths.items())


def make_finding_entries(
    reading: StudyReading, crops: Mapping[FindingRef, str]
) -> tuple[RecordedFinding, ...]:
    """Return all candidates of all images; `crops` is where their pictures lie."""
    return tuple(
        _entry(image, finding, crops, describe_finding(reading, image, finding))
        for image in reading.images
        for finding in image.findings
    )


def make_prior_finding_entries(
    reading: StudyReading, crops: Mapping[FindingRef, str]
) -> tuple[RecordedPriorFinding, ...]:
    """Return what the priors' images show of lesions that are or were shown, the earliest first."""
    shown = find_shown_lesions(reading)
    missed = {
        ref: change.kind.value
        for comparison in reversed(reading.comparisons)
        for change in comparison.changes
        if change.current is None
        for ref in change.prior
    }
    return tuple(
        RecordedPriorFinding(
            earlier.study_uid,
            image.label,
            missed.get(image.refer_to(finding)),
            _entry(image, finding, crops, ""),
        )
        for earlier in reversed(reading.prior_readings)
        for image in earlier.images
        for finding in image.findings
        if finding.lesion_uid in shown
    )


def _entry(
    image: ImageReading, finding: Finding, crops: Mapping[FindingRef, str], line: str
) -> RecordedFinding:
    crop = crops.get(image.refer_to(finding))
    return RecordedFinding(
        finding_id=finding.id,
        sop_instance_uid=image.mammogram.sop_instance_uid,
        kind=finding.mark_class.value,
        certainty=finding.certainty,
        suspicion=finding.suspicion,
        shown=finding.shown,
        document={**encode_finding(finding), "line": line, "crop": crop and {"path": crop}},
        tracking_uid=finding.lesion_uid,
    )
