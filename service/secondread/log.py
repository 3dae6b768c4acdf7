"""Logging: structlog, one JSON object a line outside a terminal, never patient data.

Events are names, facts are keys: ``log.info("instance_stored", study_uid=..., bytes=...)``.
UIDs are allowed; names, patient IDs and birth dates are not. The last processor before rendering
withholds the values of keys that could carry them, whichever module logged them.

What libraries log is not written: their texts and tracebacks quote whatever they stumbled over, and
a hostile peer makes them stumble thousands of times. It is counted, by library and level, and now
and then a line of ours says how often and where.
"""

import logging
import sys
import threading
import time
from dataclasses import dataclass
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from secondread.errors import describe_without_quoting, list_places

_PATIENT_KEYS = frozenset(
    {
        "patient",
        "patient_id",
        "patient_name",
        "patient_birth_date",
        "birth_date",
        "name_of_patient",
        "accession_number",
        "dataset",
        "ds",
    }
)
"""Keys whose values are never written; the text of a data set has all of the others in it."""


def drop_patient_data(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Withhold the value of every key that could carry a patient's identity."""
    for key in _PATIENT_KEYS.intersection(event):
        event[key] = "(withheld)"
    return event


def describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put the type of an exception and the places it passed in the place of its traceback."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event["error"] = describe_without_quoting(error)
        event["places"] = list_places(error)
    return event


@dataclass(slots=True)
class _LibraryCount:
    """What one library logged at one level."""

    since_last_line: int = 0
    next_line_at: float = 0.0


class LibraryFilter(logging.Filter):
    """Lets our own records through; counts those of libraries, and says so now and then.

    Parameters
    ----------
    seconds_between_lines
        How often a line is written about one library and level, at most.
    """

    def __init__(self, seconds_between_lines: float = 60.0) -> None:
        super().__init__()
        self._pause = seconds_between_lines
        self._counts: dict[tuple[str, int], _LibraryCount] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is ours; one of a library is counted instead of written."""
        # structlog hands over the event itself, and the logger that it came from.
        if isinstance(record.msg, dict) and hasattr(record, "_logger"):
            return True
        library, level = record.name.partition(".")[0][:40], record.levelname.lower()
        from secondread.metrics import LIBRARY_RECORDS

        LIBRARY_RECORDS.labels(library=library, level=level).inc()
        count = self._count(library, record.levelno)
        if count:
            error = record.exc_info[0] if record.exc_info else None
            # Its warnings and errors are none of ours: what they mean is logged where they matter.
            get_logger(__name__).info(
                "library_records",
                library=library,
                library_level=level,
                count=count,
                place=f"{record.filename}:{record.lineno}",
                error=None if error is None else error.__name__,
            )
        return False

    def _count(self, library: str, level: int) -> int:
        """Count a record; return how many there were since the last line if one is due, else 0."""
        now = time.monotonic()
        with self._lock:
            count = self._counts.setdefault((library, level), _LibraryCount())
            count.since_last_line += 1
            if now < count.next_line_at:
                return 0
            count.next_line_at = now + self._pause
            due, count.since_last_line = count.since_last_line, 0
            return due


def configure_logging(process: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every record of the program to one stream in one format, and count its libraries'.

    Parameters
    ----------
    process
        Written into each record, for example ``receive`` or ``worker-0``.
    level
        The lowest level written: debug, info, warning or error.
    stream
        Where to write; standard error if None. A terminal gets aligned text, all else JSON.
    """
    out = stream if stream is not None else sys.stderr

    # Not a context variable: those are not inherited by threads.
    def name_process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        name_process,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
        drop_patient_data,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if out.isatty() else structlog.processors.JSONRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    handler.addFilter(LibraryFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, lowest in _LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(lowest)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


# Their info and debug records repeat ours, and would only be counted.
_LIBRARY_LEVELS = dict.fromkeys(
    (
        "alembic",
        "asyncio",
        "dbos",
        "highdicom",
        "httpx",
        "PIL",
        "pydicom",
        "pynetdicom",
        "sqlalchemy",
        "uvicorn",
        "uvicorn.access",
        "uvicorn.error",
    ),
    logging.WARNING,
) | {
    # `send` logs a peer that is down, once for each attempt.
    "pynetdicom.transport": logging.CRITICAL,
}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; call it as ``log = get_logger(__name__)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
