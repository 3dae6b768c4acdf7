"""What a reading leaves behind: recorded in one transaction, written once."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from secondread import metrics
from secondread.errors import InputError, TransitionError
from secondread.settings import DestinationMode
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.devices import add_device_reading
from secondread.track.operations import (
    LATE_INSTANCE,
    READING_BROKE,
    RESULT_NOT_MADE,
    STUDY_STUCK,
    clear_alarm_in,
)
from secondread.track.reading_runs import READING_HELD_UP, check_run
from secondread.track.states import DeliveryState, RevisionState, StudyEvent, step_study
from secondread.track.study_rows import find_latest_finished, find_revision
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
    as_columns,
    from_row,
)
from secondread.track.turnaround import measure_stages, observe_stages
from secondread.track.values import RecordedFinding, RecordedObject, RecordedReading

_ANSWERED = (STUDY_STUCK, READING_BROKE, RESULT_NOT_MADE, LATE_INSTANCE, READING_HELD_UP)
"""Alarms about a study that results clear."""


class Results(TrackerPart):
    """The results of readings."""

    def record_reading(
        self,
        reading: RecordedReading,
        profiles: Mapping[str, str],
        now: datetime,
        run: int = 0,
    ) -> tuple[RecordedObject, ...]:
        """Record a reading, with deliveries of its objects, and move its study on.

        Recorded results are never changed: a repeat, by the same worker or by one that took
        over, changes nothing and returns what was recorded first. Only those objects may be sent.

        Parameters
        ----------
        reading
            What was found and made; the files of its objects are complete in the outbox folder.
        profiles
            For each destination's name the key of its profile: it gets the objects made for it.
        now
            The present instant.
        run
            The run that records it, see `track.reading_runs`; 0 before the first.

        Returns
        -------
        tuple of RecordedObject
            What is recorded in the outbox for this revision.

        Raises
        ------
        InputError
            There is no such revision, or a destination that the database does not know.
        LeaseLostError
            Another run of the reading has begun: nothing is recorded.
        TransitionError
            The revision was given up; its study may be read anew by now.
        """
        with self._database.begin_write() as session:
            study = session.get(StudyRow, reading.study_uid, with_for_update=True)
            revision = find_revision(session, reading.study_uid, reading.revision, lock=True)
            check_run(revision, run)
            if study is None or revision.state is RevisionState.FINISHED:
                return _list_objects(session, revision)
            if revision.state is RevisionState.GAVE_UP:
                raise TransitionError(
                    f"revision {revision.number} of {revision.study_uid} was given up"
                )
            _finish(revision, reading, now)
            _add_images(session, revision, reading)
            for answer in reading.answers:
                insert_if_new(session, StoredAnswerRow, as_columns(answer))
            # Before the study's own, so that a lesion is first seen where it first was.
            _add_prior_findings(session, revision, reading, study.patient)
            _add_findings(session, revision, reading, study.patient)
            _add_deliveries(session, _add_objects(session, revision, reading, now), profiles, now)
            device = add_device_reading(session, revision, reading, now)
            stages = measure_stages(study, revision, now)
            is_outdated = study.quiet_due_at is not None
            study.state = step_study(
                study.state,
                StudyEvent.RESULTS_OUTDATED if is_outdated else StudyEvent.RESULTS_RECORDED,
            )
            study.outcome, study.reported_at = reading.outcome, now
            study.recall()
            study.shown_findings = reading.shown_lesions
            for kind in _ANSWERED:
                clear_alarm_in(session, kind, study.study_uid, now)
            session.flush()
            objects = _list_objects(session, revision)
        observe_stages(stages)
        if device is not None:
            _observe_device(device, reading)
        return objects

    def list_outbox(self, study_uid: str, number: int) -> tuple[RecordedObject, ...]:
        """Return what is in the outbox for a revision; empty while it has no results."""
        with self._database.begin_read() as session:
            return _list_objects(session, find_revision(session, study_uid, number))

    def list_destinations(self, study_uid: str, number: int) -> dict[str, frozenset[str]]:
        """Return which destinations hold a revision's objects, by SOP Instance UID.

        One that has an object under way counts, since nothing is given up; one that was in shadow
        does not, nor one that has not taken it when it was sent.
        """
        is_under_way = and_(
            DeliveryRow.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
            DeliveryRow.last_error.is_(None),
        )
        is_held = DeliveryRow.state.in_(
            (DeliveryState.STORED, DeliveryState.DELIVERED, DeliveryState.DUPLICATE)
        )
        with self._database.begin_read() as session:
            rows = session.execute(
                select(OutboxObjectRow.sop_instance_uid, DeliveryRow.destination)
                .join(DeliveryRow, DeliveryRow.outbox == OutboxObjectRow.id)
                .where(
                    OutboxObjectRow.revision == find_revision(session, study_uid, number).id,
                    or_(is_held, is_under_way),
                )
            )
            holders: dict[str, set[str]] = {}
            for uid, destination in rows:
                holders.setdefault(uid, set()).add(destination)
        return {uid: frozenset(names) for uid, names in holders.items()}

    def list_answer_paths(self, study_uid: str) -> dict[str, str]:
        """Return the paths of the detector's answers of a study's latest results, by image."""
        with self._database.begin_read() as session:
            revision = find_latest_finished(session, study_uid)
            if revision is None:
                return {}
            rows = session.execute(
                select(ImageResultRow.sop_instance_uid, ImageResultRow.answer_path).where(
                    ImageResultRow.revision == revision.id, ImageResultRow.answer_path.is_not(None)
                )
            )
            return {uid: path for uid, path in rows if path}

    def find_answer_path(self, sha256: str, maker: str) -> str | None:
        """Return the path of the detector's stored answer about a file; None if there is none.

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
    """Return the findings of a revision in their order: shown ones first, then by priority."""
    rows = session.execute(
        select(FindingRow, LesionRow.tracking_uid)
        .outerjoin(LesionRow, FindingRow.lesion == LesionRow.id)
        .where(FindingRow.revision == revision_id)
        .order_by(
            FindingRow.shown.desc(),
            FindingRow.priority.desc().nulls_last(),
            FindingRow.certainty.desc(),
            FindingRow.finding_id,
        )
    )
    return [from_row(RecordedFinding, row, tracking_uid=tracking_uid) for row, tracking_uid in rows]


def _observe_device(device: str, reading: RecordedReading) -> None:
    metrics.DEVICE_READINGS.labels(device, reading.outcome.value).inc()
    metrics.DEVICE_FINDINGS.labels(device).inc(reading.shown_lesions)
    if reading.exam_score is not None:
        metrics.EXAM_SCORES.labels(device).observe(reading.exam_score)


def _finish(revision: RevisionRow, reading: RecordedReading, now: datetime) -> None:
    revision.state, revision.finished_at = RevisionState.FINISHED, now
    revision.outcome, revision.reasons = reading.outcome, reading.reasons
    revision.exam_score, revision.exam_log_odds = reading.exam_score, reading.exam_log_odds
    revision.priority = reading.priority


def _add_images(session: Session, revision: RevisionRow, reading: RecordedReading) -> None:
    session.add_all(
        ImageResultRow(revision=revision.id, **as_columns(image) | {"gates": dict(image.gates)})
        for image in reading.images
    )


def _add_findings(
    session: Session, revision: RevisionRow, reading: RecordedReading, patient: int | None
) -> None:
    session.add_all(
        FindingRow(
            revision=revision.id,
            lesion=_ensure_lesion(session, finding.tracking_uid, reading.study_uid, patient),
            **as_columns(finding, "tracking_uid") | {"document": dict(finding.document)},
        )
        for finding in reading.findings
    )


def _add_prior_findings(
    session: Session, revision: RevisionRow, reading: RecordedReading, patient: int | None
) -> None:
    session.add_all(
        PriorFindingRow(
            revision=revision.id,
            lesion=_ensure_lesion(session, prior.finding.tracking_uid, prior.study_uid, patient),
            **as_columns(prior, "finding"),
            **as_columns(prior.finding, "tracking_uid")
            | {"document": dict(prior.finding.document)},
        )
        for prior in reading.prior_findings
    )


def _ensure_lesion(
    session: Session, tracking_uid: str | None, study_uid: str, patient: int | None
) -> int | None:
    if tracking_uid is None:
        return None
    values = {"tracking_uid": tracking_uid, "first_study_uid": study_uid, "patient": patient}
    insert_if_new(session, LesionRow, values)
    return session.scalars(select(LesionRow.id).where(LesionRow.tracking_uid == tracking_uid)).one()


def _add_objects(
    session: Session, revision: RevisionRow, reading: RecordedReading, now: datetime
) -> list[OutboxObjectRow]:
    rows = [
        OutboxObjectRow(
            study_uid=reading.study_uid,
            revision=revision.id,
            written_at=now,
            **as_columns(recorded),
        )
        for recorded in reading.objects
    ]
    session.add_all(rows)
    session.flush()
    return rows


def _add_deliveries(
    session: Session, rows: list[OutboxObjectRow], profiles: Mapping[str, str], now: datetime
) -> None:
    """Add the deliveries: what is read in shadow stays there, also when the mode changes later."""
    destinations = session.scalars(select(DestinationRow).where(DestinationRow.name.in_(profiles)))
    modes = {destination.name: destination.mode for destination in destinations}
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


def _list_objects(session: Session, revision: RevisionRow) -> tuple[RecordedObject, ...]:
    rows = session.scalars(
        select(OutboxObjectRow)
        .where(OutboxObjectRow.revision == revision.id)
        .order_by(OutboxObjectRow.id)
    )
    return tuple(from_row(RecordedObject, row) for row in rows)
