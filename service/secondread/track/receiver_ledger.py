"""What the receiver records: the accept stage's `Ledger`, in SQL.

`record_instance` is one transaction; when it returns, the receiver answers Success. It locks the
study's row first, so that two associations that deliver to one study take turns.
"""

from collections.abc import Sequence
from datetime import datetime

from pydicom.dataset import Dataset
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from secondread.accept.classify import IMAGE_DISPOSITIONS, Disposition
from secondread.accept.ledger import PeerAssociation, RecordOutcome, Refusal, StoredInstance
from secondread.assemble.due import DueRules
from secondread.assemble.mammogram import PatientKey
from secondread.errors import InputError
from secondread.reasons import Reason
from secondread.track.database import Database, insert_if_new
from secondread.track.fetch_rows import note_arrival, was_requested
from secondread.track.header_facts import HeaderFacts, read_header_facts, read_rejection_note
from secondread.track.operations import (
    LATE_INSTANCE,
    PATIENT_MISMATCH,
    PRIOR_UNASKED,
    add_refusals,
    clear_alarm_in,
    raise_alarm_in,
)
from secondread.track.patients import ensure_patient, look_up_patient
from secondread.track.rejections import find_rejection_time, restore_instance, withdraw_instances
from secondread.track.revision_triggers import revise_compared_studies
from secondread.track.states import Cause, StudyEvent, StudyState
from secondread.track.study_rows import apply_event
from secondread.track.tables import (
    AssociationStudyRow,
    InstanceRow,
    OpenAssociationRow,
    OutboxObjectRow,
    SeriesRow,
    StudyRow,
    as_columns,
)
from secondread.uids import is_uid

_OTHER_THAN_COLUMNS = (
    "series_uid",
    "size",
    "relative_path",
    "received_at",
    "association",
    "was_requested",
)
"""Fields of `StoredInstance` that are not columns of `InstanceRow` under the same name."""


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
    """

    def __init__(self, database: Database, receiver: str, rules: DueRules) -> None:
        self._database = database
        self._receiver = receiver
        self._rules = rules

    def record_receiver_start(self, at: datetime) -> None:
        """Delete the associations that this receiver had open when it died."""
        with self._database.begin_write() as session:
            session.execute(
                delete(OpenAssociationRow).where(
                    OpenAssociationRow.receiver == self._receiver,
                    OpenAssociationRow.opened_at <= at,
                )
            )

    def is_own(self, sop_instance_uid: str) -> bool:
        """Whether this node wrote the object with this UID."""
        with self._database.begin_read() as session:
            own = exists().where(OutboxObjectRow.sop_instance_uid == sop_instance_uid)
            return bool(session.scalar(select(own)))

    def record_instance(self, instance: StoredInstance, header: Dataset) -> RecordOutcome:
        """Record an instance, and commit.

        Raises
        ------
        InputError
            A UID is longer than a UID can be.
        TransientError
            The database did not answer; nothing was written.
        """
        _check_uids(instance)
        facts = read_header_facts(header, instance.disposition)
        with self._database.begin_write() as session:
            is_prior = was_requested(session, instance.study_uid)
            study = _open_study(
                session, instance, facts, fetched=is_prior or instance.was_requested
            )
            _join_association(session, instance.association, self._receiver, study.study_uid)
            versions = session.scalars(
                select(InstanceRow).where(InstanceRow.sop_instance_uid == instance.sop_instance_uid)
            ).all()
            is_back = restore_instance(session, study.study_uid, instance.sop_instance_uid)
            same = next((row for row in versions if row.sha256 == instance.sha256), None)
            if same is not None:
                if is_back:
                    self._take_back(session, study, same, instance, is_prior=is_prior)
                return RecordOutcome.REPEATED
            outcome = RecordOutcome.CONFLICTING if versions else RecordOutcome.NEW
            if instance.was_requested and not is_prior:
                _keep_apart(session, study, instance, facts)
                return outcome
            superseded = _supersede(versions, study.study_uid)
            row = _add_instance(session, instance, facts)
            row.conflict = bool(versions) or not _check_patient(
                session, study, facts.patient, instance.received_at
            )
            if superseded:
                _correct_patient(session, study, facts.patient, instance.received_at)
                lost = [(version.sop_instance_uid, version.sha256) for version in versions]
                self._revise_compared(session, study, lost, instance.received_at)
            study.last_arrived_at = max(study.last_arrived_at, instance.received_at)
            if is_prior:
                self._note_prior(session, study, instance)
            if instance.disposition is Disposition.REJECTION_NOTE:
                self._reject(session, study, instance, header)
            elif row.disposition in IMAGE_DISPOSITIONS and row.rejected_at is None and not is_prior:
                self._add_to_study(session, study, row, corrects=superseded)
            return outcome

    def record_association_start(self, association: PeerAssociation) -> None:
        """Note that a peer may deliver instances from now on."""
        with self._database.begin_write() as session:
            _insert_association(session, association, self._receiver)

    def record_association_end(self, association_id: str, at: datetime) -> None:
        """Note that an association ended."""
        with self._database.begin_write() as session:
            session.execute(
                delete(OpenAssociationRow).where(OpenAssociationRow.id == association_id)
            )

    def record_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Add to what was refused, all in one transaction."""
        with self._database.begin_write() as session:
            add_refusals(session, refusals)

    def _add_to_study(
        self, session: Session, study: StudyRow, row: InstanceRow, *, corrects: bool
    ) -> None:
        event, now = StudyEvent.INSTANCE_ARRIVED, row.arrived_at
        if study.state is StudyState.REPORTED and not self._rules.is_recent(study.reported_at, now):
            event = StudyEvent.INSTANCE_ARRIVED_TOO_LATE
            row.late = True
            if row.scope_reason in {None, Reason.HEADER_INVALID}:  # else nobody would read it
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
        withdrawn = withdraw_instances(session, study, note, instance.sop_instance_uid, now)
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


def _check_uids(instance: StoredInstance) -> None:
    for uid in (
        instance.sop_instance_uid,
        instance.sop_class_uid,
        instance.study_uid,
        instance.series_uid,
        instance.transfer_syntax,
    ):
        if not is_uid(uid):
            raise InputError("a UID is not a UID")


def _open_study(
    session: Session, instance: StoredInstance, facts: HeaderFacts, *, fetched: bool
) -> StudyRow:
    """Return the study's row, made if need be, and locked until the transaction ends.

    One that this node asked for is held from the start: it is kept as a prior, whatever its age,
    and read only if a person wants it.
    """
    study = session.get(StudyRow, instance.study_uid, with_for_update=True)
    if study is None:
        values = {
            "study_uid": instance.study_uid,
            "peer": instance.association.calling_ae_title,
            "state": StudyState.HELD if fetched else StudyState.ASSEMBLING,
            "hold_reason": Reason.FETCHED_AS_PRIOR if fetched else None,
            "first_arrived_at": instance.received_at,
            "last_arrived_at": instance.received_at,
        }
        insert_if_new(session, StudyRow, values)
        study = session.get_one(StudyRow, instance.study_uid, with_for_update=True)
    if study.study_date is None:
        study.study_date = facts.study_date
    if study.patient is None and facts.patient is not None:
        study.patient = ensure_patient(session, facts.patient).id
    return study


def _check_patient(
    session: Session, study: StudyRow, key: PatientKey | None, now: datetime
) -> bool:
    """Return whether the instance names the study's patient; another one raises an alarm."""
    if key is None or study.patient is None:
        return True
    patient = look_up_patient(session, key)
    if patient is not None and patient.id == study.patient:
        return True
    text = "images of one study name two patients; compare them at the archive"
    raise_alarm_in(session, PATIENT_MISMATCH, study.study_uid, text, now)
    return False


def _keep_apart(
    session: Session, study: StudyRow, instance: StoredInstance, facts: HeaderFacts
) -> None:
    """Record what came on our request without having been asked for: kept, and never used."""
    row = _add_instance(session, instance, facts)
    row.current, row.conflict = False, True
    text = "an archive that was asked for a prior sent images of this study; they are not used"
    raise_alarm_in(session, PRIOR_UNASKED, study.study_uid, text, instance.received_at)


def _insert_association(session: Session, association: PeerAssociation, receiver: str) -> None:
    values = {
        "id": association.association_id,
        "receiver": receiver,
        "peer": association.calling_ae_title,
        "address": association.address,
        "opened_at": association.opened_at,
    }
    insert_if_new(session, OpenAssociationRow, values)


def _join_association(
    session: Session, association: PeerAssociation, receiver: str, study_uid: str
) -> None:
    key = {"association": association.association_id, "study_uid": study_uid}
    if session.get(AssociationStudyRow, key) is None:
        # Its opening may have been lost while the database was away.
        _insert_association(session, association, receiver)
        insert_if_new(session, AssociationStudyRow, key)


def _supersede(versions: Sequence[InstanceRow], study_uid: str) -> bool:
    """Flag other versions of an instance; those of its study are no longer current.

    Returns
    -------
    bool
        Whether there was a current one in its study.
    """
    was_current = False
    for version in versions:
        version.conflict = True
        # A version that claims another study must not take an image out of the first one.
        if version.study_uid == study_uid:
            was_current = was_current or version.current
            version.current = False
    return was_current


def _correct_patient(
    session: Session, study: StudyRow, key: PatientKey | None, now: datetime
) -> None:
    """Give a study to another patient when all of its images were sent again under that one.

    As long as an image is left that came under the first patient's name, it is a study with
    images of two, of which nothing leaves.
    """
    if key is None or _check_patient(session, study, key, now):
        return
    of_first_patient = select(InstanceRow.id).where(
        InstanceRow.study_uid == study.study_uid, InstanceRow.current, ~InstanceRow.conflict
    )
    if session.scalars(of_first_patient.limit(1)).one_or_none() is None:
        study.patient = ensure_patient(session, key).id
        clear_alarm_in(session, PATIENT_MISMATCH, study.study_uid, now)


def _add_instance(session: Session, instance: StoredInstance, facts: HeaderFacts) -> InstanceRow:
    row = InstanceRow(
        **as_columns(instance, *_OTHER_THAN_COLUMNS),
        **as_columns(facts, "patient", "study_date", "modality"),
        series=_ensure_series(session, instance, facts.modality),
        path=instance.relative_path,
        size_bytes=instance.size,
        peer=instance.association.calling_ae_title,
        association=instance.association.association_id,
        arrived_at=instance.received_at,
        rejected_at=find_rejection_time(session, instance.study_uid, instance.sop_instance_uid),
    )
    session.add(row)
    session.flush()
    return row


def _ensure_series(session: Session, instance: StoredInstance, modality: str) -> int:
    key = {"study_uid": instance.study_uid, "series_uid": instance.series_uid}
    by_key = select(SeriesRow.id).filter_by(**key)
    number = session.scalars(by_key).one_or_none()
    if number is None:
        insert_if_new(session, SeriesRow, {**key, "modality": modality})
        number = session.scalars(by_key).one()
    return number
