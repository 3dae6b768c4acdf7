"""The rows of studies, their images and revisions: which are due, which count, and what moves them.

The rules of when a study is due are in `assemble.due`; this is their SQL. Functions that change a
study's row expect that the caller has locked it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from secondread.accept.dispositions import IMAGE_DISPOSITIONS
from secondread.assemble.due import DueRules
from secondread.assemble.intent import Intent
from secondread.assemble.person import IdentityMatch
from secondread.assemble.viewset import StudyViews, ViewKey
from secondread.errors import InputError
from secondread.findings.treatment import Procedure
from secondread.track.identities import judge_studies, load_known_identities
from secondread.track.rejections import is_expired
from secondread.track.states import Cause, RevisionState, StudyEvent, StudyState, step_study
from secondread.track.tables import (
    AssociationStudyRow,
    InstanceRow,
    RevisionRow,
    StudyRow,
    TreatmentRow,
    from_row,
)
from secondread.track.values import InputInstance

_PRIORS_CONSULTED = 30


def is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a study is due.

    Quiet for long enough, or settled with every expected view while no association is open that
    delivered to it; or the wait for its priors is over.
    """
    is_open = exists().where(AssociationStudyRow.study_uid == StudyRow.study_uid)
    return and_(
        StudyRow.state.in_((StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS)),
        or_(StudyRow.quiet_due_at <= now, and_(StudyRow.settle_due_at <= now, ~is_open)),
    )


def is_under_way() -> ColumnElement[bool]:
    """Return the condition that a revision is claimed and has no results yet.

    Its value is written out, for the index of those few: see `is_undelivered`.
    """
    started = bindparam(None, RevisionState.STARTED, RevisionRow.state.type, literal_execute=True)
    return RevisionRow.state == started


def is_usable() -> ColumnElement[bool]:
    """Return the condition that an instance is an image that counts now."""
    is_image = InstanceRow.disposition.in_(IMAGE_DISPOSITIONS)
    stands = and_(InstanceRow.rejected_at.is_(None), ~InstanceRow.set_aside)
    return and_(InstanceRow.current, stands, is_image)


def is_usable_in(study_uid: str) -> ColumnElement[bool]:
    """Return the condition that an instance is an image of a study that counts now."""
    return and_(InstanceRow.study_uid == study_uid, is_usable())


def apply_event(
    session: Session,
    study: StudyRow,
    event: StudyEvent,
    now: datetime,
    rules: DueRules,
    cause: Cause = Cause.LATE_INSTANCE,
) -> None:
    """Carry out the arrival or the rejection of an instance: the state, and when it is due.

    `cause` is that of the revision which it makes of a study that has results already.
    """
    study.state = step_study(study.state, event)
    if study.state is StudyState.HELD or event is StudyEvent.INSTANCE_ARRIVED_TOO_LATE:
        return
    if study.revision and study.next_cause is None:
        study.next_cause = cause
    session.flush()
    move_due_times(session, study, now, rules)


def move_due_times(session: Session, study: StudyRow, now: datetime, rules: DueRules) -> None:
    """Set when a study is to be read, counted from now."""
    images = _load_usable_images(session, study.study_uid)
    if not images and not study.revision:
        # Nothing to read and nothing to correct.
        study.quiet_due_at = study.settle_due_at = None
        return
    views = _make_views(session, study, images)
    study.quiet_due_at, study.settle_due_at = rules.find_due_times(views, now)


def find_views(session: Session, study: StudyRow) -> StudyViews:
    """Return the views of a study, and what the views to be expected follow from."""
    return _make_views(session, study, _load_usable_images(session, study.study_uid))


def _make_views(session: Session, study: StudyRow, images: Iterable[InstanceRow]) -> StudyViews:
    return StudyViews(
        _list_present(images),
        [views for _, views in find_earlier_views(session, study)],
        find_mastectomy_sides(session, study),
    )


def find_scope_views(session: Session, study_uid: str) -> frozenset[ViewKey]:
    """Return the views of a study's images that are in the detector's scope."""
    rows = session.execute(
        select(InstanceRow.laterality, InstanceRow.view).where(
            is_usable_in(study_uid), InstanceRow.scope_reason.is_(None)
        )
    )
    return frozenset((side, view) for side, view in rows if side and view)


# Built once, as those below: they are asked for each image that arrives.
_USABLE = select(InstanceRow).where(InstanceRow.study_uid == bindparam("study_uid"), is_usable())


def _load_usable_images(session: Session, study_uid: str) -> Sequence[InstanceRow]:
    return session.scalars(_USABLE, {"study_uid": study_uid}).all()


def _list_present(images: Iterable[InstanceRow]) -> list[ViewKey]:
    return [
        (image.laterality, image.view)
        for image in images
        if image.scope_reason is None
        and image.intent == Intent.PRESENTATION.value
        and image.laterality
        and image.view
    ]


def find_earlier_studies(session: Session, study: StudyRow) -> list[StudyRow]:
    """Return the same patient's studies of earlier days, latest first; a bounded number.

    Where it is in doubt that a study is the same woman's, it is left out.
    """
    earlier = _find_earlier_by_id(session, study)
    judged = judge_studies(session, study, earlier)
    return [other for other in earlier if judged[other.study_uid] is not IdentityMatch.IN_DOUBT]


def find_doubtful_views(
    session: Session, study: StudyRow
) -> list[tuple[StudyRow, frozenset[ViewKey]]]:
    """Return the studies that `find_earlier_studies` leaves out, with their in-scope views."""
    earlier = _find_earlier_by_id(session, study)
    judged = judge_studies(session, study, earlier)
    doubtful = [other for other in earlier if judged[other.study_uid] is IdentityMatch.IN_DOUBT]
    return _add_views(session, doubtful)


_EARLIER = (
    select(StudyRow)
    .where(StudyRow.patient == bindparam("patient"), StudyRow.study_date < bindparam("day"))
    .order_by(StudyRow.study_date.desc(), StudyRow.study_uid)
    .limit(_PRIORS_CONSULTED)
)


def _find_earlier_by_id(session: Session, study: StudyRow) -> list[StudyRow]:
    if study.patient is None or study.study_date is None:
        return []
    return list(session.scalars(_EARLIER, {"patient": study.patient, "day": study.study_date}))


def find_earlier_views(
    session: Session, study: StudyRow
) -> list[tuple[StudyRow, frozenset[ViewKey]]]:
    """Return the same patient's earlier studies, latest first, with their in-scope views."""
    return _add_views(session, find_earlier_studies(session, study))


def _add_views(
    session: Session, studies: Sequence[StudyRow]
) -> list[tuple[StudyRow, frozenset[ViewKey]]]:
    views: dict[str, set[ViewKey]] = {earlier.study_uid: set() for earlier in studies}
    if not views:
        return []
    rows = session.execute(
        select(InstanceRow.study_uid, InstanceRow.laterality, InstanceRow.view).where(
            InstanceRow.study_uid.in_(views), is_usable(), InstanceRow.scope_reason.is_(None)
        )
    )
    for study_uid, side, view in rows:
        if side and view:
            views[study_uid].add((side, view))
    return [(earlier, frozenset(views[earlier.study_uid])) for earlier in studies]


_REMOVED = select(TreatmentRow.side).where(
    TreatmentRow.patient == bindparam("patient"),
    TreatmentRow.procedure == Procedure.MASTECTOMY.value,
)
_REMOVED_BY_THEN = _REMOVED.where(
    or_(TreatmentRow.started_on.is_(None), TreatmentRow.started_on <= bindparam("day"))
)


def find_mastectomy_sides(session: Session, study: StudyRow) -> frozenset[str]:
    """Return the letters of the breasts that are known to have been removed by a study's day.

    Of an ID that several share nothing is known: the record has no more than the ID.
    """
    if study.patient is None:
        return frozenset()
    values: dict[str, object] = {"patient": study.patient}
    removed = _REMOVED
    if study.study_date is not None:
        removed, values["day"] = _REMOVED_BY_THEN, study.study_date
    sides = frozenset(session.scalars(removed, values))
    is_shared = bool(sides and load_known_identities(session, study.patient).shared_ids)
    return frozenset() if is_shared else sides


def find_revision(
    session: Session, study_uid: str, number: int, *, lock: bool = False
) -> RevisionRow:
    """Return a revision's row, locked if asked for; who moves its state has locked the study's.

    Raises
    ------
    InputError
        There is no such revision.
    """
    by_key = select(RevisionRow).where(
        RevisionRow.study_uid == study_uid, RevisionRow.number == number
    )
    if lock:
        by_key = by_key.with_for_update()
    revision = session.scalars(by_key).one_or_none()
    if revision is None:
        raise InputError(f"study {study_uid} has no revision {number}")
    return revision


def collect_inputs(session: Session, study_uid: str) -> list[list[str]]:
    """Return UID and SHA-256 of the images of a study that count now, for `RevisionRow.inputs`."""
    rows = session.scalars(_select_instances().where(is_usable_in(study_uid)))
    return [[row.sop_instance_uid, row.sha256] for row in rows]


def collect_revision_inputs(
    session: Session, study_uid: str, before: RevisionRow | None
) -> list[list[str]]:
    """Return the images that the next revision is made from, for `RevisionRow.inputs`.

    Parameters
    ----------
    session, study_uid
        The study.
    before
        Its latest revision with results: what that was made from and has merely expired since is
        made use of again, as long as this node has it, so that its findings stay.
    """
    expired = select(InstanceRow.sop_instance_uid, InstanceRow.sha256).where(
        InstanceRow.study_uid == study_uid,
        InstanceRow.current,
        ~InstanceRow.set_aside,
        is_expired(),
    )
    known = {tuple(image) for image in before.inputs} if before is not None else set()
    kept = [[uid, sha256] for uid, sha256 in session.execute(expired) if (uid, sha256) in known]
    usable = collect_inputs(session, study_uid)
    return sorted([*usable, *(image for image in kept if image not in usable)])


def load_inputs(
    session: Session, study_uid: str, chosen: Iterable[Sequence[str]]
) -> list[InputInstance]:
    """Return the instances of a study that were chosen, by UID and SHA-256."""
    keys = {tuple(key) for key in chosen}
    of_study = _select_instances().where(InstanceRow.study_uid == study_uid)
    rows = session.execute(of_study.add_columns(is_expired()))
    return [
        from_row(InputInstance, row, is_expired=expired)
        for row, expired in rows
        if (row.sop_instance_uid, row.sha256) in keys
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
