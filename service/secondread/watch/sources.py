"""What the pages and the health checks ask: a part of the tracker and of the archive."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from secondread.followup.timeline import LesionHistory
from secondread.track.cad_reports import ReportFile
from secondread.track.summaries import (
    AlarmSummary,
    DestinationSummary,
    NodeCounts,
    ProcessSummary,
    RefusalSummary,
    StudyDetail,
    StudyFilter,
    StudySummary,
)


class NodeQueries(Protocol):
    """Questions about the node as a whole; see `track.node_queries.Queries`."""

    def list_destinations(self) -> Sequence[DestinationSummary]:
        """Return the destinations with what waits for them."""

    def list_refusals(self, limit: int = ...) -> Sequence[RefusalSummary]:
        """Return what was refused, the latest first."""

    def list_processes(self) -> Sequence[ProcessSummary]:
        """Return the processes that did not end as they should."""

    def list_alarms(self) -> Sequence[AlarmSummary]:
        """Return the alarms that are raised, the most urgent first."""

    def count_all(self, now: datetime) -> NodeCounts:
        """Return studies by state and outcome, deliveries by destination and state."""


class StudyQueries(Protocol):
    """Questions about studies; see `track.study_queries.StudyQueries`."""

    def list_studies(
        self, limit: int = ..., offset: int = ..., matching: StudyFilter = ...
    ) -> Sequence[StudySummary]:
        """Return studies, the one that something arrived for last first."""

    def count_studies(self, matching: StudyFilter = ...) -> int:
        """Return how many there are without a limit."""

    def find_detail(self, study_uid: str) -> StudyDetail | None:
        """Return everything about a study."""


class LesionQueries(Protocol):
    """Questions about lesions; see `track.lesions.Lesions`."""

    def list_for_study(self, study_uid: str) -> Sequence[LesionHistory]:
        """Return the lesions that a study shows, or that its results say are gone."""


class ReportQueries(Protocol):
    """Questions about CAD reports; see `track.cad_reports.CadReports`."""

    def list_for_priors(self, study_uid: str) -> Sequence[ReportFile]:
        """Return the CAD reports of the same patient's earlier studies, the latest study first."""


class Tracker(Protocol):
    """The tracker, as far as it is watched."""

    @property
    def node_queries(self) -> NodeQueries:
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

    def get_installation_id(self) -> str:
        """Return the id of this installation."""

    def ping(self) -> None:
        """Ask the database for something; raises `TransientError` when it does not answer."""


class Archive(Protocol):
    """Where the outbox objects lie."""

    def resolve_path(self, relative_path: str) -> Path:
        """Return where a file is; raises `InputError` for a path that is not the archive's."""

    def measure_free_bytes(self) -> int:
        """Return how much can still be written; raises `OSError` when the folder is gone."""
