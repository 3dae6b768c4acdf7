"""The alarm of a destination for which something waits too long."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from secondread.clock import Clock
from secondread.log import get_logger

log = get_logger(__name__)

_CHECK_SECONDS = 15.0
"""How often the age of the oldest is asked for."""


class AlarmRegister(Protocol):
    """Where an alarm is raised and cleared; both may be repeated."""

    def raise_alarm(self, kind: str, subject: str, detail: str, now: datetime) -> None:
        """Raise an alarm, or leave it raised."""

    def clear_alarm(self, kind: str, subject: str, now: datetime) -> None:
        """Clear it, if it is raised."""


class OverdueAlarm:
    """Raises an alarm when the oldest waits too long, and clears it when that is over.

    Parameters
    ----------
    kind
        The alarm's kind.
    destination
        Name of the destination, the alarm's subject.
    waiting
        What waits, in words.
    limit_seconds
        The age from which on the alarm is raised.
    alarms
        Where it is raised.
    clock
        The present instant.
    """

    def __init__(
        self,
        kind: str,
        destination: str,
        waiting: str,
        limit_seconds: float,
        alarms: AlarmRegister,
        clock: Clock,
    ) -> None:
        self._kind = kind
        self._destination = destination
        self._waiting = waiting
        self._limit_seconds = limit_seconds
        self._alarms = alarms
        self._clock = clock
        self._is_raised: bool | None = None
        self._checked_at: datetime | None = None

    def check_oldest(self, find_oldest: Callable[[str], datetime | None]) -> None:
        """Ask for the oldest that waits for the destination, if it is time to ask again."""
        now = self._clock()
        checked = self._checked_at
        if checked is not None and now - checked < timedelta(seconds=_CHECK_SECONDS):
            return
        self._checked_at = now
        since = find_oldest(self._destination)
        age = 0.0 if since is None else (now - since).total_seconds()
        is_overdue = age > self._limit_seconds
        if is_overdue == self._is_raised:
            return
        if is_overdue:
            words = f"{self._waiting} {self._destination} since {since:%Y-%m-%d %H:%M} UTC"
            self._alarms.raise_alarm(self._kind, self._destination, words, now)
            log.warning(
                self._kind.replace("-", "_"), destination=self._destination, age_seconds=round(age)
            )
        else:
            self._alarms.clear_alarm(self._kind, self._destination, now)
        self._is_raised = is_overdue
