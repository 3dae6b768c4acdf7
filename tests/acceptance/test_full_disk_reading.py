"""A disk that is really full under a reading: it waits for room, and no study fails for it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secondread.reasons import Outcome
from tests.acceptance.test_full_disk import fill, mount_small_disk
from tests.worlds.worker_processes import Workers, until

HELD_SECONDS = 45.0
"""Longer than the engine repeats a step by itself, which is half a minute."""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    """A node whose database, archive and outbox are on a disk of 32 MB; its log is elsewhere."""
    with mount_small_disk(tmp_path / "disk", "32m") as disk:
        (disk / "w0.log").symlink_to(tmp_path / "w0.log")
        made = Workers(disk, f"sqlite:///{disk / 'tracker.sqlite'}")
        yield made
        made.end_all()


@pytest.mark.skipif("SOAK_SEED" not in os.environ, reason="takes minutes: `make soak` runs it")
def test_a_reading_waits_for_room_on_the_disk_and_is_finished_once_there_is_some(
    workers: Workers,
) -> None:
    hold = workers.folder / "hold"
    hold.touch()
    workers.deliver("1.2.3.1")
    workers.start("w0")
    until(lambda: workers.list_reading() == {"w0"}, "the reading", 300)
    filling = fill(workers.folder)
    hold.unlink()
    until(lambda: "No space left" in read_log(workers) or is_held(workers), "a full disk", 300)
    time.sleep(HELD_SECONDS)
    assert workers.running["w0"].poll() is None
    assert workers.list_outcomes() == {}

    filling.unlink()
    until(lambda: bool(workers.list_outcomes()), "the result", 300)
    assert workers.list_outcomes() == {"1.2.3.1": Outcome.NO_FINDINGS}
    assert [revision.number for revision in workers.list_revisions()] == [1]


def read_log(workers: Workers) -> str:
    return (workers.folder / "w0.log").read_text()


def is_held(workers: Workers) -> bool:
    return any(word in read_log(workers) for word in ("reading_put_back", "disk is full"))
