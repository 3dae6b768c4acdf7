"""Which processes have fallen silent, judged by a clock that nobody can set.

A heartbeat is an instant of another machine's wall clock. Only whether it changes counts here: a
process is silent when it has not changed for so long, by this process's own clock that only goes
forward. Clocks that differ or are set do no harm, and neither does an outage of the database,
during which nobody could beat: of the time between two looks, only so much counts that all have
time to beat again afterwards.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

LONGEST_GAP_SHARE = 0.5
"""Part of the time allowed that counts at most between two looks."""


@dataclass(slots=True)
class SilenceWatch:
    """Watches the heartbeats of other processes.

    Parameters
    ----------
    seconds
        How long a process may go without a heartbeat.
    count_seconds
        A clock that only goes forward, as `time.monotonic`.
    """

    seconds: float
    count_seconds: Callable[[], float]
    _looked_at: float | None = None
    _seen: dict[str, tuple[datetime, float]] = field(default_factory=dict)
    """Of each process its last heartbeat, and for how many seconds that has been so."""

    def find_silent(self, beats: Mapping[str, datetime]) -> list[str]:
        """Return the processes that are silent, by the heartbeats as they are now."""
        now = self.count_seconds()
        passed = 0.0 if self._looked_at is None else now - self._looked_at
        counted = min(passed, self.seconds * LONGEST_GAP_SHARE)
        self._looked_at = now
        self._seen = {
            name: (beat_at, self._count_silence(name, beat_at, counted))
            for name, beat_at in beats.items()
        }
        return sorted(name for name, (_, silence) in self._seen.items() if silence > self.seconds)

    def _count_silence(self, name: str, beat_at: datetime, passed: float) -> float:
        last_beat_at, silence = self._seen.get(name, (None, 0.0))
        return silence + passed if beat_at == last_beat_at else 0.0
