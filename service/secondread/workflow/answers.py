"""The detector's answers about images, kept for years: what is left of a prior without its files.

An answer holds all marks, shown or not, and where nipple, skin and muscle are, so that with the
model that gave it a prior can be compared as if its images had been read again. A report alone
tells the shown marks at best.
"""

import json
from collections.abc import Mapping

from secondread import log
from secondread.accept.archive import Archive
from secondread.assemble.scope import Selection
from secondread.detect.marks import Detection
from secondread.errors import InputError
from secondread.findings.cad_report import CadReport
from secondread.findings.finding import StudyReading
from secondread.followup.reported import ReportedPrior, basis
from secondread.reading import Circumstances, Reader, read_study
from secondread.reasons import Reason
from secondread.report.read_back import read_cad_file
from secondread.report.reported_reading import as_reading
from secondread.report.uids import device_uid
from secondread.track.tracker import Tracker
from secondread.workflow.material import Priors

_log = log.get(__name__)

_NOT_AT_HAND = frozenset(
    {
        Reason.PRIOR_FILES_LOST,
        Reason.PRIOR_MOVE_REFUSED,
        Reason.PRIOR_NOT_RECEIVED,
        Reason.PRIOR_TIMED_OUT,
        Reason.PRIOR_QUERY_FAILED,
    }
)
"""Why a prior's images may be missing. Nothing stands for images of another patient."""


def keep_answers(detections: Mapping[str, Detection], archive: Archive) -> dict[str, str]:
    """Write the answers that count; return where each lies, by SOP Instance UID."""
    return {
        uid: archive.put_bytes(
            json.dumps(detection.as_json(), sort_keys=True).encode(), "answers"
        ).relative_path
        for uid, detection in detections.items()
        if detection.status.has_findings
    }


def reported_readings(
    tracker: Tracker, archive: Archive, priors: Priors, reader: Reader
) -> tuple[StudyReading, ...]:
    """Return what is known of the priors whose images are not at hand, the latest first.

    That is what this node reported of them, where it was the present model that read them; what
    other makers' reports say serves for nothing.
    """
    found = []
    for prior in priors.studies:
        if prior.reason in _NOT_AT_HAND:
            reports = _reports(tracker, archive, prior.study_uid)
            report = basis(ReportedPrior(reports, {}), reader.model)
            if report is not None:
                answers = _answers(tracker, archive, prior.study_uid)
                found.append(_read_again(report, answers, reader))
    return tuple(found)


def _reports(tracker: Tracker, archive: Archive, study_uid: str) -> tuple[CadReport, ...]:
    own_device = device_uid(tracker.installation())
    found = []
    for file in tracker.cad_reports.of_study(study_uid):
        try:
            found.append(read_cad_file(archive.path_of(file.path), own_device))
        except (InputError, OSError):
            # The fault may quote the document, which may quote anything: it stays out of the log.
            _log.warning("cad_report_not_readable", study_uid=study_uid)
    return tuple(found)


def _answers(tracker: Tracker, archive: Archive, study_uid: str) -> dict[str, Detection]:
    found = {}
    for uid, path in tracker.results.answers(study_uid).items():
        try:
            values = json.loads(archive.path_of(path).read_text(encoding="utf-8"))
            found[uid] = Detection.from_json(values)
        except (InputError, OSError, LookupError, TypeError, ValueError):
            _log.warning("answer_not_readable", study_uid=study_uid, sop_instance_uid=uid)
    return found


def _read_again(
    report: CadReport, answers: Mapping[str, Detection], reader: Reader
) -> StudyReading:
    """Return the reading of the images that the report is about from the answers of that time."""
    reported = as_reading(report, {})
    kept = [i.mammogram for i in reported.images if i.mammogram.sop_instance_uid in answers]
    if not kept:
        return reported
    circumstances = Circumstances(revision=1, cause="reported")
    return read_study(report.study_uid, Selection(tuple(kept), ()), answers, reader, circumstances)
