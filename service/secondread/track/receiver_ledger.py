"""What the receiver records: the accept stage's `Ledger`, in SQL.

`record_instance` is one transaction; when it returns, the receiver answers Success. It locks the
study's row first, so that two associations that deliver to one study take turns.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from pydicom.dataset import Dataset
from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from secondread.accept.dispositions import IMAGE_DISPOSITIONS, Disposition
from secondread.accept.ledger import (
    OutboxFile,
    PeerAssociation,
    RecordOutcome,
    Refusal,
    StoredInstance,
    Transfer,
)
from secondread.assemble.due import DueRules
from secondread.audit import AuditEvent, AuditKind
from secondread.reasons import Reason
from secondread.track.arrival_rows import (
    add_instance,
    check_uids,
    join_association,
    open_association,
    open_study,
)
from secondread.track.audit_rows import add_audit_event
from secondread.track.change_rights import OWN_ALONE, ChangeRights, Sender
from secondread.track.database import Database
from secondread.track.fetch_rows import note_arrival, was_requested
from secondread.track.header_facts import read_header_facts, read_rejection_note
from secondread.track.instance_versions import admit, find_first_sender, find_versions, supersede
from secondread.track.operations import (
    LATE_INSTANCE,
    PRIOR_UNASKED,
    add_refusals,
    raise_alarm_in,
)
from secondread.track.other_objects import add_object
from secondread.track.refused_changes import report_refused_change
from secondread.track.rejections import (
    ReceivedNote,
    is_named,
    judge_waiting_notes,
    restore_instance,
    withdraw_instances,
)
from secondread.track.revision_triggers import revise_compared_studies
from secondread.track.states import Cause, StudyEvent, StudyState
from secondread.track.study_patient import assign_images
from secondread.track.study_rows import apply_event
from secondread.track.tables import (
    InstanceRow,
    OpenAssociationRow,
    OutboxObjectRow,
    StudyRow,
    from_row,
)
from secondread.track.transfer_rows import add_cut_off, add_received
from secondread.track.values import StudyChange

_DELETE_ASSOCIATION = (
    delete(OpenAssociationRow)
    .where(OpenAssociationRow.id == bindparam("association"))
    .execution_options(synchronize_session=False)
)


class ReceiverLedger:
    """The ledger of one receiver process.

    Parameters
    ----------
    database
        Where to write.
    receiver
        Name of the process, which distinguishes its open associations from other receivers'.
    rules
        When a study is due.
    rights
        Who may replace or reject images.
    """

    def __init__(
        self,
        database: Database,
        receiver: str,
        rules: DueRules,
        rights: ChangeRights = OWN_ALONE,
    ) -> None:
        self._database = database
        self._receiver = receiver
        self._rules = rules
        self._rights = rights
        self.on_refusals: Callable[[Sequence[Refusal]], None] | None = None
        """Is given what was refused once it is recorded; it does not wait and does not raise."""

    def record_receiver_start(self, at: datetime) -> None:
        """Delete the associations that this receiver had open when it died."""
        with self._database.begin_write() as session:
            add_cut_off(session, self._receiver, at)
            session.execute(
                delete(OpenAssociationRow).where(
                    OpenAssociationRow.receiver == self._receiver,
                    OpenAssociationRow.opened_at <= at,
                )
            )

    def find_own(self, sop_instance_uid: str) -> OutboxFile | None:
        """Return the object that this node wrote under a UID; None where it wrote none."""
        own = select(OutboxObjectRow).where(OutboxObjectRow.sop_instance_uid == sop_instance_uid)
        with self._database.begin_read() as session:
            row = session.scalars(own).one_or_none()
            return None if row is None else from_row(OutboxFile, row)

    def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
        """Record an instance, and commit.

        Raises
        ------
        InputError
            A UID is longer than a UID can be.
        TransientError
            The database did not answer; nothing was written.
        """
        check_uids(instance)
        facts = read_header_facts(header, instance.disposition)
        with self._database.begin_write() as session:
            is_prior = was_requested(session, instance.study_uid)
            study = open_study(session, instance, facts, fetched=is_prior or instance.was_requested)
            join_association(session, instance.association, self._receiver, study.study_uid)
            if instance.disposition is Disposition.NOT_ANALYSED:
                return add_object(session, study, instance)
            versions = find_versions(session, instance.sop_instance_uid)
            withheld = self._find_withholding_reason(instance, versions, is_prior=is_prior)
            same = next((row for row in versions if row.sha256 == instance.sha256), None)
            others = [row for row in versions if row is not same]
            if same is not None:
                same.size_bytes = instance.size  # its file may have been damaged, and replaced now
            if same is not None and (withheld is not None or same.withheld is None):
                self._repeat(session, study, same, instance, header, is_prior=is_prior)
                return RecordOutcome.REPEATED
            row = same or add_instance(session, instance, facts)
            if withheld is not None:
                _withhold(session, row, withheld, instance)
                is_change = withheld is Reason.CHANGE_NOT_PERMITTED
                return RecordOutcome.NOT_PERMITTED if is_change else _name_outcome(others)
            admit(row, _get_sender(instance))
            if instance.disposition is Disposition.REJECTION_NOTE:
                self._reject(session, study, instance, header)
            replaced = self._replace(session, study, others, row, instance.received_at)
            if is_prior:
                self._note_prior(session, study, instance)
            elif _changes_reading(row, replaced):
                now = instance.received_at
                self._add_to_study(session, study, row, now, corrects=bool(replaced))
            # Last, so that the study's row is written once.
            study.last_arrived_at = max(study.last_arrived_at, instance.received_at)
            return _name_outcome(others)

    def _replace(
        self,
        session: Session,
        study: StudyRow,
        others: Sequence[InstanceRow],
        row: InstanceRow,
        now: datetime,
    ) -> list[InstanceRow]:
        """Have a version count, and return those of its study that count no longer."""
        replaced = supersede(others, row)
        row.conflict = bool(others)
        row.rejected_at = None
        if is_named(session, study.study_uid, row.sop_instance_uid):
            restore_instance(session, study.study_uid, row.sop_instance_uid)
            for sender in judge_waiting_notes(session, row, self._rights):
                report_refused_change(session, row.study_uid, StudyChange.REJECT, sender, 1, now)
        lost = [(version.sop_instance_uid, version.sha256) for version in replaced]
        lost += assign_images(session, study, self._rights, now)
        self._revise_compared(session, study, lost, now)
        return replaced

    def _find_withholding_reason(
        self, instance: StoredInstance, versions: Sequence[InstanceRow], *, is_prior: bool
    ) -> Reason | None:
        """Return why an instance must not count; None where it does."""
        if instance.was_requested and not is_prior:
            return Reason.PRIOR_UNASKED
        # A note is judged by what it rejects, unless it would take the place of an image.
        kinds = {instance.disposition, *(row.disposition for row in versions)}
        first = find_first_sender(versions, instance.study_uid)
        if first is None or kinds == {Disposition.REJECTION_NOTE}:
            return None
        if self._rights.may_change(_get_sender(instance), first):
            return None
        return Reason.CHANGE_NOT_PERMITTED

    def _repeat(
        self,
        session: Session,
        study: StudyRow,
        row: InstanceRow,
        instance: StoredInstance,
        header: Dataset,
        *,
        is_prior: bool,
    ) -> None:
        """Carry out what an instance means that was there already."""
        if instance.disposition is Disposition.REJECTION_NOTE:
            self._reject(session, study, instance, header)  # this sender may have the right
        if row.withheld is not None:
            return
        if restore_instance(session, study.study_uid, row.sop_instance_uid):
            self._take_back(session, study, row, instance, is_prior=is_prior)

    def record_association_start(self, association: PeerAssociation) -> None:
        """Note that a peer may deliver instances from now on."""
        with self._database.begin_write() as session:
            open_association(session, association, self._receiver)

    def record_association_end(
        self, association_id: str, at: datetime, transfers: Sequence[Transfer] = ()
    ) -> None:
        """Note that an association ended, and what it had brought."""
        with self._database.begin_write() as session:
            add_received(session, transfers, at)
            session.execute(_DELETE_ASSOCIATION, {"association": association_id})

    def record_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Add to what was refused, all in one transaction."""
        with self._database.begin_write() as session:
            add_refusals(session, refusals)
        if self.on_refusals is not None:
            self.on_refusals(refusals)

    def _add_to_study(
        self,
        session: Session,
        study: StudyRow,
        row: InstanceRow,
        now: datetime,
        *,
        corrects: bool,
    ) -> None:
        event = StudyEvent.INSTANCE_ARRIVED
        if study.state is StudyState.REPORTED and not self._rules.is_recent(study.reported_at, now):
            event = StudyEvent.INSTANCE_ARRIVED_TOO_LATE
            row.late = True
            # Else nobody would read it.
            if row.scope_reason in {None, Reason.HEADER_INVALID} and not row.set_aside:
                text = "came after the late window; read it with: secondread studies read UID"
                raise_alarm_in(session, LATE_INSTANCE, study.study_uid, text, now)
        cause = Cause.CORRECTED_INSTANCE if corrects else Cause.LATE_INSTANCE
        apply_event(session, study, event, now, self._rules, cause)

    def _note_prior(self, session: Session, study: StudyRow, instance: StoredInstance) -> None:
        note_arrival(session, study.study_uid, self._rules.find_revision_time(instance.received_at))

    def _take_back(
        self,
        session: Session,
        study: StudyRow,
        row: InstanceRow,
        instance: StoredInstance,
        *,
        is_prior: bool,
    ) -> None:
        """Use an image again whose retention had expired, and that was sent once more.

        What was reported of it was right all the time, and needs no revision.
        """
        session.refresh(row)
        if is_prior:
            self._note_prior(session, study, instance)
        elif not study.revision and row.disposition in IMAGE_DISPOSITIONS:
            now = instance.received_at
            apply_event(session, study, StudyEvent.INSTANCE_ARRIVED, now, self._rules)

    def _reject(
        self, session: Session, study: StudyRow, instance: StoredInstance, header: Dataset
    ) -> None:
        note, now = read_rejection_note(header), instance.received_at
        sender = _get_sender(instance)
        received = ReceivedNote(note, instance.sop_instance_uid, sender, now)
        withdrawn, not_permitted = withdraw_instances(session, study, received, self._rights)
        assign_images(session, study, self._rights, now)
        if not_permitted:
            images = len(not_permitted)
            report_refused_change(session, study.study_uid, StudyChange.REJECT, sender, images, now)
        if withdrawn:
            add_audit_event(session, _describe_withdrawal(study.study_uid, sender, withdrawn, now))
        # A report stays right when the retention of its images has expired.
        if withdrawn and not (note.is_expiry and study.revision):
            event, cause = StudyEvent.INSTANCE_REJECTED, Cause.REJECTION
            apply_event(session, study, event, now, self._rules, cause)
        if not note.is_expiry:
            self._revise_compared(session, study, withdrawn, now)

    def _revise_compared(
        self, session: Session, study: StudyRow, lost: Sequence[tuple[str, str]], now: datetime
    ) -> None:
        """Have later studies read again that were compared with images that no longer count."""
        if lost:
            session.flush()
            revise_compared_studies(session, study, lost, self._rules, now)


def _get_sender(instance: StoredInstance) -> Sender:
    return Sender(instance.association.calling_ae_title, instance.association.address)


def _describe_withdrawal(
    study_uid: str, sender: Sender, withdrawn: Sequence[object], now: datetime
) -> AuditEvent:
    words = f"images withdrawn by a rejection note: {len(withdrawn)}"
    return AuditEvent(AuditKind.WITHDRAWN, now, sender.peer, sender.address, study_uid, words=words)


def _name_outcome(others: Sequence[InstanceRow]) -> RecordOutcome:
    return RecordOutcome.CONFLICTING if others else RecordOutcome.NEW


def _changes_reading(row: InstanceRow, replaced: Sequence[InstanceRow]) -> bool:
    """Whether a study may read otherwise with a version that came, or without what it replaces."""
    is_image = row.disposition in IMAGE_DISPOSITIONS and row.rejected_at is None
    return is_image and (not row.set_aside or bool(replaced))


def _withhold(session: Session, row: InstanceRow, reason: Reason, instance: StoredInstance) -> None:
    """Have what was recorded never count, and raise an alarm that names it."""
    row.current, row.conflict, row.withheld = False, True, reason
    study_uid, now = instance.study_uid, instance.received_at
    if reason is Reason.CHANGE_NOT_PERMITTED:
        sender = _get_sender(instance)
        report_refused_change(session, study_uid, StudyChange.REPLACE, sender, 1, now)
        return
    text = "an archive that was asked for a prior sent images of this study; they are not used"
    raise_alarm_in(session, PRIOR_UNASKED, study_uid, text, now)
