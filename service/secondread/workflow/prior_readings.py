"""What a study is compared with, and the comparison: nothing here raises over a prior.

What cannot be compared is a reason in the result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from secondread import log
from secondread.accept.archive import Archive
from secondread.detect.marks import Detection
from secondread.errors import InputError, describe_without_quoting, is_outage
from secondread.findings.cad_report import CadReport
from secondread.findings.finding import StudyReading
from secondread.followup.comparison import RegisteredComparison, compare_with_priors
from secondread.followup.follow_up import follow_up, mark_not_compared
from secondread.followup.recheck import RecheckedFinding, ScoreImage, recheck_priors
from secondread.followup.reported_priors import add_reported_priors, choose_report
from secondread.reading import Reader, read_from_report
from secondread.reasons import Reason
from secondread.report.readback.cad_reader import read_cad_report_file
from secondread.report.sr.uids import derive_device_uid
from secondread.track.tracker import Tracker
from secondread.workflow.cache import AnswerStore
from secondread.workflow.inputs import GatheredPriors
from secondread.workflow.side_by_side import run_all

_log = log.get_logger(__name__)

Compare = Callable[[StudyReading, Sequence[StudyReading]], tuple[RegisteredComparison, ...]]
"""What `compare_with_priors` does."""

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
"""Why a prior's images may be missing, so that its report stands for them. For images of another
patient nothing does."""


@dataclass(frozen=True, slots=True)
class PriorReadings:
    """What a study is compared with."""

    detections: Mapping[str, Detection] = field(default_factory=dict)
    """The detector's answers about its priors' images, by SOP Instance UID."""
    from_images: tuple[StudyReading, ...] = ()
    """Readings of its priors' images, the latest first."""
    from_reports: tuple[StudyReading, ...] = ()
    """Readings from the reports of priors whose images are not at hand."""
    rechecked: tuple[RecheckedFinding, ...] = ()
    """What was seen in its priors' pixels at the recheck."""
    given_up: tuple[str, ...] = ()
    """Study Instance UIDs of priors over which something broke."""


def read_reported_priors(
    tracker: Tracker, archive: Archive, priors: GatheredPriors, reader: Reader
) -> tuple[StudyReading, ...]:
    """Return readings of the priors whose images are not at hand, the latest first.

    They come from what this node reported, if it was the present model that read the prior. Other
    makers' reports are of no use for that.
    """
    readings = (
        _read_reported_prior(tracker, archive, prior.study_uid, reader)
        for prior in priors.studies
        if prior.reason in _NOT_AT_HAND
    )
    return tuple(reading for reading in readings if reading is not None)


def _read_reported_prior(
    tracker: Tracker, archive: Archive, study_uid: str, reader: Reader
) -> StudyReading | None:
    try:
        report = choose_report(_read_reports(tracker, archive, study_uid), reader.model)
        if report is None:
            return None
        answers = AnswerStore(tracker.results, archive).list_for_study(study_uid)
        return read_from_report(report, answers, reader)
    except Exception as error:
        # Whatever else it is, it must not cost the reading.
        if is_outage(error):
            raise
        # The error's message may quote the report, which may quote anything.
        _log.error("prior_report_broke", study_uid=study_uid, error=type(error).__name__)
        return None


def _read_reports(tracker: Tracker, archive: Archive, study_uid: str) -> tuple[CadReport, ...]:
    own_device = derive_device_uid(tracker.get_installation_id())
    reports = []
    for file in tracker.cad_reports.list_for_study(study_uid):
        try:
            reports.append(read_cad_report_file(archive.resolve_path(file.path), own_device))
        except (InputError, OSError):
            # The message may quote the document, which may quote anything: it stays out of the log.
            _log.warning("cad_report_not_readable", study_uid=study_uid)
        # One maker's report that breaks its reader does not take this node's own report along.
        except Exception as error:  # noqa: BLE001
            why = describe_without_quoting(error)
            _log.error("cad_report_broke", study_uid=study_uid, error=why)
    return tuple(reports)


def recheck_new_findings(
    comparisons: Sequence[RegisteredComparison], score_image: ScoreImage, at_once: int = 1
) -> tuple[RecheckedFinding, ...]:
    """Return what is seen in the priors' pixels of findings that are new by the priors' findings.

    Parameters
    ----------
    comparisons
        The study with its priors.
    score_image
        The detector.
    at_once
        How many of the priors' images it looks at side by side.
    """
    rechecked = recheck_priors(comparisons, score_image, partial(run_all, at_once=at_once))
    for answer in rechecked:
        _log.info(
            "prior_rechecked",
            study_uid=answer.current.study_uid,
            finding=answer.current.finding_id,
            prior_image=answer.recheck.prior_image,
            seen=answer.recheck.seen,
            why_not=answer.recheck.why_not,
        )
    return rechecked


def compare_or_give_up(
    reading: StudyReading, priors: PriorReadings, compare: Compare = compare_with_priors
) -> StudyReading:
    """Return a reading with its follow-up; without a comparison where that breaks.

    What goes wrong in comparing exams costs the comparison, never the second read.
    """
    compared = (*priors.from_images, *priors.from_reports)
    if not compared:
        return mark_not_compared(follow_up(reading), priors.given_up)
    try:
        comparisons = compare(reading, priors.from_images)
        followed = follow_up(reading, comparisons, priors.rechecked)
        return add_reported_priors(followed, priors.from_reports)
    except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the reading)
        _log.error(
            "comparison_broke",
            study_uid=reading.study_uid,
            error=describe_without_quoting(error),
        )
        return mark_not_compared(follow_up(reading), [prior.study_uid for prior in compared])
