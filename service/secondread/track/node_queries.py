"""What pages, commands and gauges ask about the node as a whole."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from secondread.accept.ledger import Refusal
from secondread.reasons import Outcome
from secondread.send.outbox import WARNING_STATUSES
from secondread.track.database import TrackerPart
from secondread.track.delivery_rows import list_reasons
from secondread.track.states import UNDELIVERED, DeliveryState, FetchState, StudyState
from secondread.track.study_rows import is_due
from secondread.track.summaries import (
    AlarmSummary,
    DestinationSummary,
    ExpectedFile,
    NodeCounts,
    ProcessSummary,
)
from secondread.track.tables import (
    AlarmRow,
    DeliveryRow,
    DestinationRow,
    FetchRequestRow,
    InstanceRow,
    ProcessRow,
    RefusalRow,
    StudyRow,
    from_row,
)


class NodeQueries(TrackerPart):
    """Questions about the node; none of them changes anything."""

    def list_destinations(self) -> list[DestinationSummary]:
        """Return the destinations with what waits for them, by name."""
        with self._database.begin_read() as session:
            counts = _count_deliveries(session)
            times = _find_delivery_times(session)
            return [
                from_row(
                    DestinationSummary,
                    row,
                    counts={state: n for (name, state), n in counts.items() if name == row.name},
                    reasons=list_reasons(
                        session,
                        DeliveryRow.destination == row.name,
                        DeliveryRow.state.in_(UNDELIVERED),
                    ),
                    **times.get(row.name, _Times())._asdict(),
                )
                for row in session.scalars(select(DestinationRow).order_by(DestinationRow.name))
            ]

    def list_refusals(self, limit: int = 200) -> list[Refusal]:
        """Return what was refused, the latest first."""
        latest = select(RefusalRow).order_by(RefusalRow.last_at.desc(), RefusalRow.id).limit(limit)
        with self._database.begin_read() as session:
            return [from_row(Refusal, row) for row in session.scalars(latest)]

    def list_processes(self) -> list[ProcessSummary]:
        """Return the processes that did not end as they should, by name."""
        with self._database.begin_read() as session:
            rows = session.scalars(select(ProcessRow).order_by(ProcessRow.name))
            return [from_row(ProcessSummary, row) for row in rows]

    def list_alarms(self) -> list[AlarmSummary]:
        """Return the alarms that are raised, the most urgent and oldest first."""
        with self._database.begin_read() as session:
            rows = session.scalars(select(AlarmRow).where(AlarmRow.cleared_at.is_(None)))
            alarms = [from_row(AlarmSummary, row) for row in rows]
        return sorted(alarms, key=lambda alarm: (alarm.severity, alarm.raised_at))

    def count_all(self, now: datetime) -> NodeCounts:
        """Return the gauges: studies by state and outcome, deliveries by destination and state."""
        with self._database.begin_read() as session:
            states = session.execute(select(StudyRow.state, func.count()).group_by(StudyRow.state))
            outcomes = session.execute(
                select(StudyRow.outcome, func.count())
                .where(StudyRow.outcome.is_not(None))
                .group_by(StudyRow.outcome)
            )
            raised = select(func.count()).select_from(AlarmRow).where(AlarmRow.cleared_at.is_(None))
            due = select(func.count()).select_from(StudyRow).where(is_due(now))
            return NodeCounts(
                studies=dict.fromkeys(StudyState, 0) | {row.state: row[1] for row in states},
                outcomes=dict.fromkeys(Outcome, 0)
                | {outcome: n for outcome, n in outcomes if outcome},
                deliveries=_count_deliveries(session),
                alarms=session.scalar(raised) or 0,
                due_studies=session.scalar(due) or 0,
                priors=_count_fetch_requests(session),
            )

    def list_expected_files(self, after: int = 0, limit: int = 1000) -> list[ExpectedFile]:
        """Return what the archive should hold, page by page, to compare the two."""
        page = (
            select(InstanceRow).where(InstanceRow.id > after).order_by(InstanceRow.id).limit(limit)
        )
        with self._database.begin_read() as session:
            return [from_row(ExpectedFile, row) for row in session.scalars(page)]


def _count_deliveries(session: Session) -> dict[tuple[str, DeliveryState], int]:
    names = session.scalars(select(DestinationRow.name).order_by(DestinationRow.name))
    counts = {(name, state): 0 for name in names for state in DeliveryState}
    rows = session.execute(
        select(DeliveryRow.destination, DeliveryRow.state, func.count()).group_by(
            DeliveryRow.destination, DeliveryRow.state
        )
    )
    return counts | {(name, state): n for name, state, n in rows}


def _count_fetch_requests(session: Session) -> dict[tuple[str, FetchState], int]:
    rows = session.execute(
        select(FetchRequestRow.source, FetchRequestRow.state, func.count()).group_by(
            FetchRequestRow.source, FetchRequestRow.state
        )
    )
    return {(source, state): n for source, state, n in rows}


class _Times(NamedTuple):
    oldest_waiting_at: datetime | None = None
    oldest_unproven_at: datetime | None = None
    last_delivered_at: datetime | None = None
    next_attempt_at: datetime | None = None
    warned: int = 0


def _find_delivery_times(session: Session) -> dict[str, _Times]:
    is_waiting = DeliveryRow.state.in_(UNDELIVERED)
    rows = session.execute(
        select(
            DeliveryRow.destination,
            func.min(case((is_waiting, DeliveryRow.created_at))),
            func.min(case((is_waiting, DeliveryRow.first_stored_at))),
            func.max(DeliveryRow.delivered_at),
            func.min(case((is_waiting, DeliveryRow.due_at))),
            func.count(case((DeliveryRow.last_status.in_(WARNING_STATUSES), 1))),
        ).group_by(DeliveryRow.destination)
    )
    return {name: _Times(*times) for name, *times in rows}
