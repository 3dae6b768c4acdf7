"""The edge to the database: engines, transactions, and what a driver's errors mean.

One SQLite file, or one PostgreSQL database, is used by several processes at once. On SQLite a
writer takes the write lock when its transaction begins (BEGIN IMMEDIATE): a transaction that
reads first and asks for the lock later could fail in its middle however long it waits. On
PostgreSQL the statements lock the rows that they decide on (SELECT ... FOR UPDATE).
"""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from secondread.audit import Journal
from secondread.errors import (
    DatabaseDamagedError,
    InputError,
    SettingsError,
    StorageFullError,
    TransientError,
)
from secondread.track.refused_connections import (
    NOT_PERMITTED,
    describe_lack_of_rights,
    describe_refused_connection,
)
from secondread.track.tables import Base

BUSY_SECONDS = 10
"""How long a writer waits for another process's transaction before it gives up. A sender waits as
long for its A700, and most give up after 30 s."""

MIGRATION_SECONDS = 60
"""The same for a migration, which another process may be at."""

POSTGRESQL_NETWORK: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server that is gone without a word is noticed after some ten seconds, not after minutes. In
seconds, the last in milliseconds; see libpq's connection parameters."""

ANSWER_SECONDS = 15
"""How long the answer to a statement may take on PostgreSQL, the wait for a lock included: a server
that is stopped acknowledges what it is sent and never answers."""

MIGRATION_ANSWER_SECONDS = 3600
"""The same for a migration, whose statements may go through whole tables."""

IDLE_SECONDS = 10
"""How long a process may leave a transaction alone before the server ends it, and its locks with
it: one that is stopped in the middle would hold up those that are to take over from it."""

_SESSION = {
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    # A machine that is gone says no good-bye, and its transactions hold locks as well.
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 3,
    "tcp_keepalives_count": 3,
}
"""Settings of each session on PostgreSQL, beside how long it waits for a lock."""

_WRITES = "secondread_writes"

JOURNAL = "journal"
"""Where a session that writes has how the audit trail is written."""


def open_engine(
    url: str,
    *,
    foreign_keys: bool = True,
    busy_seconds: float | None = None,
    answer_seconds: float | None = None,
) -> Engine:
    """Return an engine for a URL; no connection is made yet.

    Its errors do not quote a statement's values: among them are patients' IDs, and an error may
    end in a log.

    Parameters
    ----------
    url
        SQLAlchemy URL, ``sqlite:///...`` or ``postgresql+psycopg://...``.
    foreign_keys
        False only for migrations: SQLite alters a table by making it anew, and dropping the old
        one would take the rows that refer to it along.
    busy_seconds
        How long to wait for another process's transaction; None for `BUSY_SECONDS`.
    answer_seconds
        How long the answer to a statement may take; None for `ANSWER_SECONDS`.

    Raises
    ------
    SettingsError
        The URL is of another kind.
    """
    if busy_seconds is None:
        busy_seconds = BUSY_SECONDS
    if answer_seconds is None:
        answer_seconds = ANSWER_SECONDS
    try:
        backend = make_url(url).get_backend_name()
        if backend == "sqlite":
            return _open_sqlite(url, foreign_keys=foreign_keys, busy_seconds=busy_seconds)
        if backend == "postgresql":
            # The driver is loaded where it is used: it takes a while.
            from secondread.track.bounded_connection import bound_answers

            session = {**_SESSION, "lock_timeout": f"{1000 * busy_seconds:.0f}ms"}
            options = " ".join(f"-c {key}={value}" for key, value in session.items())
            engine = create_engine(
                url,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={**POSTGRESQL_NETWORK, "options": options},
            )
            bound_answers(engine, answer_seconds)
            return engine
    except (ArgumentError, NoSuchModuleError) as error:
        # The URL itself may hold a password, so it is not repeated.
        raise SettingsError(
            f"database.url: {type(error).__name__}, not an SQLAlchemy URL"
        ) from None
    raise SettingsError(f"database.url: {backend} is neither sqlite nor postgresql")


def hide_password(url: str) -> str:
    """Return a URL without its password; of what is no URL, nothing.

    >>> hide_password("postgresql+psycopg://me:secret@host/name")
    'postgresql+psycopg://me:***@host/name'
    >>> hide_password("postgresql+psycopg://me@host/name?password=secret")
    'postgresql+psycopg://me@host/name'
    """
    try:
        parsed = make_url(url) if url else None
        # libpq takes a password from the query as well.
        secrets = [key for key in parsed.query if "pass" in key.lower()] if parsed else []
        return "" if parsed is None else str(parsed.difference_update_query(secrets))
    except ArgumentError:
        return "..."


def _open_sqlite(url: str, *, foreign_keys: bool, busy_seconds: float) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": busy_seconds})

    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver would begin transactions by itself, and late; "begin" below does it instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # Under WAL, NORMAL may lose the last commits in a power cut, and Success was answered.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def with_write_lock(engine: Engine) -> Engine:
    """Return the same engine, whose transactions take SQLite's write lock at their begin."""
    return engine.execution_options(**{_WRITES: True})


def _for_reading(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        return engine  # under WAL, a transaction sees one moment anyway
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def translate_driver_errors() -> Iterator[None]:
    """Translate what the driver raises into this package's errors.

    Raises
    ------
    StorageFullError
        The database's disk is full.
    DatabaseDamagedError
        The file is damaged, or no database.
    TransientError
        The database is locked, away or overloaded; the same call may succeed later.
    InputError
        A value does not fit: too long, or with characters that the database cannot hold.
    """
    try:
        yield
    except DataError as error:
        raise InputError(f"the database cannot hold a value: {_kind(error)}") from error
    except (OperationalError, InterfaceError) as error:
        raise _explain_outage(error) from error
    except PoolTimeoutError as error:
        raise TransientError("all database connections are in use") from error
    except DatabaseError as error:
        code = _find_code(error)
        if code == NOT_PERMITTED:
            raise TransientError(describe_lack_of_rights(error)) from error
        if code not in _DAMAGED and not error.connection_invalidated:
            raise
        raise _explain_outage(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise TransientError("the database connection was lost") from error
        raise


def is_driver_error(error: BaseException) -> bool:
    """Whether an error came from a driver or the library above it, not yet translated."""
    return isinstance(error, SQLAlchemyError)


def _kind(error: DBAPIError) -> str:
    # The message of a driver may quote the values of a row; its class does not.
    return type(error.orig).__name__


_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100"})
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_NOTADB", "XX001", "XX002"})
_LOCKED = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_BUSY_SNAPSHOT"})
_READ_ONLY = "SQLITE_READONLY"
"""SQLite's result codes and PostgreSQL's SQLSTATEs (its appendix A)."""


def _find_code(error: DBAPIError) -> str:
    found = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return str(found or "")


def _explain_outage(error: DBAPIError) -> TransientError:
    """Return what a driver's error means, by its code alone: its text may quote a row."""
    code = _find_code(error)
    if code in _FULL:
        return StorageFullError("the database's disk is full")
    if code in _DAMAGED:
        return DatabaseDamagedError(
            f"the database is damaged, or is no database ({code}); it is left as it is. Stop the "
            "node, restore the database from a backup, and start again"
        )
    if code in _LOCKED:
        return TransientError("the database is locked by another program")
    if code.startswith(_READ_ONLY):
        return StorageFullError("the database is on a disk that cannot be written to")
    if code == "SQLITE_CANTOPEN":
        return TransientError("the database's file cannot be opened: see its folder and its rights")
    if code.startswith("SQLITE_"):
        return TransientError(f"the database does not answer: {code}")
    refusal = describe_refused_connection(error)
    if refusal is not None:
        return TransientError(refusal)
    return TransientError(f"the database does not answer: {_kind(error)}")


class FairLock:
    """Lets threads in one at a time, first come first served; used in a ``with`` statement.

    `threading.Lock` lets the thread that has just left in again before those that wait: of 64
    threads that write all the time, some were measured to wait ten times as long as their share.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        handed_over = False
        try:
            handed_over = mine.wait()
        finally:
            if not handed_over:  # interrupted: the turn must not be given to a thread that left
                self._leave(mine)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hand_on()

    def _leave(self, mine: threading.Event) -> None:
        with self._guard:
            waits = mine in self._waiting
            if waits:
                self._waiting.remove(mine)
        if not waits:
            self._hand_on()

    def _hand_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class Database:
    """One database and its transactions.

    Parameters
    ----------
    url
        SQLAlchemy URL.
    journal
        How the audit trail is written; None where there is none.
    """

    def __init__(self, url: str, journal: Journal | None = None) -> None:
        self.url = url
        self.journal = journal
        self._engine = open_engine(url)
        self._reader = _for_reading(self._engine)
        self._writer = with_write_lock(self._engine)
        # SQLite's own waiting is a poll without a queue: of 64 threads, some wait for 20 s. With
        # this lock only the few other processes are left to poll against.
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[None] = FairLock() if is_sqlite else nullcontext()
        self._found_locked_at = -math.inf

    @contextmanager
    def begin_read(self) -> Iterator[Session]:
        """Give a session for queries, all of which see the database as of one moment.

        Raises
        ------
        TransientError
            The database did not answer.
        """
        with translate_driver_errors(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def begin_write(self) -> Iterator[Session]:
        """Give a session whose changes are committed at the end, all or none.

        Raises
        ------
        TransientError
            The database did not answer; nothing was changed, or what was asked for is done and
            asking again does no harm.
        """
        waiting_since = time.monotonic()
        with (
            translate_driver_errors(),
            self._turn,
            self._watch_lock(waiting_since),
            Session(self._writer, expire_on_commit=False, info={JOURNAL: self.journal}) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _watch_lock(self, waiting_since: float) -> Iterator[None]:
        """Fail for all that waited while one of them found the database locked.

        Each of them would wait its own time in turn, and the last one's sender for minutes.
        """
        if self._found_locked_at > waiting_since:
            raise TransientError("the database is locked by another program")
        try:
            yield
        except OperationalError as error:
            if _find_code(error) in _LOCKED:
                self._found_locked_at = time.monotonic()
            raise

    def ping(self) -> None:
        """Ask the database for something.

        Raises
        ------
        TransientError
            It does not answer.
        """
        with self.begin_read() as session:
            session.execute(select(1))

    def close(self) -> None:
        """Close the connections that no session uses."""
        self._engine.dispose()


class TrackerPart:
    """What the tracker does for one concern; each part works on the same database.

    Parameters
    ----------
    database
        Where the rows of the part are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database


def insert_if_new(session: Session, table: type[Base], values: Mapping[str, object]) -> bool:
    """Insert a row unless a unique constraint has its like; return whether it was inserted.

    Two processes may do it at the same moment: one of them inserts, neither fails.
    """
    inserted = (
        _INSERT[session.get_bind().dialect.name](table)
        .values(**values)
        .on_conflict_do_nothing()
        .returning(literal_column("1"))
    )
    return session.execute(inserted).first() is not None


_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
