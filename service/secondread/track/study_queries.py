"""What pages and commands ask about studies."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from secondread.accept.classify import IMAGE_DISPOSITIONS
from secondread.reasons import ImageStatus, Reason
from secondread.track.assembly import is_usable
from secondread.track.database import Database
from secondread.track.results import list_findings
from secondread.track.revisions import find_latest_finished
from secondread.track.states import UNDELIVERED, RevisionState, StudyState
from secondread.track.summaries import (
    DeliverySummary,
    FetchRequestSummary,
    ImageSummary,
    OutboxObjectSummary,
    RevisionSummary,
    StudyDetail,
    StudyFilter,
    StudySummary,
)
from secondread.track.tables import (
    DeliveryRow,
    FetchRequestRow,
    ImageResultRow,
    InstanceRow,
    OutboxObjectRow,
    PatientRow,
    RevisionRow,
    StudyRow,
)

_ALL = StudyFilter()


class StudyQueries:
    """Questions about studies; none of them changes anything.

    Parameters
    ----------
    database
        Where to ask.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_studies(
        self, limit: int = 50, offset: int = 0, matching: StudyFilter = _ALL
    ) -> list[StudySummary]:
        """Return studies, the one that something arrived for last first."""
        with self._database.begin_read() as session:
            statement = _summaries(matching).limit(limit).offset(offset)
            return [_summary(row) for row in session.execute(statement)]

    def count_studies(self, matching: StudyFilter = _ALL) -> int:
        """Return how many studies `list_studies` would return without a limit."""
        with self._database.begin_read() as session:
            matched = _summaries(matching).order_by(None).subquery()
            return session.scalar(select(func.count()).select_from(matched)) or 0

    def find_detail(self, study_uid: str) -> StudyDetail | None:
        """Return everything about a study, or None if there is no such study."""
        with self._database.begin_read() as session:
            row = session.execute(_summaries(StudyFilter(study_uid=study_uid))).one_or_none()
            if row is None:
                return None
            finished = find_latest_finished(session, study_uid)
            latest = None if finished is None else finished.id
            return StudyDetail(
                summary=_summary(row),
                revisions=tuple(_revisions(session, study_uid)),
                images=tuple(_images(session, study_uid, latest)),
                findings=() if latest is None else tuple(list_findings(session, latest)),
                outbox_objects=tuple(_outbox(session, study_uid)),
                fetch_requests=tuple(_priors(session, study_uid)),
            )


def _summaries(only: StudyFilter) -> Select[Any]:
    images = (
        select(func.count())
        .select_from(InstanceRow)
        .where(
            InstanceRow.study_uid == StudyRow.study_uid,
            InstanceRow.current,
            InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
        )
        .scalar_subquery()
    )
    waiting = (
        select(func.count())
        .select_from(DeliveryRow)
        .join(OutboxObjectRow, DeliveryRow.outbox == OutboxObjectRow.id)
        .where(
            OutboxObjectRow.study_uid == StudyRow.study_uid,
            DeliveryRow.state.in_(UNDELIVERED),
        )
        .scalar_subquery()
    )
    latest = (
        select(func.max(RevisionRow.number))
        .where(
            RevisionRow.study_uid == StudyRow.study_uid, RevisionRow.state == RevisionState.FINISHED
        )
        .correlate(StudyRow)
        .scalar_subquery()
    )
    doubtful = (
        select(func.count())
        .select_from(ImageResultRow)
        .join(RevisionRow, ImageResultRow.revision == RevisionRow.id)
        .where(
            RevisionRow.study_uid == StudyRow.study_uid,
            RevisionRow.number == latest,
            ImageResultRow.status == ImageStatus.FLAGGED,
        )
        .correlate(StudyRow)
        .scalar_subquery()
    )
    return (
        select(StudyRow, images, waiting, doubtful)
        .where(*_conditions(only))
        .order_by(StudyRow.last_arrived_at.desc(), StudyRow.study_uid)
    )


def _conditions(only: StudyFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if only.state is not None:
        conditions.append(StudyRow.state == only.state)
    if only.outcome is not None:
        conditions.append(StudyRow.outcome == only.outcome)
    if only.study_uid is not None:
        conditions.append(StudyRow.study_uid == only.study_uid)
    if only.patient is not None:
        # An ID that was merged finds the patient whose it is.
        whose = select(func.coalesce(PatientRow.merged_into, PatientRow.id)).where(
            PatientRow.patient_id == only.patient.patient_id
        )
        if only.patient.issuer:
            whose = whose.where(PatientRow.issuer == only.patient.issuer)
        conditions.append(StudyRow.patient.in_(whose))
    return conditions


def _summary(row: Sequence[Any]) -> StudySummary:
    study, images, waiting, doubtful = row
    due = [due_at for due_at in (study.quiet_due_at, study.settle_due_at) if due_at is not None]
    return StudySummary(
        study_uid=study.study_uid,
        study_date=study.study_date,
        peer=study.peer,
        state=StudyState(study.state),
        hold_reason=study.hold_reason,
        revision=study.revision,
        outcome=study.outcome,
        shown_findings=study.shown_findings,
        images=images,
        first_arrived_at=study.first_arrived_at,
        last_arrived_at=study.last_arrived_at,
        due_at=min(due, default=None),
        reported_at=study.reported_at,
        waiting_deliveries=waiting,
        doubtful_images=doubtful,
    )


def _revisions(session: Session, study_uid: str) -> list[RevisionSummary]:
    rows = session.scalars(
        select(RevisionRow)
        .where(RevisionRow.study_uid == study_uid)
        .order_by(RevisionRow.number.desc())
    )
    return [
        RevisionSummary(
            number=row.number,
            cause=row.cause,
            predecessor=row.predecessor,
            state=row.state,
            outcome=row.outcome,
            reasons=_reasons(row.reasons),
            inputs=len(row.inputs),
            settings_digest=row.settings_digest,
            model_digest=row.model_digest,
            worker=row.worker,
            requested_by=row.requested_by,
            started_at=row.started_at,
            finished_at=row.finished_at,
            error=row.error,
        )
        for row in rows
    ]


def _images(session: Session, study_uid: str, latest: int | None) -> list[ImageSummary]:
    results: dict[str, ImageResultRow] = {}
    if latest is not None:
        found = session.scalars(select(ImageResultRow).where(ImageResultRow.revision == latest))
        results = {result.sop_instance_uid: result for result in found}
    rows = session.scalars(
        select(InstanceRow)
        .where(InstanceRow.study_uid == study_uid, InstanceRow.disposition.in_(IMAGE_DISPOSITIONS))
        .order_by(InstanceRow.arrived_at, InstanceRow.id)
    )
    return [_image(row, results.get(row.sop_instance_uid) if row.current else None) for row in rows]


def _image(row: InstanceRow, result: ImageResultRow | None) -> ImageSummary:
    return ImageSummary(
        sop_instance_uid=row.sop_instance_uid,
        label=(row.laterality or "?") + (row.view or "?"),
        arrived_at=row.arrived_at,
        path=row.path,
        scope_reason=row.scope_reason,
        current=row.current,
        conflict=row.conflict,
        rejected=row.rejected_at is not None,
        late=row.late,
        status=ImageStatus(result.status) if result and result.status else None,
        reasons=_reasons(result.reasons) if result else (),
        gates=dict(result.gates) if result else {},
        seconds=result.seconds if result else None,
        detail=result.detail if result else "",
    )


def _outbox(session: Session, study_uid: str) -> list[OutboxObjectSummary]:
    rows = session.execute(
        select(OutboxObjectRow, RevisionRow.number)
        .join(RevisionRow, OutboxObjectRow.revision == RevisionRow.id)
        .where(OutboxObjectRow.study_uid == study_uid)
        .order_by(RevisionRow.number.desc(), OutboxObjectRow.id)
    ).all()
    deliveries: dict[int, list[DeliverySummary]] = {row.id: [] for row, _ in rows}
    for delivery in session.scalars(
        select(DeliveryRow)
        .where(DeliveryRow.outbox.in_(deliveries))
        .order_by(DeliveryRow.destination)
    ):
        deliveries[delivery.outbox].append(_delivery(delivery))
    return [
        OutboxObjectSummary(
            id=row.id,
            revision=number,
            profile=row.profile,
            kind=row.kind,
            index=row.index,
            sop_instance_uid=row.sop_instance_uid,
            source_uid=row.source_uid,
            path=row.path,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            written_at=row.written_at,
            deliveries=tuple(deliveries[row.id]),
        )
        for row, number in rows
    ]


def _priors(session: Session, study_uid: str) -> list[FetchRequestSummary]:
    images = (
        select(func.count())
        .select_from(InstanceRow)
        .where(InstanceRow.study_uid == FetchRequestRow.prior_study_uid, is_usable())
        .scalar_subquery()
    )
    rows = session.execute(
        select(FetchRequestRow, images)
        .where(FetchRequestRow.study_uid == study_uid)
        .order_by(FetchRequestRow.errand, FetchRequestRow.source, FetchRequestRow.id)
    )
    return [
        FetchRequestSummary(
            source=row.source,
            kind=row.errand,
            prior_study_uid=row.prior_study_uid,
            prior_study_date=row.prior_study_date,
            state=row.state,
            reason=row.reason,
            detail=row.detail,
            attempts=row.attempts,
            due_at=row.due_at,
            images=count,
        )
        for row, count in rows
    ]


def _delivery(row: DeliveryRow) -> DeliverySummary:
    return DeliverySummary(
        destination=row.destination,
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at,
        last_status=row.last_status,
        last_error=row.last_error,
        delivered_at=row.delivered_at,
        proof=row.proof,
        stored_at=row.stored_at,
        proof_asked=row.proof_asked,
        proof_refused=row.proof_refused,
    )


def _reasons(codes: Sequence[str]) -> tuple[Reason, ...]:
    return tuple(Reason(code) for code in codes)
