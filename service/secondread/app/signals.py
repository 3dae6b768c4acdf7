"""Stopping in good order: one event that SIGTERM, SIGINT or the parent's death sets."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def make_child_setup() -> Callable[[], None] | None:
    """Return what a child runs before its program: Linux then kills it with its parent, at once.

    The program does the same by itself (`make_stop_event`), but only once it is loaded, which takes
    seconds. None elsewhere than on Linux.
    """
    if sys.platform != "linux":
        return None
    # Looked up here: between fork and exec, a lock of another thread would never be released.
    set_option, parent = ctypes.CDLL(None).prctl, os.getpid()

    def set_up() -> None:
        set_option(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it went before the line above
            os._exit(1)

    return set_up


def make_stop_event(parent: int | None = None) -> threading.Event:
    """Return an event that is set when the process is asked to stop; main thread only.

    Parameters
    ----------
    parent
        Process id of the supervisor. Linux kills this process with it, at once: otherwise one that
        was killed would leave processes that hold its ports. What they had begun is safe, as after
        any other kill. Elsewhere the operating system's service manager has to stop them.
    """
    stop = threading.Event()

    def set_stop(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, set_stop)
    signal.signal(signal.SIGINT, set_stop)
    if parent is not None and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The parent may have died before the call above; then no signal will come.
        if os.getppid() != parent:
            stop.set()
    return stop
