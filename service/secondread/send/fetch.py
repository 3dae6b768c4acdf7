"""Fetching priors: short attempts, each archive for itself, from rows that are due.

Every source has a worker, a thread of its own. A worker claims one request, a query or a
retrieval, makes one attempt within its bound of time, records the result, and goes on. Nothing
waits here: the study that waits for the answer has a due time, and what comes late is still used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from secondread.audit import AuditEvent, AuditKind, Record, record_nothing
from secondread.clock import Clock
from secondread.log import get_logger
from secondread.metrics import PRIOR_ATTEMPTS
from secondread.reasons import Reason
from secondread.send.call_error import CallError
from secondread.send.fetch_queue import (
    FetchFault,
    FetchKind,
    FetchQueue,
    FetchRequest,
    OfferedStudy,
)
from secondread.send.find import encode_identifier
from secondread.send.outbox import AnswerKind, Callee, Cancelled
from secondread.send.overdue import AlarmRegister
from secondread.send.pauses import compute_lease, compute_pause
from secondread.send.prior_query import PriorWindow, identify_studies
from secondread.send.retrieve import RetrieveAnswer, WantedStudy
from secondread.settings import PriorSourceSettings

log = get_logger(__name__)

ALARM_KIND = "prior-source-failing"

_ALARM_AFTER = 5
"""Attempts in a row without an answer, or refused, after which an alarm is raised."""

_PARTIAL_TRIES = 2
"""After so many tries, what arrived of a study is taken as all that can be had."""

_ABORTS_THAT_REFUSE = 2
"""So many aborts are a refusal: some archives abort at a request that they do not allow."""

_REFUSALS = {AnswerKind.REJECTED, AnswerKind.CONTEXT_REFUSED}


@dataclass(frozen=True, slots=True)
class FetchWiring:
    """What the fetch workers of all sources work with."""

    queue: FetchQueue
    alarms: AlarmRegister
    find_priors: Callable[
        [Callee, str, FetchRequest, PriorWindow, Cancelled], tuple[OfferedStudy, ...]
    ]
    """`send.prior_query.find_priors`."""
    find_reports: Callable[[Callee, str, str, Cancelled], tuple[str, ...]]
    """`send.report_query.find_reports`."""
    retrieve_study: Callable[[PriorSourceSettings, WantedStudy, Cancelled], RetrieveAnswer]
    """`send.retrieve.retrieve_from_archive`, with this node's side filled in."""
    window: PriorWindow
    clock: Clock
    worker: str
    """Name of the worker process, written into claims."""
    calling_ae_title: str
    """The AE title to call with."""
    record: Record = record_nothing
    """Takes the events of the audit trail."""


class FetchWorker:
    """The requests to one archive."""

    def __init__(self, source: PriorSourceSettings, wiring: FetchWiring) -> None:
        self.name = source.name
        self._source = source
        self._wiring = wiring
        self._fruitless = 0

    def step(self, cancelled: Cancelled) -> float | None:
        """Make one attempt, if something is due.

        Returns
        -------
        float or None
            Seconds to wait before the next step: 0 after an attempt that was answered, a growing
            pause after one that was not; None when nothing was due.
        """
        source, wiring = self._source, self._wiring
        # A query may ask a few times, and each answer may take its time.
        lease = source.attempt_seconds + compute_lease(source.timeout_seconds)
        request = wiring.queue.claim_request(source.name, wiring.worker, wiring.clock(), lease)
        if request is None:
            return None
        try:
            fault = self._ask(request, cancelled)
        except CallError as error:
            if error.kind is AnswerKind.STOPPED:
                wiring.queue.give_back(request)
                return 0.0
            fault = _make_fault(request, error)
            pause = self._note_failure(error)
        else:
            self._note_answer()
            pause = 0.0
        if fault is not None:
            wait = compute_pause(request.attempt, source.maximum_pause_seconds)
            due_at = wiring.clock() + timedelta(seconds=0.0 if cancelled() else wait)
            wiring.queue.record_failed(request, fault, wiring.clock(), due_at)
        self._log(request, fault)
        return pause

    def _ask(self, request: FetchRequest, cancelled: Cancelled) -> FetchFault | None:
        if request.kind is FetchKind.RETRIEVE:
            return self._retrieve(request, cancelled)
        self._query(request, cancelled)
        return None

    def _query(self, request: FetchRequest, cancelled: Cancelled) -> None:
        wiring = self._wiring
        query = encode_identifier(identify_studies(request, wiring.window))
        self._note(AuditKind.QUERIED, request, query=query)
        wanted = wiring.find_priors(
            self._source, wiring.calling_ae_title, request, wiring.window, cancelled
        )
        wiring.queue.record_answer(request, wanted, wiring.clock())

    def _retrieve(self, request: FetchRequest, cancelled: Cancelled) -> FetchFault | None:
        wiring = self._wiring
        wanted = WantedStudy(request.prior_study_uid, request.series)
        self._note(AuditKind.RETRIEVAL_ASKED, request, study_uid=request.prior_study_uid)
        answer = wiring.retrieve_study(self._source, wanted, cancelled)
        if answer.is_refusal:
            words = f"the archive answered 0x{answer.status:04X}: {_describe_status(answer.status)}"
            return FetchFault(Reason.PRIOR_MOVE_REFUSED, words, refused=True)
        if not answer.is_sent and request.attempt < _PARTIAL_TRIES:
            words = (
                f"status 0x{answer.status:04X}, {answer.failed_suboperations} sub-operations failed"
            )
            return FetchFault(Reason.PRIOR_NOT_RECEIVED, words, refused=False)
        wait = compute_pause(request.attempt, self._source.maximum_pause_seconds)
        now = wiring.clock()
        wiring.queue.record_retrieved(request, now, now + timedelta(seconds=wait))
        if not cancelled():
            self._fetch_reports(request, cancelled)
        return None

    def _fetch_reports(self, request: FetchRequest, cancelled: Cancelled) -> None:
        """Have the CAD reports of a prior sent, once, where the archive has any.

        They are for people to look at: no reading waits for them.
        """
        source, wiring, uid = self._source, self._wiring, request.prior_study_uid
        try:
            series = wiring.find_reports(source, wiring.calling_ae_title, uid, cancelled)
            if series and not cancelled():
                wiring.retrieve_study(source, WantedStudy(uid, series), cancelled)
        except CallError as error:
            log.info("prior_reports_not_had", source=source.name, answer=error.kind.value)
        else:
            log.info("prior_reports_asked_for", source=source.name, series=len(series))

    def _note(
        self, kind: AuditKind, request: FetchRequest, study_uid: str = "", query: bytes = b""
    ) -> None:
        """Record in the audit trail what is asked for, before it is."""
        event = AuditEvent(
            kind,
            self._wiring.clock(),
            self._source.name,
            study_uid=study_uid,
            patient_id=request.patient.patient_id,
            query=query,
        )
        self._wiring.record(event)

    def _note_answer(self) -> None:
        if self._fruitless >= _ALARM_AFTER:
            self._wiring.alarms.clear_alarm(ALARM_KIND, self._source.name, self._wiring.clock())
        self._fruitless = 0

    def _note_failure(self, error: CallError) -> float:
        """Return the pause of the whole worker: what makes one call fail makes all fail."""
        self._fruitless += 1
        if self._fruitless == _ALARM_AFTER:
            words = f"{self._source.name} cannot be asked for priors: {error.kind.value}"
            now = self._wiring.clock()
            self._wiring.alarms.raise_alarm(ALARM_KIND, self._source.name, words, now)
        return compute_pause(self._fruitless, self._source.maximum_pause_seconds)

    def _log(self, request: FetchRequest, fault: FetchFault | None) -> None:
        answer = "answered" if fault is None else fault.reason.value
        PRIOR_ATTEMPTS.labels(self._source.name, request.kind.value, answer).inc()
        write = log.info if fault is None else log.warning
        write(
            "prior_attempted",
            source=self._source.name,
            kind=request.kind.value,
            study_uid=request.study_uid,
            prior_study_uid=request.prior_study_uid,
            attempt=request.attempt,
            answer=answer,
        )


def _make_fault(request: FetchRequest, error: CallError) -> FetchFault:
    is_broken = error.kind is AnswerKind.BROKEN
    refused = error.kind in _REFUSALS or (is_broken and request.attempt >= _ABORTS_THAT_REFUSE)
    words = f"{error.kind.value}: {error.detail}"
    if request.kind is FetchKind.QUERY:
        return FetchFault(Reason.PRIOR_QUERY_FAILED, words, refused=refused)
    if error.kind in _REFUSALS:
        return FetchFault(Reason.PRIOR_MOVE_REFUSED, words, refused=True)
    is_late = error.kind is AnswerKind.NO_ANSWER
    reason = Reason.PRIOR_TIMED_OUT if is_late else Reason.PRIOR_NOT_RECEIVED
    return FetchFault(reason, words, refused=refused)


def _describe_status(status: int) -> str:
    """Return words for a failure status of a retrieval (PS3.4 tables C.4-2 and C.4-3)."""
    if status >> 12 == 0xC:
        return "unable to process"
    return {
        0x0122: "SOP class not supported",
        0x0124: "not authorised: allow this node to retrieve",
        0xA801: "it does not know this node as a destination: enter AE title, host and port there",
        0xA900: "the identifier does not match the SOP class",
    }.get(status, "a status of its own")
