"""How many detector children a worker has."""

import os
from pathlib import Path

import pytest

from secondread.app.capacity import count_cores, count_detectors, find_control_group
from secondread.settings import Settings


@pytest.fixture(autouse=True)
def eight_cores_and_16_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    sizes = {"SC_PHYS_PAGES": 4 * 2**20, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)


def make_settings(
    detectors: int = 0, processes: int = 1, threads: int = 1, gib: int = 3
) -> Settings:
    work = {"detectors": detectors, "processes": processes}
    detect = {"threads": threads, "memory_bytes": gib * 2**30}
    return Settings.model_validate({"work": work, "detect": detect})


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (make_settings(gib=1), 8),
        (make_settings(gib=1, threads=2), 4),
        (make_settings(gib=1, processes=3), 2),
        (make_settings(), 5),  # of 3 GiB each
        (make_settings(processes=2), 2),
        (make_settings(processes=20), 1),
        (make_settings(gib=32), 1),
        (make_settings(detectors=12), 12),
    ],
)
def test_there_are_as_many_as_cores_and_memory_allow(
    settings: Settings, count: int, tmp_path: Path
) -> None:
    assert count_detectors(settings, tmp_path) == count


def test_the_limits_of_a_container_count(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2 * 2**30}\n")

    assert count_cores(tmp_path) == 3
    assert count_detectors(make_settings(gib=1), tmp_path) == 2


@pytest.mark.parametrize(
    ("membership", "folder"),
    [
        ("0::/\n", "/sys/fs/cgroup"),
        (
            "1:cpu:/old\n0::/system.slice/secondread.service\n",
            "/sys/fs/cgroup/system.slice/secondread.service",
        ),
        ("1:cpu:/old\n", "/sys/fs/cgroup"),
        (None, "/sys/fs/cgroup"),
    ],
)
def test_limits_are_those_of_the_group_that_the_process_is_in(
    membership: str | None, folder: str, tmp_path: Path
) -> None:
    if membership is not None:
        (tmp_path / "cgroup").write_text(membership)

    assert find_control_group(tmp_path / "cgroup") == Path(folder)


def test_a_container_without_limits_has_the_machines(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")

    assert count_detectors(make_settings(gib=1), tmp_path) == 8
