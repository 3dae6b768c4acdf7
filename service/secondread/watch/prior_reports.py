"""The CAD reports of a patient's earlier exams, read when a study's page is asked for."""

from dataclasses import dataclass
from datetime import date

from secondread import log
from secondread.accept.archive import Archive
from secondread.errors import InputError, describe_without_quoting
from secondread.findings.cad_report import CadReport, ReportOrigin
from secondread.report.readback.cad_reader import read_cad_report_file
from secondread.report.sr.uids import derive_device_uid
from secondread.track.cad_reports import ReportFile
from secondread.track.tracker import Tracker

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PriorReport:
    """One CAD report of a prior."""

    study_uid: str
    study_date: date | None
    report: CadReport | None
    """None where it cannot be read."""
    fault: str
    """Why it cannot be read."""


def read_prior_reports(tracker: Tracker, archive: Archive, study_uid: str) -> list[PriorReport]:
    """Return the CAD reports of a study's priors; of this node's own, one for each prior.

    The reports of its profiles have the same content for different workstations: the fullest
    stands for them.
    """
    own_device = derive_device_uid(tracker.get_installation_id())
    files = tracker.cad_reports.list_for_priors(study_uid)
    prior_reports = [_read_file(archive, file, own_device) for file in files]
    fullest: dict[str, CadReport] = {}
    for prior in prior_reports:
        if prior.report is not None and prior.report.origin is ReportOrigin.OWN:
            fullest_yet = fullest.setdefault(prior.study_uid, prior.report)
            if len(prior.report.findings) > len(fullest_yet.findings):
                fullest[prior.study_uid] = prior.report
    return [
        prior
        for prior in prior_reports
        if prior.report is None
        or prior.report.origin is not ReportOrigin.OWN
        or prior.report is fullest[prior.study_uid]
    ]


def _read_file(archive: Archive, file: ReportFile, own_device: str) -> PriorReport:
    try:
        report = read_cad_report_file(archive.resolve_path(file.path), own_device)
    except FileNotFoundError:
        fault = "its file is gone"
    except InputError as error:
        fault = str(error)
    except OSError:
        fault = "its file cannot be read"
    # Another maker's report may break its reader in ways that nobody foresaw; that costs its line
    # and not the page, which other studies share.
    except Exception as error:  # noqa: BLE001
        _log.error(
            "cad_report_broke", study_uid=file.study_uid, error=describe_without_quoting(error)
        )
        fault = "not understood"
    else:
        return PriorReport(file.study_uid, file.study_date, report, "")
    # The fault may quote the document, which may quote anything: it stays out of the log.
    _log.info("cad_report_not_readable", study_uid=file.study_uid)
    return PriorReport(file.study_uid, file.study_date, None, fault)
