"""What pages and commands ask about studies."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from secondread.accept.dispositions import IMAGE_DISPOSITIONS
from secondread.reasons import ImageStatus
from secondread.track.counts import CountKey, read_counts
from secondread.track.database import TrackerPart
from secondread.track.delivery_rows import is_undelivered
from secondread.track.refused_changes import list_refused_changes
from secondread.track.results import list_findings
from secondread.track.states import RevisionState
from secondread.track.study_rows import find_latest_finished, is_usable
from secondread.track.summaries import (
    DeliverySummary,
    FetchRequestSummary,
    ImageSummary,
    OtherObjectSummary,
    OutboxObjectSummary,
    RevisionSummary,
    StudyDetail,
    StudyFilter,
    StudyPlace,
    StudySummary,
)
from secondread.track.tables import (
    Base,
    Counted,
    DeliveryRow,
    FetchRequestRow,
    ImageResultRow,
    InstanceRow,
    OtherObjectRow,
    OutboxObjectRow,
    PatientRow,
    RevisionRow,
    StudyRow,
    from_row,
)

_ALL = StudyFilter()


class StudyQueries(TrackerPart):
    """Questions about studies; none of them changes anything."""

    def list_studies(
        self,
        limit: int = 50,
        matching: StudyFilter = _ALL,
        *,
        below: StudyPlace | None = None,
        above: StudyPlace | None = None,
    ) -> list[StudySummary]:
        """Return studies, the one that something arrived for last first.

        Parameters
        ----------
        limit, matching
            At most how many, and which.
        below, above
            Only those that stand after, or before, this place in the list: the nearest ones.
        """
        place = tuple_(StudyRow.last_arrived_at, StudyRow.study_uid)
        statement = select_summaries(matching).limit(limit)
        if below is not None:
            statement = statement.where(place < tuple_(*_bind_place(below)))
        if above is not None:
            statement = statement.where(place > tuple_(*_bind_place(above)))
        order = (StudyRow.last_arrived_at, StudyRow.study_uid)
        is_upward = above is not None
        statement = statement.order_by(*(order if is_upward else (key.desc() for key in order)))
        with self._database.begin_read() as session:
            found = [summarize(row) for row in session.execute(statement)]
        return found[::-1] if is_upward else found

    def count_studies(self, matching: StudyFilter = _ALL) -> int:
        """Return how many studies `list_studies` would return without a limit."""
        with self._database.begin_read() as session:
            if matching.patient is None and matching.study_uid is None:
                return _sum_counts(read_counts(session), matching)
            statement = select(func.count()).select_from(StudyRow)
            return session.scalar(statement.where(*_make_conditions(matching))) or 0

    def find_detail(self, study_uid: str) -> StudyDetail | None:
        """Return everything about a study, or None if there is no such study."""
        with self._database.begin_read() as session:
            row = session.execute(select_summaries(StudyFilter(study_uid=study_uid))).one_or_none()
            if row is None:
                return None
            finished = find_latest_finished(session, study_uid)
            latest = None if finished is None else finished.id
            return StudyDetail(
                summary=summarize(row),
                revisions=tuple(_list_revisions(session, study_uid)),
                images=tuple(_list_images(session, study_uid, latest)),
                findings=() if latest is None else tuple(list_findings(session, latest)),
                outbox_objects=tuple(_list_objects(session, study_uid)),
                other_objects=tuple(_list_other_objects(session, study_uid)),
                fetch_requests=tuple(_list_fetch_requests(session, study_uid)),
                refused_changes=list_refused_changes(session, study_uid),
            )


def select_summaries(matching: StudyFilter = _ALL) -> Select[Any]:
    """Select what `summarize` makes a summary of, for each study that matches."""
    images = _count_where(
        InstanceRow.study_uid == StudyRow.study_uid,
        InstanceRow.current,
        InstanceRow.disposition.in_(IMAGE_DISPOSITIONS),
    )
    waiting = _count_where(
        DeliveryRow.outbox == OutboxObjectRow.id,
        OutboxObjectRow.study_uid == StudyRow.study_uid,
        is_undelivered(),
    )
    latest = (
        select(func.max(RevisionRow.number))
        .where(
            RevisionRow.study_uid == StudyRow.study_uid, RevisionRow.state == RevisionState.FINISHED
        )
        .correlate(StudyRow)
        .scalar_subquery()
    )
    doubtful = _count_where(
        ImageResultRow.revision == RevisionRow.id,
        RevisionRow.study_uid == StudyRow.study_uid,
        RevisionRow.number == latest,
        ImageResultRow.status == ImageStatus.FLAGGED,
    )
    return select(StudyRow, images, waiting, doubtful).where(*_make_conditions(matching))


def _bind_place(place: StudyPlace) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return (
        literal(place.last_arrived_at, StudyRow.last_arrived_at.type),
        literal(place.study_uid, StudyRow.study_uid.type),
    )


def _sum_counts(counts: Mapping[CountKey, int], matching: StudyFilter) -> int:
    return sum(
        number
        for (counted, state, outcome), number in counts.items()
        if counted is Counted.STUDIES
        and matching.state in {None, state}
        and matching.outcome in {None, outcome}
    )


def _count_where(
    *conditions: ColumnElement[bool] | InstrumentedAttribute[bool], of: type[Base] = StudyRow
) -> ScalarSelect[Any]:
    """Count the rows that meet conditions, for each row of a table that they refer to."""
    return select(func.count()).where(*conditions).correlate(of).scalar_subquery()


def _make_conditions(matching: StudyFilter) -> list[ColumnElement[bool]]:
    wanted: tuple[tuple[InstrumentedAttribute[Any], object], ...] = (
        (StudyRow.state, matching.state),
        (StudyRow.outcome, matching.outcome),
        (StudyRow.study_uid, matching.study_uid),
    )
    conditions = [column == value for column, value in wanted if value is not None]
    if matching.patient is not None:
        # An ID that was merged finds the patient that it was merged into.
        patients = select(func.coalesce(PatientRow.merged_into, PatientRow.id)).where(
            PatientRow.patient_id == matching.patient.patient_id
        )
        if matching.patient.issuer:
            patients = patients.where(PatientRow.issuer == matching.patient.issuer)
        conditions.append(StudyRow.patient.in_(patients))
    return conditions


def summarize(row: Sequence[Any]) -> StudySummary:
    """Return the summary of a study from what `select_summaries` selects."""
    study, images, waiting, doubtful = row
    due = [due_at for due_at in (study.quiet_due_at, study.settle_due_at) if due_at is not None]
    return from_row(
        StudySummary,
        study,
        images=images,
        due_at=min(due, default=None),
        waiting_deliveries=waiting,
        doubtful_images=doubtful,
    )


def _list_revisions(session: Session, study_uid: str) -> list[RevisionSummary]:
    rows = session.scalars(
        select(RevisionRow)
        .where(RevisionRow.study_uid == study_uid)
        .order_by(RevisionRow.number.desc())
    )
    return [from_row(RevisionSummary, row, inputs=len(row.inputs)) for row in rows]


def _list_images(session: Session, study_uid: str, revision: int | None) -> list[ImageSummary]:
    results: dict[str, ImageResultRow] = {}
    if revision is not None:
        rows = session.scalars(select(ImageResultRow).where(ImageResultRow.revision == revision))
        results = {result.sop_instance_uid: result for result in rows}
    instances = session.scalars(
        select(InstanceRow)
        .where(InstanceRow.study_uid == study_uid, InstanceRow.disposition.in_(IMAGE_DISPOSITIONS))
        .order_by(InstanceRow.arrived_at, InstanceRow.id)
    )
    return [
        _summarize_image(row, results.get(row.sop_instance_uid) if row.current else None)
        for row in instances
    ]


def _list_other_objects(session: Session, study_uid: str) -> list[OtherObjectSummary]:
    instances = session.scalars(
        select(InstanceRow).where(
            InstanceRow.study_uid == study_uid, InstanceRow.disposition.not_in(IMAGE_DISPOSITIONS)
        )
    )
    objects = session.scalars(select(OtherObjectRow).where(OtherObjectRow.study_uid == study_uid))
    summaries = [
        *(from_row(OtherObjectSummary, row, is_altered=False) for row in instances),
        *(from_row(OtherObjectSummary, row) for row in objects),
    ]
    return sorted(summaries, key=attrgetter("arrived_at", "sop_instance_uid"))


def _summarize_image(row: InstanceRow, result: ImageResultRow | None) -> ImageSummary:
    return from_row(
        ImageSummary,
        row,
        label=(row.laterality or "?") + (row.view or "?"),
        rejected=row.rejected_at is not None,
        status=result.status if result else None,
        reasons=result.reasons if result else (),
        gates=result.gates if result else {},
        seconds=result.seconds if result else None,
        detail=result.detail if result else "",
    )


def _list_objects(session: Session, study_uid: str) -> list[OutboxObjectSummary]:
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
        deliveries[delivery.outbox].append(from_row(DeliverySummary, delivery))
    return [
        from_row(OutboxObjectSummary, row, revision=number, deliveries=tuple(deliveries[row.id]))
        for row, number in rows
    ]


def _list_fetch_requests(session: Session, study_uid: str) -> list[FetchRequestSummary]:
    images = _count_where(
        InstanceRow.study_uid == FetchRequestRow.prior_study_uid, is_usable(), of=FetchRequestRow
    )
    rows = session.execute(
        select(FetchRequestRow, images)
        .where(FetchRequestRow.study_uid == study_uid)
        .order_by(FetchRequestRow.kind, FetchRequestRow.source, FetchRequestRow.id)
    )
    return [from_row(FetchRequestSummary, row, images=count) for row, count in rows]
