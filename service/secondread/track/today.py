"""What a day has brought, for the front page: no more is looked at than that day's studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from secondread.reasons import Outcome
from secondread.track.database import TrackerPart
from secondread.track.states import Cause, RevisionState, StudyState
from secondread.track.tables import RevisionRow, StudyRow

_BY_IMAGES = frozenset({Cause.FIRST, Cause.LATE_INSTANCE, Cause.CORRECTED_INSTANCE})
"""Causes of readings that began with an image: these count for the time from image to report."""

_MOST_READINGS = 20_000
"""Readings of a day that are looked at, the latest; a large site has some hundreds."""


@dataclass(frozen=True, slots=True)
class DaySummary:
    """What has come and what became of it since an instant."""

    received: int
    """Studies whose first instance came."""
    read: int
    """Studies that were read, once or more often, whatever came of it."""
    with_findings: int
    """Of these, by the latest reading of each."""
    failed: int
    """The same, of those that failed or were given up."""
    median_seconds: float | None
    """From the last image to the report; None where nothing counts."""
    worst_seconds: float | None
    oldest_due_at: datetime | None
    """Since when the study that waits for a worker for longest is due; whenever it came."""
    model_digest: str
    """Of the model that read last; empty where nothing was read."""


class Today(TrackerPart):
    """Questions about one day."""

    def summarize(self, since: datetime, now: datetime) -> DaySummary:
        """Return what has come and what became of it since an instant."""
        received = select(func.count()).where(StudyRow.first_arrived_at >= since)
        with self._database.begin_read() as session:
            readings = _list_readings(session, since)
            latest = {study_uid: (state, outcome) for study_uid, state, outcome, *_ in readings}
            waits = [seconds for reading in readings if (seconds := _measure(*reading)) is not None]
            return DaySummary(
                received=session.scalar(received) or 0,
                read=len(latest),
                with_findings=sum(o is Outcome.FINDINGS for _, o in latest.values()),
                failed=sum(
                    outcome is Outcome.FAILED or state is RevisionState.GAVE_UP
                    for state, outcome in latest.values()
                ),
                median_seconds=median(waits) if waits else None,
                worst_seconds=max(waits, default=None),
                oldest_due_at=_find_oldest_due(session, now),
                model_digest=readings[-1][-1] if readings else "",
            )


def _list_readings(session: Session, since: datetime) -> Sequence[Any]:
    """Return a day's readings in the order in which they ended."""
    # Row by row by the key of studies: PostgreSQL would go through all studies for a join of some
    # thousand of them.
    last_arrived_at = (
        select(StudyRow.last_arrived_at)
        .where(StudyRow.study_uid == RevisionRow.study_uid)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            RevisionRow.study_uid,
            RevisionRow.state,
            RevisionRow.outcome,
            RevisionRow.cause,
            RevisionRow.finished_at,
            last_arrived_at,
            RevisionRow.model_digest,
        )
        .where(RevisionRow.finished_at >= since)
        .order_by(RevisionRow.finished_at.desc())
        .limit(_MOST_READINGS)
    ).all()
    return rows[::-1]


def _measure(
    _uid: str,
    state: RevisionState,
    _outcome: Outcome | None,
    cause: Cause,
    finished_at: datetime,
    last_arrived_at: datetime,
    _model: str,
) -> float | None:
    """Return the seconds from a study's last image to a report that images brought about."""
    counts = state is RevisionState.FINISHED and cause in _BY_IMAGES
    seconds = (finished_at - last_arrived_at).total_seconds()
    return seconds if counts and seconds >= 0 else None


def _find_oldest_due(session: Session, now: datetime) -> datetime | None:
    waits = StudyRow.state.in_((StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS))
    # One after the other: each is the first of an index.
    times = [
        session.scalar(select(due).where(due <= now, waits).order_by(due).limit(1))
        for due in (StudyRow.quiet_due_at, StudyRow.settle_due_at)
    ]
    return min((at for at in times if at is not None), default=None)
