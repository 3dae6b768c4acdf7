"""What the receiver writes down: the accept stage's `Ledger`, in SQL.

`record` is one transaction; when it returns, the receiver answers Success. It locks the study's
row first, so that two associations that deliver to one study take turns.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from secondread.accept.classify import Disposition
from secondread.accept.ledger import PeerAssociation, Recorded, Refusal, StoredInstance
from secondread.assemble.mammogram import PatientKey
from secondread.errors import InputError
from secondread.reasons import Reason
from secondread.track import alarms, refusals
from secondread.track.assembly import IMAGES, AssemblyRules, take_event
from secondread.track.database import Database, insert_new
from secondread.track.fetches import is_wanted, note_arrival
from secondread.track.header import HeaderFacts, read_facts, read_rejection
from secondread.track.patients import find_patient, known_patient
from secondread.track.prior_choice import revise_compared
from secondread.track.rejections import rejected_at, restore, withdraw
from secondread.track.states import Cause, StudyEvent, StudyState
from secondread.track.tables import (
    AssociationStudy,
    Instance,
    OpenAssociation,
    OutboxObjectRow,
    Series,
    Study,
)

_LONGEST_UID = 64


class ReceiverLedger:
    """The ledger of one receiver process.

    Parameters
    ----------
    database
        Where to write.
    receiver
        Name of the process; it tells its open associations from other receivers'.
    rules
        When a study is due.
    """

    def __init__(self, database: Database, receiver: str, rules: AssemblyRules) -> None:
        self._database = database
        self._receiver = receiver
        self._rules = rules

    def receiver_started(self, at: datetime) -> None:
        """Forget the associations that this receiver had open when it died."""
        with self._database.writing() as session:
            mine = select(OpenAssociation.id).where(
                OpenAssociation.receiver == self._receiver, OpenAssociation.opened_at <= at
            )
            _forget(session, list(session.scalars(mine)))

    def is_own(self, sop_instance_uid: str) -> bool:
        """Whether this node wrote the object with this UID."""
        with self._database.reading() as session:
            known = exists().where(OutboxObjectRow.sop_instance_uid == sop_instance_uid)
            return bool(session.scalar(select(known)))

    def record(self, instance: StoredInstance, header: Dataset) -> Recorded:
        """Write an instance down, and commit.

        Raises
        ------
        InputError
            A UID is longer than a UID can be.
        TransientError
            The database did not answer; nothing was written.
        """
        _check_uids(instance)
        facts = read_facts(header, instance.disposition)
        with self._database.writing() as session:
            is_prior = is_wanted(session, instance.study_uid)
            study = _open_study(session, instance, facts, fetched=is_prior or instance.on_request)
            _join_association(session, instance.association, self._receiver, study.study_uid)
            versions = session.scalars(
                select(Instance).where(Instance.sop_instance_uid == instance.sop_instance_uid)
            ).all()
            is_back = restore(session, study.study_uid, instance.sop_instance_uid)
            repeated = next((one for one in versions if one.sha256 == instance.sha256), None)
            if repeated is not None:
                if is_back:
                    self._return(session, study, repeated, instance, is_prior=is_prior)
                return Recorded.REPEATED
            if instance.on_request and not is_prior:
                _keep_apart(session, study, instance, facts)
                return Recorded.CONFLICTING if versions else Recorded.NEW
            superseded = _supersede(versions, study.study_uid)
            row = _add_instance(session, instance, facts)
            row.conflict = bool(versions) or not _is_patient_of(
                session, study, facts.patient, instance.received_at
            )
            if superseded:
                _correct_patient(session, study, facts.patient, instance.received_at)
                lost = [(version.sop_instance_uid, version.sha256) for version in versions]
                self._lose(session, study, lost, instance.received_at)
            study.last_arrived_at = max(study.last_arrived_at, instance.received_at)
            if is_prior:
                self._note_prior(session, study, instance)
            if instance.disposition is Disposition.REJECTION_NOTE:
                self._reject(session, study, instance, header)
            elif instance.disposition in IMAGES and row.rejected_at is None and not is_prior:
                self._arrive(session, study, row, corrects=superseded)
            return Recorded.CONFLICTING if versions else Recorded.NEW

    def association_opened(self, association: PeerAssociation) -> None:
        """Note that a peer may deliver instances from now on."""
        with self._database.writing() as session:
            insert_new(session, OpenAssociation, _association(association, self._receiver))

    def association_closed(self, association_id: str, at: datetime) -> None:
        """Note that an association ended."""
        with self._database.writing() as session:
            _forget(session, [association_id])

    def refused(self, refusals_seen: Sequence[Refusal]) -> None:
        """Add to what was refused, all in one transaction."""
        with self._database.writing() as session:
            refusals.add_all(session, refusals_seen)

    def _arrive(self, session: Session, study: Study, row: Instance, *, corrects: bool) -> None:
        event, now = StudyEvent.INSTANCE_ARRIVED, row.arrived_at
        window = timedelta(days=self._rules.settings.late_window_days)
        reported_at = study.reported_at
        if (
            study.state is StudyState.REPORTED
            and reported_at is not None
            and now - reported_at > window
        ):
            event = StudyEvent.INSTANCE_ARRIVED_TOO_LATE
            row.late = True
            text = "came after the late window; read it with: secondread studies read UID"
            alarms.raise_in(session, alarms.LATE_INSTANCE, study.study_uid, text, now)
        cause = Cause.CORRECTED_INSTANCE if corrects else Cause.LATE_INSTANCE
        take_event(session, study, event, now, self._rules, cause)

    def _note_prior(self, session: Session, study: Study, instance: StoredInstance) -> None:
        settle = timedelta(seconds=self._rules.settings.settle_seconds)
        note_arrival(session, study.study_uid, instance.received_at + settle)

    def _return(
        self,
        session: Session,
        study: Study,
        row: Instance,
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
        elif not study.revision and row.disposition in IMAGES:
            now = instance.received_at
            take_event(session, study, StudyEvent.INSTANCE_ARRIVED, now, self._rules)

    def _reject(
        self, session: Session, study: Study, instance: StoredInstance, header: Dataset
    ) -> None:
        note, now = read_rejection(header), instance.received_at
        withdrawn = withdraw(session, study, note, instance.sop_instance_uid, now)
        # A report stays right when the retention of its images has expired.
        if withdrawn and not (note.is_expiry and study.revision):
            event, cause = StudyEvent.INSTANCE_REJECTED, Cause.REJECTION
            take_event(session, study, event, now, self._rules, cause)
        if not note.is_expiry:
            self._lose(session, study, withdrawn, now)

    def _lose(
        self, session: Session, study: Study, lost: Sequence[tuple[str, str]], now: datetime
    ) -> None:
        """Have later studies read again that were compared with images that count no more."""
        if lost:
            session.flush()
            revise_compared(session, study, lost, self._rules.settings, now)


def _check_uids(instance: StoredInstance) -> None:
    for uid in (
        instance.sop_instance_uid,
        instance.sop_class_uid,
        instance.study_uid,
        instance.series_uid,
        instance.transfer_syntax,
    ):
        if len(uid) > _LONGEST_UID or "\0" in uid:
            raise InputError("a UID has more than 64 characters, or a null")


def _open_study(
    session: Session, instance: StoredInstance, facts: HeaderFacts, *, fetched: bool
) -> Study:
    """Return the study's row, made if need be, and locked until the transaction ends.

    One that this node asked for is held from the start: it is kept as a prior, whatever its age,
    and read only if a person wants it.
    """
    study = session.get(Study, instance.study_uid, with_for_update=True)
    if study is None:
        values = {
            "study_uid": instance.study_uid,
            "peer": instance.association.calling_ae_title,
            "state": StudyState.HELD if fetched else StudyState.ASSEMBLING,
            "hold_reason": Reason.FETCHED_AS_PRIOR if fetched else None,
            "exempt": False,
            "revision": 0,
            "shown_findings": 0,
            "first_arrived_at": instance.received_at,
            "last_arrived_at": instance.received_at,
        }
        insert_new(session, Study, values)
        study = session.get_one(Study, instance.study_uid, with_for_update=True)
    if study.study_date is None:
        study.study_date = facts.study_date
    if study.patient is None and facts.patient is not None:
        study.patient = find_patient(session, facts.patient).id
    return study


def _is_patient_of(session: Session, study: Study, key: PatientKey | None, now: datetime) -> bool:
    """Whether the instance names the study's patient; another one raises an alarm."""
    if key is None or study.patient is None:
        return True
    known = known_patient(session, key)
    if known is not None and known.id == study.patient:
        return True
    text = "images of one study name two patients; compare them at the archive"
    alarms.raise_in(session, alarms.PATIENT_MISMATCH, study.study_uid, text, now)
    return False


def _keep_apart(
    session: Session, study: Study, instance: StoredInstance, facts: HeaderFacts
) -> None:
    """Write down what came on our request without having been asked for: kept, and never used."""
    row = _add_instance(session, instance, facts)
    row.current, row.conflict = False, True
    text = "an archive that was asked for a prior sent images of this study; they are not used"
    alarms.raise_in(session, alarms.PRIOR_UNASKED, study.study_uid, text, instance.received_at)


def _association(association: PeerAssociation, receiver: str) -> dict[str, object]:
    return {
        "id": association.association_id,
        "receiver": receiver,
        "peer": association.calling_ae_title,
        "address": association.address,
        "opened_at": association.opened_at,
    }


def _join_association(
    session: Session, association: PeerAssociation, receiver: str, study_uid: str
) -> None:
    key = {"association": association.association_id, "study_uid": study_uid}
    if session.get(AssociationStudy, key) is None:
        # Its opening may have been lost while the database was away.
        insert_new(session, OpenAssociation, _association(association, receiver))
        insert_new(session, AssociationStudy, key)


def _forget(session: Session, association_ids: list[str]) -> None:
    session.execute(delete(OpenAssociation).where(OpenAssociation.id.in_(association_ids)))


def _supersede(others: Sequence[Instance], study_uid: str) -> bool:
    """Flag other versions of an instance; those of its study are no longer current.

    Returns
    -------
    bool
        Whether there was a current one in its study.
    """
    found = False
    for other in others:
        other.conflict = True
        # A version that claims another study must not take an image out of the first one.
        if other.study_uid == study_uid:
            found = found or other.current
            other.current = False
    return found


def _correct_patient(session: Session, study: Study, key: PatientKey | None, now: datetime) -> None:
    """Give a study to another patient when all of its images were sent again under that one.

    As long as an image is left that came under the first patient's name, it is a study with
    images of two, of which nothing leaves.
    """
    if key is None or _is_patient_of(session, study, key, now):
        return
    of_first = select(Instance.id).where(
        Instance.study_uid == study.study_uid, Instance.current, ~Instance.conflict
    )
    if session.scalars(of_first.limit(1)).one_or_none() is None:
        study.patient = find_patient(session, key).id
        alarms.clear_in(session, alarms.PATIENT_MISMATCH, study.study_uid, now)


def _add_instance(session: Session, instance: StoredInstance, facts: HeaderFacts) -> Instance:
    row = Instance(
        sop_instance_uid=instance.sop_instance_uid,
        sha256=instance.sha256,
        sop_class_uid=instance.sop_class_uid,
        study_uid=instance.study_uid,
        series=_series(session, instance, facts.modality),
        transfer_syntax=instance.transfer_syntax,
        path=instance.relative_path,
        size_bytes=instance.size,
        peer=instance.association.calling_ae_title,
        association=instance.association.association_id,
        arrived_at=instance.received_at,
        disposition=instance.disposition,
        scope_reason=facts.scope_reason,
        laterality=facts.laterality,
        view=facts.view,
        intent=facts.intent,
        rejected_at=rejected_at(session, instance.study_uid, instance.sop_instance_uid),
        current=True,
        late=False,
    )
    session.add(row)
    session.flush()
    return row


def _series(session: Session, instance: StoredInstance, modality: str) -> int:
    key = {"study_uid": instance.study_uid, "series_uid": instance.series_uid}
    find = select(Series.id).filter_by(**key)
    known = session.scalars(find).one_or_none()
    if known is None:
        insert_new(session, Series, {**key, "modality": modality})
        known = session.scalars(find).one()
    return known
