"""How long first readings take: from the last image of a study to its report at a destination.

Later revisions have other causes, a late prior or a person's wish, and are left out.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, exists, select
from sqlalchemy.orm import Session

from secondread.metrics import STAGE_SECONDS, TURNAROUND_SECONDS
from secondread.track.states import DeliveryState
from secondread.track.tables import DeliveryRow, OutboxObjectRow, RevisionRow, StudyRow

FIRST: Final = 1
"""Number of a study's first revision."""


@dataclass(frozen=True, slots=True)
class Turnaround:
    """When a destination had stored all results of a first reading, and since when they waited."""

    destination: str
    arrived_at: datetime
    """When the last image came that it was made from."""
    read_at: datetime
    """When its results were recorded."""
    stored_at: datetime

    def observe(self) -> None:
        """Enter it into the metrics."""
        sending = (self.stored_at - self.read_at).total_seconds()
        STAGE_SECONDS.labels("sending").observe(max(0.0, sending))
        whole = (self.stored_at - self.arrived_at).total_seconds()
        TURNAROUND_SECONDS.labels(self.destination).observe(max(0.0, whole))


def measure_stages(study: StudyRow, revision: RevisionRow, now: datetime) -> Mapping[str, float]:
    """Return the seconds of the stages of a first reading that ends now; of others nothing."""
    if revision.number != FIRST or study.last_arrived_at > revision.started_at:
        return {}
    return {
        "assembling": (revision.started_at - study.last_arrived_at).total_seconds(),
        "reading": (now - revision.started_at).total_seconds(),
    }


def observe_stages(stages: Mapping[str, float]) -> None:
    """Enter what `measure_stages` returned into the metrics."""
    for stage, seconds in stages.items():
        STAGE_SECONDS.labels(stage).observe(max(0.0, seconds))


def find_turnarounds(
    session: Session, destination: str, outbox: Collection[int], now: datetime
) -> list[Turnaround]:
    """Return the first readings of which a destination has stored everything with these objects.

    Parameters
    ----------
    session
        The transaction that records its answers.
    destination
        Its name.
    outbox
        Identifiers of the objects that it stores for the first time.
    now
        The present instant.
    """
    if not outbox:
        return []
    session.flush()
    is_waiting = and_(
        DeliveryRow.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
        DeliveryRow.first_stored_at.is_(None),
    )
    mine = select(OutboxObjectRow.revision).where(OutboxObjectRow.id.in_(outbox))
    rows = session.execute(
        select(StudyRow.last_arrived_at, RevisionRow.finished_at)
        .join(RevisionRow, RevisionRow.study_uid == StudyRow.study_uid)
        .where(
            RevisionRow.id.in_(mine),
            RevisionRow.number == FIRST,
            # What came later is not in the report.
            StudyRow.last_arrived_at <= RevisionRow.started_at,
            ~exists()
            .where(DeliveryRow.outbox == OutboxObjectRow.id)
            .where(OutboxObjectRow.revision == RevisionRow.id)
            .where(DeliveryRow.destination == destination, is_waiting)
            .correlate(RevisionRow),
        )
    )
    return [
        Turnaround(destination, arrived_at, read_at, now)
        for arrived_at, read_at in rows
        if read_at is not None
    ]
