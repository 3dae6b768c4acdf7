"""Watches the disk of the archive, and raises an alarm before instances are refused and while.

A study that the node refuses for want of room stays at its modality, and nobody looks there. So
there is an alarm at twice the least free space, a critical one below it, and one for a disk that
cannot be written to or takes seconds to write. Each is cleared when it is over.
"""

import os
import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from secondread import log
from secondread.app.node import Node
from secondread.app.repeating import repeat_in_thread
from secondread.clock import utc_now
from secondread.errors import TransientError, describe_without_quoting
from secondread.track.values import Severity
from secondread.watch.words import format_bytes

_log = log.get_logger(__name__)

DISK_FULL_ALARM = "disk-full"
"""Instances are refused (A700) for want of free space."""

DISK_FILLING_ALARM = "disk-nearly-full"
"""Less than twice the least free space is left."""

DISK_FAILING_ALARM = "disk-not-writable"
"""A file could not be written to the archive's disk."""

DISK_SLOW_ALARM = "disk-slow"
"""Writing a small file to the disk, to stay, takes seconds."""

WATCH_SECONDS: Final = 10.0
"""How often the disk is looked at."""

SLOW_SECONDS: Final = 3.0
"""A healthy disk takes some 10 ms; a sender waits as long as the disk for every image."""

_FILLING_FACTOR: Final = 2
_PROBE_PREFIX: Final = "probe-"


@dataclass(frozen=True, slots=True)
class DiskState:
    """What was found when the disk was looked at."""

    free_bytes: int
    write_seconds: float | None
    """How long it took to write a small file, to stay; None where it was not tried or failed."""
    fault: str = ""
    """Why it could not be written; empty where it could."""


@dataclass(frozen=True, slots=True)
class _Finding:
    kind: str
    severity: Severity
    detail: str


def list_findings(state: DiskState, minimum_bytes: int) -> list[_Finding]:
    """Return the alarms that a state of the disk calls for."""
    findings = []
    room = f"{format_bytes(state.free_bytes)} free, {format_bytes(minimum_bytes)} is the minimum"
    is_full = state.free_bytes < minimum_bytes
    if state.fault and not is_full:
        text = f"the archive's disk cannot be written to: {state.fault}; instances are refused"
        findings.append(_Finding(DISK_FAILING_ALARM, Severity.CRITICAL, text))
    if is_full:
        text = f"{room}: instances are refused (A700), and their senders have to keep them"
        findings.append(_Finding(DISK_FULL_ALARM, Severity.CRITICAL, text))
    elif state.free_bytes < _FILLING_FACTOR * minimum_bytes:
        findings.append(_Finding(DISK_FILLING_ALARM, Severity.WARNING, room))
    if state.write_seconds is not None and state.write_seconds > SLOW_SECONDS:
        text = f"a small file took {state.write_seconds:.1f} s to be written"
        findings.append(_Finding(DISK_SLOW_ALARM, Severity.WARNING, text))
    return findings


_KINDS = (DISK_FULL_ALARM, DISK_FILLING_ALARM, DISK_FAILING_ALARM, DISK_SLOW_ALARM)


class DiskWatch:
    """Looks at the disk of a node's archive.

    Parameters
    ----------
    node
        The node.
    subject
        What the alarms name: the process that watches.
    """

    def __init__(self, node: Node, subject: str) -> None:
        self._node = node
        self._subject = subject
        self._logged: frozenset[str] = frozenset()
        # Of an earlier life of this process, any may be raised.
        self._raised = set(_KINDS)
        self._is_settled = False

    def look(self, now: datetime) -> None:
        """Look at the disk once; raise and clear its alarms.

        Raises
        ------
        TransientError
            The database is away, or has no room either; what was found is in the log.
        """
        state = self.measure()
        minimum = self._node.settings.receive.minimum_free_bytes
        findings = list_findings(state, minimum)
        self._log_changes(findings)
        self._update_alarms(findings, now)

    def measure(self) -> DiskState:
        """Measure the free space, and how long it takes to write."""
        archive = self._node.archive
        free = 0
        try:
            free = archive.measure_free_bytes()
            return DiskState(free, _time_write(archive.spool))
        except OSError as error:
            return DiskState(free, None, error.strerror or "unknown")

    def _log_changes(self, findings: list[_Finding]) -> None:
        # Also in the log, because a full disk may keep the alarm from being recorded.
        for finding in findings:
            if finding.kind not in self._logged:
                _log.error("disk_in_trouble", kind=finding.kind, detail=finding.detail)
        self._logged = frozenset(finding.kind for finding in findings)

    def _update_alarms(self, findings: list[_Finding], now: datetime) -> None:
        alarms = self._node.tracker.alarms
        for finding in findings:
            if finding.kind not in self._raised or not self._is_settled:
                alarms.raise_alarm(
                    finding.kind, self._subject, finding.detail, now, finding.severity
                )
                self._raised.add(finding.kind)
        for kind in self._raised - {finding.kind for finding in findings}:
            alarms.clear_alarm(kind, self._subject, now)
            self._raised.discard(kind)
        self._is_settled = True


def _time_write(folder: Path) -> float:
    started = time.monotonic()
    handle, name = tempfile.mkstemp(dir=folder, prefix=_PROBE_PREFIX)
    try:
        os.write(handle, bytes(4096))
        os.fsync(handle)
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)
    return time.monotonic() - started


def watch_disk(
    node: Node, subject: str, every_seconds: float = WATCH_SECONDS
) -> AbstractContextManager[None]:
    """Watch the disk from a thread while the block runs."""
    look = partial(_look_safely, DiskWatch(node, subject))
    return repeat_in_thread(look, "disk-watch", every_seconds)


def _look_safely(watch: DiskWatch) -> None:
    try:
        watch.look(utc_now())
    except TransientError as error:
        _log.warning("disk_alarms_not_recorded", why=str(error))
    except Exception as error:  # noqa: BLE001  (one failure must not end the watch)
        _log.error("disk_watch_failed", error=describe_without_quoting(error))
