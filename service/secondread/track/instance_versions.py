"""The versions of an instance: the same SOP Instance UID may come with other bytes.

The latest version counts that came from a sender who may change the instance.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from secondread.track.change_rights import Sender
from secondread.track.tables import InstanceRow

# Built once: it is asked for each instance that arrives, and building takes longer than asking.
_VERSIONS = (
    select(InstanceRow)
    .where(InstanceRow.sop_instance_uid == bindparam("uid"))
    .order_by(InstanceRow.id)
)


def find_versions(session: Session, sop_instance_uid: str) -> Sequence[InstanceRow]:
    """Return what came under a SOP Instance UID, in whichever study, the first first."""
    return session.scalars(_VERSIONS, {"uid": sop_instance_uid}).all()


def find_first_sender(versions: Sequence[InstanceRow], study_uid: str) -> Sender | None:
    """Return who sent an instance of a study in the first place; None where it is new there."""
    counted = (row for row in versions if row.study_uid == study_uid and row.withheld is None)
    return next((Sender(row.peer, row.address) for row in counted), None)


def admit(row: InstanceRow, sender: Sender) -> None:
    """Have a version count, which may have been withheld when another sent it."""
    if row.withheld is not None:
        row.peer, row.address = sender
    row.withheld, row.current = None, True


def supersede(others: Sequence[InstanceRow], by: InstanceRow) -> list[InstanceRow]:
    """Flag the other versions of an instance; those of its study are no longer current.

    Returns
    -------
    list of InstanceRow
        The versions that were current in its study.
    """
    # A version that claims another study must not take an image out of the first one.
    replaced = [row for row in others if row.current and row.study_uid == by.study_uid]
    for version in others:
        version.conflict = True
    for version in replaced:
        version.current = False
    return replaced
