"""Changes that peers tried without the right to: the alarm, and the list of them for people."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread import metrics
from secondread.accept.refusal_counts import make_printable
from secondread.audit import AuditEvent, AuditKind
from secondread.log import get_logger
from secondread.reasons import Reason
from secondread.track.audit_rows import add_audit_event
from secondread.track.change_rights import Sender
from secondread.track.operations import CHANGE_NOT_PERMITTED, raise_alarm_in
from secondread.track.summaries import RefusedChange
from secondread.track.tables import InstanceRow, RejectionRow
from secondread.track.values import RejectionState, StudyChange

log = get_logger(__name__)


def report_refused_change(
    session: Session,
    study_uid: str,
    change: StudyChange,
    sender: Sender,
    images: int,
    now: datetime,
) -> None:
    """Raise the alarm about a change that was not made, in the caller's transaction.

    Parameters
    ----------
    session, study_uid
        The study whose images they are.
    change, sender
        What was tried, by whom.
    images
        How many images it concerns.
    now
        The present instant.
    """
    title = make_printable(sender.peer, 16)
    counted = "1 image" if images == 1 else f"{images} images"
    detail = (
        f"{title} at {sender.address} tried to {change.value} {counted} on {now:%Y-%m-%d %H:%M:%S} "
        f"UTC; nothing was changed. If it may do so, set may_change under its [[peers]], and have "
        "it sent again"
    )
    raise_alarm_in(session, CHANGE_NOT_PERMITTED, study_uid, detail, now, restates=True)
    event = AuditEvent(
        AuditKind.CHANGE_REFUSED,
        now,
        sender.peer,
        sender.address,
        study_uid,
        words=f"tried to {change.value} {counted}; nothing was changed",
    )
    add_audit_event(session, event)
    metrics.CHANGES_REFUSED.labels(change=change.value).inc(images)
    log.warning(
        "change_not_permitted",
        study_uid=study_uid,
        change=change.value,
        images=images,
        calling_ae_title=title,
        address=sender.address,
    )


def list_refused_changes(session: Session, study_uid: str) -> tuple[RefusedChange, ...]:
    """Return what peers tried with images of a study without the right to, the latest first."""
    replacements = session.scalars(
        select(InstanceRow).where(
            InstanceRow.study_uid == study_uid,
            InstanceRow.withheld == Reason.CHANGE_NOT_PERMITTED,
        )
    )
    rejections = session.scalars(
        select(RejectionRow).where(
            RejectionRow.study_uid == study_uid,
            RejectionRow.state == RejectionState.NOT_PERMITTED,
        )
    )
    changes = [
        RefusedChange(
            StudyChange.REPLACE, row.peer, row.address, row.sop_instance_uid, row.arrived_at
        )
        for row in replacements
    ]
    changes += [
        RefusedChange(
            StudyChange.REJECT, row.peer, row.address, row.sop_instance_uid, row.rejected_at
        )
        for row in rejections
    ]
    return tuple(sorted(changes, key=lambda change: change.at, reverse=True))
