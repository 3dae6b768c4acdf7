"""Rows of revisions and their inputs: found, and turned into values."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from secondread.errors import InputError
from secondread.track.assembly import is_usable_in
from secondread.track.states import RevisionState
from secondread.track.tables import InstanceRow, RevisionRow
from secondread.track.values import ClaimedRevision, InputInstance


def find_revision(session: Session, study_uid: str, number: int) -> RevisionRow:
    """Return a revision's row; who changes it has locked the study's.

    Raises
    ------
    InputError
        There is no such revision.
    """
    by_key = select(RevisionRow).where(
        RevisionRow.study_uid == study_uid, RevisionRow.number == number
    )
    found = session.scalars(by_key).one_or_none()
    if found is None:
        raise InputError(f"study {study_uid} has no revision {number}")
    return found


def collect_inputs(session: Session, study_uid: str) -> list[list[str]]:
    """Return UID and SHA-256 of the images of a study that count now, for `Revision.inputs`."""
    rows = session.scalars(select_instances().where(is_usable_in(study_uid)))
    return [[row.sop_instance_uid, row.sha256] for row in rows]


def select_instances() -> Select[InstanceRow]:
    """Select instances in an order that is the same everywhere."""
    return select(InstanceRow).order_by(InstanceRow.sop_instance_uid, InstanceRow.sha256)


def find_latest_finished(session: Session, study_uid: str) -> RevisionRow | None:
    """Return the latest revision of a study that has results."""
    return session.scalars(
        select(RevisionRow)
        .where(RevisionRow.study_uid == study_uid, RevisionRow.state == RevisionState.FINISHED)
        .order_by(RevisionRow.number.desc())
        .limit(1)
    ).one_or_none()


def as_claimed(revision: RevisionRow) -> ClaimedRevision:
    """Return what the worker of a revision knows of it."""
    return ClaimedRevision(
        study_uid=revision.study_uid,
        number=revision.number,
        cause=revision.cause,
        content_at=revision.content_at,
        predecessor=revision.predecessor,
        worker=revision.worker,
    )


def as_input(row: InstanceRow) -> InputInstance:
    """Return what a reading needs of an instance."""
    return InputInstance(
        sop_instance_uid=row.sop_instance_uid,
        sha256=row.sha256,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax=row.transfer_syntax,
        path=row.path,
    )
