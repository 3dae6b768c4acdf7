from collections.abc import Callable

from secondread.detect.child import DetectorLimitError, detect_with_retries
from secondread.detect.marks import Detection
from secondread.reasons import ImageStatus, Reason
from tests.worlds.builders import detection


def make_dying_detector(
    times: int, reason: Reason = Reason.TIME_LIMIT
) -> tuple[list[int], Callable[[], Detection]]:
    calls: list[int] = []

    def detect() -> Detection:
        calls.append(1)
        if len(calls) <= times:
            raise DetectorLimitError(reason, "seen")
        return detection("1.2")

    return calls, detect


def test_an_image_that_kills_the_detector_once_is_read_at_the_next_attempt() -> None:
    calls, detect = make_dying_detector(1)

    assert detect_with_retries("1.2", detect, attempts=3) == detection("1.2")
    assert len(calls) == 2


def test_one_that_kills_it_every_time_is_given_up_with_the_reason() -> None:
    calls, detect = make_dying_detector(99, Reason.MEMORY_LIMIT)

    answer = detect_with_retries("1.2", detect, attempts=3)

    assert len(calls) == 3
    assert (answer.status, answer.reasons) == (ImageStatus.FAILED, (Reason.MEMORY_LIMIT,))
    assert "seen" in answer.detail
