"""What a person has looked into and is done with: alarms, refused callers, studies not read.

Who did so, when and why is kept in the row; the audit trail has who and when. The reason is a
person's own words, and stays where it is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from secondread.accept.ledger import Refusal
from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.log import get_logger
from secondread.reasons import Outcome
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart
from secondread.track.operations import CLEARED_BY_PEOPLE
from secondread.track.states import StudyState
from secondread.track.tables import AlarmRow, RefusalRow, StudyRow, from_row
from secondread.track.tables.study_tables import HAS_FAILED

log = get_logger(__name__)

LONGEST_REASON = 500

MOST_FAILED = 200
"""How many studies that were not read are counted and listed; so many want another remedy."""


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """What was refused, and whether anybody is done with it."""

    number: int
    refusal: Refusal
    dismissed_at: datetime | None
    dismissed_by: str | None
    dismiss_reason: str | None


class Dismissals(TrackerPart):
    """What calls for attention until a person is done with it."""

    def dismiss_alarm(self, number: int, reason: str, by: str, now: datetime) -> None:
        """Take an alarm out of everybody's sight, for a reason.

        One about what happened once is cleared. One about a state that lasts stays raised, and is
        out of sight until it is over, becomes more severe, or comes anew.

        Raises
        ------
        InputError
            No such alarm is raised, or there is no reason.
        """
        words = _clean_reason(reason)
        with self._database.begin_write() as session:
            alarm = session.get(AlarmRow, number, with_for_update=True)
            if alarm is None or alarm.cleared_at is not None:
                raise InputError("this alarm is not raised any more")
            _dismiss_alarm(alarm, words, by, now)
            event = AuditEvent(
                AuditKind.ALARM_ACKNOWLEDGED, now, by, words=f"dismissed the alarm {alarm.kind}"
            )
            add_audit_event(session, event)
        log.info("alarm_dismissed", kind=alarm.kind, subject=alarm.subject, by=by)

    def dismiss_study(self, study_uid: str, reason: str, by: str, now: datetime) -> None:
        """Have a study that was not read for a fault count as done with, and its alarms as well.

        Its next result, whatever that is, calls for attention again.

        Raises
        ------
        InputError
            There is no such study, it was read, or there is no reason.
        """
        words = _clean_reason(reason)
        with self._database.begin_write() as session:
            study = session.get(StudyRow, study_uid, with_for_update=True)
            if study is None:
                raise InputError(f"there is no study {study_uid}")
            if study.outcome is not Outcome.FAILED and study.state is not StudyState.STUCK:
                raise InputError("only a study whose reading failed, or got stuck, is dismissed")
            study.dismiss(by, words, now)
            for alarm in _find_alarms(session, study_uid):
                _dismiss_alarm(alarm, words, by, now)
            done = AuditKind.ALARM_ACKNOWLEDGED
            what = "dismissed: its reading failed"
            add_audit_event(session, AuditEvent(done, now, by, study_uid=study_uid, words=what))
        log.info("study_dismissed", study_uid=study_uid, by=by)

    def dismiss_refusal(self, number: int, reason: str, by: str, now: datetime) -> None:
        """Have a caller that was turned away, and comes again, be nobody's concern.

        Raises
        ------
        InputError
            There is no such refusal, or there is no reason.
        """
        words = _clean_reason(reason)
        with self._database.begin_write() as session:
            refusal = session.get(RefusalRow, number, with_for_update=True)
            if refusal is None:
                raise InputError("there is no such refusal")
            refusal.dismiss(by, words, now)
            what = f"dismissed: {refusal.calling_ae_title} at {refusal.address} is refused"
            event = AuditEvent(AuditKind.ALARM_ACKNOWLEDGED, now, by, words=what)
            add_audit_event(session, event)
        log.info("refusal_dismissed", reason=refusal.reason.value, by=by)

    def list_refusals(self, limit: int = 200) -> list[RefusalLine]:
        """Return what was refused, the latest first."""
        latest = select(RefusalRow).order_by(RefusalRow.last_at.desc(), RefusalRow.id).limit(limit)
        with self._database.begin_read() as session:
            return [
                from_row(RefusalLine, row, number=row.id, refusal=from_row(Refusal, row))
                for row in session.scalars(latest)
            ]

    def describe_refusal(self, number: int) -> str:
        """Return who was refused and why.

        Raises
        ------
        InputError
            There is no such refusal.
        """
        with self._database.begin_read() as session:
            row = session.get(RefusalRow, number)
            if row is None:
                raise InputError("there is no such refusal")
            title = row.calling_ae_title or "(no title)"
            return f"{title} from {row.address or 'unknown'}: {row.reason.sentence}"

    def count_failed(self) -> int:
        """Return how many studies were not read and nobody is done with; at most `MOST_FAILED`."""
        failed = select(StudyRow.study_uid).where(text(HAS_FAILED)).limit(MOST_FAILED)
        with self._database.begin_read() as session:
            return len(session.scalars(failed).all())


def _find_alarms(session: Session, subject: str) -> Sequence[AlarmRow]:
    return session.scalars(
        select(AlarmRow)
        .where(AlarmRow.subject == subject, AlarmRow.cleared_at.is_(None))
        .with_for_update()
    ).all()


def _dismiss_alarm(alarm: AlarmRow, reason: str, by: str, now: datetime) -> None:
    alarm.dismiss(by, reason, now)
    if alarm.kind in CLEARED_BY_PEOPLE:
        alarm.cleared_at = now


def _clean_reason(reason: str) -> str:
    words = reason.replace("\0", "").strip()
    if not words:
        raise InputError("a reason is needed")
    if len(words) > LONGEST_REASON:
        raise InputError(f"a reason has at most {LONGEST_REASON} characters")
    return words
