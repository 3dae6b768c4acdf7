"""A fault of the disk drops a data set, and ends no association."""

import errno
import hashlib
import os
from io import BytesIO
from pathlib import Path

import pytest
from typing_extensions import Buffer

from secondread.accept.spool_file import SpoolFile


class FullDisk(BytesIO):
    """A file that takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Buffer) -> int:
        if self.tell() + memoryview(data).nbytes > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_what_is_written_is_in_the_file_once_it_is_flushed(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, "receive-")
    assert file.write(b"abc") == 3
    assert file.write(memoryview(b"de")) == 2
    file.file.flush()

    path = Path(file.name)
    assert path.read_bytes() == b"abcde"
    assert path.name.startswith("receive-")
    file.close()
    assert path.exists()
    assert not file.is_dropped


def test_what_is_written_is_digested_on_its_way(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, "receive-")
    file.write(b"head")
    file.begin_digest()
    part = bytes(range(251)) * 1000
    for _ in range(30):  # several buffers, and a call to begin with the disk
        file.write(part)
    file.flush()

    content = Path(file.name).read_bytes()
    assert content == b"head" + 30 * part
    assert file.sha256 == hashlib.sha256(content[4:]).hexdigest()
    file.close()


def test_without_being_asked_to_it_has_no_digest(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, "receive-")
    file.write(b"abc")
    file.close()
    assert file.sha256 is None


def test_bytes_may_be_put_where_the_next_ones_go(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, "receive-")
    data = os.urandom(700_000)
    position = 0
    while position < len(data):
        with file.get_space(len(data) - position) as space:
            length = len(space)
            assert length
            space[:] = data[position : position + length]
        file.advance(length)
        position += length
    file.close()

    assert Path(file.name).read_bytes() == data


def test_a_disk_that_is_full_meanwhile_drops_the_file_and_takes_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SpoolFile(tmp_path, "receive-")
    file.close()
    monkeypatch.setattr(file, "_file", FullDisk(4))
    assert file.write(b"abc") == 3
    file.flush()
    assert Path(file.name).exists()
    assert file.write(b"de") == 2
    file.flush()
    assert not Path(file.name).exists()

    assert file.write(b"fgh") == 3
    file.flush()
    file.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_file_drops_everything(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "gone", "receive-")

    assert file.is_dropped
    assert file.write(b"abc") == 3
    file.flush()
    file.close()
    assert not Path(file.name).exists()


def test_a_dropped_file_is_gone_at_once(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, "receive-")
    file.write(b"abc")
    file.drop()

    assert not list(tmp_path.iterdir())
    file.drop()
