"""A copy of the tracker's database as of one moment, made while others go on writing."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url

from secondread.errors import DatabaseDamagedError, SettingsError, TransientError

SQLITE_NAME: Final = "tracker.sqlite"
DUMP_NAME: Final = "tracker.dump"
"""Of PostgreSQL, in the custom format of pg_dump."""

_ENGINE_SCHEMA: Final = "dbos"
"""Of the durable engine: what was under way begins anew after a restoration."""


def find_sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite database; None for another one."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def copy_database(url: str, folder: Path) -> Path:
    """Copy the database into a folder; return the file, which is whole but not flushed.

    Raises
    ------
    DatabaseDamagedError
        The copy of a SQLite database fails its own check.
    SettingsError
        It is a PostgreSQL database, and there is no pg_dump on the path.
    TransientError
        The database does not answer.
    """
    source = find_sqlite_file(url)
    if source is None:
        return _dump_postgresql(url, folder / DUMP_NAME)
    target = folder / SQLITE_NAME
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
            # All pages in one step: a reader's snapshot, which no writer waits for under WAL.
            live.backup(copy, pages=-1)
            # A single file, without a log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
            (answer,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        raise TransientError(f"the database does not answer: {error.sqlite_errorname}") from error
    except sqlite3.DatabaseError as error:
        raise DatabaseDamagedError("the database is damaged, no backup was made of it") from error
    if answer != "ok":
        raise DatabaseDamagedError("the database is damaged, no backup was made of it")
    return target


def _dump_postgresql(url: str, target: Path) -> Path:
    program = shutil.which("pg_dump")
    if program is None:
        raise SettingsError("database.url: a backup of PostgreSQL needs pg_dump on the path")
    parsed = make_url(url)
    # Without the password, which everybody on the machine could read among the arguments.
    address = URL.create(
        "postgresql", parsed.username, None, parsed.host, parsed.port, parsed.database, parsed.query
    )
    options = [
        f"--dbname={address.render_as_string()}",
        f"--file={target}",
        f"--exclude-schema={_ENGINE_SCHEMA}",
        "--format=custom",
        "--no-owner",
    ]
    secret = {"PGPASSWORD": str(parsed.password)} if parsed.password else {}
    done = subprocess.run(  # noqa: S603  (a program of PostgreSQL, arguments from the settings)
        [program, *options], env={**os.environ, **secret}, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise TransientError(f"pg_dump ended with status {done.returncode}; its words are above")
    return target
