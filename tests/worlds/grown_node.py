"""What a node asks its tracker for again and again, by the code that asks it in a node.

One list for the benchmark, which measures how each grows, and for the test that looks for whole
tables in their query plans.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

from secondread.accept.archive import Archive
from secondread.accept.ledger import Refusal, RefusalKind
from secondread.app.node import Node
from secondread.app.retention import remove_old_objects
from secondread.app.score_watch import watch_scores
from secondread.reasons import Outcome, Reason
from secondread.settings import (
    AssembleSettings,
    DatabaseSettings,
    DestinationSettings,
    NodeSettings,
    PeerSettings,
    Settings,
)
from secondread.track.prior_choice import FetchRules
from secondread.track.states import StudyState
from secondread.track.studies import Digests
from secondread.track.summaries import StudyFilter
from secondread.track.tracker import Tracker
from secondread.watch.application import make_app
from tests.worlds.grown_tracker import NOW, SOME_DIGEST, name_study
from tests.worlds.track_world import association, mammogram, reading, stored
from tests.worlds.watch_world import Browser, let_in

Question = Callable[[], object]

_DIGESTS = Digests(settings="5e" * 32, model="60" * 32)
_LEASE_SECONDS = 600.0


def make_settings(folder: Path, url: str) -> Settings:
    """Return the settings of a node whose tracker was grown."""
    names = ("pacs", "trial", "viewer")
    return Settings(
        node=NodeSettings(data_dir=folder),
        database=DatabaseSettings(url=url),
        peers=(PeerSettings(ae_title="MODALITY"),),
        destinations=tuple(
            DestinationSettings(name=name, ae_title=name.upper(), host="127.0.0.1", port=104)
            for name in names
        ),
    )


class GrownNode:
    """A node over a tracker that was grown, with everything that is asked of it by name.

    Parameters
    ----------
    url
        The tracker's.
    folder
        For the archive, which is empty.
    studies
        How many studies the tracker has.
    """

    def __init__(self, url: str, folder: Path, studies: int) -> None:
        self.settings = make_settings(folder, url)
        self.tracker = Tracker(url, folder)
        self.studies = studies
        archive = Archive(folder)
        archive.create()
        self.node = Node(self.settings, self.tracker, archive, "0" * 32)
        application = make_app(self.tracker, archive, self.settings, lambda: NOW)
        self.browser = Browser(application, let_in(self.tracker, f"bench-{secrets.token_hex(4)}"))
        self.ledger = self.tracker.open_ledger("receive-0", AssembleSettings())
        self.rules = FetchRules.from_settings(self.settings)
        self._numbers = count(1)

    def list_questions(self) -> dict[str, Question]:
        """Return what is asked, by name."""
        return {**self._list_pages(), **self._list_sweeps(), **self._list_changes()}

    def _list_pages(self) -> dict[str, Question]:
        queries, middle = self.tracker.study_queries, name_study(self.studies // 2)
        return {
            "front page": lambda: self._get("/"),
            "front page, one state": lambda: self._get("/?state=reported"),
            "front page, one outcome": lambda: self._get("/?outcome=no-findings"),
            "search for a patient": lambda: self._post("/search", text="p77^^^hospital"),
            "search for a number": lambda: self._post("/search", text="A-1977"),
            "search by day and device": lambda: self._post(
                "/search", first_day="2026-11-22", device="MODALITY7"
            ),
            "search for a finding": lambda: self._post(
                "/search", first_day="2026-11-22", morphology="amorphous"
            ),
            "page of a study": lambda: self._get(f"/studies/{middle}"),
            "page of a patient": lambda: self._get("/patients/7"),
            "name of a patient": lambda: self._post("/patients/7/identity"),
            "page of the settings": lambda: self._get("/settings"),
            "page of agreement": lambda: self._get("/agreement"),
            "form to dismiss": lambda: self._get(f"/studies/{middle}/dismiss"),
            "page of destinations": lambda: self._get("/destinations"),
            "page of refusals": lambda: self._get("/refusals"),
            "page of the node": lambda: self._get("/node"),
            "/metrics": lambda: self._get("/metrics"),
            "/readyz": lambda: self._get("/readyz"),
            "studies list": queries.list_studies,
            "studies list --state": lambda: queries.list_studies(
                matching=StudyFilter(StudyState.REPORTED, None)
            ),
            "studies list --outcome": lambda: queries.list_studies(
                matching=StudyFilter(None, Outcome.NO_FINDINGS)
            ),
        }

    def _list_sweeps(self) -> dict[str, Question]:
        tracker, fetches = self.tracker, self.tracker.open_fetch_requests(self.rules)
        return {
            "has due": lambda: tracker.studies.has_due(NOW),
            "next due": lambda: tracker.studies.find_next_due(NOW),
            "list due": lambda: tracker.studies.list_due(NOW, 22),
            "list unread": lambda: tracker.studies.list_unread(8),
            "waits too long": lambda: tracker.studies.shorten_waits(lambda: NOW, self.rules),
            "unfinished readings": lambda: tracker.studies.list_unfinished(NOW, 0),
            "readings held up": tracker.runs.count_held_up,
            "scores of devices": lambda: watch_scores(tracker, SOME_DIGEST, NOW),
            "destinations": tracker.node_queries.list_destinations,
            "arrivals of priors": lambda: fetches.check_arrivals(NOW),
            "fetch for priors": lambda: fetches.claim_request("pacs", "worker-0", NOW, 60.0),
            "backlog of a destination": lambda: tracker.deliveries.find_backlog("viewer"),
            "proofs that are owed": lambda: tracker.proofs.find_unproven_backlog("pacs"),
            "claim of a delivery": self._claim_delivery,
            "claim of a proof": lambda: tracker.proofs.claim_batch(
                "pacs", "worker-0", NOW, _LEASE_SECONDS
            ),
            "retention": lambda: remove_old_objects(self.node, NOW - timedelta(days=10_000)),
            "removal of an object": self._remove_object,
            "audit messages to send": lambda: tracker.audit_messages.list_unsent("receive-0", 100),
            "audit messages to remove": lambda: tracker.audit_messages.remove_before(
                NOW - timedelta(days=10_000)
            ),
            "expected files, one page": lambda: tracker.node_queries.list_expected_files(
                2 * self.studies
            ),
        }

    def _list_changes(self) -> dict[str, Question]:
        return {
            "arrival of an image": self._receive,
            "refusal": self._refuse,
            "claim and results": self._read,
        }

    def _get(self, path: str) -> None:
        assert self.browser.get(path).status_code in {200, 503}

    def _post(self, path: str, **data: str) -> None:
        assert self.browser.post(path, data).status_code in {200, 303}

    def _receive(self) -> None:
        number = next(self._numbers)
        header = mammogram("RCC", f"1.2.3.{number}", patient=f"P{number}")
        over = association(number, NOW)
        self.ledger.record_association_start(over)
        self.ledger.record_instance(stored(header, NOW, sent_over=over), header)
        self.ledger.record_association_end(over.association_id, NOW)

    def _refuse(self) -> None:
        refusal = Refusal(
            kind=RefusalKind.ASSOCIATION,
            reason=Reason.CALLING_AE_UNKNOWN,
            calling_ae_title="SCANNER7",
            called_ae_title="SECONDREAD",
            address="10.0.0.8",
            sop_class_uid="",
            transfer_syntax="",
            count=1,
            first_at=NOW,
            last_at=NOW,
        )
        self.ledger.record_refusals([refusal])

    def _read(self) -> None:
        (due,) = self.tracker.studies.list_due(NOW, 1)
        claimed = self.tracker.studies.claim_study(
            due.study_uid, "worker-0", _DIGESTS, NOW, self.rules
        )
        assert claimed is not None
        profiles = {"pacs": "default", "viewer": "default"}
        self.tracker.results.record_reading(reading(claimed), profiles, NOW)

    def _claim_delivery(self) -> None:
        claimed = self.tracker.deliveries.claim_batch("viewer", "worker-0", NOW, _LEASE_SECONDS)
        assert claimed is not None

    def _remove_object(self) -> None:
        objects = self.tracker.other_objects
        (oldest,) = objects.list_arrived_before(NOW, 1)
        assert objects.remove(oldest, NOW, lambda _: None, NOW)
