"""What a process writes when nobody decides: no tracebacks, no core, and private files.

Imports nothing that takes time: every command begins here.
"""

import logging
import os
import resource
import sys
import threading
from typing import Any, Final

from secondread.errors import list_places

PRIVATE_UMASK: Final = 0o077
"""Nothing that a node's process makes can be read by other users: images, reports, the database."""


def replace_tracebacks() -> None:
    """Replace what Python writes to standard error by itself, tracebacks and warnings, by records.

    Called once, where a process begins. The text of what is neither caught nor logged could quote
    a header, and so could a warning.
    """
    logging.captureWarnings(capture=True)
    logging.lastResort = None
    sys.excepthook = _report_exception
    sys.unraisablehook = _report_unraisable
    threading.excepthook = _report_thread


def keep_files_private() -> None:
    """Have files and folders that this process makes be readable by its own user alone."""
    os.umask(PRIVATE_UMASK)


def forbid_core_dumps() -> None:
    """Have no memory image written when this process or one that it starts is killed by a fault.

    It would hold the images and headers that were being read. Programs that the kernel pipes cores
    to are given the limit, and decide themselves (core(5)); systemd-coredump stores nothing then.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def report_failure(error: BaseException, event: str = "process_failed") -> None:
    """Say that an error came that nobody expected, without quoting it."""
    from structlog import is_configured

    if is_configured():
        from secondread import log

        log.get_logger(__name__).critical(event, exc_info=error)
    else:
        places = " < ".join(reversed(list_places(error)))
        sys.stderr.write(f"secondread: unexpected {type(error).__name__} at {places}\n")


def _report_exception(_: type[BaseException], error: BaseException, __: Any) -> None:  # noqa: ANN401
    if not isinstance(error, KeyboardInterrupt):
        report_failure(error)


def _report_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        report_failure(failure.exc_value, "thread_failed")


def _report_unraisable(failure: Any) -> None:  # noqa: ANN401  (sys.UnraisableHookArgs is in stubs only)
    if failure.exc_value is not None:
        report_failure(failure.exc_value, "cleanup_failed")
