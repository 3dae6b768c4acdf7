"""A PostgreSQL server of the tests' own, from the system's binaries."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
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

    @property
    def pid(self) -> int:
        """The process id of the server's first process; 0 while it does not run."""
        try:
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return 0
        # The file stays after a kill, and its number may be another process's by now.
        return pid if os.fsencode(self.folder) in command else 0

    def start(self) -> None:
        """Start it; it has to have been made."""
        # The tests kill processes, never the machine: nothing here needs to reach the disk.
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
        self._control("-o", options, "-l", str(self.folder / "log"), "start")

    def start_again(self, seconds: float = 60.0) -> None:
        """Start it after a kill: for a moment its former children keep it from that."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.start()
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def stop(self) -> None:
        """Stop it at once."""
        self._control("-m", "immediate", "stop")

    def _control(self, *words: str) -> None:
        data = str(self.folder / "data")
        _run([str(_find_binaries() / "pg_ctl"), "-D", data, "-w", "-t", "60", *words])

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """Stop every process of the server while the block runs: it takes calls, answers none."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        stopped = [postmaster]
        os.kill(postmaster, signal.SIGSTOP)
        try:
            for child in map(int, children.read_text().split()):
                os.kill(child, signal.SIGSTOP)
                stopped.append(child)
            yield
        finally:
            for process in stopped:
                os.kill(process, signal.SIGCONT)

    def _admin(self) -> str:
        return f"host={self.folder} user=postgres dbname=postgres"


def _find_binaries() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server in a folder of its own, and stop and remove both."""
    # Not pytest's own temporary folder: the server's user may not enter it, and the path of a
    # Unix socket is short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = PostgresServer(folder)
    initdb = [str(_find_binaries() / "initdb"), "-D", str(folder / "data"), "-U", "postgres"]
    try:
        _run([*initdb, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"])
        server.start()
        try:
            yield server
        finally:
            server.stop()
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
