"""Sending results once more, because a person asks for it: the very bytes that were made."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.log import get_logger
from secondread.settings import DestinationMode
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart
from secondread.track.delivery_rows import ask_again
from secondread.track.states import DeliveryState
from secondread.track.study_rows import find_latest_finished
from secondread.track.tables import (
    CommitmentItemRow,
    DeliveryRow,
    DestinationRow,
    OutboxObjectRow,
    RevisionRow,
    StudyRow,
)

log = get_logger(__name__)


class Resent(NamedTuple):
    """What is to be sent again."""

    revision: int
    objects: int
    under_way: int
    """Further objects that are being sent at this moment, or asked for: they are left alone."""


class Resending(TrackerPart):
    """Results that are sent once more."""

    def resend(
        self, study_uid: str, destination: str, profile: str, by: str, now: datetime
    ) -> Resent:
        """Have a study's current results sent to a destination, whatever became of them there.

        What was kept while the destination was in shadow is sent as well, and what it was never
        owed because it is newer than the results, or was given another profile since.

        Parameters
        ----------
        study_uid, destination
            Whose results, and where to.
        profile
            Key of the destination's profile: what it gets of results that were not made for it.
        by, now
            Who asks, and when.

        Raises
        ------
        InputError
            There is no such study or destination, no result that it could be sent, or it is in
            shadow.
        """
        with self._database.begin_write() as session:
            _check_destination(session, destination)
            revision = _find_current(session, study_uid)
            deliveries = _lock_deliveries(session, revision, destination)
            if not deliveries:
                deliveries = _add_deliveries(session, revision, destination, profile, now)
            idle = [delivery for delivery in deliveries if not _is_leased(delivery, now)]
            _forget_open_questions(session, idle)
            for delivery in idle:
                ask_again(delivery, now)
            resent = Resent(revision.number, len(idle), len(deliveries) - len(idle))
            objects = "1 object" if resent.objects == 1 else f"{resent.objects} objects"
            words = f"asked for {objects} of revision {resent.revision} to go to {destination}"
            kind = AuditKind.SENDING_ASKED
            add_audit_event(session, AuditEvent(kind, now, by, study_uid=study_uid, words=words))
        log.info(
            "sending_requested",
            study_uid=study_uid,
            destination=destination,
            objects=resent.objects,
            by=by,
        )
        return resent


def _check_destination(session: Session, name: str) -> None:
    destination = session.get(DestinationRow, name, with_for_update=True)
    if destination is None:
        raise InputError(f"there is no destination {name}")
    if destination.mode is DestinationMode.SHADOW:
        raise InputError(
            f"{name} is in shadow, and nothing leaves for it: have it live first, "
            f"`secondread destinations live {name}`"
        )


def _find_current(session: Session, study_uid: str) -> RevisionRow:
    if session.get(StudyRow, study_uid, with_for_update=True) is None:
        raise InputError(f"there is no study {study_uid}")
    revision = find_latest_finished(session, study_uid)
    if revision is None:
        raise InputError(f"study {study_uid} has no results yet")
    return revision


def _lock_deliveries(
    session: Session, revision: RevisionRow, destination: str
) -> Sequence[DeliveryRow]:
    return session.scalars(
        select(DeliveryRow)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(OutboxObjectRow.revision == revision.id, DeliveryRow.destination == destination)
        .order_by(DeliveryRow.id)
        .with_for_update(of=DeliveryRow)
    ).all()


def _add_deliveries(
    session: Session, revision: RevisionRow, destination: str, profile: str, now: datetime
) -> Sequence[DeliveryRow]:
    made_for = OutboxObjectRow.revision == revision.id, OutboxObjectRow.profile == profile
    objects = session.scalars(
        select(OutboxObjectRow.id).where(*made_for).order_by(OutboxObjectRow.id)
    ).all()
    if not objects:
        raise InputError(
            f"revision {revision.number} has nothing of what {destination} gets by its profile; "
            f"have the study read again: `secondread studies read {revision.study_uid}`"
        )
    deliveries = [
        DeliveryRow(
            outbox=number,
            destination=destination,
            state=DeliveryState.PENDING,
            created_at=now,
            due_at=now,
            proof_asked=0,
            proof_refused=0,
            attempts=0,
        )
        for number in objects
    ]
    session.add_all(deliveries)
    session.flush()
    return deliveries


def _is_leased(delivery: DeliveryRow, now: datetime) -> bool:
    return delivery.lease_until is not None and delivery.lease_until > now


def _forget_open_questions(session: Session, deliveries: Sequence[DeliveryRow]) -> None:
    """A commitment that is still awaited is about the earlier sending, and proves nothing of this.

    Without this, a report that comes in between would count, and nothing would be sent.
    """
    numbers = [delivery.id for delivery in deliveries]
    session.execute(
        delete(CommitmentItemRow).where(
            CommitmentItemRow.delivery.in_(numbers), CommitmentItemRow.committed.is_(None)
        )
    )
