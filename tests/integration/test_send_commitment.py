"""Storage Commitment and queries as SCU, against peers that do what real ones do."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.events import Event

from secondread.accept.commitment import (
    CommitmentOutcome,
    CommitmentReport,
    CommitmentResult,
    answer_commitment_report,
)
from secondread.clock import utc_now
from secondread.send.call_error import CallError
from secondread.send.commitment_request import (
    check_commitment_support,
    generate_transaction_uid,
    request_commitment,
)
from secondread.send.find import check_query_support, find_instances
from secondread.send.outbox import AnswerKind, AwaitedInstance, never_cancelled
from tests.peers.commitment_peer import (
    CAPTURE,
    PUSH_MODEL,
    STUDY_ROOT_FIND,
    CommitmentPeer,
    serving,
)

OBJECTS = [AwaitedInstance(CAPTURE, "1.2.3.0", f"1.2.3.{n}", 0) for n in (1, 2)]
UIDS = {item.sop_instance_uid for item in OBJECTS}


@dataclass
class Ledger:
    """Knows every transaction."""

    reports: list[CommitmentReport] = field(default_factory=list)
    work: Callable[[], object] = lambda: None

    def record_report(self, report: CommitmentReport, now: object) -> CommitmentResult:
        self.work()
        self.reports.append(report)
        return CommitmentResult(CommitmentOutcome.RECORDED, "pacs", len(report.committed))

    def take(self, event: Event) -> tuple[int, None]:
        return answer_commitment_report(event, self, "PACS", utc_now())


@pytest.fixture
def peer() -> Iterator[CommitmentPeer]:
    with serving(CommitmentPeer(held={uid: Dataset() for uid in UIDS})) as peer:
        yield peer


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def request(peer: CommitmentPeer, ledger: Ledger, linger: float = 2.0) -> float:
    """Ask for a commitment; return the seconds that it took."""
    began = time.monotonic()
    request_commitment(peer.address, "SECONDREAD", "2.25.1", OBJECTS, ledger.take, linger)
    return time.monotonic() - began


def test_the_request_names_transaction_classes_and_instances(
    peer: CommitmentPeer, ledger: Ledger
) -> None:
    request(peer, ledger)
    (asked,) = peer.asked
    assert asked.TransactionUID == "2.25.1"
    found = [
        (i.ReferencedSOPClassUID, i.ReferencedSOPInstanceUID) for i in asked.ReferencedSOPSequence
    ]
    assert found == [(CAPTURE, "1.2.3.1"), (CAPTURE, "1.2.3.2")]


def test_a_report_over_the_same_association_is_taken_and_ends_the_wait(
    peer: CommitmentPeer, ledger: Ledger
) -> None:
    took = request(peer, ledger, linger=20)
    (report,) = ledger.reports
    assert report.committed == UIDS
    assert peer.reported.wait(30)
    assert peer.answers == [0x0000]
    assert took < 10


def test_a_report_whose_recording_takes_longer_than_the_wait_is_still_answered(
    peer: CommitmentPeer, ledger: Ledger
) -> None:
    ledger.work = lambda: time.sleep(0.6)
    request(peer, ledger, linger=0.4)
    assert peer.reported.wait(30)
    assert peer.answers == [0x0000]


def test_a_peer_that_reports_later_is_not_waited_for(peer: CommitmentPeer, ledger: Ledger) -> None:
    peer.silent = True
    assert 0.2 <= request(peer, ledger, linger=0.2) < 15
    assert ledger.reports == []


def test_a_request_that_is_refused_says_how(peer: CommitmentPeer, ledger: Ledger) -> None:
    peer.action_status = 0x0213
    with pytest.raises(CallError, match="0x0213") as refused:
        request(peer, ledger)
    assert refused.value.kind is AnswerKind.STATUS


@pytest.mark.parametrize(
    ("classes", "commits", "shows"),
    [((PUSH_MODEL,), True, False), ((STUDY_ROOT_FIND,), False, True), ((CAPTURE,), False, False)],
)
def test_what_a_destination_offers_is_asked_without_asking_for_anything(
    classes: tuple[UID, ...], commits: bool, shows: bool
) -> None:
    with serving(CommitmentPeer(), *classes) as peer:
        commitment = check_commitment_support(peer.address, "SECONDREAD")
        query = check_query_support(peer.address, "SECONDREAD")
    assert (commitment.ok, query.ok) == (commits, shows)
    assert commits or "choose another proof" in commitment.detail
    assert peer.asked == []
    # Its answer to a query shows whether it knows the caller, so it gets one that nothing matches.
    assert [str(query.QueryRetrieveLevel) for query in peer.queried] == ["STUDY"] * shows


def test_a_peer_without_the_service_is_told_from_one_that_is_away(ledger: Ledger) -> None:
    with serving(CommitmentPeer(), CAPTURE) as peer, pytest.raises(CallError) as refused:
        request(peer, ledger)
    assert refused.value.kind is AnswerKind.CONTEXT_REFUSED
    with pytest.raises(CallError) as away:
        request(peer, ledger)
    assert away.value.kind is AnswerKind.UNREACHABLE
    assert not check_commitment_support(peer.address, "SECONDREAD").ok


def test_transactions_are_valid_and_differ() -> None:
    uids = {generate_transaction_uid() for _ in range(100)}
    assert len(uids) == 100
    assert all(UID(uid).is_valid for uid in uids)


def find(peer: CommitmentPeer) -> frozenset[str]:
    return find_instances(peer.address, "SECONDREAD", "1.2.3", OBJECTS, cancelled=never_cancelled)


def test_a_query_names_study_series_and_instance(peer: CommitmentPeer) -> None:
    assert find(peer) == UIDS
    first = peer.queried[0]
    assert (
        first.QueryRetrieveLevel,
        first.StudyInstanceUID,
        first.SeriesInstanceUID,
        first.SOPInstanceUID,
    ) == ("IMAGE", "1.2.3", "1.2.3.0", "1.2.3.1")


@pytest.mark.parametrize("ignores_keys", [False, True])
def test_only_what_is_shown_is_seen(peer: CommitmentPeer, ignores_keys: bool) -> None:
    del peer.held["1.2.3.2"]
    peer.ignores_keys = ignores_keys
    assert find(peer) == {"1.2.3.1"}


def test_a_query_that_fails_says_how(peer: CommitmentPeer) -> None:
    peer.find_status = 0xA700
    with pytest.raises(CallError, match="0xA700"):
        find(peer)


def test_a_peer_that_answers_without_end_is_left(peer: CommitmentPeer) -> None:
    peer.endless = True
    with pytest.raises(CallError, match="without end"):
        find_instances(
            replace(peer.address, timeout_seconds=1),
            "SECONDREAD",
            "1.2.3",
            OBJECTS,
            cancelled=never_cancelled,
        )


def test_a_stop_between_two_queries_leaves_the_rest_unseen(peer: CommitmentPeer) -> None:
    seen = find_instances(
        peer.address, "SECONDREAD", "1.2.3", OBJECTS, cancelled=lambda: bool(peer.queried)
    )
    assert seen == {"1.2.3.1"}
