"""When a study is due: what arrived moves its due times, on rows that the caller has locked."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from secondread.accept.classify import Disposition
from secondread.assemble.mammogram import Intent
from secondread.settings import AssembleSettings
from secondread.track.states import Cause, StudyEvent, StudyState, step
from secondread.track.tables import AssociationStudy, Instance, Study, Treatment

ViewKey = tuple[str, str]
"""Side letter (R or L) and view name (a member name of `codes.View`)."""

IMAGES = (Disposition.MAMMOGRAM, Disposition.OUT_OF_SCOPE)
"""What a study is read from, or named in its report as left out."""

MASTECTOMY = "mastectomy"
"""The procedure after which no view of that breast is expected."""

_PRIORS_CONSULTED = 30


class ViewRule(Protocol):
    """Which views a study is expected to have; `assemble.viewset.ExpectedViews` is one."""

    def is_complete(
        self,
        present: Collection[ViewKey],
        priors: Sequence[Collection[ViewKey]],
        mastectomy_sides: Collection[str],
    ) -> bool:
        """Whether every expected view is in."""


@dataclass(frozen=True, slots=True)
class AssemblyRules:
    """What decides when a study is due."""

    settings: AssembleSettings
    views: ViewRule


def is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a study is due.

    Quiet for long enough, or settled with every expected view while no association is open that
    delivered to it; or the wait for its priors is over.
    """
    is_open = exists().where(AssociationStudy.study_uid == Study.study_uid)
    return and_(
        Study.state.in_((StudyState.ASSEMBLING, StudyState.AWAITING_PRIORS)),
        or_(Study.quiet_due_at <= now, and_(Study.settle_due_at <= now, ~is_open)),
    )


def is_usable() -> ColumnElement[bool]:
    """Return the condition that an instance is an image that counts now."""
    return and_(Instance.current, Instance.rejected_at.is_(None), Instance.disposition.in_(IMAGES))


def usable(study_uid: str) -> ColumnElement[bool]:
    """Return the condition that an instance is an image of a study that counts now."""
    return and_(Instance.study_uid == study_uid, is_usable())


def take_event(
    session: Session,
    study: Study,
    event: StudyEvent,
    now: datetime,
    rules: AssemblyRules,
    cause: Cause = Cause.LATE_INSTANCE,
) -> None:
    """Carry out the arrival or the rejection of an instance: the state, and when it is due.

    `cause` is that of the revision which it makes of a study that has results already.
    """
    study.state = step(study.state, event)
    if study.state is StudyState.HELD or event is StudyEvent.INSTANCE_ARRIVED_TOO_LATE:
        return
    if study.revision and study.next_cause is None:
        study.next_cause = cause
    session.flush()
    move_due_times(session, study, now, rules)


def move_due_times(session: Session, study: Study, now: datetime, rules: AssemblyRules) -> None:
    """Set when a study is to be read, counted from now."""
    images = _usable_images(session, study.study_uid)
    if not images and not study.revision:
        # Nothing to read and nothing to correct.
        study.quiet_due_at = study.settle_due_at = None
        return
    seconds = rules.settings
    study.quiet_due_at = now + timedelta(seconds=seconds.quiet_seconds)
    complete = rules.views.is_complete(
        _present(images),
        [views for _, views in earlier_views(session, study)],
        mastectomy_sides(session, study),
    )
    settled_at = now + timedelta(seconds=seconds.settle_seconds)
    study.settle_due_at = settled_at if complete else None


def present_views(session: Session, study_uid: str) -> list[ViewKey]:
    """Return the views of a study that count as come: in scope and For Presentation."""
    return _present(_usable_images(session, study_uid))


def scope_views(session: Session, study_uid: str) -> frozenset[ViewKey]:
    """Return the views of a study's images that are in the detector's scope."""
    rows = session.execute(
        select(Instance.laterality, Instance.view).where(
            usable(study_uid), Instance.scope_reason.is_(None)
        )
    )
    return frozenset((side, view) for side, view in rows if side and view)


def _usable_images(session: Session, study_uid: str) -> Sequence[Instance]:
    return session.scalars(select(Instance).where(usable(study_uid))).all()


def _present(images: Iterable[Instance]) -> list[ViewKey]:
    return [
        (image.laterality, image.view)
        for image in images
        if image.scope_reason is None
        and image.intent == Intent.PRESENTATION.value
        and image.laterality
        and image.view
    ]


def earlier_studies(session: Session, study: Study) -> list[Study]:
    """Return the same patient's studies of earlier days, latest first; a bounded number."""
    if study.patient is None or study.study_date is None:
        return []
    earlier = (
        select(Study)
        .where(Study.patient == study.patient, Study.study_date < study.study_date)
        .order_by(Study.study_date.desc(), Study.study_uid)
        .limit(_PRIORS_CONSULTED)
    )
    return list(session.scalars(earlier))


def earlier_views(session: Session, study: Study) -> list[tuple[Study, frozenset[ViewKey]]]:
    """Return the same patient's earlier studies, latest first, with their in-scope views."""
    studies = earlier_studies(session, study)
    found: dict[str, set[ViewKey]] = {earlier.study_uid: set() for earlier in studies}
    if not found:
        return []
    rows = session.execute(
        select(Instance.study_uid, Instance.laterality, Instance.view).where(
            Instance.study_uid.in_(found), is_usable(), Instance.scope_reason.is_(None)
        )
    )
    for study_uid, side, view in rows:
        if side and view:
            found[study_uid].add((side, view))
    return [(earlier, frozenset(found[earlier.study_uid])) for earlier in studies]


def mastectomy_sides(session: Session, study: Study) -> frozenset[str]:
    """Return the letters of the breasts that are known to have been removed by a study's day."""
    if study.patient is None:
        return frozenset()
    removed = select(Treatment.side).where(
        Treatment.patient == study.patient, Treatment.procedure == MASTECTOMY
    )
    if study.study_date is not None:
        begun = or_(Treatment.started_on.is_(None), Treatment.started_on <= study.study_date)
        removed = removed.where(begun)
    return frozenset(session.scalars(removed))
