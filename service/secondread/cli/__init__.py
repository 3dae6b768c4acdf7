"""The command line: `secondread COMMAND`, each with ``--help``."""

import gc
import os
import sys
import warnings
from typing import NoReturn

from secondread import counter_files, guard
from secondread.errors import (
    UNAVAILABLE_STATUS,
    UNEXPECTED_STATUS,
    WRONG_INPUT_STATUS,
    DatabaseDamagedError,
    SecondreadError,
    TransientError,
)

COMPLETION_VARIABLE = "_SECONDREAD_COMPLETE"
"""Set by a shell that asks how a command goes on; see `completion_command`."""


def main() -> None:
    """Run a command; an error is one clear message and an exit status, no traceback."""
    # pydicom's warnings quote the values they complain of, patients' names among them, and they
    # would go to standard error. In the tests every warning is an error.
    warnings.simplefilter("ignore")
    guard.replace_tracebacks()
    counter_files.reserve_counter_files()
    guard.forbid_core_dumps()
    # What a command imports lives as long as its process. At its defaults the collector goes
    # through it again and again, a sixth of what a worker's start costs.
    gc.set_threshold(10_000, 20, 50)
    if COMPLETION_VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    from secondread.cli.commands import app

    try:
        app()
    except TransientError as error:
        is_for_a_person = isinstance(error, DatabaseDamagedError)
        _end(error, WRONG_INPUT_STATUS if is_for_a_person else UNAVAILABLE_STATUS)
    # An OSError is, for example, a folder that cannot be written to; the error itself names it.
    except (SecondreadError, OSError) as error:
        _end(error, WRONG_INPUT_STATUS)
    except Exception as error:  # noqa: BLE001  (its text and its traceback could quote a header)
        guard.report_failure(error)
        sys.exit(UNEXPECTED_STATUS)


def _end(error: Exception, status: int) -> NoReturn:
    words = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        words = f"{error.filename}: {error.strerror}"
    sys.stderr.write(f"secondread: {words}\n")
    sys.exit(status)
