"""`findings.json` of an offline reading, whose form is a contract (schema version 2)."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pydicom.uid import MammographyCADSRStorage

from secondread import __version__
from secondread.findings.certainty import round_certainty
from secondread.findings.finding import ImageReading, StudyReading
from secondread.findings.findings_json import encode_image
from secondread.followup.comparison_json import encode_cad_report, encode_comparison
from secondread.offline.input_files import InputFiles, UnreadableFile
from secondread.offline.reading_plan import ReadingPlan
from secondread.reasons import ImageStatus
from secondread.report.readback.cad_reader import read_cad_report
from secondread.report.readback.content import ContentError
from secondread.report.sr.impression_words import describe_finding, list_treatment_lines

SCHEMA_VERSION = 2


def encode_findings(
    inputs: InputFiles, readings: Sequence[StudyReading], plan: ReadingPlan
) -> dict[str, Any]:
    """Return the content of `findings.json`: every input answered, refusals included."""
    images = []
    for reading in readings:
        strays = inputs.strays.get(reading.study_uid, ())
        paths = {
            **inputs.studies[reading.study_uid],
            **{stray.mammogram.sop_instance_uid: stray.path for stray in strays},
        }
        for image in reading.images:
            path = paths[image.mammogram.sop_instance_uid]
            images.append({**_encode_image(reading, image), "path": str(path)})
        for left_out in reading.left_out:
            uid = left_out.sop_instance_uid
            unread = UnreadableFile(paths[uid], left_out.reason, "")
            images.append(_encode_unread(unread, reading.study_uid, uid))
    images += [_encode_unread(unreadable) for unreadable in inputs.unreadable]
    return {
        "schema_version": SCHEMA_VERSION,
        "node_version": __version__,
        "model": asdict(readings[0].model) if readings else None,
        "studies": [_encode_study(inputs, reading, plan) for reading in readings],
        "images": images,
        "other_files": [str(path) for path in inputs.other_files],
    }


def _encode_image(reading: StudyReading, image: ImageReading) -> dict[str, Any]:
    """Return an image's answer whose findings have their line for people."""
    values = encode_image(image)
    for document, finding in zip(values["findings"], image.findings, strict=True):
        document["line"] = describe_finding(reading, image, finding)
    return values


def _encode_study(inputs: InputFiles, reading: StudyReading, plan: ReadingPlan) -> dict[str, Any]:
    priors = plan.priors.get(reading.study_uid, ())
    return {
        "study_uid": reading.study_uid,
        "role": "current" if reading.study_uid in plan.current else "prior",
        "outcome": reading.outcome.value,
        "reasons": [reason.value for reason in reading.reasons],
        "priors": [prior.study_uid for prior in priors],
        "identity_in_doubt": [
            study.study_uid for study in plan.doubtful.get(reading.study_uid, ())
        ],
        "treatment": list(list_treatment_lines(reading)),
        "comparisons": [encode_comparison(comparison) for comparison in reading.comparisons],
        "cad_reports": [
            report for prior in priors for report in _encode_cad_reports(inputs, prior.study_uid)
        ],
        "priority": reading.priority,
        "shown": [finding.id for _, finding in reading.list_shown()],
        "exam_score": reading.exam_score and round_certainty(reading.exam_score),
        "exam_log_odds": reading.exam_log_odds,
    }


def _encode_cad_reports(inputs: InputFiles, study_uid: str) -> Iterator[dict[str, Any]]:
    """Yield the content of a prior's CAD reports; of one that cannot be read, the reason."""
    for uid in inputs.studies[study_uid]:
        if inputs.mammograms[uid].sop_class_uid == MammographyCADSRStorage:
            try:
                yield encode_cad_report(read_cad_report(inputs.headers[uid]))
            except ContentError as error:
                yield {
                    "study_uid": study_uid,
                    "sop_instance_uid": uid,
                    "not_readable": [str(error)],
                }


def _encode_unread(file: UnreadableFile, study_uid: str = "", uid: str = "") -> dict[str, Any]:
    return {
        "sop_instance_uid": uid,
        "study_uid": study_uid,
        "path": str(file.path),
        "status": ImageStatus.REFUSED.value,
        "reasons": [file.reason.value],
        "detail": file.detail,
        "gates": {},
        "seconds": 0.0,
        "findings": [],
    }
