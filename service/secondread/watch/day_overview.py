"""The day and the node at a glance, for the front page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from secondread.accept.archive import Archive
from secondread.settings import Settings
from secondread.track.states import StudyState
from secondread.track.summaries import DestinationSummary, NodeCounts
from secondread.track.today import DaySummary
from secondread.track.tracker import Tracker
from secondread.watch.model_in_force import ModelLine, describe_model


@dataclass(frozen=True, slots=True)
class Glance:
    """What the front page says of this day and of the node, beside what every page says."""

    day: DaySummary
    waiting: int
    """Studies that wait for images, priors or a worker, or are being read."""
    failed: int
    """Studies that were not read for a fault, and that nobody has done with."""
    free_bytes: int | None
    """None where the archive is gone."""
    minimum_bytes: int
    destinations: Sequence[DestinationSummary]
    model: ModelLine


_UNDER_WAY = (StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS, StudyState.READING)


class DayOverview:
    """Looks at the day.

    Parameters
    ----------
    tracker, archive
        What is asked.
    settings
        The node's settings.
    """

    def __init__(self, tracker: Tracker, archive: Archive, settings: Settings) -> None:
        self._tracker = tracker
        self._archive = archive
        self._settings = settings

    def look(self, counts: NodeCounts, now: datetime) -> Glance:
        """Return the day and the node at a glance; `counts` are those of this moment."""
        midnight = now.astimezone(self._settings.zone).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        try:
            free: int | None = self._archive.measure_free_bytes()
        except OSError:
            free = None
        return Glance(
            day=self._tracker.today.summarize(midnight, now),
            waiting=sum(counts.studies[state] for state in _UNDER_WAY),
            failed=self._tracker.dismissals.count_failed(),
            free_bytes=free,
            minimum_bytes=self._settings.receive.minimum_free_bytes,
            destinations=self._tracker.node_queries.list_destinations(),
            model=describe_model(self._settings),
        )
