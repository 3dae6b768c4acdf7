"""Proof workers: what is asked of whom, and when it is asked again."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from secondread.accept.commitment import CommitmentOutcome, CommitmentReport, CommitmentResult
from secondread.send.call_error import CallError
from secondread.send.commitment_request import OnReport
from secondread.send.outbox import AnswerKind, AwaitedInstance, Callee, ProofBatch, never_cancelled
from secondread.send.overdue import Backlog
from secondread.send.proof import ALARM_KIND, ProofWiring, ProofWorker, build_query_address
from secondread.settings import DestinationSettings, Proof

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def unproven(*asked: int) -> ProofBatch:
    objects = tuple(
        AwaitedInstance("1.2.840.10008.5.1.4.1.1.7", "1.2.3.0", f"1.2.3.{number}", times)
        for number, times in enumerate(asked, start=1)
    )
    return ProofBatch("1.2.3", "pacs", objects, "claim")


@dataclass
class MemoryProofs:
    """Gives out what a test puts in, once, and remembers every call."""

    due: list[ProofBatch] = field(default_factory=list)
    calls: list[tuple[object, ...]] = field(default_factory=list)
    oldest: datetime | None = None

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> ProofBatch | None:
        assert (destination, worker) == ("pacs", "worker-0")
        assert lease_seconds > 20 * 2.0
        return self.due.pop(0) if self.due else None

    def record_request(
        self, unproven: ProofBatch, transaction_uid: str, now: datetime, ask_again_at: datetime
    ) -> None:
        self.calls.append(("requested", transaction_uid, (ask_again_at - now).total_seconds()))

    def record_not_taken(
        self, transaction_uid: str, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        self.calls.append(("not taken", transaction_uid, (ask_again_at - now).total_seconds()))

    def record_proven(
        self, unproven: ProofBatch, instances: Collection[str], proof: Proof, now: datetime
    ) -> None:
        self.calls.append(("proven", sorted(instances), proof))

    def record_not_shown(
        self, unproven: ProofBatch, instances: Collection[str], why: str, ask_again_at: datetime
    ) -> None:
        wait = (ask_again_at - START).total_seconds()
        self.calls.append(("not shown", sorted(instances), wait))

    def postpone(self, unproven: ProofBatch, why: str, ask_again_at: datetime) -> None:
        self.calls.append(("postponed", why, (ask_again_at - START).total_seconds()))

    def record_refused(
        self, unproven: ProofBatch, instances: Collection[str], why: str, now: datetime
    ) -> None:
        self.calls.append(("refused", sorted(instances), why))

    def find_unproven_backlog(self, destination: str) -> Backlog | None:
        return None if self.oldest is None else Backlog(self.oldest, 1, 1, ())

    def record_report(self, report: CommitmentReport, now: datetime) -> CommitmentResult:
        return CommitmentResult(CommitmentOutcome.UNKNOWN)


@dataclass
class Peer:
    """The calls to a destination, with the errors and the matches that a test chooses."""

    queue: MemoryProofs
    errors: list[AnswerKind] = field(default_factory=list)
    shows: frozenset[str] = frozenset()
    called: list[Callee] = field(default_factory=list)

    def request(
        self,
        callee: Callee,
        calling_ae_title: str,
        transaction_uid: str,
        objects: Sequence[AwaitedInstance],
        on_report: OnReport,
        linger_seconds: float,
        cancelled: Callable[[], bool],
    ) -> None:
        assert self.queue.calls[-1][:2] == ("requested", transaction_uid), "asked before written"
        self._answer(callee)

    def find(
        self,
        callee: Callee,
        calling_ae_title: str,
        study_uid: str,
        objects: Sequence[AwaitedInstance],
        cancelled: Callable[[], bool],
    ) -> frozenset[str]:
        self._answer(callee)
        return self.shows

    def _answer(self, callee: Callee) -> None:
        self.called.append(callee)
        if self.errors:
            raise CallError(self.errors.pop(0), "words")


class MemoryAlarms:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def raise_alarm(
        self, kind: str, subject: str, detail: str, now: datetime, *, restates: bool = False
    ) -> None:
        self.calls.append(("raised", kind))

    def clear_alarm(self, kind: str, subject: str, now: datetime) -> None:
        self.calls.append(("cleared", kind))


@pytest.fixture
def queue() -> MemoryProofs:
    return MemoryProofs()


@pytest.fixture
def peer(queue: MemoryProofs) -> Peer:
    return Peer(queue)


def destination(proof: Proof, **values: object) -> DestinationSettings:
    usual = {
        "name": "pacs",
        "ae_title": "PACS",
        "host": "127.0.0.1",
        "port": 104,
        "proof": proof,
        "commitment_seconds": 100,
        "query_seconds": 10,
        "timeout_seconds": 2,
        "maximum_pause_seconds": 60,
    }
    return DestinationSettings.model_validate(usual | values)


def wiring(peer: Peer, alarms: MemoryAlarms | None = None) -> ProofWiring:
    numbers = iter(range(1, 100))
    return ProofWiring(
        queue=peer.queue,
        ledger=peer.queue,
        alarms=alarms or MemoryAlarms(),
        request_commitment=peer.request,
        find_instances=peer.find,
        clock=lambda: START,
        make_transaction_uid=lambda: f"2.25.{next(numbers)}",
        worker="worker-0",
        calling_ae_title="SECONDREAD",
    )


def make_worker(peer: Peer, proof: Proof, **values: object) -> ProofWorker:
    return ProofWorker(destination(proof, **values), wiring(peer))


def test_a_worker_without_work_returns_nothing_to_wait_for(peer: Peer) -> None:
    assert make_worker(peer, Proof.COMMITMENT).step(never_cancelled) is None
    assert peer.called == []


def test_a_commitment_is_written_down_before_it_is_asked_for(peer: Peer) -> None:
    peer.queue.due = [unproven(0, 0)]
    assert make_worker(peer, Proof.COMMITMENT).step(never_cancelled) == 0
    assert peer.queue.calls == [("requested", "2.25.1", 100)]
    assert len(peer.called) == 1


def test_each_time_a_new_transaction_is_asked_for_and_its_report_waited_for_longer(
    peer: Peer,
) -> None:
    peer.queue.due = [unproven(times) for times in (0, 1, 2, 3, 4, 50)]
    worker = make_worker(peer, Proof.COMMITMENT)
    for _ in range(6):
        assert worker.step(never_cancelled) == 0
    assert [call[2] for call in peer.queue.calls] == [100, 200, 400, 800, 1200, 1200]
    assert len({call[1] for call in peer.queue.calls}) == 6


def test_what_could_not_be_asked_pauses_the_worker_and_is_asked_anew(peer: Peer) -> None:
    peer.queue.due = [unproven(0) for _ in range(4)]
    peer.errors = [AnswerKind.UNREACHABLE, AnswerKind.STATUS, AnswerKind.CONTEXT_REFUSED]
    worker = make_worker(peer, Proof.COMMITMENT)
    assert [worker.step(never_cancelled) for _ in range(4)] == [5, 10, 20, 0]
    peer.queue.due, peer.errors = [unproven(0)], [AnswerKind.UNREACHABLE]
    assert worker.step(never_cancelled) == 5
    assert [call for call in peer.queue.calls if call[0] == "not taken"] == [
        ("not taken", "2.25.1", 5),
        ("not taken", "2.25.2", 10),
        ("not taken", "2.25.3", 20),
        ("not taken", "2.25.5", 5),
    ]


def test_what_a_query_shows_is_proven_and_the_rest_is_looked_for_again(peer: Peer) -> None:
    peer.queue.due = [unproven(1, 1, 1)]
    peer.shows = frozenset({"1.2.3.1", "1.2.3.3"})
    assert make_worker(peer, Proof.QUERY).step(never_cancelled) == 0
    assert peer.queue.calls == [
        ("proven", ["1.2.3.1", "1.2.3.3"], Proof.QUERY),
        ("not shown", ["1.2.3.2"], 20),
    ]


def test_what_six_queries_do_not_show_is_sent_again(peer: Peer) -> None:
    peer.queue.due = [unproven(5, 4)]
    make_worker(peer, Proof.QUERY).step(never_cancelled)
    assert [call[:2] for call in peer.queue.calls] == [
        ("not shown", ["1.2.3.2"]),
        ("refused", ["1.2.3.1"]),
    ]


def test_a_query_that_fails_refuses_nothing(peer: Peer) -> None:
    peer.queue.due = [unproven(5)]
    peer.errors = [AnswerKind.NO_ANSWER]
    assert make_worker(peer, Proof.QUERY).step(never_cancelled) == 5
    assert peer.queue.calls == [("postponed", "proof not asked for: no-answer: words", 5)]


@pytest.mark.parametrize("proof", [Proof.COMMITMENT, Proof.QUERY])
def test_a_call_that_the_stop_of_the_node_ends_pauses_nothing(peer: Peer, proof: Proof) -> None:
    peer.queue.due, peer.errors = [unproven(0)], [AnswerKind.STOPPED]
    assert make_worker(peer, proof).step(never_cancelled) == 0.0
    assert peer.queue.calls[-1][-1] == 0.0, "due at once"


def test_a_query_that_is_cut_short_by_a_stop_refuses_nothing(peer: Peer) -> None:
    peer.queue.due = [unproven(5)]
    make_worker(peer, Proof.QUERY).step(lambda: True)
    assert peer.queue.calls == [("postponed", "the node was stopping", 0)]


def test_queries_go_to_the_destination_unless_they_have_a_place_of_their_own() -> None:
    plain = build_query_address(destination(Proof.QUERY))
    assert (plain.ae_title, plain.host, plain.port) == ("PACS", "127.0.0.1", 104)
    other = build_query_address(
        destination(Proof.QUERY, query_ae_title="QR", query_host="10.0.0.1", query_port=11113)
    )
    assert other == replace(plain, ae_title="QR", host="10.0.0.1", port=11113)


def test_what_waited_for_a_proof_is_delivered_when_the_settings_ask_for_none(peer: Peer) -> None:
    peer.queue.due = [unproven(3)]
    worker = make_worker(peer, Proof.STORE_STATUS)
    assert worker.step(never_cancelled) == 0
    assert peer.queue.calls == [("proven", ["1.2.3.1"], Proof.STORE_STATUS)]
    assert worker.step(never_cancelled) == 30
    assert peer.called == []


@pytest.mark.parametrize(("age", "expected"), [(901, "raised"), (899, "cleared")])
def test_an_overdue_proof_is_an_alarm(peer: Peer, age: float, expected: str) -> None:
    alarms = MemoryAlarms()
    peer.queue.oldest = START - timedelta(seconds=age)
    ProofWorker(destination(Proof.COMMITMENT), wiring(peer, alarms)).step(never_cancelled)
    assert alarms.calls == [(expected, ALARM_KIND)]


@pytest.mark.parametrize(("age", "expected"), [(4001, "raised"), (3999, "cleared")])
def test_a_destination_that_commits_slowly_is_given_four_times_its_time(
    peer: Peer, age: float, expected: str
) -> None:
    alarms = MemoryAlarms()
    peer.queue.oldest = START - timedelta(seconds=age)
    slow = destination(Proof.COMMITMENT, commitment_seconds=1000)
    ProofWorker(slow, wiring(peer, alarms)).step(never_cancelled)
    assert alarms.calls == [(expected, ALARM_KIND)]


def test_every_question_is_counted(peer: Peer) -> None:
    def count(answer: str) -> float:
        labels = {"destination": "pacs", "proof": "commitment", "answer": answer}
        return REGISTRY.get_sample_value("secondread_proofs_total", labels) or 0.0

    before = count("asked"), count("no-answer")
    peer.queue.due = [unproven(0), unproven(0)]
    peer.errors = [AnswerKind.NO_ANSWER]
    worker = make_worker(peer, Proof.COMMITMENT)
    worker.step(never_cancelled)
    worker.step(never_cancelled)
    assert (count("asked"), count("no-answer")) == (before[0] + 1, before[1] + 1)
