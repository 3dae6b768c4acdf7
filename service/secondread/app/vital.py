"""Threads that a process cannot do without, and what it does when one is gone.

A process that lost one of them would go on looking healthy. It says so on its ``/readyz`` instead,
and ends with a status of its own, so that whoever supervises it starts it anew.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from secondread import log

if TYPE_CHECKING:
    from secondread.watch.health import ReadinessCheck

_log = log.get_logger(__name__)

THREAD_LOST_EXIT = 75
"""Exit status of a process that lost a thread; EX_TEMPFAIL of sysexits.h: start it again."""

LOOK_SECONDS = 1.0
"""How often to look for lost threads, where a process has nothing else to do."""


class VitalThreads:
    """The threads that a process needs.

    Parameters
    ----------
    living
        For each thing that it needs, whether that still runs.
    """

    def __init__(self, living: Mapping[str, Callable[[], bool]]) -> None:
        self._living = dict(living)

    def find_lost(self) -> list[str]:
        """Return what does not run any more."""
        return sorted(name for name, lives in self._living.items() if not lives())

    def check(self) -> "ReadinessCheck":
        """Return the check that says so on ``/readyz``."""
        # Asked by a web server, which has it loaded.
        from secondread.watch.health import ReadinessCheck

        lost = self.find_lost()
        detail = f"lost: {', '.join(lost)}" if lost else f"{len(self._living)} run"
        return ReadinessCheck("threads", ok=not lost, detail=detail)

    def end_if_lost(self) -> None:
        """End the process if one of them is lost.

        Raises
        ------
        SystemExit
            With `THREAD_LOST_EXIT`.
        """
        if lost := self.find_lost():
            _log.critical("thread_lost", threads=lost)
            sys.exit(THREAD_LOST_EXIT)

    def wait(self, stop: threading.Event) -> None:
        """Wait until asked to stop; end the process before that if one of them is lost."""
        while not stop.wait(LOOK_SECONDS):
            self.end_if_lost()
