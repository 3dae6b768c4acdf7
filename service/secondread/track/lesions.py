"""Lesions over the years: where earlier readings saw them, and how radiologists assessed them."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, union_all
from sqlalchemy.orm import Session, aliased

from secondread.assemble.patient_key import PatientKey
from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.findings.changes import ChangeKind
from secondread.followup.lesion_identity import TrackedFinding
from secondread.followup.timeline import LesionAbsence, LesionHistory, Sighting, build_histories
from secondread.geometry import PointPx
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart
from secondread.track.identities import load_known_identities
from secondread.track.patients import look_up_patient
from secondread.track.states import RevisionState
from secondread.track.tables import (
    AssessmentRow,
    FindingRow,
    ImageResultRow,
    LesionRow,
    PriorFindingRow,
    RevisionRow,
    StudyRow,
    from_row,
)
from secondread.track.values import CATEGORIES


class Lesions(TrackerPart):
    """The lesions of all patients."""

    def find_in_images(self, images: Collection[str]) -> tuple[tuple[TrackedFinding, ...], ...]:
        """Return what earlier readings saw in images, each reading's together, the latest first.

        Parameters
        ----------
        images
            SOP Instance UIDs.
        """
        tables = [
            select(
                RevisionRow.finished_at,
                RevisionRow.id.label("revision"),
                table.sop_instance_uid,
                table.document,
                LesionRow.tracking_uid,
            )
            .join(RevisionRow, table.revision == RevisionRow.id)
            .join(LesionRow, table.lesion == LesionRow.id)
            .where(table.sop_instance_uid.in_(images), RevisionRow.state == RevisionState.FINISHED)
            for table in (FindingRow, PriorFindingRow)
        ]
        with self._database.begin_read() as session:
            rows = session.execute(union_all(*tables)).all()
        rows = sorted(rows, key=lambda row: (row.finished_at, row.revision), reverse=True)
        return tuple(
            tuple(
                _make_finding(row.sop_instance_uid, row.document, row.tracking_uid)
                for row in group
                # Without an outline, as another version may write it, nobody knows the place.
                if row.document.get("outline")
            )
            for _, group in groupby(rows, key=lambda row: row.revision)
        )

    def list_for_patient(self, patient: PatientKey) -> tuple[LesionHistory, ...]:
        """Return the lesions of a patient, the one that was seen first before the others.

        Raises
        ------
        InputError
            The patient is not known, or several people are known under the ID.
        """
        with self._database.begin_read() as session:
            row = look_up_patient(session, patient)
            if row is None:
                raise InputError("the patient is not known; see: secondread patients list")
            if load_known_identities(session, row.id).shared_ids:
                raise InputError(
                    "several people are known under this patient ID, and no history is one "
                    "woman's; if it is one: secondread patients confirm"
                )
            return _make_histories(session, row.id)

    def list_for_study(self, study_uid: str) -> tuple[LesionHistory, ...]:
        """Return the lesions that a study shows, or that are gone by its results."""
        with self._database.begin_read() as session:
            patient = session.scalar(
                select(StudyRow.patient).where(StudyRow.study_uid == study_uid)
            )
            if patient is None:
                return ()
            return tuple(
                lesion
                for lesion in _make_histories(session, patient)
                if any(seen.study_uid == study_uid for seen in lesion.sightings)
                or any(gone.study_uid == study_uid for gone in lesion.absences)
            )

    def record_assessment(
        self, study_uid: str, side: str, category: str, now: datetime, by: str
    ) -> None:
        """Record the radiologist's category of a breast; an empty one withdraws it.

        Raises
        ------
        InputError
            The study is not known, or the side or category does not exist.
        """
        if side not in {"R", "L"}:
            raise InputError("a breast is R or L")
        if category and category not in CATEGORIES:
            raise InputError(f"a category is one of {', '.join(sorted(CATEGORIES))}")
        with self._database.begin_write() as session:
            if session.get(StudyRow, study_uid) is None:
                raise InputError(f"the study {study_uid} is not known")
            session.add(
                AssessmentRow(
                    study_uid=study_uid,
                    side=side,
                    category=category,
                    recorded_at=now,
                    recorded_by=by,
                )
            )
            words = f"assessment of breast {side}: {category or 'withdrawn'}"
            event = AuditEvent(AuditKind.ASSESSED, now, by, study_uid=study_uid, words=words)
            add_audit_event(session, event)


def _make_finding(image: str, document: Mapping[str, Any], lesion: str) -> TrackedFinding:
    outline = tuple(PointPx(col, row) for col, row in document["outline"])
    return TrackedFinding(image, outline, lesion)


def _make_histories(session: Session, patient: int) -> tuple[LesionHistory, ...]:
    entries = session.scalars(
        select(AssessmentRow)
        .join(StudyRow, AssessmentRow.study_uid == StudyRow.study_uid)
        .where(StudyRow.patient == patient)
        .order_by(AssessmentRow.recorded_at, AssessmentRow.id)
    )
    # The last entry counts, and an empty one withdraws the category.
    latest = {(entry.study_uid, entry.side): entry.category for entry in entries}
    categories = {key: category for key, category in latest.items() if category}
    prior_rows = _load_prior_findings(session, patient)
    prior_sightings = [
        _make_sighting(finding, finding.label, lesion, revision, (finding.study_uid, prior_date))
        for finding, lesion, revision, _, prior_date in prior_rows
    ]
    absences = [
        LesionAbsence(lesion, revision.study_uid, study_date, finding.label, finding.missed)
        for finding, lesion, revision, study_date, _ in prior_rows
        if finding.missed is not None
    ]
    sightings = [*_load_own_sightings(session, patient), *prior_sightings]
    return build_histories(sightings, absences, categories)


def _is_latest() -> ColumnElement[bool]:
    """Whether a revision is the latest of its study that has results."""
    other = aliased(RevisionRow)
    latest = (
        select(func.max(other.number))
        .where(other.study_uid == RevisionRow.study_uid, other.state == RevisionState.FINISHED)
        .correlate(RevisionRow)
        .scalar_subquery()
    )
    return RevisionRow.number == latest


def _load_own_sightings(session: Session, patient: int) -> Iterator[Sighting]:
    """Yield the lesions in the latest results of the patient's studies."""
    rows = session.execute(
        select(
            FindingRow,
            ImageResultRow.label,
            LesionRow.tracking_uid,
            RevisionRow,
            StudyRow.study_date,
        )
        .join(RevisionRow, FindingRow.revision == RevisionRow.id)
        .join(StudyRow, RevisionRow.study_uid == StudyRow.study_uid)
        .join(LesionRow, FindingRow.lesion == LesionRow.id)
        .join(
            ImageResultRow,
            and_(
                ImageResultRow.revision == RevisionRow.id,
                ImageResultRow.sop_instance_uid == FindingRow.sop_instance_uid,
            ),
        )
        .where(StudyRow.patient == patient, _is_latest())
    )
    for finding, label, lesion, revision, study_date in rows:
        yield _make_sighting(finding, label, lesion, revision, (revision.study_uid, study_date))


def _load_prior_findings(session: Session, patient: int) -> list[Any]:
    """Return what those results found in the priors' images, or miss of it in their own."""
    prior = aliased(StudyRow)
    return list(
        session.execute(
            select(
                PriorFindingRow,
                LesionRow.tracking_uid,
                RevisionRow,
                StudyRow.study_date,
                prior.study_date,
            )
            .join(RevisionRow, PriorFindingRow.revision == RevisionRow.id)
            .join(StudyRow, RevisionRow.study_uid == StudyRow.study_uid)
            .join(LesionRow, PriorFindingRow.lesion == LesionRow.id)
            .outerjoin(prior, PriorFindingRow.study_uid == prior.study_uid)
            .where(StudyRow.patient == patient, _is_latest())
        )
    )


def _make_sighting(
    row: FindingRow | PriorFindingRow,
    label: str,
    lesion: str,
    revision: RevisionRow,
    study: tuple[str, date | None],
) -> Sighting:
    document: Mapping[str, Any] = row.document
    change = document.get("change")
    return from_row(
        Sighting,
        row,
        lesion=lesion,
        study_uid=study[0],
        study_date=study[1],
        label=label,
        calcifications=int(document.get("calcifications") or 0),
        faint=int(document.get("faint") or 0),
        long_axis_mm=float(document.get("long_axis_mm") or 0.0),
        morphology=str(document.get("type_words") or ""),
        change=ChangeKind[change.upper()].words if change else "",
        read_at=revision.finished_at or revision.started_at,
        model_digest=revision.model_digest,
        crop=(document.get("crop") or {}).get("path"),
    )
