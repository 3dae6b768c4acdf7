"""The running node: its processes, what peers were refused, and what a person has to look at.

Raising and clearing an alarm may be repeated.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.orm import Session

from secondread.accept.ledger import Refusal
from secondread.accept.refusal_counts import OTHERS
from secondread.audit import AuditEvent, AuditKind
from secondread.log import get_logger
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.tables import AlarmRow, ProcessRow, RefusalRow, as_columns
from secondread.track.values import ProcessIdentity, Severity

log = get_logger(__name__)

STUDY_STUCK = "study-stuck"
"""A study's workflow gave up."""

READING_BROKE = "reading-failed"
"""A reading broke, and its failed result is all that there is."""

RESULT_NOT_MADE = "failed-result-not-made"
"""A reading failed, and so did every form of its failed result: the PACS gets nothing."""

LATE_INSTANCE = "late-instance"
"""An instance came after the late window, and no revision was made of it."""

PATIENT_MISMATCH = "patient-mismatch"
"""One study came with two patients."""

CHANGE_NOT_PERMITTED = "change-not-permitted"
"""A peer tried to replace or to reject images without the right to."""

IDENTITY_IN_DOUBT = "identity-in-doubt"
"""Images under one Patient ID state several people."""

PRIOR_FOREIGN = "prior-of-another-patient"
"""What came as a prior names another patient than the study it was fetched for."""

PRIOR_UNASKED = "prior-not-asked-for"
"""An archive that was asked for a prior sent another study."""

OWN_ALTERED = "own-objects-altered"
"""A peer sent objects that bear UIDs of this node's and are not what it wrote."""

CLEARED_BY_PEOPLE = (CHANGE_NOT_PERMITTED, LATE_INSTANCE, PRIOR_FOREIGN, PRIOR_UNASKED)
"""Alarms about what happened once, which nothing that comes later puts right by itself."""

MOST_REFUSAL_ROWS = 2000
"""How many different refusals have a row each; further ones share a row for each reason."""


def raise_alarm_in(
    session: Session,
    kind: str,
    subject: str,
    detail: str,
    now: datetime,
    severity: Severity = Severity.WARNING,
    *,
    restates: bool = False,
) -> None:
    """Raise an alarm in the caller's transaction; one that was not raised before is logged.

    One that is raised stays as it is; with `restates`, it gets the new words and severity.
    """
    attended = dict.fromkeys(("cleared_at", "dismissed_at", "dismissed_by", "dismiss_reason"))
    values = {"severity": severity, "detail": detail, "raised_at": now, **attended}
    is_new = insert_if_new(session, AlarmRow, {"kind": kind, "subject": subject, **values})
    if not is_new:
        cleared = (
            update(AlarmRow)
            .where(
                AlarmRow.kind == kind,
                AlarmRow.subject == subject,
                AlarmRow.cleared_at.is_not(None),
            )
            .values(**values)
            .returning(AlarmRow.id)
        )
        is_new = session.execute(cleared).first() is not None
    if restates and not is_new:
        _restate(session, kind, subject, severity, detail)
    if is_new:
        log.warning("alarm_raised", kind=kind, subject=subject, severity=severity.value)


def _restate(session: Session, kind: str, subject: str, severity: Severity, detail: str) -> None:
    """Give a raised alarm new words; one that was dismissed comes back if it is worse now."""
    row = session.scalars(
        select(AlarmRow).where(AlarmRow.kind == kind, AlarmRow.subject == subject).with_for_update()
    ).one()
    if severity is Severity.CRITICAL and row.severity is not severity:
        row.recall()
    row.severity, row.detail = severity, detail


_RAISED = select(AlarmRow.id).where(
    AlarmRow.kind == bindparam("kind"),
    AlarmRow.subject == bindparam("subject"),
    AlarmRow.cleared_at.is_(None),
)


def clear_alarm_in(session: Session, kind: str, subject: str, now: datetime) -> None:
    """Clear an alarm in the caller's transaction; one that was raised is logged."""
    # Most were not, and asking costs a fraction of changing nothing.
    if session.scalar(_RAISED, {"kind": kind, "subject": subject}) is None:
        return
    clear = (
        update(AlarmRow)
        .where(AlarmRow.kind == kind, AlarmRow.subject == subject, AlarmRow.cleared_at.is_(None))
        .values(cleared_at=now)
        .returning(AlarmRow.id)
    )
    if session.execute(clear).first() is not None:
        log.info("alarm_cleared", kind=kind, subject=subject)


def add_refusals(
    session: Session, refusals: Iterable[Refusal], most_rows: int = MOST_REFUSAL_ROWS
) -> None:
    """Add to the counts of what was refused."""
    # In one order, so that two receivers do not wait for each other's rows.
    for refusal in sorted(refusals, key=lambda refusal: tuple(_refusal_key(refusal).values())):
        _add_refusal(session, refusal, most_rows)


def _add_refusal(session: Session, refusal: Refusal, most_rows: int) -> None:
    key = _refusal_key(refusal)
    row = session.scalars(select(RefusalRow).filter_by(**key).with_for_update()).one_or_none()
    if row is None:
        if (session.scalar(select(func.count()).select_from(RefusalRow)) or 0) >= most_rows:
            texts = dict.fromkeys(("calling_ae_title", "called_ae_title", "address"), OTHERS)
            key = {**key, **texts, "sop_class_uid": "", "transfer_syntax": ""}
        counts = {"count": 0, "first_at": refusal.first_at, "last_at": refusal.last_at}
        insert_if_new(session, RefusalRow, {**key, **counts})
        row = session.scalars(select(RefusalRow).filter_by(**key).with_for_update()).one()
    row.count += refusal.count
    row.first_at = min(row.first_at, refusal.first_at)
    row.last_at = max(row.last_at, refusal.last_at)
    session.flush()


def _refusal_key(refusal: Refusal) -> dict[str, object]:
    return as_columns(refusal, "count", "first_at", "last_at")


class Alarms(TrackerPart):
    """The alarms of the node."""

    def raise_alarm(
        self,
        kind: str,
        subject: str,
        detail: str,
        now: datetime,
        severity: Severity = Severity.WARNING,
        *,
        restates: bool = False,
    ) -> None:
        """Raise an alarm, or leave it raised; a newly raised one is logged.

        Parameters
        ----------
        kind
            What is wrong, as a short name.
        subject
            With what: a study UID, a destination, a process.
        detail
            The same for people; no patient data.
        now
            The present instant.
        severity
            How urgent it is.
        restates
            Whether one that is raised already gets these words and this severity.
        """
        with self._database.begin_write() as session:
            raise_alarm_in(session, kind, subject, detail, now, severity, restates=restates)

    def acknowledge(self, study_uid: str, by: str, now: datetime) -> tuple[str, ...]:
        """Clear the alarms about what happened to a study once, which a person has looked into.

        Alarms about a state that lasts stay raised as long as it does.

        Returns
        -------
        tuple of str
            The kinds of alarm that were cleared.
        """
        clear = (
            update(AlarmRow)
            .where(
                AlarmRow.kind.in_(CLEARED_BY_PEOPLE),
                AlarmRow.subject == study_uid,
                AlarmRow.cleared_at.is_(None),
            )
            .values(cleared_at=now)
            .returning(AlarmRow.kind)
        )
        with self._database.begin_write() as session:
            kinds = tuple(sorted(session.scalars(clear)))
            if kinds:
                words = f"acknowledged: {', '.join(kinds)}"
                done = AuditKind.ALARM_ACKNOWLEDGED
                event = AuditEvent(done, now, by, study_uid=study_uid, words=words)
                add_audit_event(session, event)
        for kind in kinds:
            log.info("alarm_acknowledged", kind=kind, subject=study_uid, by=by)
        return kinds

    def clear_alarm(self, kind: str, subject: str, now: datetime) -> None:
        """Clear an alarm, if it is raised; if not, as at most calls, nothing is written."""
        raised = exists().where(
            AlarmRow.kind == kind, AlarmRow.subject == subject, AlarmRow.cleared_at.is_(None)
        )
        with self._database.begin_read() as session:
            if not session.scalar(raised.select()):
                return
        with self._database.begin_write() as session:
            clear_alarm_in(session, kind, subject, now)


class Processes(TrackerPart):
    """The processes of the node: heartbeats, and which of them have fallen silent."""

    def record_heartbeat(self, process: ProcessIdentity, now: datetime) -> bool:
        """Record that a process lives; a new host or process number counts as a start.

        Returns
        -------
        bool
            Whether it was not on the list: it has just started, or was taken for dead.
        """
        with self._database.begin_write() as session:
            row = session.get(ProcessRow, process.name, with_for_update=True)
            if row is None:
                values = {**as_columns(process), "started_at": now, "beat_at": now}
                insert_if_new(session, ProcessRow, values)
                return True
            if (row.host, row.pid) != (process.host, process.pid):
                row.started_at = now
            row.kind, row.host, row.pid = process.kind, process.host, process.pid
            row.version, row.beat_at = process.version, now
            return False

    def remove_process(self, name: str) -> None:
        """Take a process that ended as it should off the list."""
        with self._database.begin_write() as session:
            session.execute(delete(ProcessRow).where(ProcessRow.name == name))
