"""A process shows in SQL that it is alive, so that others can take over what a dead one left."""

import os
import socket
import threading
from contextlib import suppress
from types import TracebackType

from secondread import __version__, log
from secondread.app.node import Node
from secondread.clock import utc_now
from secondread.errors import TransientError
from secondread.track.values import ProcessIdentity

_log = log.get_logger(__name__)


class Heartbeat:
    """Beats from a thread of its own while its `with` block runs.

    Parameters
    ----------
    node
        In whose database it writes, and how often.
    name
        Name of the process, unique among those alive.
    kind
        ``receive``, ``work`` or ``web``.
    is_missed
        Whether somebody has to take over what this process leaves: it then stays listed after
        its end, without a beat.
    """

    def __init__(self, node: Node, name: str, kind: str, *, is_missed: bool = False) -> None:
        self._is_missed = is_missed
        self._processes = node.tracker.processes
        self._beat = ProcessIdentity(name, kind, socket.gethostname(), os.getpid(), __version__)
        self._seconds = node.settings.work.heartbeat_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._beat_until_stopped, name="heartbeat", daemon=True
        )

    @property
    def is_alive(self) -> bool:
        """Whether it still beats."""
        return self._thread.is_alive()

    def __enter__(self) -> "Heartbeat":
        """Beat once before anything else happens, then continue in the background."""
        self._processes.record_heartbeat(self._beat, utc_now())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop beating; remove the process unless somebody has to take over from it."""
        self._stop.set()
        self._thread.join(self._seconds)
        if error is None and not self._is_missed:
            with suppress(TransientError):
                self._processes.remove_process(self._beat.name)

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                was_taken_for_dead = self._processes.record_heartbeat(self._beat, utc_now())
            except TransientError as error:
                _log.warning("heartbeat_missed", why=str(error))
            # Whatever it is, the next beat may succeed; without any, others take over.
            except Exception:  # noqa: BLE001
                _log.exception("heartbeat_failed")
            else:
                if was_taken_for_dead:
                    # What this process ran belongs to others by now: each step finds that out by
                    # the number of its run. It goes on with what is new.
                    _log.warning("process_was_taken_for_dead", process=self._beat.name)
