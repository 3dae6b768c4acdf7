"""The proof that a destination holds what it stored: asked for until it is in.

Every destination has a second lane for this, so that waiting for a proof never holds up sending.
With ``commitment`` a step asks for the storage commitment of one study's objects; the report is
written down by whoever it reaches (`accept.commitment`), and what was not reported in time is
asked for again under a new Transaction UID. With ``query`` a step looks whether the destination
shows them. The pauses grow, and nothing is ever given up.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from pynetdicom.events import Event

from secondread.accept.commitment import answer_commitment_report
from secondread.log import get_logger
from secondread.metrics import PROOFS
from secondread.send.association import CallError
from secondread.send.backoff import compute_pause
from secondread.send.outbox import ProofBatch
from secondread.send.overdue import OverdueAlarm
from secondread.send.proof import ProofWiring, build_query_address
from secondread.send.workers import DestinationWorkers
from secondread.settings import DestinationSettings, Proof

log = get_logger(__name__)

ALARM_KIND = "proof-overdue"

# A claim outlives connecting, a request, lingering for its report, and release; or one query for
# each of about ten objects. Should it run out all the same, another worker asks once more.
_LEASE_TIMEOUTS = 20
_LEASE_EXTRA_SECONDS = 60.0

_LONGEST_PATIENCE = 12
"""The longest wait for a proof, in the shortest ones."""

_ALARM_PATIENCE = 4
"""The age of the oldest object without a proof that is an alarm, in the shortest waits."""

_FRUITLESS_QUERIES = 6
"""After so many queries that did not show an object it is sent again: it may have been lost."""

_IDLE_SECONDS = 30.0
"""How often a destination without a proof to ask for is looked after: what waited for one when
its settings were changed."""


class ProofWorker:
    """The proofs of one destination."""

    def __init__(self, destination: DestinationSettings, wiring: ProofWiring) -> None:
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
            max(wiring.alarm_seconds, _ALARM_PATIENCE * self._patience_seconds),
            wiring.alarms,
            wiring.clock,
        )

    def step(self, cancelled: Callable[[], bool]) -> float | None:
        """Ask once, if a proof is due.

        Returns
        -------
        float or None
            Seconds to wait before the next step: 0 after the destination was asked, a growing
            pause where it could not be; None when nothing was due.
        """
        destination = self._destination
        lease = _LEASE_TIMEOUTS * destination.timeout_seconds + _LEASE_EXTRA_SECONDS
        now = self._wiring.clock()
        unproven = self._queue.claim_batch(destination.name, self._wiring.worker, now, lease)
        self._overdue.check_oldest(self._queue.find_oldest_unproven)
        if unproven is None:
            return _IDLE_SECONDS if destination.proof is Proof.STORE_STATUS else None
        match destination.proof:
            case Proof.COMMITMENT:
                return self._request(unproven)
            case Proof.QUERY:
                return self._find(unproven, cancelled)
            case Proof.STORE_STATUS:
                # Stored when the settings asked for more: now that is proof enough.
                self._queue.record_proven(unproven, _uids(unproven), Proof.STORE_STATUS, now)
                return 0.0
        assert_never(destination.proof)

    def _request(self, unproven: ProofBatch) -> float:
        wiring, destination = self._wiring, self._destination
        transaction_uid = wiring.make_transaction_uid()
        now = wiring.clock()
        self._queue.record_request(unproven, transaction_uid, now, self._next(unproven, now))
        try:
            wiring.request_commitment(
                destination,
                wiring.calling_ae_title,
                transaction_uid,
                unproven.instances,
                self._on_report,
                destination.commitment_linger_seconds,
            )
        except CallError as error:
            wait = self._wait_after(unproven, error)
            now = wiring.clock()
            again = now + timedelta(seconds=wait)
            self._queue.record_not_taken(transaction_uid, _why(error), now, again)
            return wait
        self._asked(unproven, transaction_uid=transaction_uid, turn=unproven.attempt)
        return 0.0

    def _on_report(self, event: Event) -> tuple[int, None]:
        wiring = self._wiring
        return answer_commitment_report(
            event, wiring.ledger, self._destination.ae_title, wiring.clock()
        )

    def _find(self, unproven: ProofBatch, cancelled: Callable[[], bool]) -> float:
        wiring = self._wiring
        try:
            shown = wiring.find_instances(
                build_query_address(self._destination),
                wiring.calling_ae_title,
                unproven.study_uid,
                unproven.instances,
                cancelled=cancelled,
            )
        except CallError as error:
            wait = self._wait_after(unproven, error)
            again = wiring.clock() + timedelta(seconds=wait)
            self._queue.postpone(unproven, _why(error), again)
            return wait
        now = wiring.clock()
        if cancelled():
            self._queue.postpone(unproven, "the node was stopping", now)
            return 0.0
        self._record(unproven, shown, now)
        return 0.0

    def _record(self, unproven: ProofBatch, shown: frozenset[str], now: datetime) -> None:
        missing = [item for item in unproven.instances if item.sop_instance_uid not in shown]
        lost = [i.sop_instance_uid for i in missing if i.times_asked + 1 >= _FRUITLESS_QUERIES]
        awaited = [i.sop_instance_uid for i in missing if i.times_asked + 1 < _FRUITLESS_QUERIES]
        if shown:
            self._queue.record_proven(unproven, shown, Proof.QUERY, now)
        if awaited:
            why = "the destination does not show it yet"
            self._queue.record_not_shown(unproven, awaited, why, self._next(unproven, now))
        if lost:
            why = f"not shown by {_FRUITLESS_QUERIES} queries: sent again"
            self._queue.record_refused(unproven, lost, why, now)
        self._asked(unproven, shown=len(shown), awaited=len(awaited), lost=len(lost))

    def _next(self, unproven: ProofBatch, now: datetime) -> datetime:
        """Return when to ask again, should there be no proof by then."""
        first = self._patience_seconds
        return now + timedelta(
            seconds=compute_pause(unproven.attempt, _LONGEST_PATIENCE * first, first)
        )

    def _asked(self, unproven: ProofBatch, **facts: object) -> None:
        self._fruitless = 0
        self._count("asked")
        log.info(
            "proof_asked",
            destination=unproven.destination,
            study_uid=unproven.study_uid,
            proof=self._destination.proof.value,
            objects=len(unproven.instances),
            **facts,
        )

    def _wait_after(self, unproven: ProofBatch, error: CallError) -> float:
        """Return the pause after a call that failed.

        It is the whole lane's: what keeps a destination from being asked, its refusal of the
        service included, keeps it from being asked about any study.
        """
        self._fruitless += 1
        self._count(error.kind.value)
        wait = compute_pause(self._fruitless, self._destination.maximum_pause_seconds)
        log.warning(
            "proof_not_asked",
            destination=unproven.destination,
            study_uid=unproven.study_uid,
            proof=self._destination.proof.value,
            answer=error.kind.value,
            wait_seconds=wait,
        )
        return wait

    def _count(self, answer: str) -> None:
        PROOFS.labels(self._destination.name, self._destination.proof.value, answer).inc()


def _why(error: CallError) -> str:
    return f"proof not asked for: {error.kind.value}: {error.detail}"


def _uids(unproven: ProofBatch) -> list[str]:
    return [item.sop_instance_uid for item in unproven.instances]


class Prover(DestinationWorkers):
    """The proof lanes of all destinations, each in a thread of its own.

    Parameters
    ----------
    destinations
        Where results go.
    wiring
        What the lanes work with.
    poll_seconds
        How often a lane without work looks for some.
    """

    def __init__(
        self,
        destinations: Sequence[DestinationSettings],
        wiring: ProofWiring,
        poll_seconds: float = 0.25,
    ) -> None:
        super().__init__(
            "prove",
            {destination.name: ProofWorker(destination, wiring) for destination in destinations},
            poll_seconds,
            max(
                (one.timeout_seconds + one.commitment_linger_seconds for one in destinations),
                default=0.0,
            ),
        )
