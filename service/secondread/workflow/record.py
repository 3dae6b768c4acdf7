"""What a reading leaves behind: lesions, pictures, objects, and what the tracker records."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePosixPath

from secondread.assemble.device import find_device
from secondread.assemble.mammogram import Mammogram
from secondread.detect.marks import Detection
from secondread.findings.changes import FindingRef
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.findings.findings_json import encode_finding
from secondread.followup.lesion_identity import add_lesions, assign_lesions, recognize_lesions
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.compose import compose_results
from secondread.report.encoding import encode_file
from secondread.report.pages.crop import encode_crop
from secondread.report.result import Authorship, ResultObject
from secondread.report.sr.impression_words import describe_finding
from secondread.report.sr.report_contents import count_shown
from secondread.report.sr.uids import ResultUids, derive_uid
from secondread.track.lesions import Lesions
from secondread.track.values import (
    RecordedFinding,
    RecordedImage,
    RecordedObject,
    RecordedPriorFinding,
    RecordedReading,
    StoredAnswer,
)
from secondread.workflow.predecessors import find_occasion
from secondread.workflow.revision_reader import ReadingTools, RevisionReader
from secondread.workflow.side_by_side import run_all

_WRITTEN_AT_ONCE = 2
"""Objects of which one is encoded while the other is flushed to the disk."""


def track_lesions(
    reading: StudyReading,
    lesions: Lesions,
    installation_id: str,
    reported: Sequence[StudyReading] = (),
) -> StudyReading:
    """Return a reading whose findings, and its priors' findings, have the lesion that they are.

    A lesion that is seen for the first time gets an identifier that no other reading gives,
    because findings' names are those of one reading.
    """

    def mint(ref: FindingRef) -> str:
        of_reading = (installation_id, reading.study_uid, str(reading.revision), "lesion")
        return derive_uid(*of_reading, ref.study_uid, ref.sop_instance_uid, ref.finding_id)

    readings = (reading, *reading.prior_readings, *reported)
    images = {image.mammogram.sop_instance_uid for study in readings for image in study.images}
    tracked = recognize_lesions(readings, lesions.find_in_images(images))
    return add_lesions(reading, assign_lesions(reading, tracked, mint))


def store_reading(
    tools: ReadingTools,
    reader: RevisionReader,
    reading: StudyReading,
    detections: Mapping[str, Detection],
) -> RecordedReading:
    """Write objects, pictures and answers into the archive; return what the tracker records.

    Parameters
    ----------
    tools
        Archive, identity and profiles.
    reader
        What the reading was made from; loads the images as people look at them.
    reading
        What to store.
    detections
        The detector's answers about its images and its priors', by SOP Instance UID.
    """
    claimed = reader.inputs.claimed
    # Most of the time of small files is waiting for the disk.
    with ThreadPoolExecutor(1, thread_name_prefix="store") as beside:
        storing_answers = beside.submit(tools.answers.write, detections)
        storing_crops = beside.submit(store_crops, tools, reader, reading)
        objects = store_objects(tools, reader, reading)
        answers, crops = storing_answers.result(), storing_crops.result()
    file_digests = {**reader.inputs.digests, **reader.priors.digests}
    return RecordedReading(
        study_uid=claimed.study_uid,
        revision=claimed.number,
        outcome=reading.outcome,
        reasons=reading.reasons,
        images=_record_images(reading, answers),
        findings=record_findings(reading, crops),
        shown_lesions=count_shown(reading),
        objects=objects,
        prior_findings=record_prior_findings(reading, crops),
        answers=tuple(
            StoredAnswer(file_digests[uid], tools.maker_digest, path)
            for uid, path in answers.items()
        ),
        exam_score=reading.exam_score,
        exam_log_odds=reading.exam_log_odds,
        priority=reading.priority,
        device=find_device(image.mammogram for image in reading.images if image.status.was_read),
    )


def make_bare_failure(
    study_uid: str, revision: int, images: Sequence[Mammogram], reason: Reason
) -> RecordedReading:
    """Return the record of a reading that broke so early that it has no objects to send."""
    return RecordedReading(
        study_uid=study_uid,
        revision=revision,
        outcome=Outcome.FAILED,
        reasons=(reason,),
        images=tuple(
            RecordedImage(m.sop_instance_uid, m.label, ImageStatus.FAILED, (reason,))
            for m in images
        ),
        findings=(),
        shown_lesions=0,
        objects=(),
        prior_findings=(),
        answers=(),
    )


def store_crops(
    tools: ReadingTools, reader: RevisionReader, reading: StudyReading
) -> dict[FindingRef, str]:
    """Write a picture of each finding that is a shown lesion; return where each is stored."""
    shown = _find_shown_lesions(reading)
    crops: dict[FindingRef, str] = {}
    for study in (reading, *reading.prior_readings):
        for image in study.images:
            for finding in image.findings:
                if finding.lesion_uid in shown and image.mammogram.spacing is not None:
                    display = reader.load_display(image.mammogram.sop_instance_uid)
                    picture = encode_crop(display, finding.outline, image.mammogram.spacing)
                    path = tools.archive.write_bytes(picture, "crops").relative_path
                    crops[image.refer_to(finding)] = path
    return crops


def _find_shown_lesions(reading: StudyReading) -> frozenset[str]:
    """Return the lesions that are shown in the study or were in one of its priors."""
    return frozenset(
        finding.lesion_uid
        for study in (reading, *reading.prior_readings)
        for image in study.images
        for finding in image.shown_findings
        if finding.lesion_uid is not None
    )


def store_objects(
    tools: ReadingTools, reader: RevisionReader, reading: StudyReading
) -> tuple[RecordedObject, ...]:
    """Make and write the objects of a reading for each profile; return where they are stored."""
    claimed = reader.inputs.claimed
    sources = {**reader.inputs.headers, **reader.priors.headers}
    entries: list[RecordedObject] = []
    for key, profile in tools.profiles.items():
        uids = ResultUids(tools.installation_id, claimed.study_uid, claimed.number, key)
        authorship = Authorship(tools.node, uids, find_occasion(tools, claimed, key), profile)
        results = compose_results(reading, sources, reader.load_display, authorship)
        jobs = [partial(_store_object, tools, key, result) for result in results]
        entries += run_all(jobs, _WRITTEN_AT_ONCE)
    return tuple(entries)


def _store_object(tools: ReadingTools, profile: str, result: ResultObject) -> RecordedObject:
    data = encode_file(result.dataset)
    file = tools.archive.write_bytes(data)
    return RecordedObject(
        profile=profile,
        kind=result.kind,
        index=result.index,
        sop_class_uid=str(result.dataset.SOPClassUID),
        series_uid=str(result.dataset.SeriesInstanceUID),
        sop_instance_uid=result.sop_instance_uid,
        source_uid=result.source_uid,
        path=file.relative_path,
        sha256=PurePosixPath(file.relative_path).stem,
        size_bytes=file.size,
    )


def _record_images(reading: StudyReading, answers: Mapping[str, str]) -> tuple[RecordedImage, ...]:
    """Return what became of each image, those outside the scope last.

    `answers` is where the detector's answers are stored, by SOP Instance UID.
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


def record_findings(
    reading: StudyReading, crops: Mapping[FindingRef, str]
) -> tuple[RecordedFinding, ...]:
    """Return all candidates of all images; `crops` is where their pictures are stored."""
    return tuple(
        _record_finding(image, finding, crops, describe_finding(reading, image, finding))
        for image in reading.images
        for finding in image.findings
    )


def record_prior_findings(
    reading: StudyReading, crops: Mapping[FindingRef, str]
) -> tuple[RecordedPriorFinding, ...]:
    """Return what the priors' images show of lesions that are or were shown, the earliest first."""
    shown = _find_shown_lesions(reading)
    missed = {
        ref: change.kind.value
        for comparison in reversed(reading.comparisons)
        for change in comparison.missed
        for ref in change.prior
    }
    return tuple(
        RecordedPriorFinding(
            prior.study_uid,
            image.label,
            missed.get(image.refer_to(finding)),
            _record_finding(image, finding, crops, ""),
        )
        for prior in reversed(reading.prior_readings)
        for image in prior.images
        for finding in image.findings
        if finding.lesion_uid in shown
    )


def _record_finding(
    image: ImageReading, finding: Finding, crops: Mapping[FindingRef, str], line: str
) -> RecordedFinding:
    crop = crops.get(image.refer_to(finding))
    return RecordedFinding(
        finding_id=finding.id,
        sop_instance_uid=image.mammogram.sop_instance_uid,
        kind=finding.mark_class.value,
        certainty=finding.certainty,
        certainty_log_odds=finding.certainty_log_odds,
        suspicion=finding.suspicion,
        priority=finding.priority,
        shown=finding.shown,
        document={**encode_finding(finding), "line": line, "crop": crop and {"path": crop}},
        tracking_uid=finding.lesion_uid,
    )
