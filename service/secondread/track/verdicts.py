"""What radiologists make of findings: recorded one by one, and counted by device and model.

It changes no finding and no number. The last entry about a finding of a revision counts; whoever
made it is in the audit trail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.audit import AuditEvent, AuditKind
from secondread.errors import InputError
from secondread.track.audit_rows import add_audit_event
from secondread.track.database import TrackerPart
from secondread.track.study_rows import find_revision
from secondread.track.tables import (
    AssessmentRow,
    FindingRow,
    RevisionRow,
    StudyRow,
    VerdictRow,
    from_row,
)
from secondread.track.values import Verdict

_MOST_VERDICTS = 20_000
"""Entries that are counted at once, the latest: people make them one by one."""


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """What a radiologist made of one finding."""

    study_uid: str
    revision: int
    finding_id: str
    verdict: Verdict
    recorded_at: datetime
    recorded_by: str


class Assessment(NamedTuple):
    """The radiologist's category of one breast."""

    category: str
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How findings of one device and model were judged."""

    device: str
    """Maker, model and station; empty where images name none."""
    model_digest: str
    exams: int
    """Revisions with a verdict."""
    confirmed: int
    known: int
    rejected: int

    @property
    def false_marks_per_100(self) -> float:
        """Rejected findings in a hundred exams of those with a verdict."""
        return 100.0 * self.rejected / self.exams

    @property
    def confirmed_share(self) -> float:
        """Confirmed findings among those with a verdict."""
        return self.confirmed / (self.confirmed + self.known + self.rejected)


class Verdicts(TrackerPart):
    """The verdicts on findings."""

    def record(self, verdict: RecordedVerdict) -> None:
        """Record a verdict on a finding that a revision shows.

        Raises
        ------
        InputError
            There is no such revision, or it shows no such finding.
        """
        with self._database.begin_write() as session:
            revision = find_revision(session, verdict.study_uid, verdict.revision)
            shown = select(FindingRow.id).where(
                FindingRow.revision == revision.id,
                FindingRow.finding_id == verdict.finding_id,
                FindingRow.shown,
            )
            if session.scalars(shown).first() is None:
                raise InputError(
                    f"revision {verdict.revision} of {verdict.study_uid} shows no finding "
                    f"{verdict.finding_id}"
                )
            session.add(
                VerdictRow(
                    study_uid=verdict.study_uid,
                    revision=verdict.revision,
                    finding_id=verdict.finding_id,
                    verdict=verdict.verdict,
                    recorded_at=verdict.recorded_at,
                    recorded_by=verdict.recorded_by,
                )
            )
            words = f"finding {verdict.finding_id}: {verdict.verdict.value}"
            event = AuditEvent(
                AuditKind.ASSESSED,
                verdict.recorded_at,
                verdict.recorded_by,
                study_uid=verdict.study_uid,
                words=words,
            )
            add_audit_event(session, event)

    def list_for_study(self, study_uid: str, revision: int) -> Mapping[str, RecordedVerdict]:
        """Return the verdicts that count on findings of a revision, by the finding."""
        made = VerdictRow.study_uid == study_uid, VerdictRow.revision == revision
        with self._database.begin_read() as session:
            rows = session.scalars(select(VerdictRow).where(*made).order_by(VerdictRow.id)).all()
        return {verdict.finding_id: verdict for verdict in _keep_last(rows)}

    def list_assessments(self, study_uid: str) -> Mapping[str, Assessment]:
        """Return the radiologist's categories of a study's breasts that count, by side."""
        made = select(AssessmentRow).where(AssessmentRow.study_uid == study_uid)
        with self._database.begin_read() as session:
            rows = session.scalars(made.order_by(AssessmentRow.id)).all()
        latest = {row.side: Assessment(row.category, row.recorded_by) for row in rows}
        return {side: entry for side, entry in sorted(latest.items()) if entry.category}

    def list_recorded(self, since: datetime) -> list[RecordedVerdict]:
        """Return the verdicts that count and were made since an instant, the latest last."""
        with self._database.begin_read() as session:
            return _keep_last(_select_since(session, since))

    def count_agreement(self, since: datetime) -> list[Agreement]:
        """Return how findings were judged since an instant, by device and model."""
        with self._database.begin_read() as session:
            verdicts = _keep_last(_select_since(session, since))
            keys = {(verdict.study_uid, verdict.revision) for verdict in verdicts}
            origins = _load_origins(session, sorted(keys))
        groups: dict[tuple[str, str], list[RecordedVerdict]] = {}
        for verdict in verdicts:
            origin = origins[verdict.study_uid, verdict.revision]
            groups.setdefault(origin, []).append(verdict)
        return [_count(*origin, verdicts) for origin, verdicts in sorted(groups.items())]


def _select_since(session: Session, since: datetime) -> Sequence[VerdictRow]:
    latest = (
        select(VerdictRow)
        .where(VerdictRow.recorded_at >= since)
        .order_by(VerdictRow.recorded_at.desc(), VerdictRow.id.desc())
        .limit(_MOST_VERDICTS)
    )
    return session.scalars(latest).all()[::-1]


def _keep_last(rows: Sequence[VerdictRow]) -> list[RecordedVerdict]:
    latest = {(row.study_uid, row.revision, row.finding_id): row for row in rows}
    return [
        from_row(RecordedVerdict, row)
        for row in latest.values()
        if row.verdict is not Verdict.WITHDRAWN
    ]


_AT_ONCE = 500
"""Studies in one question; databases take only so many values in it."""


def _load_origins(
    session: Session, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], tuple[str, str]]:
    """Return device and model digest of revisions."""
    origins: dict[tuple[str, int], tuple[str, str]] = {}
    uids = sorted({study_uid for study_uid, _ in keys})
    for first in range(0, len(uids), _AT_ONCE):
        some = RevisionRow.study_uid.in_(uids[first : first + _AT_ONCE])
        rows = session.execute(
            select(
                RevisionRow.study_uid, RevisionRow.number, StudyRow.device, RevisionRow.model_digest
            )
            .join(StudyRow, StudyRow.study_uid == RevisionRow.study_uid)
            .where(some)
        )
        for study_uid, number, device, digest in rows:
            origins[study_uid, number] = device or "", digest
    return origins


def _count(device: str, model_digest: str, verdicts: Sequence[RecordedVerdict]) -> Agreement:
    made = [verdict.verdict for verdict in verdicts]
    return Agreement(
        device=device,
        model_digest=model_digest,
        exams=len({(verdict.study_uid, verdict.revision) for verdict in verdicts}),
        confirmed=made.count(Verdict.CONFIRMED),
        known=made.count(Verdict.KNOWN),
        rejected=made.count(Verdict.REJECTED),
    )
