"""What waits for which destination: the send stage's `DeliveryQueue`, in SQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from secondread.send.outbox import DeliveryBatch, OutboxObject, StoreAnswer
from secondread.settings import DestinationMode, Proof
from secondread.track.database import Database
from secondread.track.states import DeliveryEvent, DeliveryState, step_delivery
from secondread.track.tables import DeliveryRow, DestinationRow, OutboxObjectRow

_LONGEST_ERROR = 500


class Deliveries:
    """The deliveries of all destinations; none is ever dropped.

    Parameters
    ----------
    database
        Where they are.
    outbox_dir
        The folder that the outbox's paths are relative to.
    """

    def __init__(self, database: Database, outbox_dir: Path) -> None:
        self._database = database
        self._outbox_dir = outbox_dir

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> DeliveryBatch | None:
        """Take the due objects of one study; None when none is due or the mode is not live.

        Objects whose lease ran out are taken again. Two workers never get the same object while
        a lease holds.
        """
        with self._database.begin_write() as session:
            # The destination's row is the lock: a study is not split between two workers.
            live = session.scalars(
                select(DestinationRow)
                .where(
                    DestinationRow.name == destination, DestinationRow.mode == DestinationMode.LIVE
                )
                .with_for_update()
            ).one_or_none()
            study_uid = None if live is None else _next_study(session, destination, now)
            if study_uid is None:
                return None
            rows = session.execute(
                select(DeliveryRow, OutboxObjectRow)
                .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
                .where(_is_ready(destination, now), OutboxObjectRow.study_uid == study_uid)
                .order_by(DeliveryRow.id)
            ).all()
            claim = f"{rows[0][0].id}:{rows[0][0].attempts + 1}"
            for delivery, _ in rows:
                _take(delivery, claim, worker, now + timedelta(seconds=lease_seconds))
            return DeliveryBatch(
                study_uid=study_uid,
                destination=destination,
                objects=tuple(self._object(row) for _, row in rows),
                attempt=max(delivery.attempts for delivery, _ in rows),
                claim=claim,
            )

    def record_delivered(
        self,
        batch: DeliveryBatch,
        answers: Sequence[StoreAnswer],
        now: datetime,
        proof: Proof = Proof.STORE_STATUS,
    ) -> None:
        """Record the objects that the destination holds, also when the lease has run out."""
        with self._database.begin_write() as session:
            for delivery, answer in _answered(session, batch, answers):
                if delivery.state is DeliveryState.DELIVERED:
                    continue
                delivery.state = step_delivery(delivery.state, DeliveryEvent.PROVEN)
                delivery.delivered_at, delivery.proof = now, proof
                delivery.last_status, delivery.last_error = answer.status, None
                _release(delivery)

    def record_stored(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        """Record the objects whose destination has to prove that it holds them, from now on."""
        with self._database.begin_write() as session:
            for delivery, answer in _answered(session, batch, answers):
                before = delivery.state
                delivery.state = step_delivery(before, DeliveryEvent.STORED)
                if delivery.state is before:
                    continue
                delivery.stored_at = delivery.due_at = now
                delivery.first_stored_at = delivery.first_stored_at or now
                delivery.proof_asked = 0
                delivery.last_status, delivery.last_error = answer.status, None
                _release(delivery)

    def record_failed(
        self,
        batch: DeliveryBatch,
        answers: Sequence[StoreAnswer],
        now: datetime,
        next_attempt_at: datetime,
    ) -> None:
        """Record the objects that it did not store, and when they are due again.

        What another worker has claimed meanwhile is left to that one.
        """
        with self._database.begin_write() as session:
            for delivery, answer in _answered(session, batch, answers):
                if delivery.claim != batch.claim:
                    continue
                delivery.state = step_delivery(delivery.state, DeliveryEvent.FAILED)
                delivery.due_at = next_attempt_at
                delivery.last_status = answer.status
                delivery.last_error = f"{answer.kind.value}: {answer.detail}"[:_LONGEST_ERROR]
                _release(delivery)

    def find_oldest_waiting(self, destination: str) -> datetime | None:
        """Return since when the oldest object waits that a live destination never stored."""
        statement = (
            select(func.min(DeliveryRow.created_at))
            .join(DestinationRow, DeliveryRow.destination == DestinationRow.name)
            .where(
                DeliveryRow.destination == destination,
                DeliveryRow.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
                DeliveryRow.first_stored_at.is_(None),
                DestinationRow.mode == DestinationMode.LIVE,
            )
        )
        with self._database.begin_read() as session:
            return session.scalar(statement)

    def _object(self, row: OutboxObjectRow) -> OutboxObject:
        return OutboxObject(
            sop_class_uid=row.sop_class_uid,
            sop_instance_uid=row.sop_instance_uid,
            path=self._outbox_dir / row.path,
            digest=row.sha256,
        )


def _is_ready(destination: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        DeliveryRow.destination == destination,
        or_(
            and_(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.due_at <= now),
            and_(DeliveryRow.state == DeliveryState.SENDING, DeliveryRow.lease_until <= now),
        ),
    )


def _next_study(session: Session, destination: str, now: datetime) -> str | None:
    return session.scalar(
        select(OutboxObjectRow.study_uid)
        .join(DeliveryRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(_is_ready(destination, now))
        .order_by(DeliveryRow.due_at, DeliveryRow.id)
        .limit(1)
    )


def _take(delivery: DeliveryRow, claim: str, worker: str, lease_until: datetime) -> None:
    if delivery.state is DeliveryState.SENDING:
        delivery.state = step_delivery(delivery.state, DeliveryEvent.LEASE_EXPIRED)
    delivery.state = step_delivery(delivery.state, DeliveryEvent.CLAIMED)
    delivery.attempts += 1
    delivery.claim, delivery.leased_by, delivery.lease_until = claim, worker, lease_until


def _release(delivery: DeliveryRow) -> None:
    delivery.claim = delivery.leased_by = delivery.lease_until = None


def _answered(
    session: Session, batch: DeliveryBatch, answers: Sequence[StoreAnswer]
) -> list[tuple[DeliveryRow, StoreAnswer]]:
    by_uid = {answer.sop_instance_uid: answer for answer in answers}
    rows = session.execute(
        select(DeliveryRow, OutboxObjectRow.sop_instance_uid)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(
            DeliveryRow.destination == batch.destination,
            OutboxObjectRow.sop_instance_uid.in_(by_uid),
        )
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    )
    return [(delivery, by_uid[uid]) for delivery, uid in rows]
