"""Records the audit trail beside what it is about, which it never holds up.

Events wait in memory, bounded, until the database has them; from the table they are sent to the
syslog server in order, and again after a restart. What finds no room is counted, and an alarm is
raised.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from queue import Empty, Full, Queue
from types import TracebackType

from secondread import log
from secondread.accept.ledger import Refusal
from secondread.app.node import Node
from secondread.audit import AuditEvent, AuditKind, Record, write_message
from secondread.clock import utc_now
from secondread.errors import SettingsError, TransientError, describe_without_quoting
from secondread.metrics import AUDIT_EVENTS_LOST
from secondread.reasons import Reason
from secondread.settings import CallTlsSettings, SyslogSettings, SyslogTransport
from secondread.tls import get_client_context
from secondread.track.audit_messages import AuditMessage

_log = log.get_logger(__name__)

MOST_WAITING = 10_000
"""Events in memory while the database is away; further ones are lost, and counted."""

_BATCH = 200
_PAUSE_SECONDS = 1.0
_CLEAN_SECONDS = 3600.0
_SYSLOG_SECONDS = 5.0

_PRIORITY = 85  # facility 10 (security), severity 5 (notice): PS3.15 A.6
_TURNED_AWAY = frozenset(
    {
        Reason.CALLING_AE_UNKNOWN,
        Reason.ADDRESS_UNEXPECTED,
        Reason.CALLED_AE_UNKNOWN,
        Reason.TLS_FAILED,
    }
)

AWAY = "audit-repository-away"
LOST = "audit-events-lost"


def make_syslog_line(message: AuditMessage, host: str) -> bytes:
    """Return a message as syslog has it (RFC 5424; PS3.15 A.6: APP-NAME, MSGID, a UTF-8 mark)."""
    at = message.at.isoformat(timespec="milliseconds")
    head = f"<{_PRIORITY}>1 {at} {host[:255]} secondread - DICOM+RFC3881 - "
    return head.encode("ascii", "replace") + b"\xef\xbb\xbf" + message.message.encode()


def send_to_syslog(lines: Sequence[bytes], syslog: SyslogSettings) -> None:
    """Send lines to a syslog server: UDP (RFC 5426), or counted octets over TCP or TLS (RFC 5425).

    Raises
    ------
    OSError
        It could not be reached, or its certificate not be checked. Over UDP nobody notices; over
        TCP what was taken may be lost.
    """
    address = syslog.host, syslog.port
    if syslog.transport is SyslogTransport.UDP:
        (family, _, _, _, target), *_ = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            for line in lines:
                datagrams.sendto(line, target)
        return
    with socket.create_connection(address, timeout=_SYSLOG_SECONDS) as plain:
        framed = b"".join(b"%d %b" % (len(line), line) for line in lines)
        if syslog.transport is SyslogTransport.TCP:
            plain.sendall(framed)
            return
        try:
            context = get_client_context(CallTlsSettings(trusted=syslog.trusted))
        except SettingsError as error:
            raise OSError(str(error)) from error
        with context.wrap_socket(plain, server_hostname=syslog.host) as encrypted:
            encrypted.sendall(framed)


def record_refusals(record: Record, refusals: Sequence[Refusal]) -> None:
    """Record the callers whom the receiver turned away for who they are, alike ones once."""
    for refusal in refusals:
        if refusal.reason in _TURNED_AWAY:
            event = AuditEvent(
                AuditKind.CALLER_REFUSED,
                refusal.last_at,
                refusal.calling_ae_title,
                refusal.address,
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
        Sends lines to a syslog server.
    """

    def __init__(
        self,
        node: Node,
        process: str,
        send: Callable[[Sequence[bytes], SyslogSettings], None] = send_to_syslog,
    ) -> None:
        self._settings = node.settings.audit
        self._messages, self._alarms = node.tracker.audit_messages, node.tracker.alarms
        self._source, self._process, self._send = node.settings.node.ae_title, process, send
        self._waiting: Queue[AuditEvent] = Queue(MOST_WAITING)
        self._batch: list[AuditEvent] = []
        self._lost = 0
        self._is_away: bool | None = None
        self._clean_at = 0.0
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
        self._thread.join(_SYSLOG_SECONDS)

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
        syslog = self._settings.syslog
        while self._fill_batch():
            self._messages.add(self._process, self._batch, self._write, is_sent=syslog is None)
            self._batch = []
        if self._lost:
            words = "events were lost while the database was away; see the metric"
            self._alarms.raise_alarm(LOST, self._process, words, utc_now())
            self._lost = 0
        if syslog is not None:
            self._send_on(syslog)
        if time.monotonic() >= self._clean_at:
            self._messages.remove_before(utc_now() - timedelta(days=self._settings.retention_days))
            self._clean_at = time.monotonic() + _CLEAN_SECONDS

    def _fill_batch(self) -> bool:
        """Take events that wait into the batch; return whether it has any."""
        while len(self._batch) < _BATCH:
            try:
                self._batch.append(self._waiting.get_nowait())
            except Empty:
                break
        return bool(self._batch)

    def _write(self, event: AuditEvent, patient_id: str) -> str:
        return write_message(event, self._source, os.getpid(), patient_id)

    def _send_on(self, syslog: SyslogSettings) -> None:
        while unsent := self._messages.list_unsent(self._process, _BATCH):
            lines = [make_syslog_line(message, socket.gethostname()) for message in unsent]
            try:
                self._send(lines, syslog)
            except OSError as error:
                self._note_away(type(error).__name__)
                return
            self._messages.mark_sent([message.id for message in unsent])
        self._note_away("")

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
