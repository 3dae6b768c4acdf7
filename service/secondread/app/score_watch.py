"""An alarm when the scores of a device's exams move: its processing may have changed."""

from datetime import datetime

from secondread import log
from secondread.findings.score_drift import (
    EARLIER_EXAMS,
    RECENT_EXAMS,
    ScoreChange,
    compare_scores,
)
from secondread.track.summaries import DeviceSummary
from secondread.track.tracker import Tracker

_log = log.get_logger(__name__)

SCORES_MOVED_ALARM = "device-scores-moved"
"""Alarm: a device's latest exams are scored otherwise than those before them."""


def find_change(tracker: Tracker, device: DeviceSummary, model_digest: str) -> ScoreChange | None:
    """Compare a device's latest exams with those before, by the scores that a model gave them.

    None while it has too few.
    """
    most = RECENT_EXAMS + EARLIER_EXAMS
    return compare_scores(tracker.devices.load_scores(device.number, model_digest, most))


def watch_scores(tracker: Tracker, model_digest: str, now: datetime) -> None:
    """Raise an alarm for each device whose scores have moved, and clear those that are over."""
    for device in tracker.devices.list_devices():
        change = find_change(tracker, device, model_digest)
        if change is not None and change.is_moved:
            words = (
                f"the last {change.recent_exams} exams of {device.label} are scored otherwise than "
                f"the {change.earlier_exams} before: median {change.recent_median:.1f} instead of "
                f"{change.earlier_median:.1f}; was its detector or processing changed?"
            )
            tracker.alarms.raise_alarm(SCORES_MOVED_ALARM, device.label, words, now)
        else:
            tracker.alarms.clear_alarm(SCORES_MOVED_ALARM, device.label, now)
