"""Fetching priors: short attempts, each archive for itself, from rows that are due.

Every source has a lane, a thread of its own. A lane claims one errand, a query or a retrieval,
makes one attempt within its bound of time, records what came of it, and goes on. Nothing waits
here: who waits for the answer is a study with a due time, and what comes late is still used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from secondread.clock import Clock
from secondread.log import get_logger
from secondread.metrics import PRIOR_ATTEMPTS
from secondread.reasons import Reason
from secondread.send.association import CallError
from secondread.send.backoff import compute_pause
from secondread.send.fetch_queue import (
    FetchFault,
    FetchKind,
    FetchQueue,
    FetchRequest,
    OfferedStudy,
)
from secondread.send.outbox import AnswerKind, Callee
from secondread.send.overdue import AlarmRegister
from secondread.send.prior_query import PriorWindow
from secondread.send.retrieve import RetrieveAnswer, WantedStudy
from secondread.send.workers import DestinationWorkers
from secondread.settings import PriorSourceSettings

log = get_logger(__name__)

ALARM_KIND = "prior-source-failing"

_ALARM_AFTER = 5
"""Attempts in a row without an answer, or refused, after which a person is told."""

_PARTIAL_TRIES = 2
"""After so many tries, what came of a study is taken as all that can be had."""

_ABORTS_ARE_A_NO = 2
"""Some archives abort the association at a request that they do not allow."""

_LEASE_EXTRA_SECONDS = 60.0

_NO = {AnswerKind.REJECTED, AnswerKind.CONTEXT_REFUSED}


class FindPriors(Protocol):
    """`secondread.send.prior_query.find_priors`, or a stand-in."""

    def __call__(
        self,
        callee: Callee,
        calling_ae_title: str,
        errand: FetchRequest,
        window: PriorWindow,
        cancelled: Callable[[], bool],
    ) -> tuple[OfferedStudy, ...]:
        """Return what is to be fetched; raises `CallError`."""


class FindReports(Protocol):
    """`secondread.send.report_query.find_reports`, or a stand-in."""

    def __call__(self, callee: Callee, calling_ae_title: str, study_uid: str) -> tuple[str, ...]:
        """Return the series of a study that hold CAD reports; raises `CallError`."""


class RetrieveStudy(Protocol):
    """`secondread.send.retrieve.retrieve_study` with all but these filled in, or a stand-in."""

    def __call__(
        self, source: PriorSourceSettings, wanted: WantedStudy, cancelled: Callable[[], bool]
    ) -> RetrieveAnswer:
        """Have a study sent; raises `CallError`."""


@dataclass(frozen=True, slots=True)
class FetchWiring:
    """What every lane works with."""

    queue: FetchQueue
    alarms: AlarmRegister
    find_priors: FindPriors
    find_reports: FindReports
    retrieve_study: RetrieveStudy
    window: PriorWindow
    clock: Clock
    worker: str
    """Name of this worker, written into claims."""
    calling_ae_title: str
    """The AE title to call with."""


class FetchWorker:
    """The errands to one archive."""

    def __init__(self, source: PriorSourceSettings, wiring: FetchWiring) -> None:
        self._source = source
        self._wiring = wiring
        self._fruitless = 0

    def step(self, cancelled: Callable[[], bool]) -> float | None:
        """Make one attempt, if something is due.

        Returns
        -------
        float or None
            Seconds to wait before the next step: 0 after an attempt that was answered, a growing
            pause after one that was not; None when nothing was due.
        """
        source, wiring = self._source, self._wiring
        # A query may ask a few times, and each answer may take its time.
        lease = source.attempt_seconds + 20 * source.timeout_seconds + _LEASE_EXTRA_SECONDS
        errand = wiring.queue.claim_request(source.name, wiring.worker, wiring.clock(), lease)
        if errand is None:
            return None
        try:
            fault = self._run(errand, cancelled)
        except CallError as error:
            fault = _fault(errand, error)
            wait = self._note_fault(error)
        else:
            self._note_answer()
            wait = 0.0
        if fault is not None:
            again = compute_pause(errand.attempt, source.maximum_pause_seconds)
            due_at = wiring.clock() + timedelta(seconds=0.0 if cancelled() else again)
            wiring.queue.record_failed(errand, fault, wiring.clock(), due_at)
        self._log(errand, fault)
        return wait

    def _run(self, errand: FetchRequest, cancelled: Callable[[], bool]) -> FetchFault | None:
        if errand.kind is FetchKind.RETRIEVE:
            return self._retrieve(errand, cancelled)
        self._query(errand, cancelled)
        return None

    def _query(self, errand: FetchRequest, cancelled: Callable[[], bool]) -> None:
        wiring = self._wiring
        wanted = wiring.find_priors(
            self._source, wiring.calling_ae_title, errand, wiring.window, cancelled
        )
        wiring.queue.record_answer(errand, wanted, wiring.clock())

    def _retrieve(self, errand: FetchRequest, cancelled: Callable[[], bool]) -> FetchFault | None:
        wiring = self._wiring
        wanted = WantedStudy(errand.prior_study_uid, errand.series)
        answer = wiring.retrieve_study(self._source, wanted, cancelled)
        if answer.is_refusal:
            words = f"the archive answered 0x{answer.status:04X}: {_meaning(answer.status)}"
            return FetchFault(Reason.PRIOR_MOVE_REFUSED, words, refused=True)
        if not answer.is_sent and errand.attempt < _PARTIAL_TRIES:
            words = (
                f"status 0x{answer.status:04X}, {answer.failed_suboperations} sub-operations failed"
            )
            return FetchFault(Reason.PRIOR_NOT_RECEIVED, words, refused=False)
        again = compute_pause(errand.attempt, self._source.maximum_pause_seconds)
        now = wiring.clock()
        wiring.queue.record_retrieved(errand, now, now + timedelta(seconds=again))
        if not cancelled():
            self._fetch_reports(errand, cancelled)
        return None

    def _fetch_reports(self, errand: FetchRequest, cancelled: Callable[[], bool]) -> None:
        """Have the CAD reports sent that lie beside a prior's images, once and if they can be had.

        They are for people to look at: no reading waits for them.
        """
        source, wiring, uid = self._source, self._wiring, errand.prior_study_uid
        try:
            found = wiring.find_reports(source, wiring.calling_ae_title, uid)
            if found and not cancelled():
                wiring.retrieve_study(source, WantedStudy(uid, found), cancelled)
        except CallError as error:
            log.info("prior_reports_not_had", source=source.name, answer=error.kind.value)
        else:
            log.info("prior_reports_asked_for", source=source.name, series=len(found))

    def _note_answer(self) -> None:
        if self._fruitless >= _ALARM_AFTER:
            self._wiring.alarms.clear_alarm(ALARM_KIND, self._source.name, self._wiring.clock())
        self._fruitless = 0

    def _note_fault(self, error: CallError) -> float:
        """Return the pause of the whole lane: what keeps one errand from running, keeps all."""
        self._fruitless += 1
        if self._fruitless == _ALARM_AFTER:
            words = f"{self._source.name} cannot be asked for priors: {error.kind.value}"
            now = self._wiring.clock()
            self._wiring.alarms.raise_alarm(ALARM_KIND, self._source.name, words, now)
        return compute_pause(self._fruitless, self._source.maximum_pause_seconds)

    def _log(self, errand: FetchRequest, fault: FetchFault | None) -> None:
        answer = "answered" if fault is None else fault.reason.value
        PRIOR_ATTEMPTS.labels(self._source.name, errand.kind.value, answer).inc()
        write = log.info if fault is None else log.warning
        write(
            "prior_attempted",
            source=self._source.name,
            errand=errand.kind.value,
            study_uid=errand.study_uid,
            prior_study_uid=errand.prior_study_uid,
            attempt=errand.attempt,
            answer=answer,
        )


def _fault(errand: FetchRequest, error: CallError) -> FetchFault:
    is_broken = error.kind is AnswerKind.BROKEN
    refused = error.kind in _NO or (is_broken and errand.attempt >= _ABORTS_ARE_A_NO)
    words = f"{error.kind.value}: {error.detail}"
    if errand.kind is FetchKind.QUERY:
        return FetchFault(Reason.PRIOR_QUERY_FAILED, words, refused=refused)
    if error.kind in _NO:
        return FetchFault(Reason.PRIOR_MOVE_REFUSED, words, refused=True)
    late = error.kind is AnswerKind.NO_ANSWER
    reason = Reason.PRIOR_TIMED_OUT if late else Reason.PRIOR_NOT_RECEIVED
    return FetchFault(reason, words, refused=refused)


def _meaning(status: int) -> str:
    """Return words for a failure status of a retrieval (PS3.4 tables C.4-2 and C.4-3)."""
    if status >> 12 == 0xC:
        return "unable to process"
    return {
        0x0122: "SOP class not supported",
        0x0124: "not authorised: allow this node to retrieve",
        0xA801: "it does not know this node as a destination: enter AE title, host and port there",
        0xA900: "the identifier does not match the SOP class",
    }.get(status, "a status of its own")


class Fetcher(DestinationWorkers):
    """The lanes of all sources, each in a thread of its own.

    Parameters
    ----------
    sources
        The archives that are asked.
    wiring
        What the lanes work with.
    poll_seconds
        How often a lane without work looks for some.
    """

    def __init__(
        self,
        sources: Sequence[PriorSourceSettings],
        wiring: FetchWiring,
        poll_seconds: float = 0.25,
    ) -> None:
        super().__init__(
            "fetch",
            {source.name: FetchWorker(source, wiring) for source in sources},
            poll_seconds,
            max((source.timeout_seconds for source in sources), default=0.0),
        )
