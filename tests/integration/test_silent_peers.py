"""A node that stops while a peer is silent: every call ends within seconds, in every phase."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from secondread.send import association
from secondread.send.call_error import CallError
from secondread.send.commitment_request import request_commitment
from secondread.send.find import find_instances
from secondread.send.outbox import AnswerKind, AwaitedInstance, Cancelled, PeerAddress
from secondread.send.report_query import find_reports
from secondread.send.retrieve import WantedStudy, retrieve_from_archive
from secondread.send.scu import store_objects
from secondread.settings import CallTlsSettings, PriorSourceSettings, RetrieveMethod
from tests.integration.test_send_scu import outbox_object
from tests.peers.silent_peer import Phase, SilentPeer

CALLING = "SECONDREAD"
PATIENCE = 60.0
"""Longer than any test may take: what ends before it was ended by the stop."""

INSTANCE = AwaitedInstance("1.2.840.10008.5.1.4.1.1.7", "1.2.3.1", "1.2.3.1.1", 0)


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(association, "LAST_SECONDS", 0.5)


def address(peer: SilentPeer) -> PeerAddress:
    return PeerAddress("PACS", "127.0.0.1", peer.port, timeout_seconds=PATIENCE)


def stop_in(peer: SilentPeer, call: Callable[[Cancelled], object]) -> AnswerKind:
    """Make a call, stop the node when the peer is silent, and return how the call ended."""
    stop, kinds = threading.Event(), list[AnswerKind]()

    def run() -> None:
        try:
            call(stop.is_set)
        except CallError as error:
            kinds.append(error.kind)
        else:
            kinds.append(AnswerKind.STORED)

    caller = threading.Thread(target=run)
    caller.start()
    # A connection that is not answered shows nowhere; a moment is enough for it to be waited for.
    peer.reached.wait(0.5 if peer.phase is Phase.CONNECT else 20)
    stop.set()
    began = time.monotonic()
    caller.join(PATIENCE)
    assert time.monotonic() - began < PATIENCE / 2
    return kinds[0]


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.GREETING, Phase.REQUEST])
def test_objects_that_a_silent_peer_did_not_answer_are_given_back(
    phase: Phase, tmp_path: Path
) -> None:
    objects = [outbox_object(tmp_path, number) for number in (1, 2)]
    answers: list[AnswerKind] = []

    def send(cancelled: Cancelled) -> None:
        sent = store_objects(address(peer), CALLING, objects, cancelled)
        answers.extend(answer.kind for answer in sent)

    with SilentPeer(phase) as peer:
        stop_in(peer, send)
    assert answers == [AnswerKind.STOPPED, AnswerKind.STOPPED]


def test_an_answer_counts_although_the_peer_does_not_answer_the_release(tmp_path: Path) -> None:
    item = outbox_object(tmp_path, 1)
    answers: list[AnswerKind] = []

    def send(cancelled: Cancelled) -> None:
        answers.append(store_objects(address(peer), CALLING, [item], cancelled)[0].kind)

    with SilentPeer(Phase.RELEASE) as peer:
        stop_in(peer, send)
    assert answers == [AnswerKind.STORED]


def test_a_tls_handshake_that_never_ends_does_not_hold_a_stop_up(tmp_path: Path) -> None:
    item = outbox_object(tmp_path, 1)
    answers: list[AnswerKind] = []

    def send(cancelled: Cancelled) -> None:
        callee = replace(address(peer), tls=CallTlsSettings())
        answers.append(store_objects(callee, CALLING, [item], cancelled)[0].kind)

    with SilentPeer(Phase.GREETING) as peer:
        stop_in(peer, send)
    assert answers == [AnswerKind.STOPPED]


def _commit(peer: SilentPeer, cancelled: Cancelled) -> None:
    request_commitment(
        address(peer), CALLING, "2.25.1", [INSTANCE], lambda _: (0, None), 1.0, cancelled
    )


def _query(peer: SilentPeer, cancelled: Cancelled) -> None:
    find_instances(address(peer), CALLING, "1.2.3", [INSTANCE], cancelled)


def _query_reports(peer: SilentPeer, cancelled: Cancelled) -> None:
    find_reports(address(peer), CALLING, "1.2.3", cancelled)


def _move(peer: SilentPeer, cancelled: Cancelled) -> None:
    source = PriorSourceSettings(
        name="archive",
        ae_title="PACS",
        host="127.0.0.1",
        port=peer.port,
        retrieve=RetrieveMethod.MOVE,
        timeout_seconds=PATIENCE,
    )
    own: object = None  # nothing comes over this node's association with C-MOVE
    retrieve_from_archive(source, CALLING, WantedStudy("1.2.3"), own, cancelled)  # type: ignore[arg-type]


@pytest.mark.parametrize("call", [_commit, _query, _query_reports, _move])
def test_a_request_that_is_not_answered_does_not_hold_a_stop_up(
    call: Callable[[SilentPeer, Cancelled], None],
) -> None:
    with SilentPeer(Phase.REQUEST) as peer:
        assert stop_in(peer, lambda cancelled: call(peer, cancelled)) is AnswerKind.STOPPED


def test_a_peer_that_answers_in_time_is_heard_out(tmp_path: Path) -> None:
    """What was asked before the stop is answered and recorded, so that it is not sent twice."""
    item = outbox_object(tmp_path, 1)
    answers: list[AnswerKind] = []

    def send(cancelled: Cancelled) -> None:
        answers.append(store_objects(address(peer), CALLING, [item], cancelled)[0].kind)

    with SilentPeer(Phase.REQUEST) as peer:
        threading.Timer(0.1, peer.speak).start()
        stop_in(peer, send)
    assert answers == [AnswerKind.STORED]
