"""Logging: structlog, one JSON object a line outside a terminal, never patient data.

Events are names, facts are keys: ``log.info("instance_stored", study_uid=..., bytes=...)``.
UIDs are allowed; names, patient IDs and birth dates are not. The last processor before rendering
withholds the values of keys that could carry them, whichever module logged them.
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

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


def configure_logging(process: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every record of the program, its libraries' too, to one stream in one format.

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
        structlog.processors.format_exc_info,
        drop_patient_data,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if out.isatty()
        else structlog.processors.JSONRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
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


# Their info and debug records repeat ours, and some of them print whole data sets.
_LIBRARY_LEVELS = dict.fromkeys(
    (
        "alembic",
        "asyncio",
        "dbos",
        "httpx",
        "PIL",
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
    # Quotes the values it complains about, names among them.
    "pydicom": logging.CRITICAL,
}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; call it as ``log = get_logger(__name__)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
