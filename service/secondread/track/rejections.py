"""What rejection notes withdraw, and what of it comes back.

Notes are those of IHE's Imaging Object Change Management. Three of its titles mean that something
was wrong with the instances: what they name never counts again, however often it is sent. The
fourth, that the retention of the instances has expired, means only that the archive keeps them no
longer: nothing that was reported of them becomes wrong, and a copy that is sent again counts.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from secondread.accept.classify import IMAGE_DISPOSITIONS, RETENTION_EXPIRED
from secondread.assemble.viewset import ViewKey
from secondread.track.database import insert_if_new
from secondread.track.header_facts import RejectionNote
from secondread.track.tables import InstanceRow, RejectionRow, StudyRow
from secondread.uids import is_uid


def withdraw_instances(
    session: Session, study: StudyRow, note: RejectionNote, note_uid: str, now: datetime
) -> list[tuple[str, str]]:
    """Record what a note rejects, and withdraw what is here of it.

    Only within the note's own study: a note must not withdraw another patient's images.

    Returns
    -------
    list
        SOP Instance UID and SHA-256 of each image that the note takes something from: it counted
        until now, or it had only expired and turns out to be wrong.
    """
    uids = [uid for uid in note.sop_instance_uids if is_uid(uid)]
    expired = (
        () if note.is_expiry else _overrule_expiries(session, study, note, note_uid, now, uids)
    )
    for uid in uids:
        values = {
            "study_uid": study.study_uid,
            "sop_instance_uid": uid,
            "note_uid": note_uid,
            "code": note.code,
            "rejected_at": now,
        }
        insert_if_new(session, RejectionRow, values)
    is_affected = or_(InstanceRow.rejected_at.is_(None), InstanceRow.sop_instance_uid.in_(expired))
    rows = session.execute(
        update(InstanceRow)
        .where(
            InstanceRow.study_uid == study.study_uid,
            InstanceRow.sop_instance_uid.in_(uids),
            InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
            is_affected,
        )
        .values(rejected_at=now)
        .returning(InstanceRow.sop_instance_uid, InstanceRow.sha256)
    )
    return [(uid, sha256) for uid, sha256 in rows]


def _overrule_expiries(
    session: Session,
    study: StudyRow,
    note: RejectionNote,
    note_uid: str,
    now: datetime,
    uids: Sequence[str],
) -> Sequence[str]:
    """Have a note count in the place of expiries of the same instances; return their UIDs."""
    return session.scalars(
        update(RejectionRow)
        .where(
            RejectionRow.study_uid == study.study_uid,
            RejectionRow.sop_instance_uid.in_(uids),
            RejectionRow.code == RETENTION_EXPIRED,
        )
        .values(code=note.code, note_uid=note_uid, rejected_at=now)
        .returning(RejectionRow.sop_instance_uid)
    ).all()


def find_rejection_time(session: Session, study_uid: str, sop_instance_uid: str) -> datetime | None:
    """Return when an instance was rejected, which may be before it came; None if it was not."""
    key = {"study_uid": study_uid, "sop_instance_uid": sop_instance_uid}
    return session.scalar(select(RejectionRow.rejected_at).filter_by(**key))


def restore_instance(session: Session, study_uid: str, sop_instance_uid: str) -> bool:
    """Have an instance count again that comes after its retention expired.

    Returns
    -------
    bool
        Whether its retention had expired.
    """
    deleted = session.execute(
        delete(RejectionRow)
        .where(
            RejectionRow.study_uid == study_uid,
            RejectionRow.sop_instance_uid == sop_instance_uid,
            RejectionRow.code == RETENTION_EXPIRED,
        )
        .returning(RejectionRow.id)
    ).all()
    if not deleted:
        return False
    session.execute(
        update(InstanceRow)
        .where(InstanceRow.study_uid == study_uid, InstanceRow.sop_instance_uid == sop_instance_uid)
        .values(rejected_at=None)
    )
    return True


def is_expired() -> ColumnElement[bool]:
    """Return the condition that an instance is withdrawn, and only because its retention expired.

    Nothing that was found in it becomes wrong by that.
    """
    return exists().where(
        RejectionRow.study_uid == InstanceRow.study_uid,
        RejectionRow.sop_instance_uid == InstanceRow.sop_instance_uid,
        RejectionRow.code == RETENTION_EXPIRED,
    )


def find_expired_views(session: Session, studies: Sequence[str]) -> dict[str, frozenset[ViewKey]]:
    """Return the views of the images in scope of some studies whose retention has expired."""
    rows = session.execute(
        select(InstanceRow.study_uid, InstanceRow.laterality, InstanceRow.view).where(
            InstanceRow.study_uid.in_(studies),
            InstanceRow.current,
            InstanceRow.scope_reason.is_(None),
            is_expired(),
        )
    )
    views_by_study: dict[str, set[ViewKey]] = {}
    for study_uid, side, view in rows:
        if side and view:
            views_by_study.setdefault(study_uid, set()).add((side, view))
    return {study_uid: frozenset(views) for study_uid, views in views_by_study.items()}
