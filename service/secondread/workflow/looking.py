"""The second look at the priors' pixels, for what is new by their findings, told to the log."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from secondread import log
from secondread.findings.finding import StudyReading
from secondread.followup.second_look import Looked, ScoresAt, in_files, look_again

_log = log.get(__name__)


def looked_again(
    reading: StudyReading,
    priors: Sequence[StudyReading],
    files: Mapping[str, Path],
    scores_at: ScoresAt,
) -> tuple[Looked, ...]:
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
    found = look_again(reading, priors, in_files(scores_at, files))
    for one in found:
        _log.info(
            "looked_again",
            study_uid=reading.study_uid,
            finding=one.current.finding_id,
            prior_image=one.look.prior_image,
            seen=one.look.seen,
            why_not=one.look.why_not,
        )
    return found
