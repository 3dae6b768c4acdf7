"""Storage Commitment as SCU: ask a destination to answer for what it stored (PS3.4 J)."""

import threading
from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import evt
from pynetdicom.dimse_messages import N_EVENT_REPORT_RSP
from pynetdicom.events import Event
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModelInstance

from secondread.accept.sop_classes import STORAGE_COMMITMENT_PUSH_MODEL
from secondread.send.association import Call, check_support, open_association
from secondread.send.call_error import CallError
from secondread.send.outbox import (
    AnswerKind,
    AwaitedInstance,
    Callee,
    Cancelled,
    PeerCheck,
    never_cancelled,
)

_REQUEST_STORAGE_COMMITMENT = 1
"""Action Type ID (PS3.4 table J.3-1)."""

_CONTEXT = build_context(
    STORAGE_COMMITMENT_PUSH_MODEL, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
)

OnReport = Callable[[Event], tuple[int, None]]
"""Takes pynetdicom's event of a report, and returns status and reply."""


class _ReportWait:
    """Waits for a report over the association of the request, until it is answered."""

    def __init__(self, on_report: OnReport) -> None:
        self._on_report = on_report
        self._has_begun = threading.Event()
        self._is_answered = threading.Event()

    def handlers(self) -> list[evt.EventHandlerType]:
        return [
            (evt.EVT_N_EVENT_REPORT, self._on_event_report),
            (evt.EVT_DIMSE_SENT, self._on_sent),
        ]

    def wait(
        self, call: Call, linger_seconds: float, timeout_seconds: float, cancelled: Cancelled
    ) -> None:
        """Wait for a report; once one has begun to come, until it is answered."""
        steps = max(1, round(linger_seconds / 0.05))
        for _ in range(steps):
            if (
                self._is_answered.wait(linger_seconds / steps)
                or not call.association.is_established
                or cancelled()
            ):
                break
        # To release in the middle of its handling would leave the report without an answer.
        if self._has_begun.is_set():
            self._is_answered.wait(timeout_seconds)

    def _on_event_report(self, event: Event) -> tuple[int, None]:
        self._has_begun.set()
        return self._on_report(event)

    def _on_sent(self, event: Event) -> None:
        if isinstance(event.message, N_EVENT_REPORT_RSP):
            self._is_answered.set()


def generate_transaction_uid() -> str:
    """Return a UID for a transaction, made of random bits (PS3.5 B.2)."""
    return str(generate_uid(prefix=None))


def request_commitment(
    callee: Callee,
    calling_ae_title: str,
    transaction_uid: str,
    instances: Sequence[AwaitedInstance],
    on_report: OnReport,
    linger_seconds: float,
    cancelled: Cancelled = never_cancelled,
) -> None:
    """Ask a peer to answer for instances; its report may come at once, much later, or never.

    Parameters
    ----------
    callee
        Who is asked.
    calling_ae_title
        The AE title to call with; the peer reports to it.
    transaction_uid
        Names the request; never used before, and recorded before this is called.
    instances
        What it shall answer for.
    on_report
        Takes a report that comes over this association.
    linger_seconds
        How long the association stays open for that.
    cancelled
        Asked while the peer is waited for.

    Raises
    ------
    CallError
        The peer was not reached, refused the request, or left it without an answer. It may have
        taken it all the same.
    """
    report_wait = _ReportWait(on_report)
    handlers = report_wait.handlers()
    with open_association(
        callee, calling_ae_title, [_CONTEXT], handlers, cancelled=cancelled
    ) as call:
        try:
            answer, _ = call.association.send_n_action(
                _make_action_information(transaction_uid, instances),
                _REQUEST_STORAGE_COMMITMENT,
                STORAGE_COMMITMENT_PUSH_MODEL,
                StorageCommitmentPushModelInstance,
            )
        except (RuntimeError, ValueError) as error:  # the association, or our role in it, is gone
            raise call.explain_loss() from error
        if "Status" not in answer:
            raise call.explain_loss()
        status = int(answer.Status)
        if status != 0x0000:
            words = f"the storage commitment request was answered 0x{status:04X}"
            raise CallError(AnswerKind.STATUS, words)
        report_wait.wait(call, linger_seconds, callee.timeout_seconds, cancelled)


def check_commitment_support(callee: Callee, calling_ae_title: str) -> PeerCheck:
    """Ask a peer whether it accepts Storage Commitment, without a request."""
    service, remedy = "Storage Commitment", "choose another proof"
    return check_support(callee, calling_ae_title, _CONTEXT, service, remedy)


def _make_action_information(transaction_uid: str, instances: Sequence[AwaitedInstance]) -> Dataset:
    """Return the Action Information (PS3.4 table J.3-1)."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [_make_reference(instance) for instance in instances]
    return information


def _make_reference(instance: AwaitedInstance) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = instance.sop_class_uid
    reference.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return reference
