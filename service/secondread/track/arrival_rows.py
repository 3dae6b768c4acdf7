"""The rows that an arriving instance makes or finds: association, study, series, instance."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from secondread.accept.dispositions import IMAGE_DISPOSITIONS
from secondread.accept.ledger import PeerAssociation, StoredInstance
from secondread.errors import InputError
from secondread.reasons import Reason
from secondread.track.database import insert_if_new
from secondread.track.header_facts import HeaderFacts
from secondread.track.identities import ensure_identity
from secondread.track.patients import ensure_patient
from secondread.track.states import StudyEvent, StudyState, step_study
from secondread.track.tables import (
    AssociationStudyRow,
    InstanceRow,
    OpenAssociationRow,
    SeriesRow,
    StudyRow,
    as_columns,
)
from secondread.uids import is_uid

# Built once: it is asked for each instance that arrives.
_OTHER_THAN_COLUMNS = (
    "series_uid",
    "size",
    "relative_path",
    "received_at",
    "association",
    "was_requested",
    "is_altered",
)
"""Fields of `StoredInstance` that are not columns of `InstanceRow` under the same name."""


_OF_THE_STUDY = ("patient", "person", "study_date", "modality", "accession_number", "device")
"""Fields of `HeaderFacts` that are recorded elsewhere than with the instance."""


def check_uids(instance: StoredInstance) -> None:
    """Raise `InputError` where something is no UID."""
    for uid in (
        instance.sop_instance_uid,
        instance.sop_class_uid,
        instance.study_uid,
        instance.series_uid,
        instance.transfer_syntax,
    ):
        if not is_uid(uid):
            raise InputError("a UID is not a UID")


def open_study(
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
            "state": _choose_first_state(instance, fetched=fetched),
            "hold_reason": Reason.FETCHED_AS_PRIOR if fetched else None,
            "first_arrived_at": instance.received_at,
            "last_arrived_at": instance.received_at,
        }
        insert_if_new(session, StudyRow, values)
        study = session.get_one(StudyRow, instance.study_uid, with_for_update=True)
    if fetched and study.state is StudyState.WITHOUT_IMAGES:
        study.state = step_study(study.state, StudyEvent.HELD_BACK)
        study.hold_reason = Reason.FETCHED_AS_PRIOR
    if study.state is StudyState.WITHOUT_IMAGES and instance.disposition in IMAGE_DISPOSITIONS:
        # Whoever sent a note or a picture before has no say in whose rule the study is read by.
        study.peer = instance.association.calling_ae_title
    if study.study_date is None:
        study.study_date = facts.study_date
    study.accession_number = study.accession_number or facts.accession_number or None
    study.device = study.device or facts.device or None
    if study.patient is None and facts.patient is not None:
        study.patient = ensure_patient(session, facts.patient).id
    return study


def _choose_first_state(instance: StoredInstance, *, fetched: bool) -> StudyState:
    if fetched:
        return StudyState.HELD
    is_image = instance.disposition in IMAGE_DISPOSITIONS
    return StudyState.ASSEMBLING if is_image else StudyState.WITHOUT_IMAGES


def open_association(session: Session, association: PeerAssociation, receiver: str) -> None:
    """Add an association that is open now, unless it is there."""
    values = {
        "id": association.association_id,
        "receiver": receiver,
        "peer": association.calling_ae_title,
        "address": association.address,
        "opened_at": association.opened_at,
    }
    insert_if_new(session, OpenAssociationRow, values)


def join_association(
    session: Session, association: PeerAssociation, receiver: str, study_uid: str
) -> None:
    """Note that an open association delivers to a study."""
    key = {"association": association.association_id, "study_uid": study_uid}
    if session.get(AssociationStudyRow, key) is None:
        # Its opening may have been lost while the database was away.
        open_association(session, association, receiver)
        insert_if_new(session, AssociationStudyRow, key)


def add_instance(session: Session, instance: StoredInstance, facts: HeaderFacts) -> InstanceRow:
    """Add a version of an instance, as it came."""
    row = InstanceRow(
        **as_columns(instance, *_OTHER_THAN_COLUMNS),
        **as_columns(facts, *_OF_THE_STUDY),
        identity=ensure_identity(session, facts.patient, facts.person),
        series=_ensure_series(session, instance, facts.modality),
        path=instance.relative_path,
        size_bytes=instance.size,
        peer=instance.association.calling_ae_title,
        address=instance.association.address,
        association=instance.association.association_id,
        arrived_at=instance.received_at,
        # Named, because what was not is asked for again, and written again, when it is set.
        withheld=None,
        rejected_at=None,
    )
    session.add(row)
    session.flush()
    return row


_SERIES = select(SeriesRow.id).where(
    SeriesRow.study_uid == bindparam("study_uid"), SeriesRow.series_uid == bindparam("series_uid")
)


def _ensure_series(session: Session, instance: StoredInstance, modality: str) -> int:
    key = {"study_uid": instance.study_uid, "series_uid": instance.series_uid}
    number = session.scalars(_SERIES, key).one_or_none()
    if number is None:
        insert_if_new(session, SeriesRow, {**key, "modality": modality})
        number = session.scalars(_SERIES, key).one()
    return number
