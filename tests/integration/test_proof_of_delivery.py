"""Results on their way until their proof is in: tracker, receiver, workers and a PACS, for real."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from secondread.accept.archive import Archive
from secondread.accept.scp import Receiver
from secondread.clock import Clock
from secondread.send.commitment_request import generate_transaction_uid, request_commitment
from secondread.send.delivery import DeliveryWiring, DeliveryWorker
from secondread.send.find import find_instances
from secondread.send.proof import ProofWiring, ProofWorker
from secondread.send.scu import store_objects
from secondread.send.workers import DestinationWorkers
from secondread.settings import (
    DestinationMode,
    DestinationSettings,
    Proof,
    ReceiveSettings,
    Settings,
)
from secondread.track.states import DeliveryState
from secondread.track.summaries import DeliverySummary
from tests.integration.test_send_delivery import eventually, result_file, running_from
from tests.peers.commitment_peer import CommitmentPeer, serving
from tests.unit.accept.fakes import MemoryLedger
from tests.worlds.track_world import STUDY, World, reading


@dataclass
class Site:
    """A node with one result of three objects, and its PACS."""

    world: World
    folder: Path
    pacs: CommitmentPeer
    clock: Clock

    @contextmanager
    def node(
        self, proof: Proof = Proof.COMMITMENT, seconds: float = 60.0, linger: float = 0.3
    ) -> Iterator[None]:
        """Run the node's receiver and workers; leaving it is a restart's first half."""
        destination = DestinationSettings(
            name="pacs",
            ae_title="PACS",
            host="127.0.0.1",
            port=self.pacs.port,
            proof=proof,
            commitment_seconds=seconds,
            commitment_linger_seconds=linger,
            query_seconds=seconds,
            timeout_seconds=10,
            maximum_pause_seconds=0.2,
        )
        tracker = self.world.tracker
        sending = DeliveryWiring(
            tracker.deliveries, tracker.alarms, store_objects, self.clock, "w", "SECONDREAD"
        )
        proving = ProofWiring(
            queue=tracker.proofs,
            ledger=tracker.proofs,
            alarms=tracker.alarms,
            request_commitment=request_commitment,
            find_instances=find_instances,
            clock=self.clock,
            make_transaction_uid=generate_transaction_uid,
            worker="w",
            calling_ae_title="SECONDREAD",
        )
        with ExitStack() as running:
            port = running.enter_context(self._receiver(destination))
            if self.pacs.node_port:
                self.pacs.node_port = port
            for workers in (
                DestinationWorkers("deliver", [DeliveryWorker(destination, sending)], 0.02),
                DestinationWorkers("prove", [ProofWorker(destination, proving)], 0.02),
            ):
                workers.start()
                running.callback(workers.stop)
            yield

    @contextmanager
    def _receiver(self, destination: DestinationSettings) -> Iterator[int]:
        archive = Archive(self.folder)
        archive.create()
        receive = ReceiveSettings(host="127.0.0.1", port=0, minimum_free_bytes=0)
        settings = Settings(receive=receive, destinations=(destination,))
        proofs = self.world.tracker.proofs
        receiver = Receiver(settings, archive, MemoryLedger(), proofs, self.clock)
        yield receiver.start()
        receiver.stop(2)

    def deliveries(self) -> list[DeliverySummary]:
        detail = self.world.tracker.study_queries.find_detail(STUDY)
        assert detail is not None
        return [delivery for item in detail.outbox_objects for delivery in item.deliveries]

    def states(self) -> list[DeliveryState]:
        return sorted(delivery.state for delivery in self.deliveries())

    def is_delivered(self) -> bool:
        return self.states() == [DeliveryState.DELIVERED] * 3

    def proofs(self) -> set[Proof | None]:
        return {delivery.proof for delivery in self.deliveries()}


@pytest.fixture
def site(world: World, tmp_path: Path) -> Iterator[Site]:
    folder = world.tracker.deliveries._outbox_dir
    folder.mkdir(parents=True, exist_ok=True)
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(150)
    entries = [result_file(folder, number) for number in (1, 2, 3)]
    world.record(reading(world.claimed(), entries=entries))
    with serving(CommitmentPeer()) as pacs:
        yield Site(world, tmp_path, pacs, running_from(world.now))


def stays(true: Callable[[], bool], seconds: float = 0.5) -> bool:
    deadline = time.monotonic() + seconds
    while true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


@pytest.mark.parametrize("over", ["the same association", "a new association"])
def test_results_are_delivered_when_the_report_is_in(site: Site, over: str) -> None:
    site.pacs.node_port = int(over == "a new association")
    # The wait for a report over the same association ends with it.
    with site.node(linger=0.3 if site.pacs.node_port else 20.0):
        assert eventually(site.is_delivered)
        assert site.pacs.reported.wait(30)
    assert site.proofs() == {Proof.COMMITMENT}
    assert site.pacs.answers == [0x0000]
    assert len(site.pacs.asked) == 1


def test_without_a_report_they_stay_stored_and_are_asked_for_under_new_transactions(
    site: Site,
) -> None:
    site.pacs.silent = True
    with site.node(seconds=0.2):
        assert eventually(lambda: len(site.pacs.asked) >= 3)
        assert site.states() == [DeliveryState.STORED] * 3
    uids = [str(request.TransactionUID) for request in site.pacs.asked]
    assert len(set(uids)) == len(uids)


def test_what_the_pacs_lost_is_stored_again_and_the_rest_once(site: Site) -> None:
    site.pacs.node_port = 1
    site.pacs.loses = {"2.25.2"}
    now = running_from(site.world.now)
    skipped = 0.0
    site.clock = lambda: now() + timedelta(seconds=skipped)

    def refused() -> Sequence[DeliverySummary]:
        return [one for one in site.deliveries() if one.proof_refused == 1]

    with site.node():
        assert eventually(lambda: len(refused()) == 1)
        (lost,) = refused()
        assert lost.last_error == "storage commitment refused: 0x0112, no such object instance"
        site.pacs.loses.clear()
        skipped = 6.0
        assert eventually(site.is_delivered)
    assert sorted(one.attempts for one in site.deliveries()) == [1, 1, 2]
    assert [len(request.ReferencedSOPSequence) for request in site.pacs.asked] == [3, 1]


def test_a_report_that_comes_after_a_restart_delivers(site: Site) -> None:
    site.pacs.node_port, site.pacs.silent = 1, True
    with site.node():
        assert eventually(lambda: bool(site.pacs.asked))
    assert site.states() == [DeliveryState.STORED] * 3
    with site.node():
        assert site.pacs.report(*site.pacs.judgement(site.pacs.asked[0])) == 0x0000
        assert site.is_delivered()
    assert len(site.pacs.asked) == 1


def test_repeated_and_unknown_reports_change_nothing(site: Site) -> None:
    site.pacs.node_port = 1
    with site.node():
        assert eventually(site.is_delivered)
        delivered_at = {one.delivered_at for one in site.deliveries()}
        information, event_type = site.pacs.judgement(site.pacs.asked[0])
        assert site.pacs.report(information, event_type) == 0x0000
        unknown = Dataset()
        unknown.TransactionUID = "2.25.404"
        unknown.FailedSOPSequence = list(information.ReferencedSOPSequence)
        assert site.pacs.report(unknown, 2) == 0x0115
    assert {one.delivered_at for one in site.deliveries()} == delivered_at


def test_a_query_that_shows_them_delivers(site: Site) -> None:
    with site.node(Proof.QUERY):
        assert eventually(site.is_delivered)
    assert site.proofs() == {Proof.QUERY}
    assert site.pacs.asked == []


def test_what_a_query_does_not_show_yet_stays_stored_until_it_does(site: Site) -> None:
    site.pacs.loses = {"2.25.3"}
    with site.node(Proof.QUERY, seconds=0.3):
        expected = [DeliveryState.DELIVERED, DeliveryState.DELIVERED, DeliveryState.STORED]
        assert eventually(lambda: site.states() == expected)
        site.pacs.held["2.25.3"] = Dataset()
        assert eventually(site.is_delivered)


def test_the_store_status_is_proof_enough_where_no_other_is_asked_for(site: Site) -> None:
    with site.node(Proof.STORE_STATUS):
        assert eventually(site.is_delivered)
        assert stays(lambda: not site.pacs.asked and not site.pacs.queried)
    assert site.proofs() == {Proof.STORE_STATUS}
