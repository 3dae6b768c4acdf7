"""Proofs of delivery, in SQL: what was asked of whom, and what the answers make of deliveries.

The send stage's `ProofQueue`, and the `CommitmentLedger` that storage commitment reports are
written to by whichever process they reach. A transaction is a row before it is asked for, so a
report finds it after any restart, and however late it comes.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from secondread.accept.commitment import CommitmentOutcome, CommitmentReport, CommitmentResult
from secondread.send.outbox import AwaitedInstance, ProofBatch
from secondread.settings import DestinationMode, Proof
from secondread.track.database import Database
from secondread.track.proof_steps import (
    await_proof,
    is_stored_since_before,
    prove,
    refusal,
    refuse,
    release,
    settle,
)
from secondread.track.states import (
    UNDELIVERED,
    CommitmentEvent,
    CommitmentState,
    DeliveryEvent,
    DeliveryState,
    step_commitment,
    step_delivery,
)
from secondread.track.tables import (
    CommitmentItemRow,
    CommitmentRow,
    DeliveryRow,
    DestinationRow,
    OutboxObjectRow,
)

_LONGEST_ERROR = 500


class Proofs:
    """The proofs that destinations still owe; none is ever given up.

    Parameters
    ----------
    database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> ProofBatch | None:
        """Take the objects of one study whose proof is due; None when there are none.

        Only of a live destination. Transactions that were not reported in time are noted as
        overdue.
        """
        if not self._is_anything_due(destination, now):
            return None
        with self._database.begin_write() as session:
            # The destination's row is the lock, as when objects are claimed for sending.
            live = session.scalars(
                select(DestinationRow)
                .where(
                    DestinationRow.name == destination, DestinationRow.mode == DestinationMode.LIVE
                )
                .with_for_update()
            ).one_or_none()
            if live is None:
                return None
            _expire(session, destination, now)
            rows = _due_objects(session, destination, now)
            if not rows:
                return None
            claim = f"{rows[0][0].id}:proof:{now.timestamp():.6f}"
            for delivery, _ in rows:
                delivery.state = step_delivery(delivery.state, DeliveryEvent.ASKED)
                delivery.claim, delivery.leased_by = claim, worker
                delivery.lease_until = now + timedelta(seconds=lease_seconds)
            return ProofBatch(
                study_uid=rows[0][1].study_uid,
                destination=destination,
                instances=tuple(_object(delivery, row) for delivery, row in rows),
                claim=claim,
            )

    def record_request(
        self, unproven: ProofBatch, transaction_uid: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Write a storage commitment transaction down, before it is asked for."""
        with self._database.begin_write() as session:
            transaction = CommitmentRow(
                transaction_uid=transaction_uid,
                destination=unproven.destination,
                state=CommitmentState.REQUESTED,
                requested_at=now,
                due_at=ask_again_at,
            )
            session.add(transaction)
            session.flush()
            for delivery, _ in _claimed(session, unproven):
                session.add(CommitmentItemRow(commitment=transaction.id, delivery=delivery.id))
                await_proof(delivery, ask_again_at)

    def record_not_taken(
        self, transaction_uid: str, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that a request was refused or lost; its objects are asked for again.

        Those that were reported all the same are left as they are.
        """
        with self._database.begin_write() as session:
            transaction = _transaction(session, transaction_uid)
            if transaction is None:
                return
            transaction.state = step_commitment(transaction.state, CommitmentEvent.NOT_TAKEN)
            if transaction.state is not CommitmentState.NOT_TAKEN:
                return
            transaction.error = why[:_LONGEST_ERROR]
            for _, delivery, _ in _items(session, transaction):
                if delivery.state is DeliveryState.STORED and delivery.claim is None:
                    delivery.proof_asked -= 1
                    delivery.due_at, delivery.last_error = ask_again_at, why[:_LONGEST_ERROR]

    def record_proven(
        self, unproven: ProofBatch, instances: Collection[str], proof: Proof, now: datetime
    ) -> None:
        """Record the objects that the destination holds, also when the lease has run out."""
        with self._database.begin_write() as session:
            for delivery, uid in _named(session, unproven):
                if uid in instances:
                    prove(delivery, proof, now)

    def record_not_shown(
        self, unproven: ProofBatch, instances: Collection[str], why: str, ask_again_at: datetime
    ) -> None:
        """Record the objects that were asked for and have no proof yet."""
        with self._database.begin_write() as session:
            for delivery, uid in _claimed(session, unproven):
                if uid in instances:
                    await_proof(delivery, ask_again_at)
                    delivery.last_error = why

    def postpone(self, unproven: ProofBatch, why: str, ask_again_at: datetime) -> None:
        """Record that the objects could not be asked for."""
        with self._database.begin_write() as session:
            for delivery, _ in _claimed(session, unproven):
                release(delivery)
                delivery.due_at, delivery.last_error = ask_again_at, why[:_LONGEST_ERROR]

    def record_refused(
        self, unproven: ProofBatch, instances: Collection[str], why: str, now: datetime
    ) -> None:
        """Record the objects that the destination does not hold: they are sent again."""
        with self._database.begin_write() as session:
            for delivery, uid in _claimed(session, unproven):
                if uid in instances:
                    refuse(delivery, why, now)

    def find_oldest_unproven(self, destination: str) -> datetime | None:
        """Return since when the oldest object of a live destination waits for its proof.

        The wait begins when the destination first stored the object; that it lost it since, and
        is sent it again, does not end it.
        """
        statement = (
            select(func.min(DeliveryRow.first_stored_at))
            .join(DestinationRow, DeliveryRow.destination == DestinationRow.name)
            .where(
                DeliveryRow.destination == destination,
                DeliveryRow.state.in_(UNDELIVERED),
                DestinationRow.mode == DestinationMode.LIVE,
            )
        )
        with self._database.begin_read() as session:
            return session.scalar(statement)

    def record_report(self, report: CommitmentReport, now: datetime) -> CommitmentResult:
        """Write a storage commitment report down; see `CommitmentLedger`.

        A refusal counts only for an object that was not stored anew since it was asked about;
        a commitment counts whenever it comes.
        """
        with self._database.begin_write() as session:
            transaction = _transaction(session, report.transaction_uid)
            if transaction is None:
                return CommitmentResult(CommitmentOutcome.UNKNOWN)
            if transaction.state is CommitmentState.REPORTED:
                return CommitmentResult(CommitmentOutcome.REPEATED, transaction.destination)
            transaction.state = step_commitment(transaction.state, CommitmentEvent.REPORTED)
            transaction.reported_at = now
            items = _items(session, transaction)
            for item, delivery, uid in items:
                if uid in report.committed:
                    item.committed = True
                    prove(delivery, Proof.COMMITMENT, now)
                elif uid in report.refused:
                    item.committed, item.failure_reason = False, report.refused[uid]
                    if is_stored_since_before(delivery, transaction.requested_at):
                        refuse(delivery, refusal(report.refused[uid]), now)
            return settle(transaction.destination, report, [uid for _, _, uid in items])

    def _is_anything_due(self, destination: str, now: datetime) -> bool:
        """Look without a lock: nearly always there is nothing."""
        with self._database.begin_read() as session:
            due = select(DeliveryRow.id).where(_is_due(destination, now)).limit(1)
            return session.scalar(due) is not None


def _is_due(destination: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        DeliveryRow.destination == destination,
        DeliveryRow.state == DeliveryState.STORED,
        DeliveryRow.due_at <= now,
        or_(DeliveryRow.lease_until.is_(None), DeliveryRow.lease_until <= now),
    )


def _due_objects(
    session: Session, destination: str, now: datetime
) -> Sequence[tuple[DeliveryRow, OutboxObjectRow]]:
    """Return the due objects of the study whose proof is due for longest."""
    study_uid = session.scalar(
        select(OutboxObjectRow.study_uid)
        .join(DeliveryRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(_is_due(destination, now))
        .order_by(DeliveryRow.due_at, DeliveryRow.id)
        .limit(1)
    )
    rows = session.execute(
        select(DeliveryRow, OutboxObjectRow)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(_is_due(destination, now), OutboxObjectRow.study_uid == study_uid)
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    )
    return [(delivery, row) for delivery, row in rows]


def _object(delivery: DeliveryRow, row: OutboxObjectRow) -> AwaitedInstance:
    return AwaitedInstance(
        sop_class_uid=row.sop_class_uid,
        series_uid=row.series_uid,
        sop_instance_uid=row.sop_instance_uid,
        times_asked=delivery.proof_asked,
    )


def _expire(session: Session, destination: str, now: datetime) -> None:
    overdue = select(CommitmentRow).where(
        CommitmentRow.destination == destination,
        CommitmentRow.state == CommitmentState.REQUESTED,
        CommitmentRow.due_at <= now,
    )
    for transaction in session.scalars(overdue.with_for_update()):
        transaction.state = step_commitment(transaction.state, CommitmentEvent.EXPIRED)


def _transaction(session: Session, transaction_uid: str) -> CommitmentRow | None:
    return session.scalars(
        select(CommitmentRow)
        .where(CommitmentRow.transaction_uid == transaction_uid)
        .with_for_update()
    ).one_or_none()


def _items(
    session: Session, transaction: CommitmentRow
) -> Sequence[tuple[CommitmentItemRow, DeliveryRow, str]]:
    rows = session.execute(
        select(CommitmentItemRow, DeliveryRow, OutboxObjectRow.sop_instance_uid)
        .join(DeliveryRow, CommitmentItemRow.delivery == DeliveryRow.id)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(CommitmentItemRow.commitment == transaction.id)
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    )
    return [(item, delivery, uid) for item, delivery, uid in rows]


def _named(session: Session, unproven: ProofBatch) -> Sequence[tuple[DeliveryRow, str]]:
    uids = [item.sop_instance_uid for item in unproven.instances]
    rows = session.execute(
        select(DeliveryRow, OutboxObjectRow.sop_instance_uid)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(
            DeliveryRow.destination == unproven.destination,
            OutboxObjectRow.sop_instance_uid.in_(uids),
        )
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    )
    return [(delivery, uid) for delivery, uid in rows]


def _claimed(session: Session, unproven: ProofBatch) -> Sequence[tuple[DeliveryRow, str]]:
    """Return the objects that the claim still holds, and no other worker or report has moved."""
    return [
        (delivery, uid)
        for delivery, uid in _named(session, unproven)
        if delivery.state is DeliveryState.STORED and delivery.claim == unproven.claim
    ]
