"""The proof that a destination holds what it stored: asked for until it is in.

Every destination has a second worker for this, so that waiting for a proof never holds up
sending. With ``commitment`` a step asks for the storage commitment of one study's objects; the
report is recorded by the process that receives it (`accept.commitment`), and what was not
reported in time is asked for again under a new Transaction UID. With ``query`` a step asks
whether the destination shows them. The pauses grow, and nothing is ever given up.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from pynetdicom.events import Event

from secondread.accept.commitment import CommitmentLedger, answer_commitment_report
from secondread.clock import Clock
from secondread.log import get_logger
from secondread.metrics import PROOFS
from secondread.send.call_error import CallError
from secondread.send.commitment_request import OnReport
from secondread.send.outbox import (
    STOPPING,
    AnswerKind,
    AwaitedInstance,
    Callee,
    Cancelled,
    PeerAddress,
    ProofBatch,
)
from secondread.send.overdue import AlarmRegister, Backlog, BacklogLimits, OverdueAlarm
from secondread.send.pauses import compute_lease, compute_pause
from secondread.settings import DestinationSettings, Proof

log = get_logger(__name__)

ALARM_KIND = "proof-overdue"

_LONGEST_PATIENCE = 12
"""The longest wait for a proof, as a multiple of the shortest."""

_ALARM_PATIENCE = 4
"""The age of the oldest object without a proof that raises an alarm, as a multiple of the
shortest wait."""

_FRUITLESS_QUERIES = 6
"""After so many queries that did not show an object it is sent again: it may have been lost."""

_IDLE_SECONDS = 30.0
"""How often a destination that needs no proof is checked for objects that wait for one: they may
be left from before the settings were changed."""


class ProofQueue(Protocol):
    """The objects that destinations stored and did not prove yet; `track.proofs` is one."""

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> ProofBatch | None:
        """Take the objects of one study whose proof is due; None when there are none.

        Transactions that were not reported in time are noted as overdue.
        """

    def record_request(
        self, batch: ProofBatch, transaction_uid: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record a storage commitment transaction, before it is asked for."""

    def record_not_taken(
        self, transaction_uid: str, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that the destination did not take a storage commitment request."""

    def record_proven(
        self, batch: ProofBatch, instances: Collection[str], proof: Proof, now: datetime
    ) -> None:
        """Record the objects that the destination holds."""

    def record_not_shown(
        self,
        batch: ProofBatch,
        instances: Collection[str],
        why: str,
        ask_again_at: datetime,
    ) -> None:
        """Record the objects that were asked for and have no proof yet."""

    def postpone(self, batch: ProofBatch, why: str, ask_again_at: datetime) -> None:
        """Record that the objects could not be asked for."""

    def record_refused(
        self, batch: ProofBatch, instances: Collection[str], why: str, now: datetime
    ) -> None:
        """Record the objects that the destination does not hold: they are sent again."""

    def find_unproven_backlog(self, destination: str) -> Backlog | None:
        """Return what a live destination stored and did not prove; None where there is nothing."""


@dataclass(frozen=True, slots=True)
class ProofWiring:
    """What the proof workers of all destinations work with."""

    queue: ProofQueue
    ledger: CommitmentLedger
    """Where a report goes that comes over the association of its request."""
    alarms: AlarmRegister
    request_commitment: Callable[
        [Callee, str, str, Sequence[AwaitedInstance], OnReport, float, Cancelled], None
    ]
    """`send.commitment_request.request_commitment`."""
    find_instances: Callable[
        [Callee, str, str, Sequence[AwaitedInstance], Cancelled], frozenset[str]
    ]
    """`send.find.find_instances`."""
    clock: Clock
    make_transaction_uid: Callable[[], str]
    """Returns a UID that nobody ever used, for a transaction."""
    worker: str
    """Name of the worker process, written into claims."""
    calling_ae_title: str
    """The AE title to call with."""


class ProofWorker:
    """The proofs of one destination."""

    def __init__(self, destination: DestinationSettings, wiring: ProofWiring) -> None:
        self.name = destination.name
        self._destination = destination
        self._wiring = wiring
        self._queue = wiring.queue
        self._fruitless = 0
        self._patience_seconds = {
            Proof.COMMITMENT: destination.commitment_seconds,
            Proof.QUERY: destination.query_seconds,
            Proof.STORE_STATUS: 0.0,
        }[destination.proof]
        self._overdue = OverdueAlarm(
            ALARM_KIND,
            destination.name,
            "the proof of delivery is outstanding at",
            BacklogLimits(
                max(destination.alarm_seconds, _ALARM_PATIENCE * self._patience_seconds),
                destination.alarm_studies,
            ),
            wiring.alarms,
            wiring.clock,
        )

    def step(self, cancelled: Cancelled) -> float | None:
        """Ask once, if a proof is due.

        Returns
        -------
        float or None
            Seconds to wait before the next step: 0 after the destination was asked, a growing
            pause where it could not be; None when nothing was due.
        """
        destination = self._destination
        lease = compute_lease(destination.timeout_seconds)
        now = self._wiring.clock()
        batch = self._queue.claim_batch(self.name, self._wiring.worker, now, lease)
        self._overdue.check(self._queue.find_unproven_backlog)
        if batch is None:
            return _IDLE_SECONDS if destination.proof is Proof.STORE_STATUS else None
        match destination.proof:
            case Proof.COMMITMENT:
                return self._request_commitment(batch, cancelled)
            case Proof.QUERY:
                return self._query(batch, cancelled)
            case Proof.STORE_STATUS:
                # Stored when the settings asked for more: now that is proof enough.
                self._queue.record_proven(batch, _list_uids(batch), Proof.STORE_STATUS, now)
                return 0.0
        assert_never(destination.proof)

    def _request_commitment(self, batch: ProofBatch, cancelled: Cancelled) -> float:
        wiring, destination = self._wiring, self._destination
        transaction_uid = wiring.make_transaction_uid()
        now = wiring.clock()
        self._queue.record_request(batch, transaction_uid, now, self._compute_due_time(batch, now))
        try:
            wiring.request_commitment(
                destination,
                wiring.calling_ae_title,
                transaction_uid,
                batch.instances,
                self._on_report,
                destination.commitment_linger_seconds,
                cancelled,
            )
        except CallError as error:
            pause = self._note_failure(batch, error)
            now = wiring.clock()
            due_at = now + timedelta(seconds=pause)
            self._queue.record_not_taken(transaction_uid, _describe_error(error), now, due_at)
            return pause
        self._note_asked(batch, transaction_uid=transaction_uid, turn=batch.attempt)
        return 0.0

    def _on_report(self, event: Event) -> tuple[int, None]:
        wiring = self._wiring
        return answer_commitment_report(
            event, wiring.ledger, self._destination.ae_title, wiring.clock()
        )

    def _query(self, batch: ProofBatch, cancelled: Cancelled) -> float:
        wiring = self._wiring
        try:
            shown = wiring.find_instances(
                build_query_address(self._destination),
                wiring.calling_ae_title,
                batch.study_uid,
                batch.instances,
                cancelled,
            )
        except CallError as error:
            pause = self._note_failure(batch, error)
            due_at = wiring.clock() + timedelta(seconds=pause)
            self._queue.postpone(batch, _describe_error(error), due_at)
            return pause
        now = wiring.clock()
        if cancelled():
            self._queue.postpone(batch, STOPPING, now)
            return 0.0
        self._record(batch, shown, now)
        return 0.0

    def _record(self, batch: ProofBatch, shown: frozenset[str], now: datetime) -> None:
        lost: list[str] = []
        awaited: list[str] = []
        for instance in batch.instances:
            if instance.sop_instance_uid not in shown:
                is_lost = instance.times_asked + 1 >= _FRUITLESS_QUERIES
                (lost if is_lost else awaited).append(instance.sop_instance_uid)
        if shown:
            self._queue.record_proven(batch, shown, Proof.QUERY, now)
        if awaited:
            why = "the destination does not show it yet"
            self._queue.record_not_shown(batch, awaited, why, self._compute_due_time(batch, now))
        if lost:
            why = f"not shown by {_FRUITLESS_QUERIES} queries: sent again"
            self._queue.record_refused(batch, lost, why, now)
        self._note_asked(batch, shown=len(shown), awaited=len(awaited), lost=len(lost))

    def _compute_due_time(self, batch: ProofBatch, now: datetime) -> datetime:
        """Return when to ask again, should there be no proof by then."""
        first = self._patience_seconds
        pause = compute_pause(batch.attempt, _LONGEST_PATIENCE * first, first)
        return now + timedelta(seconds=pause)

    def _note_asked(self, batch: ProofBatch, **facts: object) -> None:
        self._fruitless = 0
        self._count("asked")
        log.info(
            "proof_asked",
            destination=batch.destination,
            study_uid=batch.study_uid,
            proof=self._destination.proof.value,
            objects=len(batch.instances),
            **facts,
        )

    def _note_failure(self, batch: ProofBatch, error: CallError) -> float:
        """Return the pause after a call that failed; none where it failed because the node stops.

        It is the whole worker's: what keeps a destination from being asked, its refusal of the
        service included, keeps it from being asked about any study.
        """
        self._count(error.kind.value)
        if error.kind is AnswerKind.STOPPED:
            return 0.0
        self._fruitless += 1
        pause = compute_pause(self._fruitless, self._destination.maximum_pause_seconds)
        log.warning(
            "proof_not_asked",
            destination=batch.destination,
            study_uid=batch.study_uid,
            proof=self._destination.proof.value,
            answer=error.kind.value,
            wait_seconds=pause,
        )
        return pause

    def _count(self, answer: str) -> None:
        PROOFS.labels(self._destination.name, self._destination.proof.value, answer).inc()


def _describe_error(error: CallError) -> str:
    return f"proof not asked for: {error.kind.value}: {error.detail}"


def _list_uids(batch: ProofBatch) -> list[str]:
    return [instance.sop_instance_uid for instance in batch.instances]


def build_query_address(destination: DestinationSettings) -> PeerAddress:
    """Return whom to query about a destination's objects."""
    return PeerAddress(
        ae_title=destination.query_ae_title or destination.ae_title,
        host=destination.query_host or destination.host,
        port=destination.query_port or destination.port,
        timeout_seconds=destination.timeout_seconds,
        tls=destination.tls,
    )
