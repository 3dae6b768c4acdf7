"""The whole node in one command: starts its processes, restarts those that die, stops them."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from secondread import log
from secondread.app.data_folder import prepare_data_folder
from secondread.app.signals import make_child_setup, make_stop_event
from secondread.counter_files import VARIABLE, open_counter_folder
from secondread.errors import (
    WRONG_INPUT_STATUS,
    DatabaseDamagedError,
    SettingsError,
    TransientError,
)
from secondread.settings import Settings

_log = log.get_logger(__name__)

LOOK_SECONDS = 0.5
"""How often to look for processes that have died; the pause before a restart is longer."""

SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A process that lived this long counts as healthy, and its next restart is prompt again."""

GRACE_SECONDS = 25.0
"""How long processes may take to stop before they are killed; service managers allow 90 s."""


@dataclass
class _Member:
    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = field(default=SHORTEST_PAUSE_SECONDS)
    starts: int = 0


class Supervisor:
    """Keeps a set of processes of this program running.

    Parameters
    ----------
    commands
        Arguments of ``python -m secondread`` by process name.
    environment
        Variables given to the processes beside this process's own.
    """

    def __init__(
        self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]
    ) -> None:
        self._members = [_Member(name, arguments) for name, arguments in commands.items()]
        self._environment = {**os.environ, **environment}

    def start(self, name: str) -> None:
        """Start one of the processes before the others."""
        for member in self._members:
            if member.name == name:
                self._start(member, time.monotonic())

    def supervise(self, stop: threading.Event) -> None:
        """Keep all processes running until `stop` is set, then stop them.

        Raises
        ------
        SettingsError
            The first start of a process failed because of what it was given: trying again would not
            help.
        """
        try:
            while not stop.is_set():
                for member in self._members:
                    self._tend(member, time.monotonic())
                stop.wait(LOOK_SECONDS)
        finally:
            self.stop()

    def _tend(self, member: _Member, now: float) -> None:
        if member.process is not None:
            status = member.process.poll()
            if status is None:
                return
            lifetime = now - member.started
            is_new = member.starts == 1 and lifetime < STEADY_SECONDS
            if status == WRONG_INPUT_STATUS and is_new:
                # Later on it is tried again: the port that is taken may become free, and the others
                # do their work meanwhile.
                raise SettingsError(f"{member.name} cannot start; what is wrong stands above")
            member.pause = (
                SHORTEST_PAUSE_SECONDS
                if lifetime > STEADY_SECONDS
                else min(member.pause * 2, LONGEST_PAUSE_SECONDS)
            )
            member.due = now + member.pause
            member.process = None
            _log.error(
                "process_died",
                member=member.name,
                status=status,
                lived_seconds=round(lifetime, 1),
                restart_in_seconds=member.pause,
            )
        if now >= member.due:
            self._start(member, now)

    def _start(self, member: _Member, now: float) -> None:
        command = [sys.executable, "-m", "secondread", *member.arguments]
        member.process = subprocess.Popen(  # noqa: S603  (our own program and arguments)
            [*command, "--parent", str(os.getpid())],
            env=self._environment,
            preexec_fn=make_child_setup(),  # noqa: PLW1509  (takes no lock)
        )
        member.started = now
        member.starts += 1
        _log.info("process_started", member=member.name, pid=member.process.pid)

    def stop(self) -> None:
        """Stop the processes that run."""
        running = [(m.name, m.process) for m in self._members if m.process is not None]
        for _, process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for name, process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                _log.error("process_killed", member=name)
                process.kill()
                process.wait()
        _log.info("stopped")


def serve_node(settings: Settings, settings_file: Path | None) -> None:
    """Run receiver, workers and web page of a node until asked to stop.

    Raises
    ------
    SettingsError
        Another node runs on the same data folder, or the database is of a newer version.
    DatabaseDamagedError
        A person has to restore the database.
    """
    options = ["--settings", str(settings_file)] if settings_file is not None else []
    commands = {"receive": ["receive", *options], "web": ["web", *options]}
    for number in range(settings.work.processes):
        commands[f"worker-{number}"] = ["work", "--name", f"worker-{number}", *options]
    prepare_data_folder(settings)
    with _hold_folder(settings.node.data_dir), open_counter_folder(settings.node.data_dir) as path:
        stop = make_stop_event()
        supervisor = Supervisor(commands, {VARIABLE: str(path)})
        # Senders wait for it, and it takes longer to load than the databases to be looked at. It
        # looks at them itself before it opens; where they are not good, both end.
        supervisor.start("receive")
        try:
            _check_databases(settings)
        except BaseException:
            supervisor.stop()
            raise
        supervisor.supervise(stop)


@contextmanager
def _hold_folder(data_dir: Path) -> Iterator[None]:
    """Keep other nodes off a data folder as long as this process lives, however it ends."""
    # Opened for reading: a node starts on a full or read-only disk as well.
    lock = os.open(data_dir / "serve.lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        text = f"node.data_dir {data_dir}: another `secondread serve` uses it"
        raise SettingsError(text) from error
    try:
        yield
    finally:
        os.close(lock)


def _check_databases(settings: Settings) -> None:
    """Bring the database to this version, before processes need it; an outage is theirs to await.

    Raises
    ------
    SettingsError, DatabaseDamagedError
        No start would help: a person has to look at the database.
    """
    from secondread.app.node import check_engine_database
    from secondread.track.migrate import upgrade_database

    try:
        upgrade_database(settings.tracker_url)
        check_engine_database(settings)
    except DatabaseDamagedError:
        raise
    except TransientError as error:
        _log.warning("tracker_unavailable", why=str(error))
