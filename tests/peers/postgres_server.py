"""A PostgreSQL server of the tests' own, from the system's binaries."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql


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


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server in a folder of its own, and stop and remove both."""
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


def _as_server_user(command: list[str]) -> list[str]:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
