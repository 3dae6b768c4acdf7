"""The stored CAD reports of a patient's earlier studies: other makers', and this node's own."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.accept.dispositions import Disposition
from secondread.settings import ObjectKind
from secondread.track.database import TrackerPart
from secondread.track.study_rows import find_earlier_studies, find_latest_finished
from secondread.track.tables import InstanceRow, OutboxObjectRow, StudyRow

_MOST_PRIORS = 8
_MOST_RECEIVED = 10
"""Of one study: a maker's CAD sends one or two, and each takes its time where it is read."""


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One CAD SR of a prior."""

    study_uid: str
    study_date: date | None
    path: str
    """In the archive."""


class CadReports(TrackerPart):
    """The CAD reports of the tracker."""

    def list_for_priors(self, study_uid: str) -> list[ReportFile]:
        """Return the CAD reports of the same patient's earlier studies, the latest study first.

        Of other makers' reports of one study, those that came last, if there are very many. Of this
        node's own, those of the last revision with results, one for each profile.
        """
        with self._database.begin_read() as session:
            study = session.get(StudyRow, study_uid)
            earlier = [] if study is None else find_earlier_studies(session, study)[:_MOST_PRIORS]
            return [file for prior in earlier for file in _list_files(session, prior)]

    def list_for_study(self, study_uid: str) -> list[ReportFile]:
        """Return the CAD reports of one study, as `list_for_priors` does."""
        with self._database.begin_read() as session:
            study = session.get(StudyRow, study_uid)
            return [] if study is None else _list_files(session, study)


def _list_files(session: Session, study: StudyRow) -> list[ReportFile]:
    paths = (*_list_received(session, study.study_uid), *_list_own(session, study.study_uid))
    return [ReportFile(study.study_uid, study.study_date, path) for path in paths]


def _list_received(session: Session, study_uid: str) -> list[str]:
    rows = (
        select(InstanceRow.path)
        .where(
            InstanceRow.study_uid == study_uid,
            InstanceRow.disposition == Disposition.OTHER_CAD_SR,
            InstanceRow.current,
            InstanceRow.rejected_at.is_(None),
        )
        .order_by(InstanceRow.arrived_at.desc(), InstanceRow.id.desc())
        .limit(_MOST_RECEIVED)
    )
    return list(reversed(list(session.scalars(rows))))


def _list_own(session: Session, study_uid: str) -> list[str]:
    revision = find_latest_finished(session, study_uid)
    if revision is None:
        return []
    rows = (
        select(OutboxObjectRow.path)
        .where(OutboxObjectRow.revision == revision.id, OutboxObjectRow.kind == ObjectKind.CAD_SR)
        .order_by(OutboxObjectRow.id)
    )
    return list(session.scalars(rows))
