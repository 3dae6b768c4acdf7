"""A PACS in every bad mood: how each ends, and what page, command and alarm say of it.

One study of five objects, each attempt a step of workers that were just started, the clock moved by
hand.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import pytest
from pydicom.uid import UID
from pynetdicom.events import Event

from secondread.cli.destinations_command import describe_trouble
from secondread.send.acceptance import ALARM_KIND as NOT_ACCEPTED
from secondread.send.commitment_request import generate_transaction_uid, request_commitment
from secondread.send.delivery import ALARM_KIND as OVERDUE
from secondread.send.delivery import DeliveryWiring, DeliveryWorker
from secondread.send.find import find_instances
from secondread.send.outbox import never_cancelled
from secondread.send.proof import ALARM_KIND as UNPROVEN
from secondread.send.proof import ProofWiring, ProofWorker
from secondread.send.scu import store_objects
from secondread.settings import DestinationMode, DestinationSettings, Proof
from secondread.track.states import DeliveryState
from secondread.track.summaries import DestinationSummary
from tests.integration.test_send_delivery import result_file
from tests.integration.test_send_scu import CAD_SR, CAPTURE, Peer, serving
from tests.peers.commitment_peer import PUSH_MODEL, STUDY_ROOT_FIND, CommitmentPeer
from tests.peers.commitment_peer import serving as serving_proofs
from tests.peers.ports import free_port
from tests.worlds.track_world import World, reading

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])

PENDING, STORED, DELIVERED, DUPLICATE = (
    DeliveryState.PENDING,
    DeliveryState.STORED,
    DeliveryState.DELIVERED,
    DeliveryState.DUPLICATE,
)
COMMENT = "MUSTER^ERIKA"


@dataclass
class Site:
    """A node with one result of a CAD SR and four captures, and its destination."""

    world: World
    port: int = 0
    proof: Proof = Proof.STORE_STATUS
    timeout: float = 5.0

    def attempt(self, times: int) -> None:
        """Make so many attempts, an hour apart."""
        for _ in range(times):
            self.world.later(3600)
            self._deliverer().step(never_cancelled)
            self._prover().step(never_cancelled)

    def settings(self) -> DestinationSettings:
        return DestinationSettings(
            name="pacs",
            ae_title="PACS",
            host="127.0.0.1",
            port=self.port,
            proof=self.proof,
            commitment_seconds=60,
            commitment_linger_seconds=0.2,
            query_seconds=60,
            timeout_seconds=self.timeout,
        )

    def now(self) -> datetime:
        return self.world.now

    def _deliverer(self) -> DeliveryWorker:
        tracker = self.world.tracker
        wiring = DeliveryWiring(
            tracker.deliveries, tracker.alarms, store_objects, self.now, "w", "SECONDREAD"
        )
        return DeliveryWorker(self.settings(), wiring)

    def _prover(self) -> ProofWorker:
        tracker = self.world.tracker
        wiring = ProofWiring(
            queue=tracker.proofs,
            ledger=tracker.proofs,
            alarms=tracker.alarms,
            request_commitment=request_commitment,
            find_instances=find_instances,
            clock=self.now,
            make_transaction_uid=generate_transaction_uid,
            worker="w",
            calling_ae_title="SECONDREAD",
        )
        return ProofWorker(self.settings(), wiring)

    def summary(self) -> DestinationSummary:
        (row,) = self.world.tracker.node_queries.list_destinations()
        return row

    def counts(self) -> dict[DeliveryState, int]:
        return {state: number for state, number in self.summary().counts.items() if number}

    def alarms(self) -> dict[str, str]:
        raised = self.world.tracker.node_queries.list_alarms()
        return {alarm.kind: alarm.detail for alarm in raised}


@pytest.fixture
def site(world: World) -> Site:
    folder = world.tracker.outbox_dir
    folder.mkdir(parents=True, exist_ok=True)
    world.destination("pacs", DestinationMode.LIVE)
    world.send_study()
    world.later(150)
    classes = (CAD_SR, *[CAPTURE] * 4)
    entries = [result_file(folder, n, sop_class) for n, sop_class in enumerate(classes, start=1)]
    world.record(reading(world.claimed(), entries=entries))
    return Site(world)


Pacs = Callable[[Site], AbstractContextManager[Peer]]
"""Puts a PACS in its mood, and its settings where they matter to it."""


@contextmanager
def down(_: Site) -> Iterator[Peer]:
    yield Peer(port=free_port())


def answering(*statuses: int) -> Pacs:
    """Return a PACS that gives these answers in turn, in each association, with a comment."""

    def serve(_: Site) -> AbstractContextManager[Peer]:
        return serving(Peer(statuses=list(statuses), comment=COMMENT))

    return serve


@contextmanager
def silent(site: Site) -> Iterator[Peer]:
    site.timeout = 0.2
    with serving(Peer(on_store=lambda event: event.assoc.dul.join(1))) as peer:
        yield peer


def slow(_: Site) -> AbstractContextManager[Peer]:
    return serving(Peer(on_store=lambda event: event.assoc.dul.join(0.1)))


def aborting(_: Site) -> AbstractContextManager[Peer]:
    def abort(event: Event) -> None:
        event.assoc.abort()

    return serving(Peer(on_store=abort))


def refusing_captures(_: Site) -> AbstractContextManager[Peer]:
    return serving(Peer(), classes=(CAD_SR,))


def rejecting(_: Site) -> AbstractContextManager[Peer]:
    return serving(Peer(), callers=["SOMEBODY"])


@dataclass(frozen=True)
class Mood:
    """A mood, how two attempts end, and what is said of it."""

    pacs: Pacs
    ends: Mapping[DeliveryState, int]
    says: str = ""
    """Why results wait; empty where none does."""
    alarms: tuple[str, ...] = ()
    warned: int = 0


MOODS = {
    "down": Mood(down, {PENDING: 5}, "refused the connection", (OVERDUE,)),
    "slow": Mood(slow, {DELIVERED: 5}),
    "silent": Mood(silent, {PENDING: 5}, "no answer within 0.2 s", (OVERDUE,)),
    "aborts": Mood(aborting, {PENDING: 5}, "the peer aborted the association", (OVERDUE,)),
    "rejects": Mood(rejecting, {PENDING: 5}, "the calling AE title SECONDREAD", (OVERDUE,)),
    "refuses a class": Mood(
        refusing_captures,
        {DELIVERED: 1, PENDING: 4},
        "does not accept Secondary Capture Image Storage",
        (OVERDUE, NOT_ACCEPTED),
    ),
    "warns": Mood(answering(0xB000, 0xB006, 0xB007), {DELIVERED: 5}, warned=3),
    "has it already": Mood(answering(0x0111), {DELIVERED: 4, DUPLICATE: 1}),
    "is full": Mood(
        answering(*[0xA700] * 10), {PENDING: 5}, "status 0xA700, out of resources", (OVERDUE,)
    ),
    "does not understand": Mood(
        answering(*[0xC000] * 10), {PENDING: 5}, "status 0xC000, cannot understand", (OVERDUE,)
    ),
    "fails one of five": Mood(
        answering(0, 0, 0xC000, 0, 0, 0xC000),
        {DELIVERED: 4, PENDING: 1},
        "status 0xC000, cannot understand",
        (OVERDUE,),
    ),
    "refuses a class by status": Mood(
        answering(*[0x0122] * 10),
        {PENDING: 5},
        "status 0x0122, SOP class not supported",
        (OVERDUE, NOT_ACCEPTED),
    ),
}


@pytest.mark.parametrize("name", MOODS)
def test_each_mood_ends_right_and_says_why(site: Site, name: str) -> None:
    mood = MOODS[name]
    with mood.pacs(site) as peer:
        site.port = peer.port
        site.attempt(2)
    row = site.summary()
    assert site.counts() == mood.ends
    assert set(site.alarms()) == set(mood.alarms)
    assert (len(row.reasons), row.warned) == (1 if mood.says else 0, mood.warned)
    command = "\n".join(describe_trouble(row))
    said = [command, *row.reasons, *site.alarms().values()]
    assert not any(COMMENT in words for words in said)
    if OVERDUE in mood.alarms:
        waiting = mood.ends[PENDING]
        objects = "1 object" if waiting == 1 else f"{waiting} objects"
        assert f"{objects} of 1 study: " in site.alarms()[OVERDUE]
        assert all(mood.says in words for words in (command, site.alarms()[OVERDUE]))


def test_a_pacs_that_was_down_for_days_and_moved_gets_everything_at_its_new_address(
    site: Site,
) -> None:
    site.port = free_port()
    site.attempt(6)
    assert set(site.alarms()) == {OVERDUE}
    with serving(Peer()) as peer:
        site.port = peer.port
        site.attempt(1)
        assert len(peer.received) == 5
    assert (site.counts(), site.alarms()) == ({DELIVERED: 5}, {})


def _lose(pacs: CommitmentPeer) -> None:
    pacs.loses = {"2.25.1"}


def _be_silent(pacs: CommitmentPeer) -> None:
    pacs.silent = True


def _refuse(pacs: CommitmentPeer) -> None:
    pacs.action_status = 0x0110


@pytest.mark.parametrize(
    ("proof", "mood", "attempts", "ends", "says"),
    [
        (Proof.COMMITMENT, _lose, 4, {DELIVERED: 4, PENDING: 1}, "0x0112, no such object instance"),
        (Proof.COMMITMENT, _be_silent, 4, {STORED: 5}, "no report on it came in time"),
        (Proof.COMMITMENT, _refuse, 3, {STORED: 5}, "request was answered 0x0110"),
        (Proof.QUERY, _lose, 4, {DELIVERED: 4, STORED: 1}, "does not show it yet"),
        (Proof.QUERY, _lose, 7, {DELIVERED: 4, STORED: 1}, "not shown by 6 queries: sent again"),
    ],
)
def test_a_pacs_that_accepts_and_does_not_prove_it_is_an_alarm_that_says_how(
    site: Site,
    proof: Proof,
    mood: Callable[[CommitmentPeer], None],
    attempts: int,
    ends: Mapping[DeliveryState, int],
    says: str,
) -> None:
    site.proof = proof
    with serving_proofs(
        CommitmentPeer(), UID(CAD_SR), UID(CAPTURE), PUSH_MODEL, STUDY_ROOT_FIND
    ) as pacs:
        mood(pacs)
        site.port = pacs.port
        site.attempt(attempts)
    assert site.counts() == ends
    assert says in site.alarms()[UNPROVEN]
    assert any("waits since" in line for line in describe_trouble(site.summary()))
