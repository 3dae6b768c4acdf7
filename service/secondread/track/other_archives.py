"""Where one archive will not send a prior, the others are asked for it.

An archive is asked for a prior only while no other is: none is sent twice. Once all that were
asked said no, or were given up, those that were not asked for it yet are queried again: as often
as the others are.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from secondread.log import get_logger
from secondread.send.fetch_queue import FetchKind
from secondread.track.states import FetchEvent, FetchState, step_fetch
from secondread.track.tables import FetchRequestRow

log = get_logger(__name__)

NOT_TO_BE_HAD = (FetchState.REFUSED, FetchState.GAVE_UP)
"""The states of a prior that its archive does not send, at least for now."""


def left_to_ask(session: Session, study_uid: str, source: str) -> frozenset[str]:
    """Return the priors of a study that others do not send and that a source was not asked for.

    As Study Instance UIDs.
    """
    rows = list(session.scalars(_of(study_uid, FetchKind.RETRIEVE)))
    asked = {row.prior_study_uid for row in rows}
    open_ = {row.prior_study_uid for row in rows if row.state not in NOT_TO_BE_HAD}
    own = {row.prior_study_uid for row in rows if row.source == source}
    return frozenset(asked - open_ - own)


def ask_others(session: Session, failed: FetchRequestRow, now: datetime) -> None:
    """Have the archives queried again that may have a prior which another did not send."""
    if failed.errand is not FetchKind.RETRIEVE or failed.state not in NOT_TO_BE_HAD:
        return
    session.flush()
    others = _of(failed.study_uid, FetchKind.QUERY, FetchRequestRow.source != failed.source)
    for query in session.scalars(others).all():
        ask_again(session, query, {failed.prior_study_uid}, now)


def ask_again(
    session: Session, query: FetchRequestRow, priors: Iterable[str], now: datetime
) -> None:
    """Renew an answered query that did not offer a prior because it was to come from elsewhere.

    Parameters
    ----------
    query
        Its row, locked with its study's.
    priors
        Study Instance UIDs of priors that were kept out of the answer.
    now
        When it is due.
    """
    left = left_to_ask(session, query.study_uid, query.source)
    if query.state is FetchState.DONE and left.intersection(priors):
        query.state = step_fetch(query.state, FetchEvent.RENEWED)
        query.due_at = now
        log.info("prior_asked_elsewhere", study_uid=query.study_uid, source=query.source)


def _of(study_uid: str, errand: FetchKind, *more: ColumnElement[bool]) -> Select[FetchRequestRow]:
    return select(FetchRequestRow).where(
        FetchRequestRow.study_uid == study_uid, FetchRequestRow.errand == errand, *more
    )
