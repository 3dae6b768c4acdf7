"""Studies that an archive lists and that never arrived, in SQL: the send stage's `ArrivalQueue`.

Nothing of a patient is written down: an operator finds a study at the archive by its UID and day.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import Session

from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.log import get_logger
from secondread.send.arrival_check import ArrivalCheck, Listing
from secondread.send.study_list import ListedStudy
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.operations import clear_alarm_in, raise_alarm_in
from secondread.track.summaries import ArrivalCheckSummary, MissingStudySummary
from secondread.track.tables import (
    ArrivalCheckRow,
    MissingStudyRow,
    PatientRow,
    StudyRow,
    TreatmentRow,
    draw_claim,
    from_row,
)

log = get_logger(__name__)

STUDIES_MISSING = "studies-missing"
"""Alarm: an archive lists mammography studies that never arrived."""

ARRIVALS_NOT_CHECKED = "arrivals-not-checked"
"""Alarm: an archive's list could not be had, again and again."""

_ALARM_AFTER = 5
"""Attempts in vain after which an alarm is raised: half an hour, with the pauses between them."""

_LONGEST_ERROR = 500

_AT_ONCE = 500
"""Studies in one question; databases take only so many values in it."""


class MissingStudies(TrackerPart):
    """What archives list and the node never got, and when they are asked."""

    def claim_check(
        self, source: str, worker: str, now: datetime, first_due_at: datetime, lease_seconds: float
    ) -> ArrivalCheck | None:
        """Claim the comparison with an archive, if it is due; None if not, or another has it.

        An archive that was never asked is due at `first_due_at`.
        """
        due = select(ArrivalCheckRow).where(
            ArrivalCheckRow.source == source,
            ArrivalCheckRow.due_at <= now,
            ArrivalCheckRow.can_be_claimed(worker, now),
        )
        with self._database.begin_read() as session:
            known = session.get(ArrivalCheckRow, source)
            if known is not None and session.scalars(due).one_or_none() is None:
                return None
        with self._database.begin_write() as session:
            insert_if_new(session, ArrivalCheckRow, {"source": source, "due_at": first_due_at})
            row = session.scalars(due.with_for_update()).one_or_none()
            if row is None:
                return None
            claim = draw_claim()
            row.attempts += 1
            row.lease(claim, worker, now + timedelta(seconds=lease_seconds))
            return ArrivalCheck(source, claim, row.attempts, row.checked_at)

    def find_arrived(self, study_uids: Collection[str]) -> frozenset[str]:
        """Return which studies have arrived, whatever became of them."""
        arrived: set[str] = set()
        with self._database.begin_read() as session:
            uids = sorted(study_uids)
            for first in range(0, len(uids), _AT_ONCE):
                some = uids[first : first + _AT_ONCE]
                known = select(StudyRow.study_uid).where(StudyRow.study_uid.in_(some))
                arrived.update(session.scalars(known))
        return frozenset(arrived)

    def find_treated(self, patients: Collection[PatientKey]) -> frozenset[PatientKey]:
        """Return which patients are known to have been treated.

        One whose issuer the archive does not name is whoever has the ID.
        """
        with self._database.begin_read() as session:
            treated = session.execute(
                select(PatientRow.patient_id, PatientRow.issuer).where(
                    exists().where(TreatmentRow.patient == PatientRow.id)
                )
            ).all()
        keys = {PatientKey(patient_id, issuer) for patient_id, issuer in treated}
        ids = {key.patient_id for key in keys}
        return frozenset(
            patient
            for patient in patients
            if patient in keys or (not patient.issuer and patient.patient_id in ids)
        )

    def record_check(
        self, check: ArrivalCheck, listing: Listing, now: datetime, due_at: datetime
    ) -> int:
        """Record a comparison; return how many studies of the archive are missing now.

        What it listed before and lists no more, having deleted or renamed it, is forgotten.
        """
        with self._database.begin_write() as session:
            row = _lock_claimed(session, check)
            if row is None:
                return _count_missing(session, check.source)
            row.checked_at, row.due_at = now, due_at
            row.listed, row.unreadable = listing.listed, listing.unreadable
            row.attempts, row.last_error = 0, None
            row.release()
            clear_alarm_in(session, ARRIVALS_NOT_CHECKED, check.source, now)
            for study in listing.missing:
                _note_missing(session, check.source, study, now)
            session.flush()
            session.execute(
                delete(MissingStudyRow).where(
                    MissingStudyRow.source == check.source,
                    MissingStudyRow.ignored_at.is_(None),
                    MissingStudyRow.study_date.in_(listing.days),
                    MissingStudyRow.last_listed_at < now,
                )
            )
            return _settle(session, check.source, now)

    def record_failed(
        self, check: ArrivalCheck, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that a comparison could not be made, and when it is tried again."""
        with self._database.begin_write() as session:
            row = _lock_claimed(session, check)
            if row is None:
                return
            row.due_at, row.last_error = ask_again_at, why[:_LONGEST_ERROR]
            row.release()
            if row.attempts >= _ALARM_AFTER:
                last = f"last {row.checked_at:%Y-%m-%d %H:%M} UTC" if row.checked_at else "never"
                words = f"the list of {check.source} was {last} compared: {row.last_error}"
                raise_alarm_in(
                    session, ARRIVALS_NOT_CHECKED, check.source, words, now, restates=True
                )

    def give_back(self, check: ArrivalCheck) -> None:
        """Leave a comparison for later as if it had not been claimed: the node stops."""
        with self._database.begin_write() as session:
            row = _lock_claimed(session, check)
            if row is not None:
                give_back(row)

    def note_arrivals(self, source: str, now: datetime) -> None:
        """Forget the missing studies of an archive that have arrived since."""
        with self._database.begin_read() as session:
            arrived = select(MissingStudyRow.study_uid).where(
                MissingStudyRow.source == source,
                MissingStudyRow.ignored_at.is_(None),
                _has_arrived(),
            )
            if session.scalars(arrived.limit(1)).first() is None:
                return
        with self._database.begin_write() as session:
            _settle(session, source, now)

    def ignore(self, study_uid: str, reason: str, by: str, now: datetime) -> None:
        """Have a study not count as missing, for a reason, which is kept with who gave it.

        Raises
        ------
        InputError
            It is not among the missing ones, or there is no reason.
        """
        if not reason.strip():
            raise InputError("a reason is needed")
        with self._database.begin_write() as session:
            row = session.get(MissingStudyRow, study_uid, with_for_update=True)
            if row is None:
                raise InputError(f"study {study_uid} is not among the missing ones")
            row.ignored_at, row.ignored_by, row.ignore_reason = now, by, reason.strip()
            # The reason is a person's own words, and stays where the study is listed.
            words = "acknowledged: a study that never arrived"
            done = AuditKind.ALARM_ACKNOWLEDGED
            add_audit_event(session, AuditEvent(done, now, by, study_uid=study_uid, words=words))
            session.flush()
            _settle(session, row.source, now)
        log.info("missing_study_ignored", study_uid=study_uid, by=by)

    def ask_anew(self, sources: Collection[str], now: datetime) -> None:
        """Have archives asked for their lists now."""
        with self._database.begin_write() as session:
            for source in sources:
                insert_if_new(session, ArrivalCheckRow, {"source": source, "due_at": now})
                row = session.get_one(ArrivalCheckRow, source, with_for_update=True)
                row.due_at = min(row.due_at, now)

    def list_missing(self) -> list[MissingStudySummary]:
        """Return the studies that never arrived, the ignored ones last, each by its day."""
        rows = select(MissingStudyRow).where(~_has_arrived())
        rows = rows.order_by(
            MissingStudyRow.ignored_at.is_not(None),
            MissingStudyRow.study_date,
            MissingStudyRow.study_uid,
        )
        with self._database.begin_read() as session:
            return [from_row(MissingStudySummary, row) for row in session.scalars(rows)]

    def list_checks(self) -> list[ArrivalCheckSummary]:
        """Return the archives that are asked, and when they were, by name."""
        rows = select(ArrivalCheckRow).order_by(ArrivalCheckRow.source)
        with self._database.begin_read() as session:
            return [from_row(ArrivalCheckSummary, row) for row in session.scalars(rows)]


def give_back(row: ArrivalCheckRow) -> None:
    """End the lease of a comparison whose worker stops, or is gone: that was no attempt."""
    row.attempts -= 1
    row.release()


def _lock_claimed(session: Session, check: ArrivalCheck) -> ArrivalCheckRow | None:
    return session.scalars(
        select(ArrivalCheckRow)
        .where(ArrivalCheckRow.source == check.source, ArrivalCheckRow.claim == check.claim)
        .with_for_update()
    ).one_or_none()


def _note_missing(session: Session, source: str, study: ListedStudy, now: datetime) -> None:
    """Note that an archive lists a study; two that list it are noted as the first of them."""
    values = {
        "study_uid": study.study_uid,
        "source": source,
        "study_date": study.study_date,
        "first_listed_at": now,
        "last_listed_at": now,
    }
    if not insert_if_new(session, MissingStudyRow, values):
        session.get_one(MissingStudyRow, study.study_uid, with_for_update=True).last_listed_at = now


def _has_arrived() -> ColumnElement[bool]:
    return exists().where(StudyRow.study_uid == MissingStudyRow.study_uid)


def _count_missing(session: Session, source: str) -> int:
    counted = select(func.count()).where(
        MissingStudyRow.source == source, MissingStudyRow.ignored_at.is_(None)
    )
    return session.scalar(counted) or 0


def _settle(session: Session, source: str, now: datetime) -> int:
    """Forget what has arrived; raise, restate or clear the alarm; return how many are missing."""
    session.execute(
        delete(MissingStudyRow).where(
            MissingStudyRow.source == source,
            # Who let a study be ignored, and why, stays on record.
            MissingStudyRow.ignored_at.is_(None),
            _has_arrived(),
        )
    )
    missing = _count_missing(session, source)
    if missing:
        studies = "1 mammography study" if missing == 1 else f"{missing} mammography studies"
        words = f"{source} lists {studies} that never arrived; see: secondread studies missing"
        raise_alarm_in(session, STUDIES_MISSING, source, words, now, restates=True)
    else:
        clear_alarm_in(session, STUDIES_MISSING, source, now)
    return missing
