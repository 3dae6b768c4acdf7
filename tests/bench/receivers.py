"""The receivers that `bench_receive` compares, each a process of its own with a folder to fill.

`naive` and `floor` are in this file, and run as ``python -m tests.bench.receivers NAME FOLDER
PORT``. Naive is what a few lines of pynetdicom do. The floor does what any durable receiver must,
and nothing else: it takes lengths and bytes from a connection, writes a file, flushes it, renames
it, flushes the folder and answers, in a process for each connection.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pynetdicom import AE, AllStoragePresentationContexts, evt

from secondread.files import flush_file, flush_folder
from tests.peers.ports import free_port

PDU_BYTES: Final = 131072
CALLING, CALLED = "BENCH", "SECONDREAD"
LENGTH_BYTES: Final = 8
ANSWER: Final = b"\0"

_START_SECONDS: Final = 90.0
_AT_ONCE_BYTES: Final = 1024**2
_SETTINGS = """
[node]
data_dir = "{folder}/data"
[receive]
host = "127.0.0.1"
port = {port}
minimum_free_bytes = 0
[[peers]]
ae_title = "{calling}"
"""


@dataclass(frozen=True)
class RunningReceiver:
    """A receiver that listens."""

    name: str
    port: int
    pid: int
    files: Path
    """Folder with what it has stored, to be emptied between measurements."""

    def forget(self) -> None:
        """Remove the files that it has stored, so that the disk does not fill."""
        for path in self.files.rglob("*"):
            if path.is_file():
                path.unlink()


@contextmanager
def run_receiver(name: str, folder: Path) -> Iterator[RunningReceiver]:
    """Run a receiver of `RECEIVERS` while the block runs.

    Raises
    ------
    RuntimeError
        It ended, or did not listen in time.
    """
    port = free_port()
    folder.mkdir()
    command, files = RECEIVERS[name](folder, port)
    with (folder / "receiver.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for_port(process, port, name)
        yield RunningReceiver(name, port, process.pid, files)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(folder)


def _wait_for_port(process: "subprocess.Popen[bytes]", port: int, name: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"{name} does not listen")


def _command_secondread(folder: Path, port: int) -> tuple[list[str], Path]:
    settings = folder / "secondread.toml"
    settings.write_text(_SETTINGS.format(folder=folder, port=port, calling=CALLING))
    command = [sys.executable, "-m", "secondread", "receive", "--settings", str(settings)]
    return command, folder / "data" / "instances"


def _command_orthanc(folder: Path, port: int) -> tuple[list[str], Path]:
    configuration = {
        "Name": "bench",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "SyncStorageArea": True,
        "DicomAet": CALLED,
        "DicomPort": port,
        "DicomAlwaysAllowStore": True,
        "MaximumPduLength": PDU_BYTES,
        "HttpPort": free_port(),
        "RemoteAccessAllowed": False,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    # Its files stay: it would only note that they are missing.
    return ["Orthanc", str(folder / "orthanc.json")], folder / "nothing"


def _command_storescp(folder: Path, port: int) -> tuple[list[str], Path]:
    (folder / "files").mkdir()
    options = ["--fork", "+B", "--max-pdu", str(PDU_BYTES), "-od", str(folder / "files")]
    return ["storescp", *options, str(port)], folder / "files"


def _command_python(name: str) -> Callable[[Path, int], tuple[list[str], Path]]:
    def make(folder: Path, port: int) -> tuple[list[str], Path]:
        (folder / "files").mkdir()
        arguments = [name, str(folder / "files"), str(port)]
        return [sys.executable, "-m", "tests.bench.receivers", *arguments], folder / "files"

    return make


RECEIVERS: Final[Mapping[str, Callable[[Path, int], tuple[list[str], Path]]]] = {
    "secondread": _command_secondread,
    "orthanc": _command_orthanc,
    "storescp": _command_storescp,
    "naive": _command_python("naive"),
    "floor": _command_python("floor"),
}
"""How each is started: its command, and the folder that it fills."""


@dataclass
class Usage:
    """What a process and those that it started hold and have taken."""

    cpu_seconds: float
    anonymous_megabytes: float
    """Private memory (RssAnon), not the mapped files that other processes share."""
    resident_megabytes: float


def measure_usage(pid: int) -> Usage:
    """Look at a process and its children, those that have ended included."""
    usage = Usage(0.0, 0.0, 0.0)
    for member in (pid, *_list_children(pid)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            usage.cpu_seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            for line in Path(f"/proc/{member}/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name == "RssAnon":
                    usage.anonymous_megabytes += int(value.split()[0]) * 1024 / 1e6
                elif name == "VmRSS":
                    usage.resident_megabytes += int(value.split()[0]) * 1024 / 1e6
    return usage


def _list_children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return children


def send_to_floor(port: int, paths: Sequence[Path]) -> None:
    """Send files to the floor over one connection, each after the answer to the one before."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for path in paths:
            connection.sendall(path.stat().st_size.to_bytes(LENGTH_BYTES, "big"))
            with path.open("rb") as file:
                connection.sendfile(file)
            if connection.recv(1) != ANSWER:
                raise RuntimeError("the floor gave way")


def _serve_floor(folder: Path, port: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _receive_files(connection, folder)
                os._exit(0)
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _receive_files(connection: socket.socket, folder: Path) -> None:
    buffer = memoryview(bytearray(_AT_ONCE_BYTES))
    number = 0
    while head := connection.recv(LENGTH_BYTES, socket.MSG_WAITALL):
        missing = int.from_bytes(head, "big")
        spooled = folder / f"{os.getpid()}.part"
        with spooled.open("wb", buffering=0) as file:
            while missing:
                received = connection.recv_into(buffer, min(missing, len(buffer)))
                file.write(buffer[:received])
                missing -= received
        flush_file(spooled)
        spooled.replace(folder / f"{os.getpid()}-{number}")
        flush_folder(folder)
        number += 1
        connection.sendall(ANSWER)


def _serve_naive(folder: Path, port: int) -> None:
    def on_store(event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
        return 0x0000

    ae = AE(CALLED)
    ae.maximum_associations = 64
    ae.supported_contexts = AllStoragePresentationContexts
    ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, on_store)])


if __name__ == "__main__":
    _, _name, _folder, _port = sys.argv
    {"floor": _serve_floor, "naive": _serve_naive}[_name](Path(_folder), int(_port))
