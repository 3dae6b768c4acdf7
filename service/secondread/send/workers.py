"""Threads that take one short step after another, each for one destination."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from secondread.log import get_logger
from secondread.send.association import LAST_SECONDS
from secondread.send.outbox import Cancelled
from secondread.send.pauses import compute_pause

log = get_logger(__name__)

_LONGEST_TROUBLE_SECONDS = 60.0

IDLE_POLLS = 15
"""An idle worker looks at its queue when something has changed, and otherwise after so many polls:
what is due again after a pause, of 5 s at least, is due by time alone."""

STOP_SECONDS = 2 * LAST_SECONDS
"""How long the threads may take to stop."""


class DestinationWorker(Protocol):
    """What a thread does for one destination, step by step."""

    name: str
    """The destination's."""

    def step(self, cancelled: Cancelled) -> float | None:
        """Do what is due; return the seconds to wait before the next step, None if idle.

        Once cancelled, it comes to its end within `association.LAST_SECONDS` and a little more.
        """


class DestinationWorkers:
    """Workers for several destinations, each in a thread of its own.

    Parameters
    ----------
    task
        What they do, as in the names of their threads.
    workers
        One for each destination.
    poll_seconds
        How often a worker without work looks whether there may be some.
    read_mark
        Returns what differs from what it returned before, if there may be some: see
        `track.commit_marks`. By default there always may.
    """

    def __init__(
        self,
        task: str,
        workers: Sequence[DestinationWorker],
        poll_seconds: float = 0.2,
        read_mark: Callable[[], object] = object,
    ) -> None:
        self._task = task
        self._poll_seconds = poll_seconds
        self._read_mark = read_mark
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run_steps, args=(worker,), name=f"{task}-{worker.name}", daemon=True
            )
            for worker in workers
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether every thread still runs."""
        return all(thread.is_alive() for thread in self._threads)

    def ask_to_stop(self) -> None:
        """Have the threads stop when they next can, without waiting for it."""
        self._stopping.set()

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Stop, and wait for it so many seconds.

        Returns
        -------
        bool
            Whether every worker has stopped. One that has not may wait for a name server, say; its
            lease is ended for it (`track.leases`), and what it had in hand is taken up again.
        """
        self._stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run_steps(self, worker: DestinationWorker) -> None:
        troubles = 0
        while not self._stopping.is_set():
            mark = self._read_mark()
            try:
                wait = worker.step(self._stopping.is_set)
                troubles = 0
            # A worker outlives whatever happens to it, a database that is away above all: there
            # is no other thread that would do its work for this destination.
            except Exception:
                troubles += 1
                wait = compute_pause(troubles, _LONGEST_TROUBLE_SECONDS)
                log.exception("destination_worker_failed", task=self._task, destination=worker.name)
            if wait is None:
                self._wait_for_work(mark)
            else:
                self._stopping.wait(wait)

    def _wait_for_work(self, mark: object) -> None:
        for _ in range(IDLE_POLLS):
            if self._stopping.wait(self._poll_seconds) or self._read_mark() != mark:
                return
