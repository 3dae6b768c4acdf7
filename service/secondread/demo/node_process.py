"""The demo's node: its settings, and `secondread serve` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from secondread.demo.archive_peer import ArchivePeer
from secondread.errors import PeerError
from secondread.send.outbox import PeerAddress

NODE_AE, ARCHIVE_AE = "SECONDREAD", "DEMOARCHIVE"
START_SECONDS = 60.0


def write_settings(
    out: Path, archive_port: int, maximum_age_days: int, override_gates: tuple[str, ...]
) -> Path:
    """Write the settings of a node that trusts this archive and waits only a short time."""
    gates = ", ".join(f'"{gate}"' for gate in override_gates)
    path = out / "secondread.toml"
    path.write_text(
        f"""\
# Written by `secondread demo`.
[node]
data_dir = "node"
ae_title = "{NODE_AE}"

[receive]
host = "127.0.0.1"
port = {_find_free_port()}
minimum_free_bytes = {256 * 1024**2}

[assemble]
settle_seconds = 1
quiet_seconds = 4

[detect]
override_gates = [{gates}]

[web]
port = {_find_free_port()}

[[peers]]
ae_title = "{ARCHIVE_AE}"
maximum_age_days = {maximum_age_days}

[[destinations]]
name = "archive"
ae_title = "{ARCHIVE_AE}"
host = "127.0.0.1"
port = {archive_port}
initial_mode = "live"
""",
        encoding="utf-8",
    )
    return path


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class NodeProcess:
    """`secondread serve` as a process of its own, stopped at the end of the `with` block."""

    def __init__(self, settings_file: Path, log_file: Path) -> None:
        self._settings_file = settings_file
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "NodeProcess":
        """Start it."""
        command = [sys.executable, "-m", "secondread", "serve"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SECONDREAD__")}
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own program)
                [*command, "--settings", str(self._settings_file)], stderr=log, env=environment
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it in good order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)


def wait_for_node(archive: ArchivePeer, to: PeerAddress) -> None:
    """Wait until the node answers C-ECHO.

    Raises
    ------
    PeerError
        It does not, within a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while not archive.echo(to).ok:
        if time.monotonic() > deadline:
            raise PeerError(f"the node did not answer C-ECHO within {START_SECONDS:.0f} s")
        time.sleep(0.2)
