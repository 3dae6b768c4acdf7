"""What the receiver does beside receiving: writing down refusals and ends, sweeping the spool."""

import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Final

from secondread import log
from secondread.accept.archive import Archive
from secondread.accept.ledger import Ledger
from secondread.accept.refusals import RefusalLog
from secondread.clock import Clock
from secondread.errors import TransientError

_log = log.get_logger(__name__)

_SWEEP_EVERY: Final = timedelta(minutes=1)
_LEAST_SPOOL_SECONDS: Final = 600.0


class Housekeeping:
    """Keeps the ledger told and the spool clean, in a thread that no peer waits for.

    Parameters
    ----------
    archive
        Whose spool is swept.
    ledger
        Who is told.
    refusals
        What was counted.
    clock
        The present instant.
    silence_seconds
        How long a peer may be silent; a spool file is left alone for several times that.
    """

    def __init__(
        self,
        archive: Archive,
        ledger: Ledger,
        refusals: RefusalLog,
        clock: Clock,
        silence_seconds: float,
    ) -> None:
        self._archive = archive
        self._ledger = ledger
        self._refusals = refusals
        self._clock = clock
        self._spool_seconds = max(_LEAST_SPOOL_SECONDS, 4 * silence_seconds)
        self._ended: deque[tuple[str, datetime]] = deque()
        self._next_sweep: datetime | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def queue_association_end(self, association_id: str, at: datetime) -> None:
        """Have the ledger told that an association ended, at once or as soon as it can be."""
        self._ended.append((association_id, at))
        self._wake.set()

    def start(self, every_seconds: float) -> None:
        """Begin to run in a thread."""
        self._thread = threading.Thread(
            target=self._run, args=(every_seconds,), name="receive-housekeeping", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and run a last time."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._run_safely()

    def run_once(self) -> None:
        """Tell the ledger what waits, and sweep the spool when that is due."""
        try:
            self._tell_ends()
            self._refusals.flush(self._ledger.record_refusals)
        except TransientError as error:
            _log.warning("ledger_not_reached", error=str(error))
        now = self._clock()
        if self._next_sweep is None or now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_EVERY
            swept = self._archive.sweep_spool(self._spool_seconds, now)
            if swept:
                _log.warning("spool_swept", files=swept)

    def _tell_ends(self) -> None:
        while self._ended:
            association_id, at = self._ended[0]
            self._ledger.record_association_end(association_id, at)
            self._ended.popleft()

    def _run(self, every_seconds: float) -> None:
        while not self._stopping:
            self._wake.wait(every_seconds)
            self._wake.clear()
            self._run_safely()

    def _run_safely(self) -> None:
        try:
            self.run_once()
        except Exception as error:  # noqa: BLE001  (one failure must not end all housekeeping)
            _log.error("housekeeping_failed", error=f"{type(error).__name__}: {error}")
