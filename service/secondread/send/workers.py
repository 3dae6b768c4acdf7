"""Lanes: threads that take one short step after another, each for one destination."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from secondread.log import get_logger
from secondread.send.backoff import compute_pause

log = get_logger(__name__)

_LONGEST_TROUBLE_SECONDS = 60.0


class DestinationWorker(Protocol):
    """What a lane does, step by step."""

    def step(self, cancelled: Callable[[], bool]) -> float | None:
        """Do what is due; return the seconds to wait before the next step, None if idle."""


class DestinationWorkers:
    """Steps for several destinations, each in a thread of its own.

    Parameters
    ----------
    kind
        What the lanes do, as in the names of their threads.
    steps
        The steps of each destination, by its name.
    poll_seconds
        How often a lane without work looks for some.
    longest_wait
        The longest that one step may take to notice that it is cancelled, in seconds.
    """

    def __init__(
        self,
        kind: str,
        steps: Mapping[str, DestinationWorker],
        poll_seconds: float,
        longest_wait: float,
    ) -> None:
        self._kind = kind
        self._poll_seconds = poll_seconds
        self._longest_wait = longest_wait
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run, args=(name, lane), name=f"{kind}-{name}", daemon=True
            )
            for name, lane in steps.items()
        ]

    def start(self) -> None:
        """Start the lanes."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> bool:
        """Stop between two objects, and wait for it no longer than the longest timeout.

        Returns
        -------
        bool
            Whether every lane has stopped. One that has not is in the middle of an object; its
            claim runs out by itself, and the object is taken up again.
        """
        self._stopping.set()
        deadline = time.monotonic() + self._longest_wait
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, name: str, lane: DestinationWorker) -> None:
        troubles = 0
        while not self._stopping.is_set():
            try:
                wait = lane.step(self._stopping.is_set)
                troubles = 0
            # A lane outlives whatever happens to it, a database that is away above all: there
            # is no other thread that would do its work for this destination.
            except Exception:
                troubles += 1
                wait = compute_pause(troubles, _LONGEST_TROUBLE_SECONDS)
                log.exception("lane_failed", lane=self._kind, destination=name)
            self._stopping.wait(self._poll_seconds if wait is None else wait)
