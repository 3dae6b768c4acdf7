"""The tracker as the rest of the package gets it: one database, one part for each concern."""

import secrets
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from secondread.assemble.due import DueRules
from secondread.audit import Journal
from secondread.settings import AssembleSettings
from secondread.track.access import Access
from secondread.track.archive_rows import ArchiveRows
from secondread.track.audit_messages import AuditMessages
from secondread.track.cad_reports import CadReports
from secondread.track.change_rights import OWN_ALONE, ChangeRights
from secondread.track.counts import Counts
from secondread.track.database import Database, insert_if_new
from secondread.track.deliveries import Deliveries
from secondread.track.destination_modes import Destinations
from secondread.track.devices import Devices
from secondread.track.dismissals import Dismissals
from secondread.track.fetch_requests import FetchRequests
from secondread.track.node_queries import NodeQueries
from secondread.track.operations import Alarms, Processes
from secondread.track.other_objects import OtherObjects
from secondread.track.patient_queries import PatientQueries
from secondread.track.patients import Patients
from secondread.track.prior_choice import FetchRules
from secondread.track.reading_runs import ReadingRuns
from secondread.track.resending import Resending
from secondread.track.results import Results
from secondread.track.studies import Studies
from secondread.track.study_log import StudyLog
from secondread.track.study_lookup import StudyLookup
from secondread.track.study_queries import StudyQueries
from secondread.track.tables import InstallationRow
from secondread.track.today import Today
from secondread.track.treatments import Treatments
from secondread.track.verdicts import Verdicts

if TYPE_CHECKING:
    from secondread.track.commit_marks import CommitMarks
    from secondread.track.leases import Leases
    from secondread.track.lesions import Lesions
    from secondread.track.missing_studies import MissingStudies
    from secondread.track.proofs import Proofs
    from secondread.track.receiver_ledger import ReceiverLedger
    from secondread.track.study_search import StudySearches


def _random_id() -> str:
    return secrets.token_hex(16)


class Tracker:
    """What is true about every study.

    Threads may share a tracker; a forked process makes its own.

    Parameters
    ----------
    url
        SQLAlchemy URL of a database that `track.migrate.upgrade` has brought up to date.
    outbox_dir
        The folder that the outbox's paths are relative to.
    journal
        How the audit trail is written; None where there is none.
    """

    def __init__(self, url: str, outbox_dir: Path, journal: Journal | None = None) -> None:
        self.database = Database(url, journal)
        self.outbox_dir = outbox_dir
        self.studies = Studies(self.database)
        self.results = Results(self.database)
        self.runs = ReadingRuns(self.database)
        self.deliveries = Deliveries(self.database, outbox_dir)
        self.destinations = Destinations(self.database)
        self.devices = Devices(self.database)
        self.treatments = Treatments(self.database)
        self.patients = Patients(self.database)
        self.cad_reports = CadReports(self.database)
        self.processes = Processes(self.database)
        self.alarms = Alarms(self.database)
        self.access = Access(self.database)
        self.audit_messages = AuditMessages(self.database)
        self.other_objects = OtherObjects(self.database)
        self.archive_rows = ArchiveRows(self.database)
        self.counts = Counts(self.database)
        self.node_queries = NodeQueries(self.database)
        self.study_queries = StudyQueries(self.database)
        self.patient_queries = PatientQueries(self.database)
        self.resending = Resending(self.database)
        self.dismissals = Dismissals(self.database)
        self.study_lookup = StudyLookup(self.database)
        self.today = Today(self.database)
        self.study_log = StudyLog(self.database)
        self.verdicts = Verdicts(self.database)

    # These read headers, call peers, or reckon with places in pictures: what that needs takes a
    # third of a second to import, and whoever asks how a study stands would wait for it.

    @cached_property
    def proofs(self) -> "Proofs":
        """The proofs that destinations owe."""
        from secondread.track.proofs import Proofs

        return Proofs(self.database)

    @cached_property
    def lesions(self) -> "Lesions":
        """The lesions of patients over the years."""
        from secondread.track.lesions import Lesions

        return Lesions(self.database)

    @cached_property
    def leases(self) -> "Leases":
        """The leases of all workers."""
        from secondread.track.leases import Leases

        return Leases(self.database)

    @cached_property
    def searches(self) -> "StudySearches":
        """The searches for studies."""
        from secondread.track.study_search import StudySearches

        return StudySearches(self.database)

    @cached_property
    def missing(self) -> "MissingStudies":
        """The studies that archives list and that never arrived."""
        from secondread.track.missing_studies import MissingStudies

        return MissingStudies(self.database)

    @cached_property
    def commit_marks(self) -> "CommitMarks":
        """Whether anything was committed."""
        from secondread.track.commit_marks import CommitMarks

        return CommitMarks(self.database.url)

    def open_ledger(
        self, receiver: str, settings: AssembleSettings, rights: ChangeRights = OWN_ALONE
    ) -> "ReceiverLedger":
        """Return the ledger of a receiver process of that name."""
        from secondread.track.receiver_ledger import ReceiverLedger

        return ReceiverLedger(self.database, receiver, DueRules.from_settings(settings), rights)

    def open_fetch_requests(self, rules: FetchRules) -> FetchRequests:
        """Return what archives are asked for under these rules."""
        return FetchRequests(self.database, rules)

    def get_installation_id(self, make_id: Callable[[], str] = _random_id) -> str:
        """Return the id of this installation, made once, 32 hexadecimal digits."""
        with self.database.begin_read() as session:
            existing: str | None = session.scalars(select(InstallationRow.uid)).one_or_none()
        if existing is not None:
            return existing
        with self.database.begin_write() as session:
            insert_if_new(session, InstallationRow, {"id": 1, "uid": make_id()})
            uid: str = session.scalars(select(InstallationRow.uid)).one()
            return uid

    def ping(self) -> None:
        """Ask the database for something.

        Raises
        ------
        TransientError
            It does not answer.
        """
        self.database.ping()

    def close(self) -> None:
        """Close the connections."""
        self.commit_marks.close()
        self.database.close()
