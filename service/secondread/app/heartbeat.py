"""A process says that it lives, in SQL, so that others can take over what a dead one left."""

import os
import socket
import threading
from contextlib import suppress
from types import TracebackType

from secondread import __version__, log
from secondread.clock import utc_now
from secondread.errors import TransientError
from secondread.track.tracker import Tracker
from secondread.track.values import ProcessIdentity

_log = log.get_logger(__name__)


class Heartbeat:
    """Beats from a thread of its own while its `with` block runs.

    Parameters
    ----------
    tracker
        Where to write.
    name
        Name of the process, unique among those alive.
    kind
        ``receive``, ``work`` or ``web``.
    seconds
        Pause between two beats.
    is_missed
        Whether somebody has to take over what this process leaves: it then stays listed after
        its end, and falls silent.
    """

    def __init__(
        self, tracker: Tracker, name: str, kind: str, seconds: float, *, is_missed: bool = False
    ) -> None:
        self._is_missed = is_missed
        self._tracker = tracker
        self._beat = ProcessIdentity(name, kind, socket.gethostname(), os.getpid(), __version__)
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        """Beat once before anything else happens, then go on in the background."""
        self._tracker.processes.record_heartbeat(self._beat, utc_now())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop beating; a process that nobody has to take over from is no longer listed."""
        self._stop.set()
        self._thread.join(self._seconds)
        if error is None and not self._is_missed:
            with suppress(TransientError):
                self._tracker.processes.remove_process(self._beat.name)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._tracker.processes.record_heartbeat(self._beat, utc_now())
            except TransientError as error:
                _log.warning("heartbeat_missed", why=str(error))
