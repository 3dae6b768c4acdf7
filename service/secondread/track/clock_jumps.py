"""Waits that a clock which was set back would make endless.

A study's due times are instants of the wall clock, which outlives restarts and is the same for all
processes, unlike a clock that only counts. When it is set back by an hour, every study that has
arrived seems to have an hour left to wait. No wait is longer than the settings say, so one that is
has been overtaken by the clock, and begins anew.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from secondread.track.prior_choice import FetchRules
from secondread.track.states import StudyState
from secondread.track.tables import StudyRow

_Limit = tuple[InstrumentedAttribute[datetime | None], ColumnElement[bool], datetime]

SLACK = timedelta(seconds=1)
"""Clocks of several machines agree no better than that."""


def has_long_waits(session: Session, rules: FetchRules, now: datetime) -> bool:
    """Whether any study has longer to wait than the settings say."""
    conditions = [
        and_(is_one, due_at > limit) for due_at, is_one, limit in _list_limits(rules, now)
    ]
    return bool(session.scalar(exists(StudyRow.study_uid).where(or_(*conditions)).select()))


def shorten_waits(session: Session, rules: FetchRules, now: datetime) -> int:
    """Let studies wait no longer than the settings say; return for how many that was changed."""
    changed: set[str] = set()
    for due_at, is_one, limit in _list_limits(rules, now):
        shorten = update(StudyRow).where(is_one, due_at > limit).values({due_at: limit - SLACK})
        changed.update(session.scalars(shorten.returning(StudyRow.study_uid)))
    return len(changed)


def _list_limits(rules: FetchRules, now: datetime) -> list[_Limit]:
    """Return each due time, the studies that it is limited for, and its latest instant."""
    for_priors = StudyRow.state == StudyState.AWAITING_PRIORS
    latest, due = now + SLACK, rules.due
    return [
        (StudyRow.quiet_due_at, ~for_priors, latest + max(due.quiet, due.settle)),
        (StudyRow.quiet_due_at, for_priors, latest + rules.wait),
        (StudyRow.settle_due_at, ~for_priors, latest + due.settle),
        (StudyRow.priors_due_at, StudyRow.priors_due_at.is_not(None), latest + rules.wait),
    ]
