"""Patients: a row for each ID and issuer, the only place where an identity stands.

A person merges two IDs of one patient: one row then points to the other, and what either had
belongs to that one. Files keep the ID that they came with.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from secondread.assemble.due import DueRules
from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.log import get_logger
from secondread.track.audit_rows import add_audit_event
from secondread.track.change_rights import OWN_ALONE, ChangeRights
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.fetch_rows import forget_doubtful_offers
from secondread.track.identities import (
    KnownIdentities,
    confirm_identities,
    find_id_row,
    load_known_identities,
)
from secondread.track.prior_choice import FetchRules
from secondread.track.revision_triggers import (
    revise_for_treatment,
    revise_if_priors_gained,
)
from secondread.track.study_patient import take_back_images
from secondread.track.tables import (
    LesionRow,
    PatientMergeRow,
    PatientRow,
    StudyRow,
    TreatmentRow,
    as_columns,
    from_row,
)
from secondread.track.values import TreatmentRecord

log = get_logger(__name__)


def ensure_patient(session: Session, key: PatientKey) -> PatientRow:
    """Return a patient's row, made if need be; of a merged ID the row that it was merged into."""
    row = look_up_patient(session, key)
    if row is None:
        insert_if_new(session, PatientRow, as_columns(key))
        row = session.scalars(select(PatientRow).filter_by(**as_columns(key))).one()
    return row


def look_up_patient(session: Session, key: PatientKey) -> PatientRow | None:
    """Return a patient's row, of a merged ID the row that it was merged into; None if unknown."""
    row = find_id_row(session, key)
    if row is None or row.merged_into is None:
        return row
    return session.get_one(PatientRow, row.merged_into)


class PatientSummary(NamedTuple):
    """One ID of a patient."""

    key: PatientKey
    merged_into: PatientKey | None
    studies: int
    treatments: int


class MergeResult(NamedTuple):
    """What changed hands."""

    studies: int
    treatments: int
    due_studies: tuple[str, ...]
    """Studies that became due for a revision by it."""


class ConfirmResult(NamedTuple):
    """What a confirmation changed."""

    identities: int
    """Names and birth dates that are the patient's from now on."""
    due_studies: tuple[str, ...]
    """Studies that became due for a revision by it."""


class Patients(TrackerPart):
    """The patients of the tracker."""

    def list_patients(self, limit: int) -> list[PatientSummary]:
        """Return patients by ID, merged ones among them; at most so many."""
        other = aliased(PatientRow)
        studies, treatments = (
            select(func.count()).where(table.patient == PatientRow.id).scalar_subquery()
            for table in (StudyRow, TreatmentRow)
        )
        statement = (
            select(PatientRow, other, studies, treatments)
            .outerjoin(other, PatientRow.merged_into == other.id)
            .order_by(PatientRow.patient_id, PatientRow.issuer)
            .limit(limit)
        )
        with self._database.begin_read() as session:
            return [
                PatientSummary(
                    key=from_row(PatientKey, row),
                    merged_into=from_row(PatientKey, target) if target else None,
                    studies=study_count,
                    treatments=treatment_count,
                )
                for row, target, study_count, treatment_count in session.execute(statement)
            ]

    def find_canonical_key(self, key: PatientKey) -> PatientKey:
        """Return the key that an ID was merged into; the key itself where nobody merged it."""
        with self._database.begin_read() as session:
            row = look_up_patient(session, key)
            return key if row is None else from_row(PatientKey, row)

    def load_known_identities(self, study_uid: str) -> KnownIdentities:
        """Return what is known of the identity of a study's patient."""
        with self._database.begin_read() as session:
            study = session.get(StudyRow, study_uid)
            return load_known_identities(session, None if study is None else study.patient)

    def merge_patients(
        self,
        merged: PatientKey,
        into: PatientKey,
        by: str,
        now: datetime,
        revisions: DueRules,
        fetching: FetchRules,
        rights: ChangeRights = OWN_ALONE,
    ) -> MergeResult:
        """Make two IDs one patient: studies, treatments and lesions of the first go to the second.

        Images under the first ID that come later are the second's as well. Recent studies whose
        treatments, priors or images change by it become due for a revision. Who decides whose a
        study is follows from `rights`.

        Raises
        ------
        InputError
            One of them is not known, the first is merged already, or both are one patient.
        """
        with self._database.begin_write() as session:
            source, target = _lock_both(session, merged, into)
            treatments = len(_list_treatments(session, source.id))
            studies = len(
                session.execute(
                    update(StudyRow)
                    .where(StudyRow.patient == source.id)
                    .values(patient=target.id)
                    .returning(StudyRow.study_uid)
                ).all()
            )
            _move_treatments(session, source.id, target.id)
            session.execute(
                update(LesionRow).where(LesionRow.patient == source.id).values(patient=target.id)
            )
            session.execute(
                update(PatientRow)
                .where(PatientRow.merged_into == source.id)
                .values(merged_into=target.id)
            )
            source.merged_into = target.id
            session.add(
                PatientMergeRow(
                    merged=source.id,
                    into=target.id,
                    studies=studies,
                    treatments=treatments,
                    merged_at=now,
                    merged_by=by,
                )
            )
            _record_merge(session, source, target, by, now)
            session.flush()
            due = take_back_images(session, target.id, rights, revisions, now)
            due += _revise(session, target.id, now, revisions, fetching)
        log.info("patients_merged", studies=studies, treatments=treatments, by=by)
        return MergeResult(studies, treatments, tuple(sorted(set(due))))

    def confirm_patient(
        self,
        key: PatientKey,
        by: str,
        now: datetime,
        revisions: DueRules,
        fetching: FetchRules,
        rights: ChangeRights = OWN_ALONE,
    ) -> ConfirmResult:
        """Record that all who are known under an ID, and those merged into it, are one woman.

        Recent studies whose treatments, priors or images change by it become due for a revision.

        Raises
        ------
        InputError
            The ID is not known.
        """
        with self._database.begin_write() as session:
            patient = look_up_patient(session, key)
            if patient is None:
                raise InputError("the patient is not known; see: secondread patients list")
            session.refresh(patient, with_for_update=True)
            identities = confirm_identities(session, patient.id, by, now)
            words = "all names and birth dates known under the ID are confirmed as one patient's"
            _record_change(session, patient, words, by, now)
            forget_doubtful_offers(session, patient.id)
            session.flush()
            due = take_back_images(session, patient.id, rights, revisions, now)
            due += _revise(session, patient.id, now, revisions, fetching)
        log.info("patient_confirmed", identities=identities, by=by)
        return ConfirmResult(identities, tuple(sorted(set(due))))


def _record_merge(
    session: Session, merged: PatientRow, into: PatientRow, by: str, now: datetime
) -> None:
    """Record a merge in the audit trail, for each of the two patients."""
    _record_change(session, merged, f"merged into {into.patient_id}", by, now, action="D")
    _record_change(session, into, f"{merged.patient_id} was merged into it", by, now)


def _record_change(
    session: Session, patient: PatientRow, words: str, by: str, now: datetime, action: str = "U"
) -> None:
    event = AuditEvent(
        AuditKind.PATIENT_CHANGED,
        now,
        by,
        patient_id=patient.patient_id,
        words=words,
        action=action,
    )
    add_audit_event(session, event)


def _lock_both(
    session: Session, merged: PatientKey, into: PatientKey
) -> tuple[PatientRow, PatientRow]:
    # A key quoted here would be an identity in an error's text.
    source, target = find_id_row(session, merged), look_up_patient(session, into)
    if source is None or target is None:
        which = "first" if source is None else "second"
        raise InputError(f"the {which} patient is not known; see: secondread patients list")
    if source.merged_into is not None:
        raise InputError("the first patient is merged already; see: secondread patients list")
    if source.id == target.id:
        raise InputError("both are one patient already")
    for row in sorted((source, target), key=lambda patient: patient.id):
        session.refresh(row, with_for_update=True)
    return source, target


def _list_treatments(session: Session, patient: int) -> list[TreatmentRow]:
    return list(session.scalars(select(TreatmentRow).where(TreatmentRow.patient == patient)))


def _move_treatments(session: Session, source: int, target: int) -> None:
    """Hand treatments over; one that both have is kept once."""
    records = {from_row(TreatmentRecord, row) for row in _list_treatments(session, target)}
    for row in _list_treatments(session, source):
        if from_row(TreatmentRecord, row) in records:
            session.delete(row)
        else:
            row.patient = target


def _revise(
    session: Session, patient: int, now: datetime, revisions: DueRules, fetching: FetchRules
) -> list[str]:
    starts = session.scalars(
        select(TreatmentRow.started_on).where(TreatmentRow.patient == patient)
    ).all()
    due = set()
    for started_on in starts:
        due.update(revise_for_treatment(session, patient, started_on, now, revisions))
    studies = session.scalars(
        select(StudyRow)
        .where(StudyRow.patient == patient)
        .order_by(StudyRow.study_date, StudyRow.study_uid)
        .with_for_update()
    ).all()
    due.update(
        study.study_uid
        for study in studies
        if revise_if_priors_gained(session, study, fetching, now)
    )
    return sorted(due)
