"""Proofs of delivery, in SQL: what was asked of whom, and what the answers make of deliveries.

The send stage's `ProofQueue`, and the `CommitmentLedger` that storage commitment reports are
written to by whichever process they reach. A transaction is a row before it is asked for, so a
report finds it after any restart, and however late it comes.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from secondread.accept.commitment import CommitmentOutcome, CommitmentReport, CommitmentResult
from secondread.send.outbox import DUPLICATE_STATUS, AwaitedInstance, ProofBatch
from secondread.send.overdue import Backlog
from secondread.settings import Proof
from secondread.track.database import TrackerPart
from secondread.track.delivery_rows import (
    LONGEST_ERROR,
    await_proof,
    find_backlog,
    is_stored_since_before,
    is_undelivered,
    leave_unproven,
    lock_deliveries,
    lock_live_destination,
    lock_next_study,
    prove,
    refuse,
)
from secondread.track.states import (
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
    OutboxObjectRow,
    draw_claim,
    from_row,
)

_NOT_REPORTED = "storage commitment was asked for, and no report on it came in time"

# PS3.3 C.14.1.1
_FAILURE_REASONS = {
    0x0110: "processing failure",
    0x0112: "no such object instance",
    0x0119: "class / instance conflict",
    0x0122: "referenced SOP class not supported",
    0x0131: "duplicate transaction UID",
    0x0213: "resource limitation",
}


class Proofs(TrackerPart):
    """The proofs that destinations still owe; none is ever given up."""

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> ProofBatch | None:
        """Claim the objects of one study whose proof is due; None when there are none.

        Only of a live destination. Transactions that were not reported in time are noted as
        overdue.
        """
        is_due = _is_due(destination, worker, now)
        if not self._is_anything(is_due):
            return None
        with self._database.begin_write() as session:
            if not lock_live_destination(session, destination):
                return None
            _expire_transactions(session, destination, now)
            rows = lock_next_study(session, is_due)
            if not rows:
                return None
            _, first_object = rows[0]
            claim = draw_claim()
            for delivery, _ in rows:
                delivery.state = step_delivery(delivery.state, DeliveryEvent.ASKED)
                delivery.lease(claim, worker, now + timedelta(seconds=lease_seconds))
            return ProofBatch(
                study_uid=first_object.study_uid,
                destination=destination,
                instances=tuple(
                    from_row(AwaitedInstance, row, times_asked=delivery.proof_asked)
                    for delivery, row in rows
                ),
                claim=claim,
            )

    def record_request(
        self, batch: ProofBatch, transaction_uid: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record a storage commitment transaction, before it is asked for."""
        with self._database.begin_write() as session:
            transaction = CommitmentRow(
                transaction_uid=transaction_uid,
                destination=batch.destination,
                state=CommitmentState.REQUESTED,
                requested_at=now,
                due_at=ask_again_at,
            )
            session.add(transaction)
            session.flush()
            for delivery, _ in _lock_claimed(session, batch):
                session.add(CommitmentItemRow(commitment=transaction.id, delivery=delivery.id))
                await_proof(delivery, ask_again_at)

    def record_not_taken(
        self, transaction_uid: str, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that a request was refused or lost; its objects are asked for again.

        Those that were reported all the same are left as they are.
        """
        with self._database.begin_write() as session:
            transaction = _lock_transaction(session, transaction_uid)
            if transaction is None:
                return
            transaction.state = step_commitment(transaction.state, CommitmentEvent.NOT_TAKEN)
            if transaction.state is not CommitmentState.NOT_TAKEN:
                return
            transaction.error = why[:LONGEST_ERROR]
            for _, delivery, _ in _lock_items(session, transaction):
                if delivery.state is DeliveryState.STORED and delivery.claim is None:
                    delivery.proof_asked -= 1
                    delivery.due_at, delivery.last_error = ask_again_at, why[:LONGEST_ERROR]

    def record_proven(
        self, batch: ProofBatch, instances: Collection[str], proof: Proof, now: datetime
    ) -> None:
        """Record the objects that the destination holds, also when the lease has run out."""
        with self._database.begin_write() as session:
            for delivery, uid in _lock_instances(session, batch):
                if uid not in instances:
                    continue
                if proof is Proof.STORE_STATUS and delivery.last_status == DUPLICATE_STATUS:
                    leave_unproven(delivery)
                else:
                    prove(delivery, proof, now)

    def record_not_shown(
        self, batch: ProofBatch, instances: Collection[str], why: str, ask_again_at: datetime
    ) -> None:
        """Record the objects that were asked for and have no proof yet."""
        with self._database.begin_write() as session:
            for delivery, uid in _lock_claimed(session, batch):
                if uid in instances:
                    await_proof(delivery, ask_again_at)
                    delivery.last_error = why

    def postpone(self, batch: ProofBatch, why: str, ask_again_at: datetime) -> None:
        """Record that the objects could not be asked for."""
        with self._database.begin_write() as session:
            for delivery, _ in _lock_claimed(session, batch):
                delivery.release()
                delivery.due_at, delivery.last_error = ask_again_at, why[:LONGEST_ERROR]

    def record_refused(
        self, batch: ProofBatch, instances: Collection[str], why: str, now: datetime
    ) -> None:
        """Record the objects that the destination does not hold: they are sent again."""
        with self._database.begin_write() as session:
            for delivery, uid in _lock_claimed(session, batch):
                if uid in instances:
                    refuse(delivery, why, now)

    def find_unproven_backlog(self, destination: str) -> Backlog | None:
        """Return what a live destination stored and did not prove; None where there is nothing.

        The wait begins when the destination first stored the object; that it lost it since, and
        is sent it again, does not end it.
        """
        with self._database.begin_read() as session:
            return find_backlog(
                session,
                destination,
                DeliveryRow.first_stored_at,
                DeliveryRow.first_stored_at.is_not(None),
                is_undelivered(),
            )

    def record_report(self, report: CommitmentReport, now: datetime) -> CommitmentResult:
        """Record a storage commitment report; see `CommitmentLedger`.

        A refusal counts only for an object that was not stored anew since it was asked about;
        a commitment counts whenever it comes.
        """
        with self._database.begin_write() as session:
            transaction = _lock_transaction(session, report.transaction_uid)
            if transaction is None:
                return CommitmentResult(CommitmentOutcome.UNKNOWN)
            if transaction.state is CommitmentState.REPORTED:
                return CommitmentResult(CommitmentOutcome.REPEATED, transaction.destination)
            transaction.state = step_commitment(transaction.state, CommitmentEvent.REPORTED)
            transaction.reported_at = now
            items = _lock_items(session, transaction)
            for item, delivery, uid in items:
                if uid in report.committed:
                    item.committed = True
                    prove(delivery, Proof.COMMITMENT, now)
                elif uid in report.refused:
                    item.committed, item.failure_reason = False, report.refused[uid]
                    if is_stored_since_before(delivery, transaction.requested_at):
                        refuse(delivery, _describe_failure(report.refused[uid]), now)
            return _summarize(transaction.destination, report, [uid for _, _, uid in items])

    def _is_anything(self, due: ColumnElement[bool]) -> bool:
        """Query without a lock: nearly always nothing is due."""
        with self._database.begin_read() as session:
            return session.scalar(select(DeliveryRow.id).where(due).limit(1)) is not None


def _is_due(destination: str, worker: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        DeliveryRow.destination == destination,
        DeliveryRow.state == DeliveryState.STORED,
        DeliveryRow.due_at <= now,
        DeliveryRow.can_be_claimed(worker, now),
    )


def _expire_transactions(session: Session, destination: str, now: datetime) -> None:
    overdue = select(CommitmentRow).where(
        CommitmentRow.destination == destination,
        CommitmentRow.state == CommitmentState.REQUESTED,
        CommitmentRow.due_at <= now,
    )
    for transaction in session.scalars(overdue.with_for_update()).all():
        transaction.state = step_commitment(transaction.state, CommitmentEvent.EXPIRED)
        for _, delivery, _ in _lock_items(session, transaction):
            if delivery.state is DeliveryState.STORED:
                delivery.last_error = _NOT_REPORTED


def _lock_transaction(session: Session, transaction_uid: str) -> CommitmentRow | None:
    return session.scalars(
        select(CommitmentRow)
        .where(CommitmentRow.transaction_uid == transaction_uid)
        .with_for_update()
    ).one_or_none()


def _lock_items(
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


def _lock_instances(session: Session, batch: ProofBatch) -> list[tuple[DeliveryRow, str]]:
    uids = [instance.sop_instance_uid for instance in batch.instances]
    return lock_deliveries(session, batch.destination, uids)


def _lock_claimed(session: Session, batch: ProofBatch) -> list[tuple[DeliveryRow, str]]:
    """Return the objects that the claim still holds, and no other worker or report has moved."""
    return [
        (delivery, uid)
        for delivery, uid in _lock_instances(session, batch)
        if delivery.state is DeliveryState.STORED and delivery.claim == batch.claim
    ]


def _describe_failure(reason: int) -> str:
    """Return the words for a Failure Reason (0008,1197)."""
    words = _FAILURE_REASONS.get(reason, "a reason of its own")
    return f"storage commitment refused: 0x{reason:04X}, {words}"


def _summarize(
    destination: str, report: CommitmentReport, requested: Sequence[str]
) -> CommitmentResult:
    """Compare a report with the instances that were asked about."""
    committed = sum(uid in report.committed for uid in requested)
    refused = sum(uid in report.refused for uid in requested)
    named = len(report.committed) + len(report.refused)
    return CommitmentResult(
        CommitmentOutcome.RECORDED,
        destination,
        committed=committed,
        refused=refused,
        unmentioned=len(requested) - committed - refused,
        unrequested=named - committed - refused,
    )
