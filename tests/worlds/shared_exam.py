"""A simulated exam that all processes of one run of the tests share."""

import fcntl
import os
import pickle
from typing import cast

import pytest

from secondread_lab.simulate.exam import ExamFiles, ExamSpec, write_exam


def write_shared_exam(
    spec: ExamSpec, name: str, tmp_path_factory: pytest.TempPathFactory
) -> ExamFiles:
    """Write an exam, unless another process of this run has written the one of that name."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    record = folder / f"{name}.pickle"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            record.write_bytes(pickle.dumps(write_exam(spec, folder / name)))
        return cast("ExamFiles", pickle.loads(record.read_bytes()))
