"""What pages, commands and gauges ask about the node as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import Session

from secondread.accept.ledger import Refusal
from secondread.reasons import Outcome
from secondread.track.archive_rows import list_expected_files
from secondread.track.counts import CountKey, read_counts
from secondread.track.database import TrackerPart
from secondread.track.delivery_rows import is_undelivered, list_reasons
from secondread.track.states import DeliveryState, FetchState, StudyState
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
    Counted,
    DeliveryRow,
    DestinationRow,
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
            counts = read_counts(session)
            states = _select_deliveries(counts, _list_names(session))
            return [
                from_row(
                    DestinationSummary,
                    row,
                    counts={state: n for (name, state), n in states.items() if name == row.name},
                    oldest_waiting_at=waiting_at,
                    oldest_unproven_at=unproven_at,
                    last_delivered_at=delivered_at,
                    next_attempt_at=attempt_at,
                    reasons=list_reasons(
                        session, DeliveryRow.destination == row.name, is_undelivered()
                    ),
                    warned=counts.get((Counted.WARNED_DELIVERIES, "", row.name), 0),
                )
                for row, waiting_at, unproven_at, delivered_at, attempt_at in session.execute(
                    _SELECT_DESTINATIONS
                )
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
            counts = read_counts(session)
            raised = select(func.count()).select_from(AlarmRow).where(AlarmRow.cleared_at.is_(None))
            due_at = func.coalesce(StudyRow.settle_due_at, StudyRow.quiet_due_at)
            due, oldest_due_at = session.execute(
                select(func.count(), func.min(due_at)).select_from(StudyRow).where(is_due(now))
            ).one()
            return NodeCounts(
                studies=_sum_studies(counts),
                outcomes=_sum_outcomes(counts),
                deliveries=_select_deliveries(counts, _list_names(session)),
                alarms=session.scalar(raised) or 0,
                due_studies=due,
                oldest_due_at=oldest_due_at,
                priors={
                    (source, FetchState(state)): number
                    for (counted, state, source), number in counts.items()
                    if counted is Counted.FETCH_REQUESTS
                },
            )

    def list_expected_files(self, after: int = 0, limit: int = 1000) -> list[ExpectedFile]:
        """Return what the archive should hold, page by page, to compare the two."""
        with self._database.begin_read() as session:
            return list_expected_files(session, InstanceRow, after, limit)


def _list_names(session: Session) -> Sequence[str]:
    return session.scalars(select(DestinationRow.name).order_by(DestinationRow.name)).all()


def _sum_studies(counts: Mapping[CountKey, int]) -> dict[StudyState, int]:
    sums = dict.fromkeys(StudyState, 0)
    for (counted, state, _), number in counts.items():
        if counted is Counted.STUDIES:
            sums[StudyState(state)] += number
    return sums


def _sum_outcomes(counts: Mapping[CountKey, int]) -> dict[Outcome, int]:
    sums = dict.fromkeys(Outcome, 0)
    for (counted, _, outcome), number in counts.items():
        if counted is Counted.STUDIES and outcome:
            sums[Outcome(outcome)] += number
    return sums


def _select_deliveries(
    counts: Mapping[CountKey, int], names: Iterable[str]
) -> dict[tuple[str, DeliveryState], int]:
    return {
        (name, state): counts.get((Counted.DELIVERIES, state.value, name), 0)
        for name in names
        for state in DeliveryState
    }


def _select_destinations() -> Select[Any]:
    """Select destinations, each with what an index of its deliveries has first or last."""
    created, stored = DeliveryRow.created_at, DeliveryRow.first_stored_at
    delivered, due = DeliveryRow.delivered_at, DeliveryRow.due_at
    has_failed = DeliveryRow.last_error.is_not(None)
    # Not min and max: SQLite would look at all of them.
    return select(
        DestinationRow,
        _select_first(select(created).where(is_undelivered()).order_by(created)),
        _select_first(select(stored).where(stored.is_not(None), is_undelivered()).order_by(stored)),
        _select_first(select(delivered).where(delivered.is_not(None)).order_by(delivered.desc())),
        _select_first(select(due).where(has_failed, is_undelivered()).order_by(due)),
    ).order_by(DestinationRow.name)


def _select_first(deliveries: Select[Any]) -> ScalarSelect[Any]:
    """Select the first of a destination's deliveries."""
    of_destination = DeliveryRow.destination == DestinationRow.name
    return deliveries.where(of_destination).limit(1).correlate(DestinationRow).scalar_subquery()


_SELECT_DESTINATIONS = _select_destinations()
