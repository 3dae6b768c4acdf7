"""The alarm of a destination for which something waits too long, or too much, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from secondread.clock import Clock
from secondread.log import get_logger

log = get_logger(__name__)

_CHECK_SECONDS = 15.0
"""How often it is asked what waits."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a destination."""

    since: datetime
    """Since when the oldest of it waits."""
    objects: int
    studies: int
    reasons: tuple[str, ...]
    """Why, in our own words, the commonest first; none where nothing was tried in vain yet."""

    def describe(self) -> str:
        """Return the same in words."""
        objects = "1 object" if self.objects == 1 else f"{self.objects} objects"
        studies = "1 study" if self.studies == 1 else f"{self.studies} studies"
        why = "; ".join(self.reasons) or "no attempt has come to its end yet"
        return f"since {self.since:%Y-%m-%d %H:%M} UTC, {objects} of {studies}: {why}"


class AlarmRegister(Protocol):
    """Where an alarm is raised and cleared; both may be repeated."""

    def raise_alarm(
        self, kind: str, subject: str, detail: str, now: datetime, *, restates: bool = False
    ) -> None:
        """Raise an alarm, or leave it raised; with `restates` it gets these words."""

    def clear_alarm(self, kind: str, subject: str, now: datetime) -> None:
        """Clear it, if it is raised."""


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """From when on what waits is an alarm."""

    seconds: float
    """The age of the oldest."""
    studies: int
    """The number of studies, once an attempt was in vain."""

    def are_passed(self, backlog: Backlog | None, now: datetime) -> bool:
        """Whether a backlog is too old, or too long."""
        if backlog is None:
            return False
        is_long = backlog.studies >= self.studies and bool(backlog.reasons)
        return is_long or (now - backlog.since).total_seconds() > self.seconds


class OverdueAlarm:
    """Raises an alarm when the oldest waits too long or too much waits; clears it when that ends.

    Parameters
    ----------
    kind
        The alarm's kind.
    destination
        Name of the destination, the alarm's subject.
    waiting
        What waits, in words.
    limits
        When the alarm is raised.
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
        limits: BacklogLimits,
        alarms: AlarmRegister,
        clock: Clock,
    ) -> None:
        self._kind = kind
        self._destination = destination
        self._waiting = waiting
        self._limits = limits
        self._alarms = alarms
        self._clock = clock
        self._words: str | None = None
        """As they were raised; empty where it is cleared, None before the first look."""
        self._checked_at: datetime | None = None

    def check(self, find_backlog: Callable[[str], Backlog | None]) -> None:
        """Ask for what waits for the destination, if it is time to ask again."""
        now = self._clock()
        checked = self._checked_at
        if checked is not None and now - checked < timedelta(seconds=_CHECK_SECONDS):
            return
        self._checked_at = now
        backlog = find_backlog(self._destination)
        words = ""
        if backlog is not None and self._limits.are_passed(backlog, now):
            words = f"{self._waiting} {self._destination} {backlog.describe()}"
        if words == self._words:
            return
        if words:
            self._raise(words, backlog, now)
        else:
            self._alarms.clear_alarm(self._kind, self._destination, now)
        self._words = words

    def _raise(self, words: str, backlog: Backlog | None, now: datetime) -> None:
        # The reason may change as long as it lasts: refused today, silent tomorrow.
        self._alarms.raise_alarm(self._kind, self._destination, words, now, restates=True)
        if backlog is not None and not self._words:
            log.warning(
                self._kind.replace("-", "_"),
                destination=self._destination,
                age_seconds=round((now - backlog.since).total_seconds()),
                objects=backlog.objects,
                studies=backlog.studies,
                reasons=backlog.reasons,
            )
