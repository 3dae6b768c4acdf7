"""A database that is locked, damaged or of another version: a clear message, and soon."""

import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from secondread.errors import DatabaseDamagedError, TransientError
from secondread.track import database as database_module
from secondread.track.database import Database
from secondread.track.migrate import upgrade_database
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
