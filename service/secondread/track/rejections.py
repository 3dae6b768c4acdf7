"""What rejection notes withdraw, and what of it comes back.

Notes are those of IHE's Imaging Object Change Management. Three of its titles mean that something
was wrong with the instances: what they name never counts again, however often it is sent. The
fourth, that the retention of the instances has expired, means only that the archive keeps them no
longer: nothing that was reported of them becomes wrong, and a copy that is sent again counts.

A note counts for the images that its sender may change (`track.change_rights`). It may come before
its images: then it waits until it is known who sends them. The same note may come from several
senders, and each of them is judged by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session

from secondread.accept.dispositions import IMAGE_DISPOSITIONS, RETENTION_EXPIRED
from secondread.assemble.viewset import ViewKey
from secondread.track.change_rights import ChangeRights, Sender
from secondread.track.database import insert_if_new
from secondread.track.tables import InstanceRow, RejectionRow, StudyRow
from secondread.track.values import RejectionNote, RejectionState
from secondread.uids import is_uid

_UIDS_AT_ONCE = 500
"""A note may name thousands of instances, and a statement takes so many values only."""

_CARRIED_OUT = {RejectionState.IN_FORCE, RejectionState.LIFTED, RejectionState.OVERRULED}


@dataclass(frozen=True, slots=True)
class ReceivedNote:
    """A rejection note, and how it came."""

    note: RejectionNote
    sop_instance_uid: str
    sender: Sender
    at: datetime


class Withdrawal(NamedTuple):
    """What a note did."""

    withdrawn: list[tuple[str, str]]
    """SOP Instance UID and SHA-256 of each image that the note takes something from: it counted
    until now, or it had only expired and turns out to be wrong."""
    not_permitted: list[str]
    """SOP Instance UIDs of images that its sender may not reject."""


def withdraw_instances(
    session: Session, study: StudyRow, received: ReceivedNote, rights: ChangeRights
) -> Withdrawal:
    """Record what a note rejects, and withdraw what is here of it.

    Only within the note's own study: a note must not withdraw another patient's images. What of
    the note was carried out before, whoever sent it, is not carried out again: an image may have
    come back since.
    """
    result = Withdrawal([], [])
    uids = [uid for uid in received.note.sop_instance_uids if is_uid(uid)]
    for start in range(0, len(uids), _UIDS_AT_ONCE):
        some = uids[start : start + _UIDS_AT_ONCE]
        states = _judge(session, study, received, rights, some)
        _record(session, study, received, states)
        in_force = _select(states, RejectionState.IN_FORCE)
        result.withdrawn.extend(_withdraw(session, study, received, in_force))
        result.not_permitted.extend(_select(states, RejectionState.NOT_PERMITTED))
    return result


def _select(states: Mapping[str, RejectionState], wanted: RejectionState) -> list[str]:
    return [uid for uid, state in states.items() if state is wanted]


def _judge(
    session: Session,
    study: StudyRow,
    received: ReceivedNote,
    rights: ChangeRights,
    uids: Sequence[str],
) -> dict[str, RejectionState]:
    """Return what becomes of a note for each instance that it was not carried out for before."""
    of_note = select(RejectionRow.sop_instance_uid).where(
        RejectionRow.study_uid == study.study_uid,
        RejectionRow.note_uid == received.sop_instance_uid,
        RejectionRow.sop_instance_uid.in_(uids),
        RejectionRow.state.in_(_CARRIED_OUT),
    )
    done = set(session.scalars(of_note))
    first = find_first_senders(session, study.study_uid, uids)
    sender, may_any = received.sender, rights.may_change_any(received.sender)
    states = {}
    for uid in uids:
        if uid in done:
            continue
        if uid not in first and not may_any:
            states[uid] = RejectionState.WAITING
        elif may_any or rights.may_change(sender, first[uid]):
            states[uid] = RejectionState.IN_FORCE
        else:
            states[uid] = RejectionState.NOT_PERMITTED
    return states


def find_first_senders(
    session: Session, study_uid: str, sop_instance_uids: Sequence[str]
) -> dict[str, Sender]:
    """Return who sent each image of a study in the first place, by SOP Instance UID."""
    rows = session.execute(
        select(InstanceRow.sop_instance_uid, InstanceRow.peer, InstanceRow.address)
        .where(
            InstanceRow.study_uid == study_uid,
            InstanceRow.sop_instance_uid.in_(sop_instance_uids),
            InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
            InstanceRow.withheld.is_(None),
        )
        .order_by(InstanceRow.id.desc())
    )
    return {uid: Sender(peer, address) for uid, peer, address in rows}


def _record(
    session: Session,
    study: StudyRow,
    received: ReceivedNote,
    states: Mapping[str, RejectionState],
) -> None:
    for uid, state in states.items():
        key = {
            "study_uid": study.study_uid,
            "sop_instance_uid": uid,
            "note_uid": received.sop_instance_uid,
            "peer": received.sender.peer,
            "address": received.sender.address,
        }
        values = {"code": received.note.code, "state": state, "rejected_at": received.at}
        if not insert_if_new(session, RejectionRow, {**key, **values}):
            session.execute(update(RejectionRow).filter_by(**key).values(**values))


def _withdraw(
    session: Session, study: StudyRow, received: ReceivedNote, uids: Sequence[str]
) -> list[tuple[str, str]]:
    expired = _overrule_expiries(session, study.study_uid, uids)
    if received.note.is_expiry:
        expired = ()  # of what another note rejects, it was this one that was overruled
    rows = session.execute(
        update(InstanceRow)
        .where(
            InstanceRow.study_uid == study.study_uid,
            InstanceRow.sop_instance_uid.in_(uids),
            InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
            or_(InstanceRow.rejected_at.is_(None), InstanceRow.sop_instance_uid.in_(expired)),
        )
        .values(rejected_at=received.at)
        .returning(InstanceRow.sop_instance_uid, InstanceRow.sha256)
    )
    return [(uid, sha256) for uid, sha256 in rows]


def _overrule_expiries(session: Session, study_uid: str, uids: Sequence[str]) -> Sequence[str]:
    """Have expiries count no more for instances that turn out to be wrong; return their UIDs."""
    wrong = select(RejectionRow.sop_instance_uid).where(
        RejectionRow.study_uid == study_uid,
        RejectionRow.sop_instance_uid.in_(uids),
        RejectionRow.code != RETENTION_EXPIRED,
        RejectionRow.state == RejectionState.IN_FORCE,
    )
    return session.scalars(
        update(RejectionRow)
        .where(
            RejectionRow.study_uid == study_uid,
            RejectionRow.sop_instance_uid.in_(wrong),
            RejectionRow.code == RETENTION_EXPIRED,
            RejectionRow.state == RejectionState.IN_FORCE,
        )
        .values(state=RejectionState.OVERRULED)
        .returning(RejectionRow.sop_instance_uid)
    ).all()


_NAMED = (
    select(RejectionRow.id)
    .where(
        RejectionRow.study_uid == bindparam("study_uid"),
        RejectionRow.sop_instance_uid == bindparam("sop_instance_uid"),
    )
    .limit(1)
)


def is_named(session: Session, study_uid: str, sop_instance_uid: str) -> bool:
    """Whether any note names an instance; of the others there is nothing to restore or judge."""
    key = {"study_uid": study_uid, "sop_instance_uid": sop_instance_uid}
    return session.scalar(_NAMED, key) is not None


def judge_waiting_notes(session: Session, image: InstanceRow, rights: ChangeRights) -> list[Sender]:
    """Decide on notes that came before the image that they name; withdraw it if one counts.

    Returns
    -------
    list of Sender
        Who had sent notes without the right to reject it.
    """
    image.rejected_at = None
    uid, is_image = image.sop_instance_uid, image.disposition in IMAGE_DISPOSITIONS
    of_image = select(RejectionRow).filter_by(study_uid=image.study_uid, sop_instance_uid=uid)
    rows = session.scalars(of_image.order_by(RejectionRow.id)).all() if is_image else ()
    if not rows:
        return []
    first = find_first_senders(session, image.study_uid, [uid])[uid]
    strangers = []
    for row in rows:
        if row.state is RejectionState.WAITING:
            sender = Sender(row.peer, row.address)
            is_permitted = rights.may_change(sender, first)
            row.state = RejectionState.IN_FORCE if is_permitted else RejectionState.NOT_PERMITTED
            strangers += [] if is_permitted else [sender]
    session.flush()
    _overrule_expiries(session, image.study_uid, [uid])
    image.rejected_at = find_rejection_time(session, image.study_uid, uid)
    return strangers


def find_rejection_time(session: Session, study_uid: str, sop_instance_uid: str) -> datetime | None:
    """Return when an instance was rejected, which may be before it came; None if it was not."""
    key = {"study_uid": study_uid, "sop_instance_uid": sop_instance_uid}
    in_force = select(func.max(RejectionRow.rejected_at)).filter_by(
        **key, state=RejectionState.IN_FORCE
    )
    return session.scalar(in_force)


def restore_instance(session: Session, study_uid: str, sop_instance_uid: str) -> bool:
    """Have an instance count again that comes after its retention expired.

    Returns
    -------
    bool
        Whether its retention had expired.
    """
    lifted = session.execute(
        update(RejectionRow)
        .where(
            RejectionRow.study_uid == study_uid,
            RejectionRow.sop_instance_uid == sop_instance_uid,
            RejectionRow.code == RETENTION_EXPIRED,
            RejectionRow.state == RejectionState.IN_FORCE,
        )
        .values(state=RejectionState.LIFTED)
        .returning(RejectionRow.id)
    ).all()
    if not lifted:
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
        RejectionRow.state == RejectionState.IN_FORCE,
    )


def find_expired_views(session: Session, studies: Sequence[str]) -> dict[str, frozenset[ViewKey]]:
    """Return the views of the images in scope of some studies whose retention has expired."""
    rows = session.execute(
        select(InstanceRow.study_uid, InstanceRow.laterality, InstanceRow.view).where(
            InstanceRow.study_uid.in_(studies),
            InstanceRow.current,
            ~InstanceRow.set_aside,
            InstanceRow.scope_reason.is_(None),
            is_expired(),
        )
    )
    views_by_study: dict[str, set[ViewKey]] = {}
    for study_uid, side, view in rows:
        if side and view:
            views_by_study.setdefault(study_uid, set()).add((side, view))
    return {study_uid: frozenset(views) for study_uid, views in views_by_study.items()}
