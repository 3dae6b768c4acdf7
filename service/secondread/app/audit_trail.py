"""Records the audit trail beside what it is about, which it never holds up.

Events wait in memory, bounded, until the database has them; from the table they are sent to the
syslog server in order, and again after a restart. What finds no room is counted, and an alarm is
raised.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from queue import Empty, Full, Queue
from types import TracebackType

from secondread import log
from secondread.accept.ledger import Refusal
from secondread.app.node import Node, make_journal
from secondread.app.settings_watch import describe_changes, describe_place
from secondread.app.syslog import describe_fault, make_syslog_line, send_to_syslog
from secondread.audit import AuditEvent, AuditKind, Record
from secondread.clock import utc_now
from secondread.errors import TransientError, describe_without_quoting
from secondread.metrics import AUDIT_EVENTS_LOST
from secondread.reasons import Reason
from secondread.send.pauses import compute_pause
from secondread.settings import SyslogSettings
from secondread.track.settings_document import flatten_settings

_log = log.get_logger(__name__)

MOST_WAITING = 10_000
"""Events in memory while the database is away; further ones are lost, and counted."""

_BATCH = 200
_PAUSE_SECONDS = 1.0
_CLEAN_SECONDS = 3600.0
_ADOPT_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 60.0
_GONE = timedelta(seconds=120)
"""After so long without a heartbeat, others send on what a process has left."""

STOP_SECONDS = 5.0
"""How long the last events may take to be recorded."""

_TURNED_AWAY = frozenset(
    {
        Reason.CALLING_AE_UNKNOWN,
        Reason.ADDRESS_UNEXPECTED,
        Reason.CALLED_AE_UNKNOWN,
        Reason.TLS_FAILED,
    }
)

TRAIL_STOPPED = AuditKind.TRAIL_STOPPED

AWAY = "audit-repository-away"
LOST = "audit-events-lost"


def record_refusals(record: Record, refusals: Sequence[Refusal]) -> None:
    """Record the callers whom the receiver turned away for who they are, alike ones once."""
    for refusal in refusals:
        if refusal.reason in _TURNED_AWAY:
            event = AuditEvent(
                AuditKind.CALLER_REFUSED,
                refusal.last_at,
                refusal.calling_ae_title,
                refusal.address,
                words=f"turned away: {refusal.reason.value}",
            )
            record(event)


class AuditTrail:
    """The audit trail of one process, while its `with` block runs.

    Parameters
    ----------
    node
        In whose database it is written, and whose settings say where it is sent.
    process
        Name of the process.
    send
        Sends lines to a syslog server, and returns when that has them.
    """

    def __init__(
        self,
        node: Node,
        process: str,
        send: Callable[[Sequence[bytes], SyslogSettings], None] = send_to_syslog,
    ) -> None:
        self._settings, self._all_settings = node.settings.audit, node.settings
        self._database = node.tracker.database
        self._database.journal = make_journal(node.settings, process)
        self._messages, self._alarms = node.tracker.audit_messages, node.tracker.alarms
        self._process, self._send = process, send
        self._waiting: Queue[AuditEvent] = Queue(MOST_WAITING)
        self._batch: list[AuditEvent] = []
        self._lost = 0
        self._have_settings_been_noted = False
        self._is_away: bool | None = None
        self._failures, self._send_at, self._adopt_at, self._clean_at = 0, 0.0, 0.0, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def record(self, event: AuditEvent) -> None:
        """Record an event, in a moment of its own."""
        if not self._settings.enabled:
            return
        try:
            self._waiting.put_nowait(event)
        except Full:
            self._lost += 1
            AUDIT_EVENTS_LOST.inc()

    def __enter__(self) -> "AuditTrail":
        """Record that the process has started."""
        self.record(AuditEvent(AuditKind.STARTED, utc_now(), self._process))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Record that it stops, and what still waits if the database takes it at once."""
        self.record(AuditEvent(AuditKind.STOPPED, utc_now(), self._process))
        self._stop.set()
        self._thread.join(STOP_SECONDS)
        if lost := self._waiting.qsize() + len(self._batch):
            AUDIT_EVENTS_LOST.inc(lost)
            _log.error("audit_events_lost", events=lost)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stop.wait(_PAUSE_SECONDS)
            try:
                self.step()
            except TransientError as error:
                _log.warning("audit_not_recorded", why=str(error), waiting=self._waiting.qsize())
            except Exception as error:  # noqa: BLE001  (it must go on; a message may name a patient)
                place = describe_without_quoting(error)
                _log.error("audit_broke", error=place)

    def step(self) -> None:
        """Record what waits, send what is not sent, and remove what is old.

        Raises
        ------
        TransientError
            The database did not answer; what waits is kept.
        """
        if not self._have_settings_been_noted:
            self._note_settings()
            self._have_settings_been_noted = True
        while self._fill_batch():
            self._messages.add(self._batch)
            self._batch = []
        if self._lost:
            self._report_loss(f"{self._lost} events found no room while the database was away")
            self._lost = 0
        now = time.monotonic()
        syslog = self._settings.syslog
        if syslog is not None and now >= self._send_at:
            self._send_on(syslog)
        if now >= self._clean_at:
            self._clean()
            self._clean_at = now + _CLEAN_SECONDS

    def _note_settings(self) -> None:
        """Record with which settings this process was started other than the one before."""
        document = flatten_settings(self._all_settings)
        place = describe_place(self._all_settings, socket.gethostname())
        before = self._messages.exchange_settings(place, document, utc_now())
        if before is None or before == document:
            return
        events = describe_changes(before, document, self._process, utc_now())
        if self._settings.enabled:
            self._messages.add(events)
            return
        # The last word of a trail that was switched off is that it was.
        enabled = self._settings.model_copy(update={"enabled": True})
        settings = self._all_settings.model_copy(update={"audit": enabled})
        self._database.journal = make_journal(settings, self._process)
        try:
            self._messages.add([event for event in events if event.kind is TRAIL_STOPPED])
        finally:
            self._database.journal = None

    def _fill_batch(self) -> bool:
        """Take events that wait into the batch; return whether it has any."""
        while len(self._batch) < _BATCH:
            try:
                self._batch.append(self._waiting.get_nowait())
            except Empty:
                break
        return bool(self._batch)

    def _report_loss(self, words: str) -> None:
        now = utc_now()
        self._alarms.raise_alarm(LOST, self._process, f"{words}; see the metric", now)
        self._messages.add([AuditEvent(TRAIL_STOPPED, now, self._process, words=words)])

    def _send_on(self, syslog: SyslogSettings) -> None:
        if time.monotonic() >= self._adopt_at:
            self._messages.adopt(self._process, utc_now() - _GONE)
            self._adopt_at = time.monotonic() + _ADOPT_SECONDS
        while unsent := self._messages.list_unsent(self._process, _BATCH):
            lines = [make_syslog_line(message, socket.gethostname()) for message in unsent]
            try:
                self._send(lines, syslog)
            except OSError as error:
                self._failures += 1
                pause = compute_pause(self._failures, _LONGEST_PAUSE_SECONDS)
                self._send_at = time.monotonic() + pause
                self._note_away(describe_fault(error))
                return
            self._messages.mark_sent([message.id for message in unsent])
        self._failures = 0
        self._note_away("")

    def _clean(self) -> None:
        limit = utc_now() - timedelta(days=self._settings.retention_days)
        missed = self._messages.remove_before(limit)
        if missed and self._settings.syslog is not None:
            AUDIT_EVENTS_LOST.inc(missed)
            self._report_loss(f"{missed} messages were removed for their age before they were sent")

    def _note_away(self, fault: str) -> None:
        """Raise or clear the alarm about the syslog server."""
        if self._is_away is bool(fault):
            return
        if fault:
            words = f"the syslog server does not take the audit trail ({fault}); it is kept in SQL"
            self._alarms.raise_alarm(AWAY, self._process, words, utc_now())
        else:
            self._alarms.clear_alarm(AWAY, self._process, utc_now())
        self._is_away = bool(fault)
