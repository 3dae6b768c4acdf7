"""What was transferred, in the audit trail: by associations that ended, or that a crash cut off."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from secondread.accept.ledger import Transfer
from secondread.audit import AuditEvent, AuditKind
from secondread.send.outbox import AnswerKind, DeliveryBatch, StoreAnswer
from secondread.track.audit_rows import add_audit_event
from secondread.track.tables import AssociationStudyRow, InstanceRow, OpenAssociationRow

_NOT_TRANSFERRED = frozenset(
    {
        AnswerKind.REJECTED,
        AnswerKind.UNREACHABLE,
        AnswerKind.TLS,
        AnswerKind.UNREADABLE,
        AnswerKind.STOPPED,
    }
)
"""Answers of attempts that sent no instance."""


def add_received(session: Session, transfers: Sequence[Transfer], now: datetime) -> None:
    """Record what an association brought that has ended."""
    for transfer in transfers:
        is_fetched = transfer.was_requested
        event = AuditEvent(
            AuditKind.FETCHED if is_fetched else AuditKind.RECEIVED,
            now,
            transfer.association.calling_ae_title,
            transfer.association.address,
            transfer.study_uid,
            words=", ".join(transfer.reasons),
            action=transfer.action,
            has_failed=bool(transfer.reasons),
            instances=transfer.instances,
        )
        add_audit_event(session, event)


def add_cut_off(session: Session, receiver: str, now: datetime) -> None:
    """Record what associations had brought that were open when their receiver was killed.

    What it counted is lost with it: what was new is counted by its rows.
    """
    left = session.execute(
        select(OpenAssociationRow, AssociationStudyRow.study_uid)
        .join(AssociationStudyRow, AssociationStudyRow.association == OpenAssociationRow.id)
        .where(OpenAssociationRow.receiver == receiver, OpenAssociationRow.opened_at <= now)
        .order_by(OpenAssociationRow.opened_at, AssociationStudyRow.study_uid)
    ).all()
    for association, study_uid in left:
        instances = _count_new(session, association.id, study_uid)
        event = AuditEvent(
            AuditKind.RECEIVED,
            now,
            association.peer,
            association.address,
            study_uid,
            words="the receiver ended before the association; counted is what was new",
            action="C" if instances else "R",
            instances=instances,
        )
        add_audit_event(session, event)


def _count_new(session: Session, association: str, study_uid: str) -> Mapping[str, int]:
    rows = session.execute(
        select(InstanceRow.sop_class_uid, func.count())
        .where(InstanceRow.association == association, InstanceRow.study_uid == study_uid)
        .group_by(InstanceRow.sop_class_uid)
    )
    return {str(uid): int(number) for uid, number in rows}


def add_sent(
    session: Session, batch: DeliveryBatch, answers: Collection[StoreAnswer], now: datetime
) -> None:
    """Record what was sent to a destination, all with one outcome; nothing where nothing was."""
    answered = [answer for answer in answers if answer.kind not in _NOT_TRANSFERRED]
    if not answered:
        return
    classes = {item.sop_instance_uid: item.sop_class_uid for item in batch.objects}
    instances: dict[str, int] = {}
    for answer in answered:
        uid = classes.get(answer.sop_instance_uid, "")
        instances[uid] = instances.get(uid, 0) + 1
    event = AuditEvent(
        AuditKind.SENT,
        now,
        batch.destination,
        study_uid=batch.study_uid,
        words=", ".join(sorted({_describe(answer) for answer in answered})),
        has_failed=not all(answer.is_stored for answer in answered),
        instances=instances,
    )
    add_audit_event(session, event)


def _describe(answer: StoreAnswer) -> str:
    status = "" if answer.status is None else f" 0x{answer.status:04X}"
    return f"{answer.kind.value}{status}"
