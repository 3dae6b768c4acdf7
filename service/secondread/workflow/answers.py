"""The detector's answers about images, kept for years: what is left of a prior without its files.

An answer holds all marks, shown or not, and where nipple, skin and muscle are, so that with the
model that gave it a prior can be compared as if its images had been read again. A report alone
tells the shown marks at best.
"""

import json
from collections.abc import Mapping
from hashlib import sha256

from secondread import __version__, log
from secondread.accept.archive import Archive
from secondread.detect.marks import Detection
from secondread.errors import InputError, TransientError
from secondread.findings.cad_report import CadReport
from secondread.findings.finding import StudyReading
from secondread.followup.reported_priors import choose_report
from secondread.reading import Reader, read_from_report
from secondread.reasons import Reason
from secondread.report.readback.cad_reader import read_cad_report_file
from secondread.report.sr.uids import derive_device_uid
from secondread.track.tracker import Tracker
from secondread.workflow.inputs import GatheredPriors

_log = log.get_logger(__name__)

_NOT_AT_HAND = frozenset(
    {
        Reason.PRIOR_FILES_LOST,
        Reason.PRIOR_EXPIRED,
        Reason.PRIOR_MOVE_REFUSED,
        Reason.PRIOR_NOT_RECEIVED,
        Reason.PRIOR_TIMED_OUT,
        Reason.PRIOR_QUERY_FAILED,
    }
)
"""Why a prior's images may be missing. Nothing stands for images of another patient."""


def store_answers(detections: Mapping[str, Detection], archive: Archive) -> dict[str, str]:
    """Write the answers that count; return where each lies, by SOP Instance UID."""
    return {
        uid: archive.write_bytes(
            json.dumps(detection.as_json(), sort_keys=True).encode(), "answers"
        ).relative_path
        for uid, detection in detections.items()
        if detection.status.was_read
    }


def digest_maker(settings_digest: str, reader: Reader) -> str:
    """Return the digest of all that an answer depends on besides the file."""
    parts = (__version__, reader.model.digest, settings_digest)
    return sha256(" ".join(parts).encode()).hexdigest()


def find_answer(tracker: Tracker, archive: Archive, digest: str, maker: str) -> Detection | None:
    """Return what the detector said of a file in another reading; None where it is not known."""
    path = tracker.results.find_answer_path(digest, maker)
    return None if path is None else _answer(archive, path)


def read_reported_priors(
    tracker: Tracker, archive: Archive, priors: GatheredPriors, reader: Reader
) -> tuple[StudyReading, ...]:
    """Return what is known of the priors whose images are not at hand, the latest first.

    That is what this node reported of them, where it was the present model that read them; what
    other makers' reports say serves for nothing.
    """
    found = []
    for prior in priors.studies:
        if prior.reason in _NOT_AT_HAND:
            reading = _reported(tracker, archive, prior.study_uid, reader)
            if reading is not None:
                found.append(reading)
    return tuple(found)


def _reported(
    tracker: Tracker, archive: Archive, study_uid: str, reader: Reader
) -> StudyReading | None:
    try:
        report = choose_report(_reports(tracker, archive, study_uid), reader.model)
        if report is None:
            return None
        return read_from_report(report, _answers(tracker, archive, study_uid), reader)
    except TransientError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the reading)
        # The fault's words may quote the report, which may quote anything.
        _log.error("prior_report_broke", study_uid=study_uid, error=type(error).__name__)
        return None


def _reports(tracker: Tracker, archive: Archive, study_uid: str) -> tuple[CadReport, ...]:
    own_device = derive_device_uid(tracker.get_installation_id())
    found = []
    for file in tracker.cad_reports.list_for_study(study_uid):
        try:
            found.append(read_cad_report_file(archive.resolve_path(file.path), own_device))
        except (InputError, OSError):
            # The fault may quote the document, which may quote anything: it stays out of the log.
            _log.warning("cad_report_not_readable", study_uid=study_uid)
    return tuple(found)


def _answers(tracker: Tracker, archive: Archive, study_uid: str) -> dict[str, Detection]:
    paths = tracker.results.list_answer_paths(study_uid)
    found = {uid: _answer(archive, path) for uid, path in paths.items()}
    return {uid: detection for uid, detection in found.items() if detection is not None}


def _answer(archive: Archive, path: str) -> Detection | None:
    try:
        values = json.loads(archive.resolve_path(path).read_text(encoding="utf-8"))
        return Detection.from_json(values)
    except (InputError, OSError, LookupError, TypeError, ValueError):
        _log.warning("answer_not_readable", path=path)
        return None
