"""The rows of revisions, and of the images that they are made from."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from secondread.errors import InputError
from secondread.track.assembly import is_usable_in
from secondread.track.states import RevisionState
from secondread.track.tables import InstanceRow, RevisionRow, from_row
from secondread.track.values import InputInstance


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
    revision = session.scalars(by_key).one_or_none()
    if revision is None:
        raise InputError(f"study {study_uid} has no revision {number}")
    return revision


def collect_inputs(session: Session, study_uid: str) -> list[list[str]]:
    """Return UID and SHA-256 of the images of a study that count now, for `RevisionRow.inputs`."""
    rows = session.scalars(_select_instances().where(is_usable_in(study_uid)))
    return [[row.sop_instance_uid, row.sha256] for row in rows]


def load_inputs(
    session: Session, study_uid: str, chosen: Iterable[Sequence[str]]
) -> list[InputInstance]:
    """Return the instances of a study that were chosen, by UID and SHA-256."""
    keys = {tuple(key) for key in chosen}
    rows = session.scalars(_select_instances().where(InstanceRow.study_uid == study_uid))
    return [
        from_row(InputInstance, row) for row in rows if (row.sop_instance_uid, row.sha256) in keys
    ]


def _select_instances() -> Select[InstanceRow]:
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
