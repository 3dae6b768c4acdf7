"""Delivery workers: what is claimed, recorded and retried, with a queue and a store in memory."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from secondread.send.acceptance import ALARM_KIND as NOT_ACCEPTED
from secondread.send.acceptance import AcceptanceAlarm
from secondread.send.delivery import ALARM_KIND, DeliveryWiring, DeliveryWorker
from secondread.send.outbox import (
    AnswerKind,
    Callee,
    DeliveryBatch,
    OutboxObject,
    StoreAnswer,
    answer_all,
    never_cancelled,
)
from secondread.send.overdue import Backlog, BacklogLimits
from secondread.send.workers import DestinationWorkers
from secondread.settings import DestinationSettings, Proof

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class MemoryQueue:
    """Batches by destination; a failed one is due again at its time."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[tuple[datetime, datetime, DeliveryBatch]]] = {}
        self.sent: list[str] = []
        self.unproven: list[str] = []
        self.duplicates: list[str] = []
        self.missed: list[tuple[str, AnswerKind, float]] = []
        self.leases: list[float] = []

    def put(self, batch: DeliveryBatch, since: datetime = START) -> None:
        self.waiting.setdefault(batch.destination, []).append((since, since, batch))

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> DeliveryBatch | None:
        assert worker == "worker-0"
        self.leases.append(lease_seconds)
        for row in self.waiting.get(destination, []):
            if row[0] <= now:
                self.waiting[destination].remove(row)
                self._since = row[1]
                return row[2]
        return None

    def record_delivered(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        self.sent += [answer.sop_instance_uid for answer in answers]

    def record_stored(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        self.unproven += [answer.sop_instance_uid for answer in answers]

    def record_duplicates(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        self.duplicates += [answer.sop_instance_uid for answer in answers]

    def record_failed(
        self,
        batch: DeliveryBatch,
        answers: Sequence[StoreAnswer],
        now: datetime,
        next_attempt_at: datetime,
    ) -> None:
        wait = (next_attempt_at - now).total_seconds()
        self.missed += [(answer.sop_instance_uid, answer.kind, wait) for answer in answers]
        left = {answer.sop_instance_uid for answer in answers}
        again = DeliveryBatch(
            batch.study_uid,
            batch.destination,
            tuple(item for item in batch.objects if item.sop_instance_uid in left),
            batch.attempt + 1,
            batch.claim,
        )
        self.waiting[batch.destination].append((next_attempt_at, self._since, again))

    def find_backlog(self, destination: str) -> Backlog | None:
        rows = self.waiting.get(destination, [])
        if not rows:
            return None
        studies = {row[2].study_uid for row in rows}
        reasons = tuple(dict.fromkeys(kind.value for _, kind, _ in self.missed))
        return Backlog(min(row[1] for row in rows), len(rows), len(studies), reasons[-1:])


class MemoryAlarms:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.details: list[str] = []

    def raise_alarm(
        self, kind: str, subject: str, detail: str, now: datetime, *, restates: bool = False
    ) -> None:
        self.calls.append(("raised", kind, subject))
        self.details.append(detail)

    def clear_alarm(self, kind: str, subject: str, now: datetime) -> None:
        self.calls.append(("cleared", kind, subject))

    def list_calls(self, kind: str) -> list[str]:
        return [action for action, of, subject in self.calls if (of, subject) == (kind, "pacs")]


class ScriptedStore:
    """Answers with the next kind of its script; the last one for ever."""

    def __init__(self, *script: AnswerKind | dict[str, AnswerKind]) -> None:
        self.script = list(script)
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def __call__(
        self,
        destination: Callee,
        calling_ae_title: str,
        objects: Sequence[OutboxObject],
        cancelled: Callable[[], bool],
    ) -> tuple[StoreAnswer, ...]:
        self.calls.append((destination.ae_title, tuple(o.sop_instance_uid for o in objects)))
        turn = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(turn, AnswerKind):
            return answer_all(objects, turn, "")
        return tuple(
            StoreAnswer(o.sop_instance_uid, turn[o.sop_instance_uid], None, "") for o in objects
        )


def destination(
    name: str = "pacs", timeout: float = 2.0, alarm_studies: int = 25
) -> DestinationSettings:
    return DestinationSettings(
        name=name,
        ae_title=name.upper(),
        host="127.0.0.1",
        port=104,
        timeout_seconds=timeout,
        maximum_pause_seconds=60,
        alarm_seconds=600,
        alarm_studies=alarm_studies,
    )


def batch(study: str = "1.2.3", name: str = "pacs", count: int = 2) -> DeliveryBatch:
    objects = tuple(
        OutboxObject("1.2.840.10008.5.1.4.1.1.7", f"{study}.{i}", Path("x.dcm"), "0" * 64)
        for i in range(count)
    )
    return DeliveryBatch(study, name, objects, 1, "claim")


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def alarms() -> MemoryAlarms:
    return MemoryAlarms()


@pytest.fixture
def clock() -> Hands:
    return Hands()


def wiring(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands, store: ScriptedStore
) -> DeliveryWiring:
    return DeliveryWiring(queue, alarms, store, clock, "worker-0", "SECONDREAD")


def test_a_worker_without_work_returns_nothing_to_wait_for(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    store = ScriptedStore(AnswerKind.STORED)
    assert (
        DeliveryWorker(destination(), wiring(queue, alarms, clock, store)).step(never_cancelled)
        is None
    )
    assert store.calls == []


def test_what_is_stored_is_recorded_with_warnings_counted_as_stored(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    queue.put(batch())
    kinds = {"1.2.3.0": AnswerKind.STORED, "1.2.3.1": AnswerKind.STORED_WITH_WARNING}
    worker = DeliveryWorker(destination(), wiring(queue, alarms, clock, ScriptedStore(kinds)))
    assert worker.step(never_cancelled) == 0
    assert queue.sent == ["1.2.3.0", "1.2.3.1"]
    assert queue.missed == []


@pytest.mark.parametrize("proof", [Proof.COMMITMENT, Proof.QUERY])
def test_what_is_stored_is_not_delivered_where_another_proof_is_asked_for(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands, proof: Proof
) -> None:
    queue.put(batch())
    pacs = destination().model_copy(update={"proof": proof})
    DeliveryWorker(pacs, wiring(queue, alarms, clock, ScriptedStore(AnswerKind.STORED))).step(
        never_cancelled
    )
    assert (queue.sent, queue.unproven) == ([], ["1.2.3.0", "1.2.3.1"])


def test_a_duplicate_is_neither_delivered_nor_tried_again_where_no_proof_is_asked_for(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    queue.put(batch())
    kinds = {"1.2.3.0": AnswerKind.STORED, "1.2.3.1": AnswerKind.DUPLICATE}
    worker = DeliveryWorker(destination(), wiring(queue, alarms, clock, ScriptedStore(kinds)))
    assert worker.step(never_cancelled) == 0
    assert (queue.sent, queue.duplicates, queue.missed) == (["1.2.3.0"], ["1.2.3.1"], [])


@pytest.mark.parametrize("proof", [Proof.COMMITMENT, Proof.QUERY])
def test_the_proof_decides_about_a_duplicate_as_about_what_was_stored(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands, proof: Proof
) -> None:
    queue.put(batch())
    pacs = destination().model_copy(update={"proof": proof})
    store = ScriptedStore(AnswerKind.DUPLICATE)
    DeliveryWorker(pacs, wiring(queue, alarms, clock, store)).step(never_cancelled)
    assert (queue.unproven, queue.duplicates) == (["1.2.3.0", "1.2.3.1"], [])


def test_only_what_was_not_stored_is_tried_again(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    queue.put(batch())
    store = ScriptedStore(
        {"1.2.3.0": AnswerKind.STORED, "1.2.3.1": AnswerKind.STATUS}, AnswerKind.STORED
    )
    worker = DeliveryWorker(destination(), wiring(queue, alarms, clock, store))
    worker.step(never_cancelled)
    clock.forward(5)
    worker.step(never_cancelled)
    assert store.calls[1] == ("PACS", ("1.2.3.1",))
    assert queue.sent == ["1.2.3.0", "1.2.3.1"]


def test_a_study_that_a_peer_refuses_waits_longer_each_time_and_holds_up_no_other(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    queue.put(batch("1.2.3", count=1))
    worker = DeliveryWorker(
        destination(), wiring(queue, alarms, clock, ScriptedStore(AnswerKind.STATUS))
    )
    for _ in range(6):
        assert worker.step(never_cancelled) == 0
        clock.forward(60)
    assert [wait for _, _, wait in queue.missed] == [5, 10, 20, 40, 60, 60]


def test_a_destination_that_is_down_gets_one_call_a_pause_however_many_studies_wait(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    for number in range(50):
        queue.put(batch(f"1.2.{number}", count=1))
    store = ScriptedStore(AnswerKind.UNREACHABLE)
    worker = DeliveryWorker(destination(), wiring(queue, alarms, clock, store))
    pauses = []
    for _ in range(5):
        wait = worker.step(never_cancelled)
        assert wait is not None
        pauses.append(wait)
        clock.forward(wait)
    assert pauses == [5, 10, 20, 40, 60]
    assert len(store.calls) == 5


def test_the_worker_is_quick_again_once_the_peer_answers(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    for number in range(4):
        queue.put(batch(f"1.2.{number}", count=1))
    down, up = AnswerKind.NO_ANSWER, AnswerKind.STORED
    worker = DeliveryWorker(
        destination(), wiring(queue, alarms, clock, ScriptedStore(down, down, up, down))
    )
    assert [worker.step(never_cancelled) for _ in range(4)] == [5, 10, 0, 5]


def test_objects_left_out_because_the_node_stops_are_due_at_once(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    queue.put(batch(count=1))
    DeliveryWorker(
        destination(), wiring(queue, alarms, clock, ScriptedStore(AnswerKind.STOPPED))
    ).step(never_cancelled)
    assert queue.missed == [("1.2.3.0", AnswerKind.STOPPED, 0.0)]


def test_a_claim_outlives_every_timeout_of_an_attempt(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    store = ScriptedStore(AnswerKind.STORED)
    DeliveryWorker(destination(timeout=30), wiring(queue, alarms, clock, store)).step(
        never_cancelled
    )
    assert queue.leases == [660.0]


def test_the_alarm_is_raised_once_when_results_wait_too_long_and_cleared_when_they_are_out(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    queue.put(batch(count=1))
    store = ScriptedStore(AnswerKind.UNREACHABLE)
    worker = DeliveryWorker(destination(), wiring(queue, alarms, clock, store))
    worker.step(never_cancelled)
    assert alarms.list_calls(ALARM_KIND) == ["cleared"]
    for _ in range(3):
        clock.forward(601)
        worker.step(never_cancelled)
    assert alarms.list_calls(ALARM_KIND) == ["cleared", "raised"]
    store.script = [AnswerKind.STORED]
    clock.forward(60)
    worker.step(never_cancelled)
    assert alarms.list_calls(ALARM_KIND) == ["cleared", "raised", "cleared"]


def test_the_alarm_names_what_waits_and_why_and_is_restated_when_that_changes(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    queue.put(batch(count=1))
    store = ScriptedStore(AnswerKind.UNREACHABLE, AnswerKind.UNREACHABLE, AnswerKind.REJECTED)
    worker = DeliveryWorker(destination(), wiring(queue, alarms, clock, store))
    for _ in range(4):
        worker.step(never_cancelled)
        clock.forward(601)
    assert alarms.details == [
        f"results wait for pacs since 2026-03-01 09:00 UTC, 1 object of 1 study: {why}"
        for why in ("unreachable", "association-rejected")
    ]


def test_many_studies_that_wait_in_vain_are_an_alarm_however_young(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    for number in range(3):
        queue.put(batch(f"1.2.{number}", count=1))
    gear = wiring(queue, alarms, clock, ScriptedStore(AnswerKind.REJECTED))
    DeliveryWorker(destination(alarm_studies=4), gear).step(never_cancelled)
    assert alarms.list_calls(ALARM_KIND) == ["cleared"]
    clock.forward(20)
    DeliveryWorker(destination(alarm_studies=3), gear).step(never_cancelled)
    assert alarms.list_calls(ALARM_KIND) == ["cleared", "raised"]


def test_many_studies_that_were_not_tried_yet_are_no_alarm(clock: Hands) -> None:
    limits = BacklogLimits(seconds=600, studies=3)
    assert not limits.are_passed(Backlog(START, 30, 3, ()), clock())


def test_every_answer_is_counted_by_destination_and_kind(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    def count() -> float:
        labels = {"destination": "counted", "answer": "association-rejected"}
        return REGISTRY.get_sample_value("secondread_delivery_attempts_total", labels) or 0.0

    before = count()
    queue.put(batch(name="counted", count=3))
    store = ScriptedStore(AnswerKind.REJECTED)
    DeliveryWorker(destination("counted"), wiring(queue, alarms, clock, store)).step(
        never_cancelled
    )
    assert count() - before == 3


def test_a_refused_class_raises_an_alarm_at_once_that_clears_when_it_is_stored(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> None:
    store = ScriptedStore(
        AnswerKind.CONTEXT_REFUSED,
        AnswerKind.CONTEXT_REFUSED,
        AnswerKind.UNREACHABLE,
        AnswerKind.STORED,
    )
    worker = DeliveryWorker(destination(), wiring(queue, alarms, clock, store))
    queue.put(batch())
    for expected in (["raised"], ["raised"], ["raised"], ["raised", "cleared"]):
        worker.step(never_cancelled)
        assert alarms.list_calls(NOT_ACCEPTED) == expected
        clock.forward(5000)


def test_a_class_that_is_refused_by_status_raises_the_same_alarm(
    alarms: MemoryAlarms, clock: Hands
) -> None:
    (report,) = batch(count=1).objects
    alarm = AcceptanceAlarm("pacs", alarms, clock)
    refused = StoreAnswer(report.sop_instance_uid, AnswerKind.STATUS, 0x0122, "")
    alarm.note_answers([report], [refused])
    assert alarms.list_calls(NOT_ACCEPTED) == ["raised"]


def test_a_class_that_is_stored_does_not_clear_the_alarm_of_another(
    alarms: MemoryAlarms, clock: Hands
) -> None:
    report, capture = (
        OutboxObject(uid, f"1.2.{number}", Path("x"), "")
        for number, uid in enumerate(("1.2.840.10008.5.1.4.1.1.88.50", "1.2.840.10008.5.1.4.1.1.7"))
    )
    alarm = AcceptanceAlarm("pacs", alarms, clock)
    alarm.note_answers([report], answer_all([report], AnswerKind.CONTEXT_REFUSED, ""))
    alarm.note_answers([capture], answer_all([capture], AnswerKind.STORED, ""))
    assert alarms.list_calls(NOT_ACCEPTED) == ["raised"]
    alarm.note_answers([report], answer_all([report], AnswerKind.DUPLICATE, ""))
    assert alarms.list_calls(NOT_ACCEPTED) == ["raised", "cleared"]


class GatedStore:
    """Holds the calls to one destination until the test opens the gate."""

    def __init__(self, held: str) -> None:
        self.held = held
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.done = threading.Event()

    def __call__(
        self,
        destination: Callee,
        calling_ae_title: str,
        objects: Sequence[OutboxObject],
        cancelled: Callable[[], bool],
    ) -> tuple[StoreAnswer, ...]:
        if destination.ae_title == self.held:
            self.entered.set()
            while not (self.gate.wait(0.01) or cancelled()):
                pass
        else:
            self.done.set()
        return answer_all(objects, AnswerKind.STORED, "")


@pytest.fixture
def held(
    queue: MemoryQueue, alarms: MemoryAlarms, clock: Hands
) -> Iterator[tuple[DestinationWorkers, GatedStore]]:
    store = GatedStore("SLOW")
    gear = DeliveryWiring(queue, alarms, store, clock, "worker-0", "SECONDREAD")
    queue.put(batch("1.2.1", "slow"))
    queue.put(batch("1.2.2", "quick"))
    workers = [DeliveryWorker(destination(name), gear) for name in ("slow", "quick")]
    deliverer = DestinationWorkers("deliver", workers, poll_seconds=0.01)
    deliverer.start()
    yield deliverer, store
    store.gate.set()
    deliverer.stop()


def test_a_slow_destination_does_not_hold_up_another(
    held: tuple[DestinationWorkers, GatedStore],
) -> None:
    _, store = held
    assert store.entered.wait(2)
    assert store.done.wait(2)


def test_stop_ends_the_workers_and_says_so(held: tuple[DestinationWorkers, GatedStore]) -> None:
    deliverer, store = held
    assert store.entered.wait(2)
    assert deliverer.stop()


def test_a_worker_survives_a_queue_that_fails(
    alarms: MemoryAlarms, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(MemoryQueue):
        def claim(
            self, destination: str, worker: str, now: datetime, lease_seconds: float
        ) -> DeliveryBatch | None:
            if not self.leases:
                self.leases.append(0)
                raise ConnectionError("the database is away")
            return super().claim_batch(destination, worker, now, lease_seconds)

    monkeypatch.setattr("secondread.send.workers.compute_pause", lambda attempt, maximum: 0.01)
    queue = Away()
    queue.put(batch())
    store = GatedStore("NONE")
    gear = DeliveryWiring(queue, alarms, store, clock, "worker-0", "SECONDREAD")
    deliverer = DestinationWorkers("deliver", [DeliveryWorker(destination(), gear)], 0.01)
    deliverer.start()
    assert store.done.wait(2)
    assert deliverer.stop()
