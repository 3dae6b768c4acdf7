"""What an answer about a proof does to one delivery's row."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from secondread.accept.commitment import CommitmentOutcome, CommitmentReport, CommitmentResult
from secondread.send.workers import compute_pause
from secondread.settings import Proof
from secondread.track.states import DeliveryEvent, DeliveryState, step_delivery
from secondread.track.tables import DeliveryRow

_LONGEST_RESEND_SECONDS = 3600.0
"""The longest pause before an object is sent again that its destination lost, or refuses."""

# PS3.3 C.14.1.1
_FAILURE_REASONS = {
    0x0110: "processing failure",
    0x0112: "no such object instance",
    0x0119: "class / instance conflict",
    0x0122: "referenced SOP class not supported",
    0x0131: "duplicate transaction UID",
    0x0213: "resource limitation",
}


def is_stored_since_before(delivery: DeliveryRow, instant: datetime) -> bool:
    """Whether an object is stored, and was not stored anew since an instant."""
    return delivery.state is DeliveryState.STORED and (
        delivery.stored_at is None or delivery.stored_at <= instant
    )


def await_proof(delivery: DeliveryRow, ask_again_at: datetime) -> None:
    """Note that the proof was asked for, and when it is asked for again."""
    delivery.proof_asked += 1
    delivery.due_at = ask_again_at
    release(delivery)


def prove(delivery: DeliveryRow, proof: Proof, now: datetime) -> None:
    """Note that the destination holds the object; the first proof counts."""
    if delivery.state is not DeliveryState.DELIVERED:
        delivery.delivered_at, delivery.proof, delivery.last_error = now, proof, None
    delivery.state = step_delivery(delivery.state, DeliveryEvent.PROVEN)
    release(delivery)


def refuse(delivery: DeliveryRow, why: str, now: datetime) -> None:
    """Have an object sent again that the destination does not hold, after a growing pause."""
    delivery.state = step_delivery(delivery.state, DeliveryEvent.REFUSED)
    delivery.proof_refused += 1
    wait = compute_pause(delivery.proof_refused, _LONGEST_RESEND_SECONDS)
    delivery.due_at, delivery.last_error = now + timedelta(seconds=wait), why
    release(delivery)


def release(delivery: DeliveryRow) -> None:
    """End the claim on an object."""
    delivery.claim = delivery.leased_by = delivery.lease_until = None


def refusal(reason: int) -> str:
    """Return the words for a Failure Reason (0008,1197)."""
    words = _FAILURE_REASONS.get(reason, "a reason of its own")
    return f"storage commitment refused: 0x{reason:04X}, {words}"


def settle(destination: str, report: CommitmentReport, asked: Sequence[str]) -> CommitmentResult:
    """Return what a report says of the instances that were asked about."""
    committed = sum(uid in report.committed for uid in asked)
    refused = sum(uid in report.refused for uid in asked)
    named = len(report.committed) + len(report.refused)
    return CommitmentResult(
        CommitmentOutcome.RECORDED,
        destination,
        committed=committed,
        refused=refused,
        unmentioned=len(asked) - committed - refused,
        unrequested=named - committed - refused,
    )
