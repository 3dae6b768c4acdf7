"""What the pages and the health checks ask: a part of the tracker and of the archive."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from secondread.followup.timeline import LesionHistory
from secondread.track.cad_reports import ReportFile
from secondread.track.summaries import (
    AlarmSummary,
    Counts,
    DestinationSummary,
    ProcessSummary,
    RefusalSummary,
    StudyDetail,
    StudyFilter,
    StudySummary,
)


class NodeQueries(Protocol):
    """Questions about the node as a whole; see `track.queries.Queries`."""

    def destinations(self) -> Sequence[DestinationSummary]:
        """Return the destinations with what waits for them."""

    def refusals(self, limit: int = ...) -> Sequence[RefusalSummary]:
        """Return what was refused, the latest first."""

    def processes(self) -> Sequence[ProcessSummary]:
        """Return the processes that did not end as they should."""

    def alarms(self) -> Sequence[AlarmSummary]:
        """Return the alarms that are raised, the most urgent first."""

    def counts(self, now: datetime) -> Counts:
        """Return studies by state and outcome, deliveries by destination and state."""


class StudyQueries(Protocol):
    """Questions about studies; see `track.study_queries.StudyQueries`."""

    def list_studies(
        self, limit: int = ..., offset: int = ..., only: StudyFilter = ...
    ) -> Sequence[StudySummary]:
        """Return studies, the one that something arrived for last first."""

    def count_studies(self, only: StudyFilter = ...) -> int:
        """Return how many there are without a limit."""

    def detail(self, study_uid: str) -> StudyDetail | None:
        """Return everything about a study."""


class LesionQueries(Protocol):
    """Questions about lesions; see `track.lesions.Lesions`."""

    def of_study(self, study_uid: str) -> Sequence[LesionHistory]:
        """Return the lesions that a study shows, or that its results say are gone."""


class ReportQueries(Protocol):
    """Questions about CAD reports; see `track.cad_reports.CadReports`."""

    def of_priors(self, study_uid: str) -> Sequence[ReportFile]:
        """Return the CAD reports of the same patient's earlier studies, the latest study first."""


class Tracker(Protocol):
    """The tracker, as far as it is watched."""

    @property
    def queries(self) -> NodeQueries:
        """Questions about the node."""

    @property
    def study_queries(self) -> StudyQueries:
        """Questions about studies."""

    @property
    def lesions(self) -> LesionQueries:
        """Questions about lesions."""

    @property
    def cad_reports(self) -> ReportQueries:
        """Questions about CAD reports."""

    def installation(self) -> str:
        """Return the id of this installation."""

    def ping(self) -> None:
        """Ask the database for something; raises `TransientError` when it does not answer."""


class Archive(Protocol):
    """Where the outbox objects lie."""

    def path_of(self, relative_path: str) -> Path:
        """Return where a file is; raises `InputError` for a path that is not the archive's."""

    def free_bytes(self) -> int:
        """Return how much can still be written; raises `OSError` when the folder is gone."""
