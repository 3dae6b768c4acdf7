"""Rows of revisions and their inputs: found, and turned into values."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from secondread.errors import InputError
from secondread.track.assembly import usable
from secondread.track.states import RevisionState
from secondread.track.tables import Instance, Revision
from secondread.track.values import ClaimedRevision, InputInstance


def find_revision(session: Session, study_uid: str, number: int) -> Revision:
    """Return a revision's row; who changes it has locked the study's.

    Raises
    ------
    InputError
        There is no such revision.
    """
    by_key = select(Revision).where(Revision.study_uid == study_uid, Revision.number == number)
    found = session.scalars(by_key).one_or_none()
    if found is None:
        raise InputError(f"study {study_uid} has no revision {number}")
    return found


def chosen_inputs(session: Session, study_uid: str) -> list[list[str]]:
    """Return UID and SHA-256 of the images of a study that count now, for `Revision.inputs`."""
    rows = session.scalars(instances_by_uid().where(usable(study_uid)))
    return [[row.sop_instance_uid, row.sha256] for row in rows]


def instances_by_uid() -> Select[Instance]:
    """Select instances in an order that is the same everywhere."""
    return select(Instance).order_by(Instance.sop_instance_uid, Instance.sha256)


def latest_finished(session: Session, study_uid: str) -> Revision | None:
    """Return the latest revision of a study that has results."""
    return session.scalars(
        select(Revision)
        .where(Revision.study_uid == study_uid, Revision.state == RevisionState.FINISHED)
        .order_by(Revision.number.desc())
        .limit(1)
    ).one_or_none()


def as_claimed(revision: Revision) -> ClaimedRevision:
    """Return what the worker of a revision knows of it."""
    return ClaimedRevision(
        study_uid=revision.study_uid,
        number=revision.number,
        cause=revision.cause,
        content_at=revision.content_at,
        predecessor=revision.predecessor,
        worker=revision.worker,
    )


def as_input(row: Instance) -> InputInstance:
    """Return what a reading needs of an instance."""
    return InputInstance(
        sop_instance_uid=row.sop_instance_uid,
        sha256=row.sha256,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax=row.transfer_syntax,
        path=row.path,
    )
