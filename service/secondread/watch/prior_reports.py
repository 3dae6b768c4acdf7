"""What CAD reports of a patient's earlier exams say, read when a study's page is asked for."""

from dataclasses import dataclass
from datetime import date

from secondread import log
from secondread.errors import InputError
from secondread.findings.cad_report import CadReport, ReportOrigin
from secondread.report.readback.cad_reader import read_cad_report_file
from secondread.report.sr.uids import derive_device_uid
from secondread.track.cad_reports import ReportFile
from secondread.watch.sources import Archive, Tracker

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PriorReport:
    """One CAD report of a prior."""

    study_uid: str
    study_date: date | None
    report: CadReport | None
    """None where it cannot be read."""
    fault: str
    """Why it cannot be."""


def read_prior_reports(tracker: Tracker, archive: Archive, study_uid: str) -> list[PriorReport]:
    """Return the CAD reports of a study's priors; of this node's own, one a prior.

    Its profiles' reports say the same to different workstations: the fullest stands for them.
    """
    own_device = derive_device_uid(tracker.get_installation_id())
    found = [
        _read(archive, one, own_device) for one in tracker.cad_reports.list_for_priors(study_uid)
    ]
    fullest: dict[str, CadReport] = {}
    for one in found:
        if one.report is not None and one.report.origin is ReportOrigin.OWN:
            known = fullest.get(one.study_uid)
            if known is None or len(one.report.findings) > len(known.findings):
                fullest[one.study_uid] = one.report
    return [
        one
        for one in found
        if one.report is None
        or one.report.origin is not ReportOrigin.OWN
        or one.report is fullest[one.study_uid]
    ]


def _read(archive: Archive, file: ReportFile, own_device: str) -> PriorReport:
    try:
        report = read_cad_report_file(archive.resolve_path(file.path), own_device)
    except FileNotFoundError:
        fault = "its file is gone"
    except (InputError, OSError) as error:
        fault = str(error)
    else:
        return PriorReport(file.study_uid, file.study_date, report, "")
    # The fault may quote the document, which may quote anything: it stays out of the log.
    _log.info("cad_report_not_readable", study_uid=file.study_uid)
    return PriorReport(file.study_uid, file.study_date, None, fault)
