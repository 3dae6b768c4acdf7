"""Whose a study is and which of its images are of others: `assemble.study_patient`, in SQL.

The images of others stay where they are, and count for nothing until a person corrects what is
wrong: by merging two IDs of one patient, by confirming that several names are hers, or by having
the image sent again with another header.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from secondread.accept.dispositions import IMAGE_DISPOSITIONS
from secondread.assemble.due import DueRules
from secondread.assemble.identity import ClaimedIdentity
from secondread.assemble.patient_key import PatientKey
from secondread.assemble.person import UNKNOWN_PERSON
from secondread.assemble.study_patient import (
    PatientRules,
    PatientSplit,
    describe_set_aside,
    split_by_patient,
)
from secondread.log import get_logger
from secondread.track.change_rights import ChangeRights, Sender
from secondread.track.identities import decode_identity, load_known_identities
from secondread.track.operations import PATIENT_MISMATCH, clear_alarm_in, raise_alarm_in
from secondread.track.rejections import is_expired
from secondread.track.states import Cause, StudyEvent, StudyState
from secondread.track.study_rows import apply_event
from secondread.track.tables import InstanceRow, PatientIdentityRow, PatientRow, StudyRow, from_row
from secondread.track.values import Severity

log = get_logger(__name__)

_NOBODY = ClaimedIdentity(PatientKey("", ""), UNKNOWN_PERSON)


class _ImageOwner(NamedTuple):
    """One image, and whose it is by its header."""

    row: InstanceRow
    claim: ClaimedIdentity
    """Under the ID that it came with."""
    patient: PatientRow | None
    """Of the ID that this one was merged into; None without an ID."""


def assign_images(
    session: Session, study: StudyRow, rights: ChangeRights, now: datetime
) -> list[tuple[str, str]]:
    """Decide whose a study is, set images of others aside, and raise the alarm that says so.

    The study's first sender, and who may change every image, decide; others may add images, and
    not have the study's own ones set aside.

    Returns
    -------
    list
        SOP Instance UID and SHA-256 of each image that counted until now.
    """
    session.flush()
    if not _is_mixed(session, study):
        clear_alarm_in(session, PATIENT_MISMATCH, study.study_uid, now)
        return []
    images = _load_images(session, study.study_uid)
    split = _split(session, study, images, rights)
    lost, before = [], collect_set_aside(session, study.study_uid)
    for position, row in enumerate(image.row for image in images):
        is_of_other = position in split.others
        if is_of_other and not row.set_aside:
            lost.append((row.sop_instance_uid, row.sha256))
        row.set_aside = is_of_other
    _name_patient(study, images, split.patient)
    session.flush()
    _update_alarm(session, study.study_uid, split, now)
    set_aside = collect_set_aside(session, study.study_uid)
    if set_aside != before:
        number, uid = len(set_aside), study.study_uid
        log.warning("images_set_aside", study_uid=uid, images=number, tie=split.is_tie)
    return lost


# Built once: it is asked for each image that arrives.
_OWNERS = (
    select(InstanceRow.identity, PatientIdentityRow.patient, InstanceRow.set_aside)
    .distinct()
    .outerjoin(PatientIdentityRow, InstanceRow.identity == PatientIdentityRow.id)
    .where(
        InstanceRow.study_uid == bindparam("study_uid"),
        InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
        InstanceRow.current,
    )
)


def _is_mixed(session: Session, study: StudyRow) -> bool:
    """Whether images may be of others than the study's patient, or were until now."""
    rows = session.execute(_OWNERS, {"study_uid": study.study_uid}).all()
    identities = {identity for identity, _, _ in rows if identity is not None}
    patients = {patient for _, patient, _ in rows}
    is_any_aside = any(set_aside for _, _, set_aside in rows)
    return len(identities) > 1 or is_any_aside or not patients <= {study.patient, None}


def _load_images(session: Session, study_uid: str) -> list[_ImageOwner]:
    """Return the images of a study in the order they came, each with whom it states.

    Those that a note withdrew because something was wrong with them state nobody.
    """
    as_it_came, canonical = aliased(PatientRow), aliased(PatientRow)
    merged_into = func.coalesce(as_it_came.merged_into, as_it_came.id)
    rows = session.execute(
        select(InstanceRow, PatientIdentityRow, as_it_came, canonical)
        .outerjoin(PatientIdentityRow, InstanceRow.identity == PatientIdentityRow.id)
        .outerjoin(as_it_came, PatientIdentityRow.patient == as_it_came.id)
        .outerjoin(canonical, canonical.id == merged_into)
        .where(
            InstanceRow.study_uid == study_uid,
            InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
            InstanceRow.current,
            or_(InstanceRow.rejected_at.is_(None), is_expired()),
        )
        .order_by(InstanceRow.id)
    )
    return [
        _ImageOwner(row, _NOBODY, None)
        if row.identity is None
        else _ImageOwner(row, decode_identity(identity, stated), patient)
        for row, identity, stated, patient in rows
    ]


def _split(
    session: Session, study: StudyRow, images: Sequence[_ImageOwner], rights: ChangeRights
) -> PatientSplit:
    first = session.execute(
        select(InstanceRow.peer, InstanceRow.address)
        .where(
            InstanceRow.study_uid == study.study_uid,
            InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
            InstanceRow.withheld.is_(None),
        )
        .order_by(InstanceRow.id)
        .limit(1)
    ).one()
    votes = [
        rights.is_same(sender, Sender(*first)) or rights.may_change_any(sender)
        for sender in (Sender(image.row.peer, image.row.address) for image in images)
    ]
    rules = PatientRules(
        {
            image.claim.patient: from_row(PatientKey, image.patient)
            for image in images
            if image.patient is not None
        },
        load_known_identities(session, study.patient).confirmed,
    )
    return split_by_patient([image.claim for image in images], votes, rules)


def _name_patient(
    study: StudyRow, images: Sequence[_ImageOwner], patient: PatientKey | None
) -> None:
    rows = (image.patient for image in images if image.claim.patient == patient)
    study.patient = next((row.id for row in rows if row is not None), study.patient)


def _update_alarm(session: Session, study_uid: str, split: PatientSplit, now: datetime) -> None:
    """Raise the alarm about images of others that are set aside, or clear it."""
    number = len(collect_set_aside(session, study_uid))
    if not number:
        clear_alarm_in(session, PATIENT_MISMATCH, study_uid, now)
        return
    detail = f"{describe_set_aside(number)}; the study is read without"
    if split.is_tie:
        detail += ". As many images name either, and the patient that came first is taken"
    severity = Severity.CRITICAL if split.is_tie else Severity.WARNING
    raise_alarm_in(session, PATIENT_MISMATCH, study_uid, detail, now, severity, restates=True)


def collect_set_aside(session: Session, study_uid: str) -> list[list[str]]:
    """Return UID and SHA-256 of the images of others in a study, for `RevisionRow.set_aside`."""
    rows = session.execute(
        select(InstanceRow.sop_instance_uid, InstanceRow.sha256)
        .where(
            InstanceRow.study_uid == study_uid,
            InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
            InstanceRow.current,
            InstanceRow.set_aside,
            InstanceRow.rejected_at.is_(None),
        )
        .order_by(InstanceRow.sop_instance_uid)
    )
    return [[uid, sha256] for uid, sha256 in rows]


def take_back_images(
    session: Session, patient: int, rights: ChangeRights, rules: DueRules, now: datetime
) -> list[str]:
    """Have images count again that were set aside until a person said whose they are.

    Parameters
    ----------
    session
        Of the transaction that merges two IDs, or confirms what is stated under one.
    patient
        The row that the IDs lead to.
    rights, rules, now
        Who decides whose a study is, when studies are due, and the present instant.

    Returns
    -------
    list of str
        Study Instance UIDs of studies that became due by it. Those reported longer ago than the
        late window are read only when a person asks for it.
    """
    identities = (
        select(PatientIdentityRow.id)
        .join(PatientRow, PatientIdentityRow.patient == PatientRow.id)
        .where(or_(PatientRow.id == patient, PatientRow.merged_into == patient))
    )
    affected = session.scalars(
        select(InstanceRow.study_uid)
        .where(InstanceRow.identity.in_(identities), InstanceRow.set_aside, InstanceRow.current)
        .order_by(InstanceRow.study_uid)
        .distinct()
    ).all()
    due = []
    for study_uid in affected:
        study = session.get_one(StudyRow, study_uid, with_for_update=True)
        before = collect_set_aside(session, study_uid)
        assign_images(session, study, rights, now)
        if len(collect_set_aside(session, study_uid)) < len(before) and _revise(
            session, study, rules, now
        ):
            due.append(study_uid)
    return due


def _revise(session: Session, study: StudyRow, rules: DueRules, now: datetime) -> bool:
    is_old = study.state is StudyState.REPORTED and not rules.is_recent(study.reported_at, now)
    if is_old or study.state is StudyState.HELD:
        return False
    cause = Cause.CORRECTED_INSTANCE
    apply_event(session, study, StudyEvent.INSTANCE_ARRIVED, now, rules, cause)
    return True
