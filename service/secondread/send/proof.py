"""What the lanes that ask for proof work with; see `send.prover`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secondread.accept.commitment import CommitmentLedger
from secondread.clock import Clock
from secondread.send.commitment_request import OnReport
from secondread.send.outbox import AwaitedInstance, Callee, PeerAddress, ProofBatch
from secondread.send.overdue import AlarmRegister
from secondread.settings import DestinationSettings, Proof


class ProofQueue(Protocol):
    """The objects that destinations stored and did not prove yet; `track.proofs` is one."""

    def claim_batch(
        self, destination: str, worker: str, now: datetime, lease_seconds: float
    ) -> ProofBatch | None:
        """Take the objects of one study whose proof is due; None when there are none.

        Transactions that were not reported in time are noted as overdue.
        """

    def record_request(
        self, unproven: ProofBatch, transaction_uid: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Write a storage commitment transaction down, before it is asked for."""

    def record_not_taken(
        self, transaction_uid: str, why: str, now: datetime, ask_again_at: datetime
    ) -> None:
        """Record that the destination did not take a storage commitment request."""

    def record_proven(
        self, unproven: ProofBatch, instances: Collection[str], proof: Proof, now: datetime
    ) -> None:
        """Record the objects that the destination holds."""

    def record_not_shown(
        self,
        unproven: ProofBatch,
        instances: Collection[str],
        why: str,
        ask_again_at: datetime,
    ) -> None:
        """Record the objects that were asked for and have no proof yet."""

    def postpone(self, unproven: ProofBatch, why: str, ask_again_at: datetime) -> None:
        """Record that the objects could not be asked for."""

    def record_refused(
        self, unproven: ProofBatch, instances: Collection[str], why: str, now: datetime
    ) -> None:
        """Record the objects that the destination does not hold: they are sent again."""

    def find_oldest_unproven(self, destination: str) -> datetime | None:
        """Return since when the oldest object of a live destination waits for its proof."""


class RequestCommitment(Protocol):
    """`secondread.send.commitment_request.request_commitment`, or a stand-in."""

    def __call__(
        self,
        callee: Callee,
        calling_ae_title: str,
        transaction_uid: str,
        objects: Sequence[AwaitedInstance],
        on_report: OnReport,
        linger_seconds: float,
    ) -> None:
        """Ask; raises `CallError`."""


class FindInstances(Protocol):
    """`secondread.send.find.find_instances`, or a stand-in."""

    def __call__(
        self,
        callee: Callee,
        calling_ae_title: str,
        study_uid: str,
        objects: Sequence[AwaitedInstance],
        *,
        cancelled: Callable[[], bool],
    ) -> frozenset[str]:
        """Return what the destination shows; raises `CallError`."""


@dataclass(frozen=True, slots=True)
class ProofWiring:
    """What every lane works with."""

    queue: ProofQueue
    ledger: CommitmentLedger
    """Where a report goes that comes over the association of its request."""
    alarms: AlarmRegister
    request_commitment: RequestCommitment
    find_instances: FindInstances
    clock: Clock
    make_transaction_uid: Callable[[], str]
    """Returns a UID that nobody ever used, for a transaction."""
    worker: str
    """Name of this worker, written into claims."""
    calling_ae_title: str
    """The AE title to call with."""
    alarm_seconds: float = 900.0
    """Age of the oldest object without a proof from which on an alarm is raised, or four times
    the destination's wait for a proof where that is longer."""


def build_query_address(destination: DestinationSettings) -> PeerAddress:
    """Return whom to query about a destination's objects."""
    return PeerAddress(
        ae_title=destination.query_ae_title or destination.ae_title,
        host=destination.query_host or destination.host,
        port=destination.query_port or destination.port,
        timeout_seconds=destination.timeout_seconds,
        tls=destination.tls,
    )
