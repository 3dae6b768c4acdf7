"""Bringing a database to the version of the program: `upgrade_database`, `read_version`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from secondread.errors import SettingsError
from secondread.track.database import open_engine, translate_driver_errors, with_write_lock

_MIGRATIONS = Path(__file__).parent / "migrations"

# Any number that nobody else's advisory lock in the same database is likely to have.
_LOCK_KEY = 7_321_984_650

_BEFORE_FIRST_RELEASE = frozenset({"0001", "0002", "0003", "0004", "0005", "0006"})
"""The versions of databases that development versions made, and that no migration starts from."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def find_newest_version() -> str:
    """Return the version that this program works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return head or ""


def read_version(url: str) -> str | None:
    """Return the version of a database, or None if it holds no tracker yet."""
    engine = open_engine(url)
    try:
        with translate_driver_errors(), engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def upgrade_database(url: str) -> str:
    """Bring a database to the newest version, all or nothing, and return that version.

    Several processes may do it at once: one migrates, the others wait and find it done.

    Raises
    ------
    SettingsError
        The database is from before the first release, or from a newer version of the program; it
        is left as it is.
    TransientError
        The database did not answer, or another process migrates for too long.
    """
    engine = open_engine(url, foreign_keys=False)
    try:
        with translate_driver_errors(), with_write_lock(engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            _check_version(connection)
            command.upgrade(_config(connection), "head")
    finally:
        engine.dispose()
    return find_newest_version()


def _check_version(connection: Connection) -> None:
    version = MigrationContext.configure(connection).get_current_revision()
    if version in _BEFORE_FIRST_RELEASE:
        is_file = connection.dialect.name == "sqlite"
        name = connection.engine.url.database
        export = f"sqlite3 {name} .dump" if is_file else f"pg_dump {name}"
        raise SettingsError(
            f"database.url: the database has version {version}, from before the first release, and "
            f"cannot be upgraded; export it with `{export} > tracker.sql`, its treatments as the "
            "runbook says under Upgrade, and start with an empty database"
        )
    revisions = ScriptDirectory.from_config(_config()).walk_revisions()
    if version is not None and version not in {script.revision for script in revisions}:
        raise SettingsError(
            f"database.url: the database has version {version}, which this program does not know; "
            "a newer version of the program has upgraded it"
        )
