"""From the outbox to the destinations: short attempts, each destination for itself.

Every destination has a worker, a thread of its own, so one that is down or slow never holds up
another. A worker claims one study's objects, makes one attempt, records the answers, and goes on.
Nothing is ever given up: what was not stored is due again after a growing pause. When the fault
is the peer's (refused, silent, broken off), the whole worker pauses, so that a destination that
is down gets one call now and then instead of one for each waiting study.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from secondread.clock import Clock
from secondread.log import get_logger
from secondread.metrics import DELIVERY_ATTEMPTS
from secondread.send.acceptance import AcceptanceAlarm
from secondread.send.outbox import (
    AnswerKind,
    Callee,
    Cancelled,
    DeliveryBatch,
    OutboxObject,
    StoreAnswer,
)
from secondread.send.overdue import AlarmRegister, Backlog, BacklogLimits, OverdueAlarm
from secondread.send.pauses import compute_lease, compute_pause
from secondread.settings import DestinationSettings, Proof

log = get_logger(__name__)


class DeliveryQueue(Protocol):
    """The rows of the outbox that wait, by destination."""

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> DeliveryBatch | None:
        """Take the due objects of one study; None when none is due or the mode is not live."""

    def record_delivered(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        """Record the objects that the destination stored, where that is the proof."""

    def record_stored(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        """Record the objects that the destination stored, where another proof is asked for."""

    def record_duplicates(
        self, batch: DeliveryBatch, answers: Sequence[StoreAnswer], now: datetime
    ) -> None:
        """Record the objects that the destination had already, where no proof is asked for."""

    def record_failed(
        self,
        batch: DeliveryBatch,
        answers: Sequence[StoreAnswer],
        now: datetime,
        next_attempt_at: datetime,
    ) -> None:
        """Record the objects that it did not store, and when they are due again."""

    def find_backlog(self, destination: str) -> Backlog | None:
        """Return what waits that a live destination never stored; None where nothing does."""


ALARM_KIND = "delivery-overdue"


@dataclass(frozen=True, slots=True)
class DeliveryWiring:
    """What the delivery workers of all destinations work with."""

    queue: DeliveryQueue
    alarms: AlarmRegister
    store: Callable[[Callee, str, Sequence[OutboxObject], Cancelled], tuple[StoreAnswer, ...]]
    """`send.scu.store_objects`."""
    clock: Clock
    worker: str
    """Name of the worker process, written into claims."""
    calling_ae_title: str
    """The AE title to call with."""


class DeliveryWorker:
    """The deliveries of one destination."""

    def __init__(self, destination: DestinationSettings, wiring: DeliveryWiring) -> None:
        self.name = destination.name
        self._destination = destination
        self._queue = wiring.queue
        self._wiring = wiring
        self._clock = wiring.clock
        self._fruitless = 0
        self._acceptance = AcceptanceAlarm(destination.name, wiring.alarms, wiring.clock)
        self._overdue = OverdueAlarm(
            ALARM_KIND,
            destination.name,
            "results wait for",
            BacklogLimits(destination.alarm_seconds, destination.alarm_studies),
            wiring.alarms,
            wiring.clock,
        )

    def step(self, cancelled: Cancelled) -> float | None:
        """Make one attempt, if something is due.

        Returns
        -------
        float or None
            Seconds to wait before the next step: 0 after an attempt that reached the peer, a
            growing pause after one that did not; None when nothing was due.
        """
        lease = compute_lease(self._destination.timeout_seconds)
        batch = self._queue.claim_batch(self.name, self._wiring.worker, self._clock(), lease)
        if batch is None:
            self._overdue.check(self._queue.find_backlog)
            return None
        answers = self._wiring.store(
            self._destination, self._wiring.calling_ae_title, batch.objects, cancelled
        )
        self._record(batch, answers)
        self._acceptance.note_answers(batch.objects, answers)
        self._overdue.check(self._queue.find_backlog)
        return self._compute_own_pause(answers)

    def _record(self, batch: DeliveryBatch, answers: Sequence[StoreAnswer]) -> None:
        now = self._clock()
        for answer in answers:
            DELIVERY_ATTEMPTS.labels(batch.destination, answer.kind.value).inc()
        stored = [answer for answer in answers if answer.is_stored]
        missed = [answer for answer in answers if not answer.is_stored]
        if stored and self._destination.proof is not Proof.STORE_STATUS:
            self._queue.record_stored(batch, stored, now)
        elif stored:
            self._record_unasked(batch, stored, now)
        if missed:
            wait = self._compute_retry_pause(batch, missed)
            self._queue.record_failed(batch, missed, now, now + timedelta(seconds=wait))
        log.log(
            logging.WARNING if missed else logging.INFO,
            "delivery_attempted",
            destination=batch.destination,
            study_uid=batch.study_uid,
            attempt=batch.attempt,
            stored=len(stored),
            missed=len(missed),
            duplicates=sum(answer.kind is AnswerKind.DUPLICATE for answer in answers),
            answers=sorted({answer.kind.value for answer in answers}),
            statuses=sorted({f"{a.status:04X}" for a in missed if a.status is not None}),
        )

    def _record_unasked(
        self, batch: DeliveryBatch, stored: Sequence[StoreAnswer], now: datetime
    ) -> None:
        """Record what is stored, where the answer is all the proof there is.

        That of a duplicate is none: the destination may hold something else under that UID.
        """
        duplicates = [answer for answer in stored if answer.kind is AnswerKind.DUPLICATE]
        delivered = [answer for answer in stored if answer.kind is not AnswerKind.DUPLICATE]
        if delivered:
            self._queue.record_delivered(batch, delivered, now)
        if duplicates:
            self._queue.record_duplicates(batch, duplicates, now)

    def _compute_retry_pause(self, batch: DeliveryBatch, missed: Sequence[StoreAnswer]) -> float:
        if all(answer.kind is AnswerKind.STOPPED for answer in missed):
            return 0.0
        return compute_pause(batch.attempt, self._destination.maximum_pause_seconds)

    def _compute_own_pause(self, answers: Sequence[StoreAnswer]) -> float:
        if not any(answer.kind.concerns_the_peer for answer in answers):
            self._fruitless = 0
            return 0.0
        self._fruitless += 1
        return compute_pause(self._fruitless, self._destination.maximum_pause_seconds)
