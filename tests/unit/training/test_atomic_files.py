"""What is kept of a step is whole: a step that was cut off is not taken for done."""

from pathlib import Path

import numpy as np
import pytest

from models.calcification.training.atomic_files import write_whole


def test_a_file_takes_its_place_once_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "mistakes-001.npy"

    with write_whole(path) as part:
        np.save(part, np.arange(3))
        assert not path.exists()

    assert np.load(path).tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


def cut_off(path: Path) -> None:
    with write_whole(path) as part:
        part.write_text("half")
        raise OSError("disk full")


def test_what_was_cut_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "dense-001.checkpoint"
    path.write_text("before")

    with pytest.raises(OSError, match="disk full"):
        cut_off(path)

    assert path.read_text() == "before"
