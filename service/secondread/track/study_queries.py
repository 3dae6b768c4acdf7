"""What pages and commands ask about studies."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from secondread.reasons import ImageStatus, Reason
from secondread.track.assembly import IMAGES, is_usable
from secondread.track.database import Database
from secondread.track.results import findings_of
from secondread.track.revisions import latest_finished
from secondread.track.states import UNDELIVERED, RevisionState, StudyState
from secondread.track.summaries import (
    DeliverySummary,
    ImageSummary,
    OutboxSummary,
    PriorSummary,
    RevisionSummary,
    StudyDetail,
    StudyFilter,
    StudySummary,
)
from secondread.track.tables import (
    Delivery,
    ImageResult,
    Instance,
    OutboxObjectRow,
    Patient,
    PriorRequest,
    Revision,
    Study,
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
        self, limit: int = 50, offset: int = 0, only: StudyFilter = _ALL
    ) -> list[StudySummary]:
        """Return studies, the one that something arrived for last first."""
        with self._database.reading() as session:
            statement = _summaries(only).limit(limit).offset(offset)
            return [_summary(row) for row in session.execute(statement)]

    def count_studies(self, only: StudyFilter = _ALL) -> int:
        """Return how many studies `list_studies` would return without a limit."""
        with self._database.reading() as session:
            matching = _summaries(only).order_by(None).subquery()
            return session.scalar(select(func.count()).select_from(matching)) or 0

    def detail(self, study_uid: str) -> StudyDetail | None:
        """Return everything about a study, or None if there is no such study."""
        with self._database.reading() as session:
            row = session.execute(_summaries(StudyFilter(study_uid=study_uid))).one_or_none()
            if row is None:
                return None
            finished = latest_finished(session, study_uid)
            latest = None if finished is None else finished.id
            return StudyDetail(
                summary=_summary(row),
                revisions=tuple(_revisions(session, study_uid)),
                images=tuple(_images(session, study_uid, latest)),
                findings=() if latest is None else tuple(findings_of(session, latest)),
                outbox=tuple(_outbox(session, study_uid)),
                priors=tuple(_priors(session, study_uid)),
            )


def _summaries(only: StudyFilter) -> Select[Any]:
    images = (
        select(func.count())
        .select_from(Instance)
        .where(
            Instance.study_uid == Study.study_uid,
            Instance.current,
            Instance.disposition.in_(IMAGES),
        )
        .scalar_subquery()
    )
    waiting = (
        select(func.count())
        .select_from(Delivery)
        .join(OutboxObjectRow, Delivery.outbox == OutboxObjectRow.id)
        .where(
            OutboxObjectRow.study_uid == Study.study_uid,
            Delivery.state.in_(UNDELIVERED),
        )
        .scalar_subquery()
    )
    latest = (
        select(func.max(Revision.number))
        .where(Revision.study_uid == Study.study_uid, Revision.state == RevisionState.FINISHED)
        .correlate(Study)
        .scalar_subquery()
    )
    doubtful = (
        select(func.count())
        .select_from(ImageResult)
        .join(Revision, ImageResult.revision == Revision.id)
        .where(
            Revision.study_uid == Study.study_uid,
            Revision.number == latest,
            ImageResult.status == ImageStatus.FLAGGED,
        )
        .correlate(Study)
        .scalar_subquery()
    )
    return (
        select(Study, images, waiting, doubtful)
        .where(*_conditions(only))
        .order_by(Study.last_arrived_at.desc(), Study.study_uid)
    )


def _conditions(only: StudyFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if only.state is not None:
        conditions.append(Study.state == only.state)
    if only.outcome is not None:
        conditions.append(Study.outcome == only.outcome)
    if only.study_uid is not None:
        conditions.append(Study.study_uid == only.study_uid)
    if only.patient is not None:
        # An ID that was merged finds the patient whose it is.
        whose = select(func.coalesce(Patient.merged_into, Patient.id)).where(
            Patient.patient_id == only.patient.patient_id
        )
        if only.patient.issuer:
            whose = whose.where(Patient.issuer == only.patient.issuer)
        conditions.append(Study.patient.in_(whose))
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
        select(Revision).where(Revision.study_uid == study_uid).order_by(Revision.number.desc())
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
    results: dict[str, ImageResult] = {}
    if latest is not None:
        found = session.scalars(select(ImageResult).where(ImageResult.revision == latest))
        results = {result.sop_instance_uid: result for result in found}
    rows = session.scalars(
        select(Instance)
        .where(Instance.study_uid == study_uid, Instance.disposition.in_(IMAGES))
        .order_by(Instance.arrived_at, Instance.id)
    )
    return [_image(row, results.get(row.sop_instance_uid) if row.current else None) for row in rows]


def _image(row: Instance, result: ImageResult | None) -> ImageSummary:
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


def _outbox(session: Session, study_uid: str) -> list[OutboxSummary]:
    rows = session.execute(
        select(OutboxObjectRow, Revision.number)
        .join(Revision, OutboxObjectRow.revision == Revision.id)
        .where(OutboxObjectRow.study_uid == study_uid)
        .order_by(Revision.number.desc(), OutboxObjectRow.id)
    ).all()
    deliveries: dict[int, list[DeliverySummary]] = {row.id: [] for row, _ in rows}
    for delivery in session.scalars(
        select(Delivery).where(Delivery.outbox.in_(deliveries)).order_by(Delivery.destination)
    ):
        deliveries[delivery.outbox].append(_delivery(delivery))
    return [
        OutboxSummary(
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


def _priors(session: Session, study_uid: str) -> list[PriorSummary]:
    images = (
        select(func.count())
        .select_from(Instance)
        .where(Instance.study_uid == PriorRequest.prior_study_uid, is_usable())
        .scalar_subquery()
    )
    rows = session.execute(
        select(PriorRequest, images)
        .where(PriorRequest.study_uid == study_uid)
        .order_by(PriorRequest.errand, PriorRequest.source, PriorRequest.id)
    )
    return [
        PriorSummary(
            source=row.source,
            errand=row.errand,
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


def _delivery(row: Delivery) -> DeliverySummary:
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
