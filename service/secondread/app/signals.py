"""Stopping in good order: one event that SIGTERM, SIGINT or the parent's death sets."""

import ctypes
import os
import signal
import sys
import threading
from types import FrameType

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def make_stop_event() -> threading.Event:
    """Return an event that is set when the process is asked to stop; main thread only."""
    stop = threading.Event()

    def ask(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def stop_with_parent(parent: int) -> None:
    """Ask this process to stop when its parent, whose process id is given, dies.

    So that a supervisor that was killed leaves no process holding its port. Linux only; elsewhere
    the operating system's service manager has to do it.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # The parent may have died before the call above; then no signal will come.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
