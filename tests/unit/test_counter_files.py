"""The files in which a node's processes count: no room for them ends no process."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from secondread.counter_files import RESERVED_BYTES, VARIABLE, open_counter_folder

COUNT = """
from secondread import counter_files
counter_files.reserve_counter_files()
from secondread import metrics
metrics.INSTANCE_BYTES.inc(7)
print("counted")
"""


def count_in(folder: Path, most_bytes: int) -> subprocess.CompletedProcess[str]:
    """Count in a process that can write no file longer than that."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-c", COUNT],
        env={**os.environ, VARIABLE: str(folder), "PYTHONPATH": paths},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_counts_in_files_whose_room_is_allocated(tmp_path: Path) -> None:
    done = count_in(tmp_path, 16 * RESERVED_BYTES)

    assert (done.returncode, done.stdout, done.stderr) == (0, "counted\n", "")
    files = sorted(tmp_path.iterdir())
    assert [file.name.partition("_")[0] for file in files] == ["counter", "histogram"]
    for file in files:
        assert file.stat().st_size == RESERVED_BYTES
        assert 512 * file.stat().st_blocks >= RESERVED_BYTES
    assert b"secondread_instance_bytes_total" in files[0].read_bytes()


def test_a_process_without_room_for_them_counts_for_itself(tmp_path: Path) -> None:
    done = count_in(tmp_path, RESERVED_BYTES - 1)

    assert done.returncode == 0
    assert done.stdout == "counted\n"
    assert "counts for itself" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_folder_is_in_memory_private_empty_and_gone_at_the_end(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    with open_counter_folder(tmp_path, memory) as first:
        (first / "counter_1.db").touch()
        assert first.parent == memory
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        # What a node left that was killed is gone before the next one counts.
        with open_counter_folder(tmp_path, memory) as second:
            assert second == first
            assert not list(second.iterdir())
    assert not first.exists()


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_folder_that_others_can_reach_is_not_used(tmp_path: Path, mode: int) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    with open_counter_folder(tmp_path, memory) as folder:
        folder.chmod(mode)
        with open_counter_folder(tmp_path, memory) as other:
            assert other == tmp_path / "counters"
