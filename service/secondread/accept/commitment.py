"""Storage commitment reports: a peer reports which instances it answers for (PS3.4 J.3.3).

This node requests them after it has stored its results, see `send.commitment_request`. The report
comes as an N-EVENT-REPORT over the association of the request, or over one that the peer opens to
the receiver; both end up here. It comes from a stranger, so what is read of it is bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Final, Protocol, cast

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from secondread import log
from secondread.accept.refusal_counts import make_printable
from secondread.accept.sop_classes import STORAGE_COMMITMENT_PUSH_MODEL
from secondread.errors import TransientError
from secondread.metrics import COMMITMENT_REPORTS
from secondread.uids import is_uid

if TYPE_CHECKING:
    from pynetdicom.dimse_primitives import N_EVENT_REPORT
    from pynetdicom.events import Event

_log = log.get_logger(__name__)

MAXIMUM_REPORT_BYTES: Final = 256 * 1024
"""Longest report that is read; a reference takes about 150 bytes."""
MAXIMUM_ITEMS: Final = 4000
"""Most sequence items that are decoded."""

_ITEM = b"\xfe\xff\x00\xe0"
_EVENT_TYPES = frozenset({1, 2})
"""PS3.4 J.3.3.1: all instances are committed; failures exist."""
_NO_REASON = 0x0110
"""Processing failure: recorded for an instance that was refused without a reason."""


class EventReportStatus(IntEnum):
    """Answers to an N-EVENT-REPORT (PS3.7 10.1.1.1.8)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    NO_SUCH_EVENT_TYPE = 0x0113
    INVALID_ARGUMENT_VALUE = 0x0115
    NO_SUCH_SOP_CLASS = 0x0118
    RESOURCE_LIMITATION = 0x0213


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What a peer reports of the instances of one transaction."""

    transaction_uid: str
    committed: frozenset[str]
    """SOP Instance UIDs of the instances that it answers for."""
    refused: Mapping[str, int]
    """Failure Reason (0008,1197) by SOP Instance UID of those that it does not answer for, also
    where the report lists them as committed as well."""


class CommitmentOutcome(StrEnum):
    """What became of a report."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    """The transaction had been reported already; nothing changed."""
    UNKNOWN = "unknown"
    """This node never requested that transaction."""


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """What became of a report, and of the instances that it names."""

    outcome: CommitmentOutcome
    destination: str = ""
    """Name of the destination that the commitment was requested of."""
    committed: int = 0
    refused: int = 0
    unmentioned: int = 0
    """Instances that were in the request and are not in the report."""
    unrequested: int = 0
    """Instances in the report that were not in the request; they are ignored."""


class CommitmentLedger(Protocol):
    """Where reports are recorded; the tracker implements it."""

    def record_report(self, report: CommitmentReport, now: datetime) -> CommitmentResult:
        """Record a report, and commit; when this returns, Success may be answered.

        Raises
        ------
        TransientError
            The database is away; nothing was changed.
        """


class _UnreadableReportError(Exception):
    def __init__(self, status: EventReportStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def answer_commitment_report(
    event: "Event", ledger: CommitmentLedger, calling_ae_title: str, now: datetime
) -> tuple[int, None]:
    """Record an N-EVENT-REPORT, and return its answer as pynetdicom's handlers do.

    Parameters
    ----------
    event
        pynetdicom's ``EVT_N_EVENT_REPORT``.
    ledger
        Where the report is recorded.
    calling_ae_title
        Who reports, for the log.
    now
        The present instant.

    Returns
    -------
    tuple
        The status, and no Event Reply. A repeated report is answered Success, so that the peer
        stops repeating it; an unknown transaction with "invalid argument value"; and "processing
        failure" while the database is away, so that the peer repeats the report if it ever does.
    """
    peer = make_printable(calling_ae_title, 16)
    try:
        report = _decode_report(
            cast("N_EVENT_REPORT", event.request), event.context.transfer_syntax
        )
    except _UnreadableReportError as error:
        _log.warning("commitment_report_unreadable", peer=peer, why=str(error))
        return error.status, None
    try:
        result = ledger.record_report(report, now)
    except TransientError as error:
        _log.warning("commitment_report_postponed", peer=peer, why=str(error))
        return EventReportStatus.PROCESSING_FAILURE, None
    _log_report(report, result, peer)
    if result.outcome is CommitmentOutcome.UNKNOWN:
        return EventReportStatus.INVALID_ARGUMENT_VALUE, None
    return EventReportStatus.SUCCESS, None


def _log_report(report: CommitmentReport, result: CommitmentResult, peer: str) -> None:
    COMMITMENT_REPORTS.labels(result.outcome.value).inc()
    is_plain = result.outcome is CommitmentOutcome.RECORDED and not result.refused
    write_log = _log.info if is_plain else _log.warning
    write_log(
        "commitment_reported",
        outcome=result.outcome.value,
        peer=peer,
        destination=result.destination,
        transaction_uid=report.transaction_uid,
        committed=result.committed,
        refused=result.refused,
        reasons=sorted({f"{reason:04X}" for reason in report.refused.values()})[:10],
        unmentioned=result.unmentioned,
        unasked=result.unrequested,
    )


def _decode_report(request: "N_EVENT_REPORT", transfer_syntax: str) -> CommitmentReport:
    # The tracker takes the values of this module, in processes that never open an association.
    from pynetdicom.dsutils import decode

    if request.AffectedSOPClassUID != STORAGE_COMMITMENT_PUSH_MODEL:
        raise _UnreadableReportError(EventReportStatus.NO_SUCH_SOP_CLASS, "of another SOP class")
    if request.EventTypeID not in _EVENT_TYPES:
        raise _UnreadableReportError(
            EventReportStatus.NO_SUCH_EVENT_TYPE, "of an unknown event type"
        )
    data = b"" if request.EventInformation is None else request.EventInformation.getvalue()
    # Every item begins with its tag, so this counts no fewer items than there are.
    if len(data) > MAXIMUM_REPORT_BYTES or data.count(_ITEM) > MAXIMUM_ITEMS:
        raise _UnreadableReportError(EventReportStatus.RESOURCE_LIMITATION, "too long")
    syntax = UID(transfer_syntax)
    try:
        information = decode(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)
        return read_commitment_report(information)
    # A decoder may raise anything over a stranger's bytes, endless nesting included.
    except Exception as error:
        why = f"cannot be decoded: {type(error).__name__}"
        raise _UnreadableReportError(EventReportStatus.INVALID_ARGUMENT_VALUE, why) from error


def read_commitment_report(information: Dataset) -> CommitmentReport:
    """Read the Event Information of a report (PS3.4 table J.3-2).

    Raises
    ------
    ValueError
        It has no proper Transaction UID.
    """
    transaction_uid = str(information.get("TransactionUID", ""))
    if not is_uid(transaction_uid):
        raise ValueError("no Transaction UID (0008,1195)")
    refused = {
        uid: _read_reason(item)
        for uid, item in _list_references(information.get("FailedSOPSequence"))
    }
    committed = dict(_list_references(information.get("ReferencedSOPSequence")))
    return CommitmentReport(transaction_uid, frozenset(committed.keys() - refused.keys()), refused)


def _read_reason(item: Dataset) -> int:
    reason = int(item.get("FailureReason") or _NO_REASON)
    return reason if reason <= 0xFFFF else _NO_REASON


def _list_references(sequence: Sequence | None) -> list[tuple[str, Dataset]]:
    """Return the items that name an instance, with its UID."""
    references = [(str(item.get("ReferencedSOPInstanceUID", "")), item) for item in sequence or ()]
    return [(uid, item) for uid, item in references if is_uid(uid)]
