"""The rows of deliveries: how they are found and locked, and what an answer does to one."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from secondread.send.overdue import Backlog
from secondread.send.pauses import compute_pause
from secondread.settings import DestinationMode, Proof
from secondread.track.states import UNDELIVERED, DeliveryEvent, DeliveryState, step_delivery
from secondread.track.tables import DeliveryRow, DestinationRow, OutboxObjectRow

LONGEST_ERROR = 500
"""Characters of an error that are kept."""

_MOST_REASONS = 3
"""How many reasons are named for what waits."""

_MOST_COUNTED = 1000
"""How many of what waits are looked at for their reasons."""

_LONGEST_RESEND_SECONDS = 3600.0
"""The longest pause before an object is sent again that its destination lost, or refuses."""


def is_undelivered() -> ColumnElement[bool]:
    """Return the condition that a delivery is still owed, as indexes of such deliveries have it.

    Its values are written out: a database cannot know that bound ones are the same.
    """
    states: BindParameter[Any] = bindparam(None, UNDELIVERED, expanding=True, literal_execute=True)
    return DeliveryRow.state.in_(states)


def lock_live_destination(session: Session, destination: str) -> bool:
    """Lock a destination's row, so that a study is not split between two workers.

    Returns
    -------
    bool
        Whether there is such a destination and its mode is live.
    """
    row = session.scalars(
        select(DestinationRow)
        .where(DestinationRow.name == destination, DestinationRow.mode == DestinationMode.LIVE)
        .with_for_update()
    ).one_or_none()
    return row is not None


def lock_next_study(
    session: Session, *conditions: ColumnElement[bool]
) -> list[tuple[DeliveryRow, OutboxObjectRow]]:
    """Return the objects that meet a condition, of the study whose object is due for longest.

    Each condition is asked for by itself: its first row is then the first of an index, and of a
    long backlog no more is looked at.
    """
    order = DeliveryRow.due_at, DeliveryRow.id
    firsts = [
        session.execute(
            select(*order, DeliveryRow.outbox).where(condition).order_by(*order).limit(1)
        ).one_or_none()
        for condition in conditions
    ]
    first = min((tuple(row) for row in firsts if row is not None), default=None)
    if first is None:
        return []
    own = select(OutboxObjectRow.study_uid).where(OutboxObjectRow.id == first[2])
    of_study = select(OutboxObjectRow.id).where(OutboxObjectRow.study_uid == own.scalar_subquery())
    rows = session.execute(
        select(DeliveryRow, OutboxObjectRow)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(or_(*conditions), DeliveryRow.outbox.in_(session.scalars(of_study).all()))
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    )
    return [(delivery, row) for delivery, row in rows]


def lock_deliveries(
    session: Session, destination: str, uids: Collection[str]
) -> list[tuple[DeliveryRow, str]]:
    """Return the deliveries of objects to a destination, each with its SOP Instance UID."""
    rows = session.execute(
        select(DeliveryRow, OutboxObjectRow.sop_instance_uid)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(DeliveryRow.destination == destination, OutboxObjectRow.sop_instance_uid.in_(uids))
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    )
    return [(delivery, uid) for delivery, uid in rows]


def find_backlog(
    session: Session,
    destination: str,
    since: "InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]",
    *conditions: ColumnElement[bool],
) -> Backlog | None:
    """Return the deliveries to a live destination that meet conditions; None without any.

    `since` is the column that says since when one waits.
    """
    is_meant = (
        DeliveryRow.destination == destination,
        DeliveryRow.destination == DestinationRow.name,
        DestinationRow.mode == DestinationMode.LIVE,
        *conditions,
    )
    # Row by row by the key of the outbox: PostgreSQL takes the few for many, and would go through
    # the whole outbox for a join.
    study_uid = (
        select(OutboxObjectRow.study_uid)
        .where(OutboxObjectRow.id == DeliveryRow.outbox)
        .scalar_subquery()
    )
    studies = func.count(study_uid.distinct())
    oldest, objects, study_count = session.execute(
        select(func.min(since), func.count(), studies).where(*is_meant)
    ).one()
    if oldest is None:
        return None
    return Backlog(oldest, objects, study_count, list_reasons(session, *is_meant))


def list_reasons(session: Session, *conditions: ColumnElement[bool]) -> tuple[str, ...]:
    """Return why deliveries wait, the commonest first, with its number where there are several.

    Of many, those count that are tried again last.
    """
    latest = (
        select(DeliveryRow.last_error)
        .where(*conditions, DeliveryRow.last_error.is_not(None))
        .order_by(DeliveryRow.due_at.desc())
        .limit(_MOST_COUNTED)
        .subquery()
    )
    reasons = session.execute(
        select(latest.c.last_error, func.count().label("number"))
        .group_by(latest.c.last_error)
        .order_by(func.count().desc(), latest.c.last_error)
        .limit(_MOST_REASONS)
    ).all()
    if len(reasons) == 1:
        return (str(reasons[0][0]),)
    return tuple(f"{reason} ({number})" for reason, number in reasons)


def give_back(delivery: DeliveryRow) -> None:
    """End the lease of a worker that stops, or is gone: that was no attempt."""
    if delivery.state is DeliveryState.SENDING:
        delivery.state = step_delivery(delivery.state, DeliveryEvent.LEASE_EXPIRED)
        delivery.attempts -= 1
    delivery.release()


def is_stored_since_before(delivery: DeliveryRow, instant: datetime) -> bool:
    """Whether an object is stored, and was not stored anew since an instant."""
    return delivery.state is DeliveryState.STORED and (
        delivery.stored_at is None or delivery.stored_at <= instant
    )


def await_proof(delivery: DeliveryRow, ask_again_at: datetime) -> None:
    """Note that the proof was asked for, and when it is asked for again."""
    delivery.proof_asked += 1
    delivery.due_at = ask_again_at
    delivery.release()


def prove(delivery: DeliveryRow, proof: Proof, now: datetime) -> None:
    """Note that the destination holds the object; the first proof counts."""
    if delivery.state is not DeliveryState.DELIVERED:
        delivery.delivered_at, delivery.proof, delivery.last_error = now, proof, None
    delivery.state = step_delivery(delivery.state, DeliveryEvent.PROVEN)
    delivery.release()


def leave_unproven(delivery: DeliveryRow) -> None:
    """Note that the destination has an object under that UID, and that no more will be asked."""
    delivery.state = step_delivery(delivery.state, DeliveryEvent.DUPLICATE)
    delivery.release()


def ask_again(delivery: DeliveryRow, now: datetime) -> None:
    """Have an object sent as if it never had been: a person asked for it, whatever became of it."""
    delivery.state = step_delivery(delivery.state, DeliveryEvent.REQUESTED)
    # How long it is owed counts from now: it may have been kept in shadow for a year.
    delivery.created_at = delivery.due_at = now
    delivery.attempts = delivery.proof_asked = delivery.proof_refused = 0
    delivery.last_status = delivery.last_error = delivery.delivered_at = delivery.proof = None
    delivery.first_stored_at = delivery.stored_at = None
    delivery.release()


def refuse(delivery: DeliveryRow, why: str, now: datetime) -> None:
    """Have an object sent again that the destination does not hold, after a growing pause."""
    delivery.state = step_delivery(delivery.state, DeliveryEvent.REFUSED)
    delivery.proof_refused += 1
    pause = compute_pause(delivery.proof_refused, _LONGEST_RESEND_SECONDS)
    delivery.due_at, delivery.last_error = now + timedelta(seconds=pause), why
    delivery.release()
