"""What the receiver does in the background: recording refusals and ends, sweeping the spool."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from secondread import log
from secondread.accept.intake import Intake
from secondread.accept.ledger import Transfer
from secondread.errors import TransientError, describe_without_quoting
from secondread.metrics import AUDIT_EVENTS_LOST

_log = log.get_logger(__name__)

_SWEEP_EVERY: Final = timedelta(minutes=1)
_LEAST_SPOOL_SECONDS: Final = 600.0

MOST_TRANSFERS: Final = 10_000
"""How much of what associations brought waits for a ledger that is away."""


class Housekeeping:
    """Keeps the ledger up to date and the spool clean, in a thread that no peer waits for.

    Parameters
    ----------
    intake
        Whose refusals are recorded, and whose archive's spool is swept.
    silence_seconds
        How long a peer may be silent; a spool file is left alone for several times that.
    """

    def __init__(self, intake: Intake, silence_seconds: float) -> None:
        self._intake = intake
        self._spool_seconds = max(_LEAST_SPOOL_SECONDS, 4 * silence_seconds)
        self._unrecorded_ends: deque[tuple[str, datetime, Sequence[Transfer]]] = deque()
        self._unrecorded_transfers = 0
        self._counting = threading.Lock()
        self._next_sweep: datetime | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def queue_association_end(
        self, association_id: str, at: datetime, transfers: Sequence[Transfer] = ()
    ) -> None:
        """Have the ledger record that an association ended, at once or as soon as it is back.

        What it brought is for the audit trail; while the ledger is away, no more of that is kept
        than `MOST_TRANSFERS`, and the rest is counted as lost.
        """
        with self._counting:
            has_room = self._unrecorded_transfers + len(transfers) <= MOST_TRANSFERS
            self._unrecorded_transfers += len(transfers) if has_room else 0
        if not has_room:
            AUDIT_EVENTS_LOST.inc(len(transfers))
            _log.error("audit_transfers_lost", transfers=len(transfers))
            transfers = ()
        self._unrecorded_ends.append((association_id, at, transfers))
        self._wake.set()

    def start(self, every_seconds: float) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._run_until_stopped,
            args=(every_seconds,),
            name="receive-housekeeping",
            daemon=True,
        )
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Stop the thread, and run a last time."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._run_safely(self.run_once)

    def run_once(self) -> None:
        """Record what waits for the ledger, and sweep the spool when that is due."""
        if self._reach_ledger(self._record_ends):
            self._reach_ledger(self._record_refusals)
        now = self._intake.clock()
        # A clock that was set back must not keep the sweep waiting.
        due = self._next_sweep
        if due is None or now >= due or due - now > _SWEEP_EVERY:
            self._next_sweep = now + _SWEEP_EVERY
            swept = self._intake.archive.sweep_spool(self._spool_seconds, now)
            if swept:
                _log.warning("spool_swept", files=swept)

    def _reach_ledger(self, act: Callable[[], None]) -> bool:
        """Record something; return False if the ledger is away."""
        try:
            act()
        except TransientError as error:
            _log.warning("ledger_not_reached", error=str(error))
            return False
        return True

    def _record_refusals(self) -> None:
        self._intake.refusals.flush(self._intake.ledger.record_refusals)

    def _record_ends(self) -> None:
        while self._unrecorded_ends:
            association_id, at, transfers = self._unrecorded_ends[0]
            self._intake.ledger.record_association_end(association_id, at, transfers)
            self._unrecorded_ends.popleft()
            with self._counting:
                self._unrecorded_transfers -= len(transfers)

    def _run_until_stopped(self, every_seconds: float) -> None:
        due = time.monotonic() + every_seconds
        while not self._stopping:
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            if time.monotonic() < due:
                # A study may be complete by an end. What was refused is a row for each class, and
                # some peers propose every class over every association.
                self._run_safely(lambda: self._reach_ledger(self._record_ends))
            else:
                self._run_safely(self.run_once)
                due = time.monotonic() + every_seconds

    def _run_safely(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  (one failure must not end all housekeeping)
            _log.error("housekeeping_failed", error=describe_without_quoting(error))
