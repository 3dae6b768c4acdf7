"""A disk that is really full: the receiver starts, answers A700, and goes on when there is room."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from tests.peers.ports import free_port
from tests.worlds.builders import header

SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700


@contextmanager
def mount_small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of that size; the test is skipped where that cannot be done."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mount_small_disk(tmp_path / "disk", "6m") as disk:
        yield disk


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def store(port: int) -> int:
    ds = header()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    entity = AE("MG1")
    entity.add_requested_context(ds.SOPClassUID, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="SECONDREAD")
    assert association.is_established
    try:
        return int(association.send_c_store(ds).get("Status", -1))
    finally:
        association.release()


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def wait_for(port: int, status: int) -> None:
    deadline = time.monotonic() + 60
    while store(port) != status:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_a_receiver_starts_on_a_full_disk_answers_a700_and_goes_on_without_a_restart(
    small_disk: Path, tmp_path: Path
) -> None:
    port = free_port()
    settings = tmp_path / "secondread.toml"
    settings.write_text(
        f"[node]\ndata_dir = '{small_disk / 'data'}'\n[receive]\nhost = '127.0.0.1'\n"
        f"port = {port}\nminimum_free_bytes = 100000\nunknown_peers = 'accept'\n"
    )
    counters = small_disk / "counters"
    counters.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PROMETHEUS_MULTIPROC_DIR": str(counters),
    }
    program = [sys.executable, "-m", "secondread"]
    options = ["--settings", str(settings)]
    subprocess.run([*program, "db", "upgrade", *options], env=environment, check=True)
    filling = fill(small_disk)

    with subprocess.Popen([*program, "receive", *options], env=environment) as receiver:
        try:
            wait_until_open(port)
            assert store(port) == OUT_OF_RESOURCES
            filling.unlink()
            wait_for(port, SUCCESS)
            filling = fill(small_disk)
            assert store(port) == OUT_OF_RESOURCES
            filling.unlink()
            wait_for(port, SUCCESS)
            assert receiver.poll() is None
        finally:
            receiver.send_signal(signal.SIGTERM)
            receiver.wait(30)
    assert receiver.returncode == 0
