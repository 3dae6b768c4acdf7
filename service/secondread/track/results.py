"""What a reading leaves behind: recorded in one transaction, written once."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.errors import InputError, TransitionError
from secondread.settings import DestinationMode
from secondread.track import alarms
from secondread.track.database import Database, insert_if_new
from secondread.track.revisions import find_latest_finished, find_revision
from secondread.track.states import DeliveryState, RevisionState, StudyEvent, step_study
from secondread.track.tables import (
    DeliveryRow,
    DestinationRow,
    FindingRow,
    ImageResultRow,
    LesionRow,
    OutboxObjectRow,
    PriorFindingRow,
    RevisionRow,
    StoredAnswerRow,
    StudyRow,
)
from secondread.track.values import EarlierResult, OutboxEntry, RecordedFinding, RecordedReading


class Results:
    """The results of readings.

    Parameters
    ----------
    database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, reading: RecordedReading, profiles: Mapping[str, str], now: datetime
    ) -> tuple[OutboxEntry, ...]:
        """Record a reading, put its objects up for delivery, and move its study on.

        Recorded results are never changed: a repeat, by the same worker or by one that took
        over, changes nothing and gets what was recorded first. Only those objects may be sent.

        Parameters
        ----------
        reading
            What was found and made; the objects lie in the outbox folder, whole.
        profiles
            For each destination's name the key of its profile: it gets the objects made for it.
        now
            The present instant.

        Returns
        -------
        tuple of OutboxEntry
            What is recorded in the outbox for this revision.

        Raises
        ------
        InputError
            There is no such revision, or a destination that the database does not know.
        TransitionError
            The revision was given up; its study may be read anew by now.
        """
        with self._database.begin_write() as session:
            study = session.get(StudyRow, reading.study_uid, with_for_update=True)
            revision = find_revision(session, reading.study_uid, reading.revision)
            if study is None or revision.state is RevisionState.FINISHED:
                return _recorded(session, revision)
            if revision.state is RevisionState.GAVE_UP:
                raise TransitionError(
                    f"revision {revision.number} of {revision.study_uid} was given up"
                )
            _finish(revision, reading, now)
            _add_images(session, revision, reading)
            for answer in reading.answers:
                insert_if_new(session, StoredAnswerRow, asdict(answer))
            # Before the study's own, so that a lesion is first seen where it first was.
            _add_prior_findings(session, revision, reading, study.patient)
            _add_findings(session, revision, reading, study.patient)
            _put_up(session, _add_outbox(session, revision, reading, now), profiles, now)
            outdated = study.quiet_due_at is not None
            study.state = step_study(
                study.state,
                StudyEvent.RESULTS_OUTDATED if outdated else StudyEvent.RESULTS_RECORDED,
            )
            study.outcome, study.reported_at = reading.outcome, now
            study.shown_findings = sum(finding.shown for finding in reading.findings)
            for kind in (alarms.STUDY_STUCK, alarms.LATE_INSTANCE):
                alarms.clear_alarm_in(session, kind, study.study_uid, now)
            session.flush()
            return _recorded(session, revision)

    def list_outbox(self, study_uid: str, number: int) -> tuple[OutboxEntry, ...]:
        """Return what is in the outbox for a revision; empty while it has no results."""
        with self._database.begin_read() as session:
            return _recorded(session, find_revision(session, study_uid, number))

    def latest(self, study_uid: str) -> EarlierResult | None:
        """Return the latest results of a study, of a prior for example; None if it has none."""
        with self._database.begin_read() as session:
            revision = find_latest_finished(session, study_uid)
            if revision is None or revision.outcome is None:
                return None
            return EarlierResult(
                study_uid=study_uid,
                revision=revision.number,
                outcome=revision.outcome,
                model_digest=revision.model_digest,
                settings_digest=revision.settings_digest,
                findings=tuple(list_findings(session, revision.id)),
            )

    def list_answer_paths(self, study_uid: str) -> dict[str, str]:
        """Return where the detector's answers of a study's latest results are, by image."""
        with self._database.begin_read() as session:
            revision = find_latest_finished(session, study_uid)
            if revision is None:
                return {}
            rows = session.execute(
                select(ImageResultRow.sop_instance_uid, ImageResultRow.answer).where(
                    ImageResultRow.revision == revision.id, ImageResultRow.answer.is_not(None)
                )
            )
            return {uid: path for uid, path in rows if path}

    def find_answer_path(self, sha256: str, maker: str) -> str | None:
        """Return where the detector's answer about a file lies; None where it has given none.

        Parameters
        ----------
        sha256
            The file's.
        maker
            Digest of all that the answer depends on besides the file.
        """
        with self._database.begin_read() as session:
            key = {"sha256": sha256, "maker": maker}
            path: str | None = session.scalar(select(StoredAnswerRow.path).filter_by(**key))
            return path


def list_findings(session: Session, revision_id: int) -> list[RecordedFinding]:
    """Return the findings of a revision, shown ones first, each group by falling certainty."""
    rows = session.execute(
        select(FindingRow, LesionRow.tracking_uid)
        .outerjoin(LesionRow, FindingRow.lesion == LesionRow.id)
        .where(FindingRow.revision == revision_id)
        .order_by(FindingRow.shown.desc(), FindingRow.certainty.desc(), FindingRow.finding_id)
    )
    return [
        RecordedFinding(
            finding_id=row.finding_id,
            sop_instance_uid=row.sop_instance_uid,
            kind=row.kind,
            certainty=row.certainty,
            suspicion=row.suspicion,
            shown=row.shown,
            document=row.document,
            tracking_uid=tracking_uid,
        )
        for row, tracking_uid in rows
    ]


def _finish(revision: RevisionRow, reading: RecordedReading, now: datetime) -> None:
    revision.state = RevisionState.FINISHED
    revision.outcome = reading.outcome
    revision.reasons = [reason.value for reason in reading.reasons]
    revision.finished_at = now


def _add_images(session: Session, revision: RevisionRow, reading: RecordedReading) -> None:
    session.add_all(
        ImageResultRow(
            revision=revision.id,
            sop_instance_uid=image.sop_instance_uid,
            label=image.label,
            status=image.status,
            reasons=[reason.value for reason in image.reasons],
            gates=dict(image.gates),
            seconds=image.seconds,
            detail=image.detail,
            answer=image.answer_path,
        )
        for image in reading.images
    )


def _add_findings(
    session: Session, revision: RevisionRow, reading: RecordedReading, patient: int | None
) -> None:
    session.add_all(
        FindingRow(
            revision=revision.id,
            finding_id=finding.finding_id,
            sop_instance_uid=finding.sop_instance_uid,
            kind=finding.kind,
            certainty=finding.certainty,
            suspicion=finding.suspicion,
            shown=finding.shown,
            lesion=_lesion(session, finding.tracking_uid, reading.study_uid, patient),
            document=dict(finding.document),
        )
        for finding in reading.findings
    )


def _add_prior_findings(
    session: Session, revision: RevisionRow, reading: RecordedReading, patient: int | None
) -> None:
    session.add_all(
        PriorFindingRow(
            revision=revision.id,
            study_uid=entry.study_uid,
            sop_instance_uid=entry.finding.sop_instance_uid,
            finding_id=entry.finding.finding_id,
            label=entry.label,
            kind=entry.finding.kind,
            certainty=entry.finding.certainty,
            suspicion=entry.finding.suspicion,
            shown=entry.finding.shown,
            lesion=_lesion(session, entry.finding.tracking_uid, entry.study_uid, patient),
            missed=entry.missed,
            document=dict(entry.finding.document),
        )
        for entry in reading.prior_findings
    )


def _lesion(
    session: Session, tracking_uid: str | None, study_uid: str, patient: int | None
) -> int | None:
    if tracking_uid is None:
        return None
    values = {"tracking_uid": tracking_uid, "first_study_uid": study_uid, "patient": patient}
    insert_if_new(session, LesionRow, values)
    return session.scalars(select(LesionRow.id).where(LesionRow.tracking_uid == tracking_uid)).one()


def _add_outbox(
    session: Session, revision: RevisionRow, reading: RecordedReading, now: datetime
) -> list[OutboxObjectRow]:
    rows = [
        OutboxObjectRow(
            study_uid=reading.study_uid,
            revision=revision.id,
            profile=entry.profile,
            kind=entry.kind,
            index=entry.index,
            sop_class_uid=entry.sop_class_uid,
            series_uid=entry.series_uid,
            sop_instance_uid=entry.sop_instance_uid,
            source_uid=entry.source_uid,
            path=entry.path,
            sha256=entry.sha256,
            size_bytes=entry.size_bytes,
            written_at=now,
        )
        for entry in reading.outbox
    ]
    session.add_all(rows)
    session.flush()
    return rows


def _put_up(
    session: Session, rows: list[OutboxObjectRow], profiles: Mapping[str, str], now: datetime
) -> None:
    """Make the deliveries: what is read in shadow stays there, also when its mode changes."""
    known = session.scalars(select(DestinationRow).where(DestinationRow.name.in_(profiles)))
    modes = {destination.name: destination.mode for destination in known}
    missing = sorted(set(profiles) - set(modes))
    if missing:
        raise InputError(f"the database does not know the destination {', '.join(missing)}")
    for name, profile in profiles.items():
        state = (
            DeliveryState.SHADOW if modes[name] is DestinationMode.SHADOW else DeliveryState.PENDING
        )
        session.add_all(
            DeliveryRow(outbox=row.id, destination=name, state=state, created_at=now, due_at=now)
            for row in rows
            if row.profile == profile
        )


def _recorded(session: Session, revision: RevisionRow) -> tuple[OutboxEntry, ...]:
    rows = session.scalars(
        select(OutboxObjectRow)
        .where(OutboxObjectRow.revision == revision.id)
        .order_by(OutboxObjectRow.id)
    )
    return tuple(
        OutboxEntry(
            profile=row.profile,
            kind=row.kind,
            index=row.index,
            sop_class_uid=row.sop_class_uid,
            series_uid=row.series_uid,
            sop_instance_uid=row.sop_instance_uid,
            source_uid=row.source_uid,
            path=row.path,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
        )
        for row in rows
    )
