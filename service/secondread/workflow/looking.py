"""The second look at the priors' pixels, for what is new by their findings, told to the log."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from secondread import log
from secondread.findings.finding import StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.recheck import RecheckedFinding, ScoreFile, recheck_priors, score_files

_log = log.get_logger(__name__)


def recheck_and_log(
    reading: StudyReading,
    priors: Sequence[StudyReading],
    files: Mapping[str, Path],
    scores_at: ScoreFile,
) -> tuple[RecheckedFinding, ...]:
    """Return what was seen in the priors' pixels of findings that are new by the priors' findings.

    Parameters
    ----------
    reading, priors
        Of the study, and of its priors' images.
    files
        Those of the priors' images, by SOP Instance UID.
    scores_at
        The detector.
    """
    found = recheck_priors(compare_with_priors(reading, priors), score_files(scores_at, files))
    for one in found:
        _log.info(
            "looked_again",
            study_uid=reading.study_uid,
            finding=one.current.finding_id,
            prior_image=one.recheck.prior_image,
            seen=one.recheck.seen,
            why_not=one.recheck.why_not,
        )
    return found
