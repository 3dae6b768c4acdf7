"""Real databases: a SQLite file, and PostgreSQL from the system's binaries, for each test anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from secondread.track.migrate import upgrade_database
from secondread.track.tables import Base, CountChangeRow
from secondread.track.tracker import Tracker
from tests.peers.postgres_server import PostgresServer
from tests.worlds.track_world import World

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
    upgrade_database(url)
    tracker = Tracker(url, folder / "outbox")
    yield tracker
    tracker.close()


@pytest.fixture
def tracker(backend: str, request: pytest.FixtureRequest) -> Tracker:
    """A tracker with nothing in it: one for all tests, emptied, because making one is slow."""
    tracker: Tracker = request.getfixturevalue(f"{backend}_tracker")
    with tracker.database.begin_write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
        # Triggers have noted all that was deleted.
        session.execute(delete(CountChangeRow))
    return tracker


@pytest.fixture
def tracker_url(tracker: Tracker) -> str:
    """The URL of the same database, for engines and processes of the test's own."""
    return tracker.database.url


@pytest.fixture
def world(tracker: Tracker) -> World:
    return World(tracker)
