"""What waits for which destination: the send stage's `DeliveryQueue`, in SQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from secondread.send.outbox import AnswerKind, DeliveryBatch, OutboxObject, StoreAnswer
from secondread.send.overdue import Backlog
from secondread.settings import Proof
from secondread.track.database import Database
from secondread.track.delivery_rows import (
    LONGEST_ERROR,
    find_backlog,
    give_back,
    leave_unproven,
    lock_deliveries,
    lock_live_destination,
    lock_next_study,
    prove,
)
from secondread.track.states import DeliveryEvent, DeliveryState, step_delivery
from secondread.track.tables import DeliveryRow, OutboxObjectRow, draw_claim
from secondread.track.transfer_rows import add_sent
from secondread.track.turnaround import find_turnarounds


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
        """Claim the due objects of one study; None when none is due or the mode is not live.

        Objects whose lease ran out are claimed again, and those of the worker itself at once. Two
        workers never get the same object while a lease holds.
        """
        if not self._is_anything_ready(destination, worker, now):
            return None
        with self._database.begin_write() as session:
            if not lock_live_destination(session, destination):
                return None
            rows = lock_next_study(session, *_list_ready(destination, worker, now))
            if not rows:
                return None
            _, first_object = rows[0]
            claim = draw_claim()
            for delivery, _ in rows:
                if delivery.state is DeliveryState.SENDING:
                    delivery.state = step_delivery(delivery.state, DeliveryEvent.LEASE_EXPIRED)
                delivery.state = step_delivery(delivery.state, DeliveryEvent.CLAIMED)
                delivery.attempts += 1
                delivery.lease(claim, worker, now + timedelta(seconds=lease_seconds))
            return DeliveryBatch(
                study_uid=first_object.study_uid,
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
        first: list[int] = []
        with self._database.begin_write() as session:
            for delivery, answer in _match_answers(session, batch, answers):
                if delivery.state is not DeliveryState.DELIVERED:
                    if delivery.first_stored_at is None:
                        first.append(delivery.outbox)
                    prove(delivery, proof, now)
                    delivery.last_status = answer.status
            add_sent(session, batch, answers, now)
            turnarounds = find_turnarounds(session, batch.destination, first, now)
        for turnaround in turnarounds:
            turnaround.observe()

    def record_stored(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        """Record the objects whose destination has to prove that it holds them, from now on."""
        first: list[int] = []
        with self._database.begin_write() as session:
            for delivery, answer in _match_answers(session, batch, answers):
                before = delivery.state
                delivery.state = step_delivery(before, DeliveryEvent.STORED)
                if delivery.state is before:
                    continue
                if delivery.first_stored_at is None:
                    first.append(delivery.outbox)
                delivery.stored_at = delivery.due_at = now
                delivery.first_stored_at = delivery.first_stored_at or now
                delivery.proof_asked = 0
                delivery.last_status = answer.status
                if not delivery.proof_refused:
                    # What it lost before keeps the reason until it is proven: it may lose it again.
                    delivery.last_error = None
                delivery.release()
            add_sent(session, batch, answers, now)
            turnarounds = find_turnarounds(session, batch.destination, first, now)
        for turnaround in turnarounds:
            turnaround.observe()

    def record_duplicates(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        """Record the objects that the destination has under their UIDs, and will not prove."""
        with self._database.begin_write() as session:
            for delivery, answer in _match_answers(session, batch, answers):
                if delivery.state is not DeliveryState.DELIVERED:
                    leave_unproven(delivery)
                    delivery.stored_at = now
                    delivery.last_status, delivery.last_error = answer.status, None
            add_sent(session, batch, answers, now)

    def record_failed(
        self,
        batch: DeliveryBatch,
        answers: Sequence[StoreAnswer],
        now: datetime,
        next_attempt_at: datetime,
    ) -> None:
        """Record the objects that it did not store, and when they are due again.

        What another worker has claimed meanwhile is left to that worker. What was not answered
        because the node stops is as if it had not been claimed.
        """
        with self._database.begin_write() as session:
            for delivery, answer in _match_answers(session, batch, answers):
                if delivery.claim != batch.claim:
                    continue
                if answer.kind is AnswerKind.STOPPED:
                    give_back(delivery)
                    continue
                delivery.state = step_delivery(delivery.state, DeliveryEvent.FAILED)
                delivery.due_at = next_attempt_at
                delivery.last_status = answer.status
                delivery.last_error = f"{answer.kind.value}: {answer.detail}"[:LONGEST_ERROR]
                delivery.release()
            add_sent(session, batch, answers, now)

    def find_backlog(self, destination: str) -> Backlog | None:
        """Return what waits that a live destination never stored; None where nothing does."""
        with self._database.begin_read() as session:
            return find_backlog(
                session,
                destination,
                DeliveryRow.created_at,
                DeliveryRow.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
                DeliveryRow.first_stored_at.is_(None),
            )

    def _is_anything_ready(self, destination: str, worker: str, now: datetime) -> bool:
        """Query without a lock: nearly always nothing is ready."""
        with self._database.begin_read() as session:
            # One after the other: together they would be looked for among all that was delivered.
            return any(
                session.scalar(select(DeliveryRow.id).where(condition).limit(1)) is not None
                for condition in _list_ready(destination, worker, now)
            )

    def _object(self, row: OutboxObjectRow) -> OutboxObject:
        return OutboxObject(
            sop_class_uid=row.sop_class_uid,
            sop_instance_uid=row.sop_instance_uid,
            path=self._outbox_dir / row.path,
            digest=row.sha256,
        )


def _list_ready(destination: str, worker: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the two conditions under which an object may be claimed."""
    mine, state = DeliveryRow.destination == destination, DeliveryRow.state
    return (
        and_(mine, state == DeliveryState.PENDING, DeliveryRow.due_at <= now),
        and_(mine, state == DeliveryState.SENDING, DeliveryRow.can_be_claimed(worker, now)),
    )


def _match_answers(
    session: Session, batch: DeliveryBatch, answers: Sequence[StoreAnswer]
) -> list[tuple[DeliveryRow, StoreAnswer]]:
    by_uid = {answer.sop_instance_uid: answer for answer in answers}
    rows = lock_deliveries(session, batch.destination, by_uid)
    return [(delivery, by_uid[uid]) for delivery, uid in rows]
