"""Bringing a database to the version of the program: `upgrade_database`, `read_version`.

Alembic is imported only where a database is behind: a command that asks the tracker does not wait
for it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from secondread.errors import SettingsError
from secondread.track.database import (
    MIGRATION_ANSWER_SECONDS,
    MIGRATION_SECONDS,
    open_engine,
    translate_driver_errors,
    with_write_lock,
)

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST_VERSION = "v1_003"
"""The version that this program works with: the revision of the last file in `migrations`."""

_MIGRATIONS = Path(__file__).parent / "migrations"

# Any number that nobody else's advisory lock in the same database is likely to have.
_LOCK_KEY = 7_321_984_650

_BEFORE_FIRST_RELEASE = frozenset(
    {"0001", "0002", "0003", "0004", "0005", "0006", "v1_001", "v1_002"}
)
"""The versions of databases that development versions made, and that no migration starts from."""


def read_version(url: str) -> str | None:
    """Return the version of a database, or None if it holds no tracker yet."""
    engine = open_engine(url)
    try:
        with translate_driver_errors(), engine.connect() as connection:
            return _read_version(connection)
    finally:
        engine.dispose()


def _read_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def upgrade_database(url: str) -> None:
    """Bring a database to the newest version, all or nothing.

    Several processes may do it at once: one migrates, the others wait and find it done.

    Raises
    ------
    SettingsError
        The database is from before the first release, or from a newer version of the program; it
        is left as it is.
    TransientError
        The database did not answer, or another process migrates for too long.
    """
    if read_version(url) == NEWEST_VERSION:
        return
    engine = open_engine(
        url,
        foreign_keys=False,
        busy_seconds=MIGRATION_SECONDS,
        answer_seconds=MIGRATION_ANSWER_SECONDS,
    )
    try:
        with translate_driver_errors(), with_write_lock(engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            _upgrade(connection)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    _check_version(connection, config)
    command.upgrade(config, "head")


def _check_version(connection: Connection, config: "Config") -> None:
    from alembic.script import ScriptDirectory

    version = _read_version(connection)
    if version in _BEFORE_FIRST_RELEASE:
        is_file = connection.dialect.name == "sqlite"
        name = connection.engine.url.database
        export = f"sqlite3 {name} .dump" if is_file else f"pg_dump {name}"
        raise SettingsError(
            f"database.url: the database has version {version}, from before the first release, and "
            f"cannot be upgraded; export it with `{export} > tracker.sql`, its treatments as the "
            "runbook says under Upgrade, and start with an empty database"
        )
    revisions = ScriptDirectory.from_config(config).walk_revisions()
    if version is not None and version not in {script.revision for script in revisions}:
        raise SettingsError(
            f"database.url: the database has version {version}, which this program does not know; "
            "a newer version of the program has upgraded it"
        )
