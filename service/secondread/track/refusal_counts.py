"""What peers were refused, counted in a bounded number of rows."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from secondread.accept.ledger import Refusal as SeenRefusal
from secondread.accept.refusals import OTHERS
from secondread.track.database import insert_if_new
from secondread.track.tables import RefusalRow

MOST_ROWS = 2000
"""How many different refusals are told apart; further ones share a row for each reason."""


def add_refusals(session: Session, seen: Iterable[SeenRefusal], most_rows: int = MOST_ROWS) -> None:
    """Add to the counts of what was refused."""
    # In one order, so that two receivers do not wait for each other's rows.
    for refusal in sorted(seen, key=lambda one: tuple(_key(one).values())):
        _add(session, refusal, most_rows)


def _add(session: Session, refusal: SeenRefusal, most_rows: int) -> None:
    key = _key(refusal)
    row = session.scalars(select(RefusalRow).filter_by(**key).with_for_update()).one_or_none()
    if row is None:
        if (session.scalar(select(func.count()).select_from(RefusalRow)) or 0) >= most_rows:
            key = _others(key)
        counts = {"count": 0, "first_at": refusal.first_at, "last_at": refusal.last_at}
        insert_if_new(session, RefusalRow, {**key, **counts})
        row = session.scalars(select(RefusalRow).filter_by(**key).with_for_update()).one()
    row.count += refusal.count
    row.first_at = min(row.first_at, refusal.first_at)
    row.last_at = max(row.last_at, refusal.last_at)
    session.flush()


def _key(refusal: SeenRefusal) -> dict[str, str]:
    return {
        "what": refusal.kind.value,
        "reason": refusal.reason.value,
        "calling_ae_title": refusal.calling_ae_title,
        "called_ae_title": refusal.called_ae_title,
        "address": refusal.address,
        "sop_class_uid": refusal.sop_class_uid,
        "transfer_syntax": refusal.transfer_syntax,
    }


def _others(key: dict[str, str]) -> dict[str, str]:
    texts = dict.fromkeys(("calling_ae_title", "called_ae_title", "address"), OTHERS)
    return {**key, **texts, "sop_class_uid": "", "transfer_syntax": ""}
