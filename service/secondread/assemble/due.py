"""When a study is due: how long it waits for more images, and until when changes revise a report.

DICOM has no sign that a study is complete. A study is therefore read when nothing has arrived for
the quiet time; and earlier, after the shorter settle time, when every expected view is in and no
association is open that delivered to it. What changes after the report (late images, withdrawn
ones, priors, treatments) makes the study due again, as long as the report is recent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from secondread.assemble.viewset import StudyViews
from secondread.settings import AssembleSettings


class DueTimes(NamedTuple):
    """When a study is due; the earlier one counts."""

    quiet_at: datetime
    """Whatever is missing."""
    settled_at: datetime | None
    """If no association is open that delivered to it; None while a view is missing."""


@dataclass(frozen=True, slots=True)
class DueRules:
    """The waiting times of `[assemble]`, which documents them, and what follows from them."""

    settle: timedelta = timedelta(seconds=20)
    quiet: timedelta = timedelta(seconds=120)
    late_window: timedelta = timedelta(days=7)

    @classmethod
    def from_settings(cls, settings: AssembleSettings) -> "DueRules":
        """Read `[assemble]`."""
        return cls(
            settle=timedelta(seconds=settings.settle_seconds),
            quiet=timedelta(seconds=settings.quiet_seconds),
            late_window=timedelta(days=settings.late_window_days),
        )

    def find_due_times(self, views: StudyViews, now: datetime) -> DueTimes:
        """Return when a study is due of which an image has just arrived or been withdrawn."""
        return DueTimes(now + self.quiet, now + self.settle if views.is_complete() else None)

    def find_revision_time(self, now: datetime) -> datetime:
        """Return when a study with a report is due that something has just changed for.

        Several changes shortly after each other then make one revision.
        """
        return now + self.settle

    def is_recent(self, instant: datetime | None, now: datetime) -> bool:
        """Whether a report, or another event, is recent enough that changes make a revision."""
        return instant is not None and now - instant <= self.late_window
