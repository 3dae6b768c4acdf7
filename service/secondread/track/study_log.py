"""The log of one study: everything that the tracker keeps of what happened to it, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from secondread.audit import AuditKind
from secondread.track.database import TrackerPart
from secondread.track.tables import (
    AlarmRow,
    AuditMessageRow,
    DeliveryRow,
    FetchRequestRow,
    InstanceRow,
    OutboxObjectRow,
    RevisionRow,
)

_MOST_OF_A_KIND = 200
"""Entries of one kind, the latest: a study that was looked at every minute has more."""

LOOKS = frozenset({AuditKind.SEEN.value, AuditKind.EXPORTED.value, AuditKind.SEARCHED.value})
"""Kinds of audit messages that say who looked, which is an administrator's to know."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that happened to a study."""

    at: datetime
    what: str
    who: str
    """A peer, a worker, a destination or a person; empty where nobody is meant."""
    kind: str
    """Where it is from: ``arrival``, ``reading``, ``delivery``, ``prior``, ``alarm``, ``audit``."""


class StudyLog(TrackerPart):
    """What happened to a study."""

    def list_entries(self, study_uid: str, *, with_looks: bool = False) -> list[LogEntry]:
        """Return what happened to a study, the latest first.

        Parameters
        ----------
        study_uid
            The study.
        with_looks
            Whether it says who looked at the study, too.
        """
        with self._database.begin_read() as session:
            entries = [
                *_list_arrivals(session, study_uid),
                *_list_readings(session, study_uid),
                *_list_deliveries(session, study_uid),
                *_list_priors(session, study_uid),
                *_list_alarms(session, study_uid),
                *_list_audited(session, study_uid, with_looks=with_looks),
            ]
        return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _list_arrivals(session: Session, study_uid: str) -> Iterator[LogEntry]:
    rows = session.execute(
        select(
            InstanceRow.peer,
            InstanceRow.address,
            func.count(),
            func.min(InstanceRow.arrived_at),
            func.max(InstanceRow.arrived_at),
        )
        .where(InstanceRow.study_uid == study_uid)
        .group_by(InstanceRow.peer, InstanceRow.address, InstanceRow.association)
        .order_by(func.max(InstanceRow.arrived_at).desc())
        .limit(_MOST_OF_A_KIND)
    )
    for peer, address, number, first, last in rows:
        instances = "1 instance" if number == 1 else f"{number} instances"
        since = (
            "" if first == last else f", the first {(last - first).total_seconds():.0f} s before"
        )
        yield LogEntry(
            last, f"{instances} over one association{since}", f"{peer} {address}", "arrival"
        )


def _list_readings(session: Session, study_uid: str) -> Iterator[LogEntry]:
    rows = session.scalars(
        select(RevisionRow)
        .where(RevisionRow.study_uid == study_uid)
        .order_by(RevisionRow.number.desc())
        .limit(_MOST_OF_A_KIND)
    )
    for row in rows:
        name, asked = f"revision {row.number}", row.requested_by
        if row.due_at is not None:
            yield LogEntry(row.due_at, f"settled: due for {name}", "", "reading")
        because = f"claimed as {name}, cause: {row.cause.value.replace('-', ' ')}"
        because += f", asked for by {asked}" if asked else ""
        yield LogEntry(row.started_at, because, row.worker, "reading")
        if row.finished_at is not None:
            result = row.outcome.value.replace("-", " ") if row.outcome else "given up"
            runs = f", in {row.run} runs" if row.run > 1 else ""
            words = f"{name} ended: {result}{runs}"
            yield LogEntry(row.finished_at, words, row.worker, "reading")


def _list_deliveries(session: Session, study_uid: str) -> Iterator[LogEntry]:
    owed = (
        (DeliveryRow.stored_at, "stored"),
        (DeliveryRow.delivered_at, "delivered, with its proof"),
    )
    for column, words in owed:
        rows = session.execute(
            select(
                DeliveryRow.destination,
                RevisionRow.number,
                func.count(),
                func.max(column),
                func.max(DeliveryRow.attempts),
            )
            .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
            .join(RevisionRow, OutboxObjectRow.revision == RevisionRow.id)
            .where(OutboxObjectRow.study_uid == study_uid, column.is_not(None))
            .group_by(DeliveryRow.destination, RevisionRow.number)
            .order_by(func.max(column).desc())
            .limit(_MOST_OF_A_KIND)
        )
        for destination, number, objects, at, attempts in rows:
            counted = "1 object" if objects == 1 else f"{objects} objects"
            tries = f", at attempt {attempts}" if attempts > 1 else ""
            what = f"{counted} of revision {number} {words}{tries}"
            if at is not None:
                yield LogEntry(at, what, destination, "delivery")


def _list_priors(session: Session, study_uid: str) -> Iterator[LogEntry]:
    rows = session.scalars(
        select(FetchRequestRow)
        .where(FetchRequestRow.study_uid == study_uid)
        .order_by(FetchRequestRow.id.desc())
        .limit(_MOST_OF_A_KIND)
    )
    for row in rows:
        day = row.prior_study_date or "unknown date"
        what = f"the prior of {day}" if row.prior_study_uid else "earlier mammograms"
        yield LogEntry(row.created_at, f"{what} asked for", row.source, "prior")
        if row.finished_at is not None:
            tries = f" at attempt {row.attempts}" if row.attempts > 1 else ""
            words = f"{what}: {row.state.value.replace('-', ' ')}{tries}"
            yield LogEntry(row.finished_at, words, row.source, "prior")


def _list_alarms(session: Session, study_uid: str) -> Iterator[LogEntry]:
    rows = session.scalars(
        select(AlarmRow).where(AlarmRow.subject == study_uid).limit(_MOST_OF_A_KIND)
    )
    for row in rows:
        yield LogEntry(row.raised_at, f"alarm {row.kind}: {row.detail}", "", "alarm")
        if row.dismissed_at is not None:
            words = f"alarm {row.kind} dismissed: {row.dismiss_reason}"
            yield LogEntry(row.dismissed_at, words, row.dismissed_by or "", "alarm")
        if row.cleared_at is not None:
            yield LogEntry(row.cleared_at, f"alarm {row.kind} cleared", "", "alarm")


def _list_audited(session: Session, study_uid: str, *, with_looks: bool) -> Iterator[LogEntry]:
    wanted = select(AuditMessageRow).where(AuditMessageRow.study_uid == study_uid)
    if not with_looks:
        wanted = wanted.where(AuditMessageRow.kind.not_in(LOOKS))
    rows = session.scalars(wanted.order_by(AuditMessageRow.id.desc()).limit(_MOST_OF_A_KIND))
    for row in rows:
        who = f"{row.user} {row.address}".strip()
        yield LogEntry(row.at, row.kind.replace("-", " "), who, "audit")
