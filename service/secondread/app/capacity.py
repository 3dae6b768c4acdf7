"""How many detector children a worker has, by the cores and the memory that are there."""

import os
from contextlib import suppress
from math import ceil
from pathlib import Path

from secondread.settings import Settings

_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def find_control_group(membership: Path = Path("/proc/self/cgroup")) -> Path:
    """Return the folder of the limits that this process has by its container or its unit.

    Parameters
    ----------
    membership
        What says which group the process is in (cgroup v2: ``0::/path``).
    """
    with suppress(OSError):
        for line in membership.read_text(encoding="utf-8").splitlines():
            if line.startswith("0::/"):
                return _CONTROL_GROUPS / line.removeprefix("0::/")
    return _CONTROL_GROUPS


def count_detectors(settings: Settings, control_group: Path) -> int:
    """Return how many detector children each worker of these settings has.

    Parameters
    ----------
    settings
        Those of the node; a number that they give counts.
    control_group
        From `find_control_group`; without limits in it, there are none.
    """
    if settings.work.detectors:
        return settings.work.detectors
    by_cores = count_cores(control_group) // (
        max(settings.work.processes, 1) * settings.detect.threads
    )
    by_memory = _count_memory(control_group) // (
        max(settings.work.processes, 1) * settings.detect.memory_bytes
    )
    return max(min(by_cores, by_memory), 1)


def count_cores(control_group: Path) -> int:
    """Return how many cores this process may use; a part of a core counts as one."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = (control_group / "cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, ceil(int(quota) / int(period)))
    return cores


def _count_memory(control_group: Path) -> int:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        memory = min(memory, int((control_group / "memory.max").read_text(encoding="ascii")))
    return memory
