"""Whether anything was committed to a database since one last looked, for a few microseconds.

Whoever waits for work asks this instead of looking for work in the tables: a node to which nothing
comes then costs next to nothing, and still notices within a fraction of a second when something
does, whichever process committed it.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy.engine import make_url

from secondread.track.database import open_engine

ReadMark = Callable[[], object]
"""Returns something that differs from what it returned before, if anything was committed since."""

FRESH_SECONDS = 0.04
"""For so long all threads of a process get the mark that one of them has read."""

_BUSY_SECONDS = 0.1


class CommitMarks:
    """Reads a database's own mark of its commits; threads may share it.

    SQLite counts commits of other connections (``PRAGMA data_version``), and this one has a
    connection that never writes. PostgreSQL's snapshot says which transactions have ended.

    Parameters
    ----------
    url
        SQLAlchemy URL of the database.
    fresh_seconds
        For how long a mark that was read is returned again.
    """

    def __init__(self, url: str, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._connect = _CONNECTORS[make_url(url).get_backend_name()]
        self._url = url
        self._fresh_seconds = fresh_seconds
        self._guard = threading.Lock()
        self._query: _Query | None = None
        self._mark: object = None
        self._read_at = -fresh_seconds

    def read(self) -> object:
        """Return the mark; while the database does not answer, a new one each time.

        Two marks that are equal were read with no commit between them. Whoever finds a new one has
        a look at the tables, and there meets whatever is wrong with the database.
        """
        with self._guard:
            now = time.monotonic()
            if now - self._read_at >= self._fresh_seconds:
                # Taken before the database is asked: what is committed after that is not in it.
                self._read_at = now
                self._mark = self._ask()
            return self._mark

    def close(self) -> None:
        """Close the connection; whoever reads after that makes a new one."""
        with self._guard:
            self._drop()

    def _ask(self) -> object:
        try:
            self._query = self._query or self._connect(self._url)
            return self._query.ask()
        except Exception:  # noqa: BLE001  (drivers' own errors; the next real query names them)
            self._drop()
            return object()

    def _drop(self) -> None:
        if self._query is not None:
            with suppress(Exception):
                self._query.close()
        self._query = None


class _Query(NamedTuple):
    """A connection and the question that is asked over it."""

    ask: Callable[[], object]
    close: Callable[[], object]


def _connect_sqlite(url: str) -> _Query:
    connection = sqlite3.connect(
        make_url(url).database or "",
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # the lock above lets one thread in at a time
    )
    # A new connection counts from the start again.
    life = object()

    def ask() -> object:
        return life, connection.execute("PRAGMA data_version").fetchone()[0]

    return _Query(ask, connection.close)


def _connect_postgresql(url: str) -> _Query:
    engine = open_engine(url)
    pooled = engine.raw_connection()
    connection: Any = pooled.driver_connection
    connection.autocommit = True

    def ask() -> object:
        return connection.execute("SELECT pg_current_snapshot()::text").fetchone()[0]

    return _Query(ask, pooled.invalidate)


_CONNECTORS: Mapping[str, Callable[[str], _Query]] = {
    "sqlite": _connect_sqlite,
    "postgresql": _connect_postgresql,
}


class PatientEvent:
    """A library's stop event, whose waits last as long as nothing is committed that it waits for.

    The threads that it is handed to poll a database, each at its own pace, and share this event.
    Short waits, of those whose pace is our own, end as soon as something was committed. Long ones
    are of threads that look for what hardly ever comes.

    Parameters
    ----------
    event
        The event that the threads would wait for.
    read_mark
        Reads the mark of the database that they poll.
    nudge
        Is set by whoever does something in this process that they poll for: a short wait then ends
        at once, and those after it are as asked for, for some time: what is waited for may follow
        in memory, or be committed a moment later.
    stretches_at_once
        False if long waits are as asked for until there was a short one: the thread that takes
        them starts the one that takes short ones.
    """

    LONGEST_SECONDS = 5.0
    """A short wait lasts no longer, whatever is committed or not."""
    LIVELY_SECONDS = 2.0
    """For so long after a nudge, short waits are as asked for."""
    SHORT_SECONDS = 0.5
    STRETCH = 4.0
    """Long waits last so many times as long."""

    def __init__(
        self,
        event: threading.Event,
        read_mark: ReadMark,
        nudge: threading.Event,
        *,
        stretches_at_once: bool = False,
    ) -> None:
        self._event = event
        self._read_mark = read_mark
        self._nudge = nudge
        self._stretches = stretches_at_once
        self._mark: object = None
        self._lively_until = 0.0

    def is_set(self) -> bool:
        """Whether the threads are to stop."""
        return self._event.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait; return whether the threads are to stop."""
        if timeout <= 0:
            return self._event.is_set()
        if timeout > self.SHORT_SECONDS:
            return self._event.wait(timeout * (self.STRETCH if self._stretches else 1.0))
        self._stretches = True
        self._wait_for_commit(timeout)
        return self._event.is_set()

    def _wait_for_commit(self, timeout: float) -> None:
        until = time.monotonic() + self.LONGEST_SECONDS
        while not (self._nudge.wait(timeout) or self._event.is_set()):
            mark, now = self._read_mark(), time.monotonic()
            is_new, self._mark = mark != self._mark, mark
            if is_new or now < self._lively_until or now >= until:
                return
        self._nudge.clear()
        self._lively_until = time.monotonic() + self.LIVELY_SECONDS
