"""The edge to the database: engines, transactions, and what a driver's errors mean.

One SQLite file, or one PostgreSQL database, is used by several processes at once. On SQLite a
writer takes the write lock when its transaction begins (BEGIN IMMEDIATE): a transaction that
reads first and asks for the lock later could fail in its middle however long it waits. On
PostgreSQL the statements lock the rows that they decide on (SELECT ... FOR UPDATE).
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
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

from secondread.errors import InputError, SettingsError, StorageFullError, TransientError
from secondread.track.tables import Base

BUSY_SECONDS = 30
"""How long a writer waits for another process's transaction before it gives up."""

IDLE_SECONDS = 10
"""How long a process may leave a transaction alone before the server ends it, and its locks with
it: one that is stopped in the middle would hold up those that are to take over from it."""

_SESSION = {
    "lock_timeout": f"{BUSY_SECONDS}s",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    # A machine that is gone says no good-bye, and its transactions hold locks as well.
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 3,
    "tcp_keepalives_count": 3,
}
"""Settings of each session on PostgreSQL."""

_WRITES = "secondread_writes"


def open_engine(url: str, *, foreign_keys: bool = True) -> Engine:
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

    Raises
    ------
    SettingsError
        The URL is of another kind.
    """
    try:
        backend = make_url(url).get_backend_name()
        if backend == "sqlite":
            return _open_sqlite(url, foreign_keys=foreign_keys)
        if backend == "postgresql":
            options = " ".join(f"-c {key}={value}" for key, value in _SESSION.items())
            return create_engine(
                url,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={"connect_timeout": 10, "options": options},
            )
    except (ArgumentError, NoSuchModuleError) as error:
        # The URL itself may hold a password, so it is not repeated.
        raise SettingsError(
            f"database.url: {type(error).__name__}, not an SQLAlchemy URL"
        ) from None
    raise SettingsError(f"database.url: {backend} is neither sqlite nor postgresql")


def _open_sqlite(url: str, *, foreign_keys: bool) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

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
        if _is_full(error):
            raise StorageFullError("the database's disk is full") from error
        raise TransientError(f"the database does not answer: {_kind(error)}") from error
    except PoolTimeoutError as error:
        raise TransientError("all database connections are in use") from error
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


def _is_full(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return code in {"SQLITE_FULL", "53100"}


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
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = open_engine(url)
        self._reader = _for_reading(self._engine)
        self._writer = with_write_lock(self._engine)
        # SQLite's own waiting is a poll without a queue: of 64 threads, some wait for 20 s. With
        # this lock only the few other processes are left to poll against.
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[None] = FairLock() if is_sqlite else nullcontext()

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
        with (
            translate_driver_errors(),
            self._turn,
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

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
