"""An answer about every image: what to say of one that the detector could not answer about."""

from collections.abc import Callable

from secondread import log
from secondread.detect.child import DetectorLimitError
from secondread.detect.marks import Detection
from secondread.reasons import ImageStatus, Reason

_log = log.get_logger(__name__)


def failed_detection(sop_instance_uid: str, reason: Reason, detail: str = "") -> Detection:
    """Return the answer about an image that could not be read at all."""
    return Detection(
        sop_instance_uid=sop_instance_uid,
        status=ImageStatus.FAILED,
        reasons=(reason,),
        marks=(),
        gates={},
        breast=None,
        seconds=0.0,
        detail=detail,
    )


def detect_with_retries(
    sop_instance_uid: str, detect: Callable[[], Detection], attempts: int
) -> Detection:
    """Have an image read, and give it up when it has killed the detector too often.

    Parameters
    ----------
    sop_instance_uid
        Of the image.
    detect
        Reads it; a `DetectorLimitError` costs one attempt, the next has a new child.
    attempts
        How many there are, at least 1.

    Returns
    -------
    Detection
        The detector's, or a failed one with the reason of the last death.
    """
    answer = failed_detection(sop_instance_uid, Reason.DETECTOR_DIED)
    for attempt in range(1, attempts + 1):
        try:
            return detect()
        except DetectorLimitError as error:
            answer = failed_detection(sop_instance_uid, error.reason, str(error))
            _log.error(
                "detector_died",
                sop_instance_uid=sop_instance_uid,
                attempt=attempt,
                why=str(error),
            )
    return answer
