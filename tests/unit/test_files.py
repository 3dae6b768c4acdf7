from pathlib import Path

import numpy as np
import pytest

from secondread.files import write_whole


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_its_place_when_it_is_written(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "display.npy"

    with write_whole(path, durable=durable) as part:
        np.save(part, np.arange(3))
        assert not path.exists()

    assert np.load(path).tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path) -> None:
    with write_whole(path) as part:
        part.write_text("half")
        raise OSError("disk full")


def test_a_writer_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text("before")

    with pytest.raises(OSError, match="disk full"):
        write_half(path)

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
