"""Objects that are stored beside the images of a study and never analysed, until they are removed.

Their senders would stop in the middle of a study if they were refused. Nothing that is read or
reported depends on them: they are no instances of the tracker's studies, which have a table of
their own, they name no patient, and they take no image's place, whatever UID they have.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from secondread.accept.ledger import RecordOutcome, StoredInstance
from secondread.audit import AuditEvent, AuditKind
from secondread.track.archive_rows import list_expected_files
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart
from secondread.track.operations import OWN_ALTERED, clear_alarm_in, raise_alarm_in
from secondread.track.summaries import ExpectedFile
from secondread.track.tables import OtherObjectRow, StudyRow, as_columns, from_row

_COLUMNS_OF_OTHER_NAMES = ("size", "relative_path", "received_at", "association", "was_requested")


def add_object(session: Session, study: StudyRow, instance: StoredInstance) -> RecordOutcome:
    """Record an object that is not analysed, in the caller's transaction; the study is locked."""
    now, peer = instance.received_at, instance.association.calling_ae_title
    study.last_arrived_at = max(study.last_arrived_at, now)
    if instance.is_altered:
        text = "objects of this node come back with another content; they are stored and not used"
        raise_alarm_in(session, OWN_ALTERED, peer, text, now)
        _record_alteration(session, instance)
    known = session.scalars(
        select(OtherObjectRow).where(OtherObjectRow.sop_instance_uid == instance.sop_instance_uid)
    ).all()
    same = next((row for row in known if row.sha256 == instance.sha256), None)
    if same is not None:
        same.arrived_at = now  # the time until it is removed begins anew
        same.size_bytes = instance.size  # its file may have been damaged, and replaced now
        return RecordOutcome.REPEATED
    row = OtherObjectRow(
        **as_columns(instance, *_COLUMNS_OF_OTHER_NAMES),
        path=instance.relative_path,
        size_bytes=instance.size,
        peer=peer,
        arrived_at=now,
    )
    session.add(row)
    return RecordOutcome.CONFLICTING if known else RecordOutcome.NEW


def _record_alteration(session: Session, instance: StoredInstance) -> None:
    peer, now = instance.association, instance.received_at
    words = "sent an object under a UID of this node, with another content; it is not used"
    event = AuditEvent(
        AuditKind.OWN_ALTERED,
        now,
        peer.calling_ae_title,
        peer.address,
        instance.study_uid,
        words=words,
    )
    add_audit_event(session, event)


class OtherObjects(TrackerPart):
    """The objects that are not analysed, and their removal."""

    def list_expected_files(self, after: int = 0, limit: int = 1000) -> list[ExpectedFile]:
        """Return their files page by page, as `NodeQueries.list_expected_files` does."""
        with self._database.begin_read() as session:
            return list_expected_files(session, OtherObjectRow, after, limit)

    def list_arrived_before(self, limit: datetime, most: int) -> list[ExpectedFile]:
        """Return those that last came before an instant, the first ones first."""
        old = select(OtherObjectRow).where(OtherObjectRow.arrived_at < limit)
        order = OtherObjectRow.arrived_at, OtherObjectRow.id
        with self._database.begin_read() as session:
            rows = session.scalars(old.order_by(*order).limit(most))
            return [from_row(ExpectedFile, row) for row in rows]

    def remove(
        self, item: ExpectedFile, limit: datetime, remove_file: Callable[[str], None], now: datetime
    ) -> bool:
        """Remove an object that last came before an instant; return whether it did.

        The file goes while the study is locked: it must not go after the same object has come
        again and was answered for.

        Parameters
        ----------
        item, limit
            The object; one that came again since is left alone.
        remove_file
            Removes a file of the archive, by its path.
        now
            The present instant.
        """
        with self._database.begin_write() as session:
            session.get(StudyRow, item.study_uid, with_for_update=True)
            row = session.get(OtherObjectRow, item.id, with_for_update=True)
            if row is None or row.arrived_at >= limit:
                return False
            session.delete(row)
            session.flush()
            remove_file(row.path)
            is_altered = OtherObjectRow.peer == row.peer, OtherObjectRow.is_altered
            if not session.scalar(select(exists().where(*is_altered))):
                clear_alarm_in(session, OWN_ALTERED, row.peer, now)
        return True
