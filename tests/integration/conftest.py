"""Real databases: a SQLite file, and PostgreSQL from the system's binaries, for each test anew."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from secondread.track.migrate import upgrade
from secondread.track.tables import Base
from secondread.track.tracker import Tracker
from tests.track_world import World


@dataclass
class PostgresServer:
    """A server that listens on a Unix socket only, so that it needs no port."""

    folder: Path
    made: int = 0

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """Make a database and return its URL."""
        self.made += 1
        name = f"test_{self.made}"
        with psycopg.connect(self._admin(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url(name)

    def _admin(self) -> str:
        return f"host={self.folder} user=postgres dbname=postgres"


def _as_server_user(command: list[str]) -> list[str]:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    # Not pytest's own temporary folder: the server's user may not enter it, and the path of a
    # Unix socket is short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
    # The tests kill processes, never the machine: nothing here needs to reach the disk.
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
    try:
        _run([*initdb, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"])
        _run([*control, "-o", options, "-l", str(folder / "log"), "start"])
        try:
            yield PostgresServer(folder)
        finally:
            _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def _run(command: list[str]) -> None:
    subprocess.run(
        _as_server_user(command), check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=120
    )


BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgres"))]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'tracker.sqlite'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.create()


@pytest.fixture(scope="session")
def sqlite_tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    folder = tmp_path_factory.mktemp("sqlite")
    yield from _tracker(f"sqlite:///{folder / 'tracker.sqlite'}", folder)


@pytest.fixture(scope="session")
def postgresql_tracker(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tracker]:
    yield from _tracker(postgres_server.create(), tmp_path_factory.mktemp("postgresql"))


def _tracker(url: str, folder: Path) -> Iterator[Tracker]:
    upgrade(url)
    tracker = Tracker(url, folder / "outbox")
    yield tracker
    tracker.close()


@pytest.fixture
def tracker(backend: str, request: pytest.FixtureRequest) -> Tracker:
    """A tracker with nothing in it: one for all tests, emptied, because making one is slow."""
    tracker: Tracker = request.getfixturevalue(f"{backend}_tracker")
    with tracker.database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    return tracker


@pytest.fixture
def tracker_url(tracker: Tracker) -> str:
    """The URL of the same database, for engines and processes of the test's own."""
    return tracker.database.url


@pytest.fixture
def world(tracker: Tracker) -> World:
    return World(tracker)
