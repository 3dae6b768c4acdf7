"""Files that are there whole or not at all: where one is, its step is taken for done."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Give the file to write; once it is written and on disk, it takes the place of `path`."""
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    yield part
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
