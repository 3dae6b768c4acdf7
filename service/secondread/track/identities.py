"""Whose images the tracker holds: the names and birth dates that they state under each ID.

Only the tables of patients hold them. An image points to what it states, so that what no longer
counts of a study, because it was corrected or withdrawn, no longer speaks.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, bindparam, exists, or_, select, update
from sqlalchemy.orm import Session

from secondread.assemble.birth_date import BirthRange
from secondread.assemble.identity import ClaimedIdentity, find_shared_ids, judge_identities
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import UNKNOWN_PERSON, IdentityMatch, Person, complete_persons
from secondread.track.database import insert_if_new
from secondread.track.operations import IDENTITY_IN_DOUBT, clear_alarm_in, raise_alarm_in
from secondread.track.rejections import is_expired
from secondread.track.tables import (
    InstanceRow,
    PatientIdentityRow,
    PatientRow,
    StudyRow,
    as_columns,
    from_row,
)

_MOST_IDENTITIES = 60
"""How many identities under one ID are held against each other. Whoever has more shares it."""

_ABOUT = "~"


@dataclass(frozen=True, slots=True)
class KnownIdentities:
    """What the tracker knows of the IDs of one patient."""

    shared_ids: frozenset[PatientKey] = frozenset()
    """IDs under which several people are known."""
    confirmed: frozenset[ClaimedIdentity] = frozenset()
    """Of these, a person has confirmed that they are the patient's."""


def find_id_row(session: Session, key: PatientKey) -> PatientRow | None:
    """Return the row of an ID itself, whatever it was merged into; None if it is unknown."""
    return session.scalars(select(PatientRow).filter_by(**as_columns(key))).one_or_none()


def ensure_identity(session: Session, key: PatientKey | None, person: Person) -> int | None:
    """Return the number of what an image states, recorded if need be; None where it has no ID."""
    if key is None:
        return None
    columns = {"name": person.name, "born": _encode_born(person.born)}
    number = _find_identity(session, key, columns)
    if number is None:
        insert_if_new(session, PatientRow, as_columns(key))
        owner = session.scalars(select(PatientRow.id).filter_by(**as_columns(key))).one()
        insert_if_new(session, PatientIdentityRow, {"patient": owner, **columns})
        number = _find_identity(session, key, columns)
    return number


# Built once: it is asked for each image that arrives.
_IDENTITY = (
    select(PatientIdentityRow.id)
    .join(PatientRow, PatientIdentityRow.patient == PatientRow.id)
    .where(
        PatientRow.patient_id == bindparam("patient_id"),
        PatientRow.issuer == bindparam("issuer"),
        PatientIdentityRow.name == bindparam("name"),
        PatientIdentityRow.born == bindparam("born"),
    )
)


def _find_identity(session: Session, key: PatientKey, columns: Mapping[str, str]) -> int | None:
    # Most images state what one before stated: one question answers it.
    return session.scalars(_IDENTITY, {**as_columns(key), **columns}).one_or_none()


def load_identities(
    session: Session, study_uids: Collection[str]
) -> Mapping[str, tuple[ClaimedIdentity, ...]]:
    """Return what the images of studies state together, by Study Instance UID."""
    rows = session.execute(
        select(InstanceRow.study_uid, PatientIdentityRow, PatientRow)
        .distinct()
        .join(PatientIdentityRow, InstanceRow.identity == PatientIdentityRow.id)
        .join(PatientRow, PatientIdentityRow.patient == PatientRow.id)
        .where(InstanceRow.study_uid.in_(study_uids), _speaks(), ~InstanceRow.set_aside)
        .order_by(PatientIdentityRow.id)
    ).all()
    persons: dict[str, dict[PatientKey, list[Person]]] = {uid: {} for uid in study_uids}
    for study_uid, identity, patient in rows:
        of_study = persons[study_uid]
        of_study.setdefault(from_row(PatientKey, patient), []).append(_decode_person(identity))
    return {
        study_uid: tuple(
            ClaimedIdentity(key, person)
            for key, claimed in of_study.items()
            for person in complete_persons(claimed)
        )
        for study_uid, of_study in persons.items()
    }


def load_known_identities(session: Session, patient: int | None) -> KnownIdentities:
    """Return what is known of a patient's ID, and of the IDs that were merged into it."""
    if patient is None:
        return KnownIdentities()
    is_used = exists().where(InstanceRow.identity == PatientIdentityRow.id, _speaks())
    rows = session.execute(
        select(PatientIdentityRow, PatientRow)
        .join(PatientRow, PatientIdentityRow.patient == PatientRow.id)
        .where(_is_of(patient), or_(is_used, PatientIdentityRow.confirmed_at.is_not(None)))
        .order_by(PatientIdentityRow.id.desc())
        .limit(_MOST_IDENTITIES)
    ).all()
    stated = [(decode_identity(row, owner), row.confirmed_at) for row, owner in rows]
    confirmed = frozenset(identity for identity, confirmed_at in stated if confirmed_at)
    shared = find_shared_ids(([identity] for identity, _ in stated), confirmed)
    return KnownIdentities(shared, confirmed)


def decode_identity(identity: PatientIdentityRow, owner: PatientRow) -> ClaimedIdentity:
    """Return what a row states, under the ID of its owner."""
    return ClaimedIdentity(from_row(PatientKey, owner), _decode_person(identity))


def judge_studies(
    session: Session, study: StudyRow, others: Iterable[StudyRow]
) -> Mapping[str, IdentityMatch]:
    """Judge for other studies of a study's patient whether they are the same woman's, by UID."""
    uids = [other.study_uid for other in others]
    if not uids:
        return {}
    known = load_known_identities(session, study.patient)
    stated = load_identities(session, [study.study_uid, *uids])
    own = stated[study.study_uid]
    return {
        uid: judge_identities(own, stated[uid], known.shared_ids, known.confirmed) for uid in uids
    }


def confirm_identities(session: Session, patient: int, by: str, now: datetime) -> int:
    """Record that all who are known under a patient's IDs are one woman; return how many were new.

    Whoever comes under them later is held against these anew.
    """
    of_patient = select(PatientIdentityRow.id).join(
        PatientRow, PatientIdentityRow.patient == PatientRow.id
    )
    confirmed = (
        update(PatientIdentityRow)
        .where(
            PatientIdentityRow.id.in_(of_patient.where(_is_of(patient))),
            PatientIdentityRow.confirmed_at.is_(None),
        )
        .values(confirmed_at=now, confirmed_by=by)
        .returning(PatientIdentityRow.id)
    )
    count = len(session.execute(confirmed).all())
    clear_alarm_in(session, IDENTITY_IN_DOUBT, _name_patient(patient), now)
    return count


def report_doubt(session: Session, study: StudyRow, now: datetime) -> None:
    """Raise the alarm about a patient whose identity is in doubt; once for all her studies."""
    text = (
        f"study {study.study_uid} and others under its patient ID state several people, and are "
        "not compared; if it is one woman: secondread patients confirm"
    )
    raise_alarm_in(session, IDENTITY_IN_DOUBT, _name_patient(study.patient), text, now)


def _name_patient(patient: int | None) -> str:
    # By the number of its row: an ID does not belong into alarms.
    return f"patient {patient}"


def _is_of(patient: int) -> ColumnElement[bool]:
    own = select(PatientRow.id).where(PatientRow.id == patient)
    merged = select(PatientRow.id).where(PatientRow.merged_into == patient)
    return PatientIdentityRow.patient.in_(own.union_all(merged))


def _speaks() -> ColumnElement[bool]:
    """Return the condition that what an instance states counts."""
    counts = and_(InstanceRow.current, ~InstanceRow.set_aside)
    return and_(counts, or_(InstanceRow.rejected_at.is_(None), is_expired()))


def _decode_person(row: PatientIdentityRow) -> Person:
    born = _decode_born(row.born)
    return Person(row.name, born) if row.name or born else UNKNOWN_PERSON


def _encode_born(born: BirthRange | None) -> str:
    if born is None:
        return ""
    days = f"{born.earliest.isoformat()}/{born.latest.isoformat()}"
    return days if born.is_stated else _ABOUT + days


def _decode_born(text: str) -> BirthRange | None:
    if not text:
        return None
    earliest, latest = map(date.fromisoformat, text.removeprefix(_ABOUT).split("/"))
    return BirthRange(earliest, latest, is_stated=not text.startswith(_ABOUT))
