"""Whose study is read next: a queue that is fair by peer.

A peer that pushes a year's studies at once must not hold back another peer's single fresh one. So
within each rank (asked for by a person, fresh, backlog) peers take turns: a study's turn is the
number of its peer's studies that are under way or stand before it. Of several that have the same
turn, that of the peer goes first which has waited longest since its last study was claimed.
"""

from datetime import datetime, timedelta

from sqlalchemy import Select, Subquery, case, func, or_, select

from secondread.track.study_rows import is_due, is_under_way
from secondread.track.tables import FetchRequestRow, RevisionRow, StudyRow

FRESH_DAYS = 30
"""Studies of at most this age go ahead of a backlog."""

_MEMORY = timedelta(hours=1)
"""How long it is remembered that a peer was served; whoever had nothing since goes first."""


def select_due(now: datetime, limit: int) -> Subquery:
    """Select the UIDs of due studies, with their place in the queue; at most so many."""
    ranked = _rank_due(now)
    served, under_way = _select_served(now), _select_under_way()
    turn = ranked.c.turn_of_peer + func.coalesce(under_way.c.studies, 0)
    place = func.row_number().over(
        order_by=(
            ranked.c.rank,
            turn,
            served.c.served_at.asc().nulls_first(),
            ranked.c.waiting_since,
            ranked.c.study_uid,
        )
    )
    return (
        select(ranked.c.study_uid, place.label("place"))
        .outerjoin(served, served.c.peer == ranked.c.peer)
        .outerjoin(under_way, under_way.c.peer == ranked.c.peer)
        .order_by("place")
        .limit(limit)
        .subquery()
    )


def _rank_due(now: datetime) -> Subquery:
    """Select due studies with their rank, and their turn among their peer's of that rank."""
    fresh = (now - timedelta(days=FRESH_DAYS)).date()
    is_fresh = or_(StudyRow.study_date.is_(None), StudyRow.study_date >= fresh)
    rank = case((StudyRow.exempt, 0), (is_fresh, 1), else_=2)
    waiting_since = func.coalesce(StudyRow.settle_due_at, StudyRow.quiet_due_at)
    turn_of_peer = func.row_number().over(
        partition_by=(rank, StudyRow.peer), order_by=(waiting_since, StudyRow.study_uid)
    )
    return (
        select(
            StudyRow.study_uid,
            StudyRow.peer,
            rank.label("rank"),
            waiting_since.label("waiting_since"),
            turn_of_peer.label("turn_of_peer"),
        )
        .where(is_due(now))
        .subquery()
    )


def _select_under_way() -> Subquery:
    return (
        select(StudyRow.peer, func.count().label("studies"))
        .join(RevisionRow, RevisionRow.study_uid == StudyRow.study_uid)
        .where(is_under_way())
        .group_by(StudyRow.peer)
        .subquery()
    )


def _select_served(now: datetime) -> Subquery:
    return (
        select(StudyRow.peer, func.max(RevisionRow.started_at).label("served_at"))
        .join(RevisionRow, RevisionRow.study_uid == StudyRow.study_uid)
        .where(RevisionRow.started_at > now - _MEMORY)
        .group_by(StudyRow.peer)
        .subquery()
    )


def order_requests(
    requests: Select[FetchRequestRow], source: str, now: datetime
) -> Select[FetchRequestRow]:
    """Order requests for priors: the peer first whose studies an archive was asked for last.

    A study that waits for its priors is held back by the queue of its archive, too.
    """
    study = select(StudyRow.study_uid, StudyRow.peer).subquery()
    served = (
        select(StudyRow.peer, func.max(FetchRequestRow.claimed_at).label("served_at"))
        .join(FetchRequestRow, FetchRequestRow.study_uid == StudyRow.study_uid)
        .where(FetchRequestRow.source == source, FetchRequestRow.claimed_at > now - _MEMORY)
        .group_by(StudyRow.peer)
        .subquery()
    )
    return (
        requests.join(study, study.c.study_uid == FetchRequestRow.study_uid)
        .outerjoin(served, served.c.peer == study.c.peer)
        .order_by(
            served.c.served_at.asc().nulls_first(), FetchRequestRow.due_at, FetchRequestRow.id
        )
    )
