"""A database that is locked, damaged or of another version: a clear message, and soon."""

import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select
from typer.testing import CliRunner

from secondread.app.node import check_engine_database
from secondread.app.serve import serve_node
from secondread.cli.commands import app
from secondread.errors import DatabaseDamagedError, SettingsError, TransientError
from secondread.settings import load_settings
from secondread.track import database as database_module
from secondread.track.bounded_connection import make_bounded
from secondread.track.database import Database
from secondread.track.migrate import upgrade_database
from tests.peers.postgres_server import PostgresServer
from tests.worlds.node_world import NodeWorld


@pytest.fixture
def file(tmp_path: Path) -> Path:
    NodeWorld(tmp_path).node.tracker.close()
    return tmp_path / "secondread-data" / "tracker.sqlite"


def corrupt(file: Path) -> None:
    """Overwrite the middle of every page but the first."""
    size = file.stat().st_size
    with file.open("r+b") as pages:
        for offset in range(4096, size, 4096):
            pages.seek(offset)
            pages.write(os.urandom(2000))


def replace(file: Path) -> None:
    file.write_bytes(os.urandom(50_000))


@pytest.mark.parametrize("damage", [corrupt, replace])
def test_a_damaged_database_is_called_that(file: Path, damage: object) -> None:
    assert callable(damage)
    damage(file)

    with pytest.raises(DatabaseDamagedError, match=r"restore the database from a backup"):
        upgrade_database(f"sqlite:///{file}")


def test_a_damaged_engine_database_is_told_from_the_trackers(file: Path) -> None:
    settings = load_settings(file.parent.parent / "secondread.toml", {})
    replace(file.with_name("engine.sqlite"))

    with pytest.raises(DatabaseDamagedError, match=r"not the tracker's.*begin anew"):
        check_engine_database(settings)
    with pytest.raises(DatabaseDamagedError, match=r"not the tracker's.*begin anew"):
        serve_node(settings, None)


@pytest.mark.parametrize("command", ["studies list", "db upgrade", "serve", "work"])
def test_every_command_refuses_the_database_of_a_newer_version(file: Path, command: str) -> None:
    with closing(sqlite3.connect(file)) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = 'v9_001'")
    options = ["--settings", str(file.parent.parent / "secondread.toml")]

    result = CliRunner().invoke(app, [*command.split(), *options])
    # Which ends the program with status 2.
    assert isinstance(result.exception, SettingsError)
    assert "a newer version of the program has upgraded it" in str(result.exception)


def test_the_check_shows_the_database_of_a_newer_version_among_all_else(file: Path) -> None:
    with closing(sqlite3.connect(file)) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = 'v9_001'")
    options = ["--settings", str(file.parent.parent / "secondread.toml")]
    result = CliRunner().invoke(app, ["check", *options], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "a newer version of the program has upgraded it" in " ".join(result.output.split())


def test_those_who_waited_for_a_locked_database_fail_with_the_first_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "locked.sqlite"
    shutil.copy(file, copy)
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 1)
    database = Database(f"sqlite:///{copy}")
    other = sqlite3.connect(copy, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waited: list[float] = []

    def write() -> None:
        started = time.monotonic()
        with (
            pytest.raises(TransientError, match="locked by another program"),
            database.begin_write() as session,
        ):
            session.execute(select(1))
        waited.append(time.monotonic() - started)

    threads = [threading.Thread(target=write) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(waited) == 12
    # One after the other they would take twelve times as long as one.
    assert max(waited) < 6
    other.execute("ROLLBACK")
    other.close()
    with database.begin_write() as session:
        session.execute(select(1))
    database.close()


@pytest.mark.peer("postgres")
def test_a_server_that_takes_statements_and_never_answers_is_an_outage_that_ends(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "ANSWER_SECONDS", 1)
    network = {**database_module.POSTGRESQL_NETWORK, "connect_timeout": 1}
    monkeypatch.setattr(database_module, "POSTGRESQL_NETWORK", network)
    database = Database(postgres_server.create())
    database.ping()
    failed: list[float] = []

    def write() -> None:
        started = time.monotonic()
        with pytest.raises(TransientError), database.begin_write() as session:
            session.execute(select(1))
        failed.append(time.monotonic() - started)

    with postgres_server.silenced():
        # Some over the connection that was open, some over new ones.
        threads = [threading.Thread(target=write, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(failed) == 4
    database.ping()
    database.close()


@pytest.mark.peer("postgres")
def test_a_connection_that_waits_for_news_may_wait_for_long(
    postgres_server: PostgresServer,
) -> None:
    bounded = make_bounded(0.2)
    url = make_url(postgres_server.create()).set(drivername="postgresql")
    with bounded.connect(url.render_as_string(hide_password=False), autocommit=True) as listener:
        listener.execute("LISTEN news")
        assert list(listener.notifies(timeout=1.0)) == []
        assert listener.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="does not answer"):
            listener.execute("SELECT pg_sleep(30)")
        assert listener.closed
