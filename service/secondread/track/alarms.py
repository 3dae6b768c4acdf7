"""Alarms: what a person has to look at. Raising and clearing may be repeated."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from secondread.log import get_logger
from secondread.track.database import Database, insert_if_new
from secondread.track.tables import AlarmRow
from secondread.track.values import Severity

log = get_logger(__name__)

STUDY_STUCK = "study-stuck"
"""A study's workflow gave up."""

LATE_INSTANCE = "late-instance"
"""An instance came after the late window, and no revision was made of it."""

PATIENT_MISMATCH = "patient-mismatch"
"""One study came with two patients."""

PRIOR_FOREIGN = "prior-of-another-patient"
"""What came as a prior names another patient than the study it was fetched for."""

PRIOR_UNASKED = "prior-not-asked-for"
"""An archive that was asked for a prior sent another study."""


def raise_alarm_in(
    session: Session,
    kind: str,
    subject: str,
    detail: str,
    now: datetime,
    severity: Severity = Severity.WARNING,
) -> bool:
    """Raise an alarm in the caller's transaction; say whether it was not raised already."""
    values = {"severity": severity, "detail": detail, "raised_at": now, "cleared_at": None}
    raised = insert_if_new(session, AlarmRow, {"kind": kind, "subject": subject, **values})
    if not raised:
        again = (
            update(AlarmRow)
            .where(
                AlarmRow.kind == kind, AlarmRow.subject == subject, AlarmRow.cleared_at.is_not(None)
            )
            .values(**values)
            .returning(AlarmRow.id)
        )
        raised = session.execute(again).first() is not None
    if raised:
        log.warning("alarm_raised", kind=kind, subject=subject, severity=severity.value)
    return raised


def is_raised(session: Session, kind: str, subject: str) -> bool:
    """Whether an alarm is raised now."""
    raised = select(AlarmRow.id).where(
        AlarmRow.kind == kind, AlarmRow.subject == subject, AlarmRow.cleared_at.is_(None)
    )
    return session.scalar(raised) is not None


def clear_alarm_in(session: Session, kind: str, subject: str, now: datetime) -> bool:
    """Clear an alarm in the caller's transaction; say whether it was raised."""
    clear = (
        update(AlarmRow)
        .where(AlarmRow.kind == kind, AlarmRow.subject == subject, AlarmRow.cleared_at.is_(None))
        .values(cleared_at=now)
        .returning(AlarmRow.id)
    )
    cleared = session.execute(clear).first() is not None
    if cleared:
        log.info("alarm_cleared", kind=kind, subject=subject)
    return cleared


class Alarms:
    """The alarms of the node.

    Parameters
    ----------
    database
        Where they are written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def raise_alarm(
        self,
        kind: str,
        subject: str,
        detail: str,
        now: datetime,
        severity: Severity = Severity.WARNING,
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
        """
        with self._database.begin_write() as session:
            raise_alarm_in(session, kind, subject, detail, now, severity)

    def clear_alarm(self, kind: str, subject: str, now: datetime) -> None:
        """Clear an alarm, if it is raised."""
        with self._database.begin_write() as session:
            clear_alarm_in(session, kind, subject, now)
