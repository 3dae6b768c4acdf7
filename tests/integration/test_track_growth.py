"""What a node asks again and again costs no more after years of work, in SQLite's own steps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worlds.grown_node import GrownNode
from tests.worlds.grown_tracker import grow_tracker
from tests.worlds.sqlite_steps import StepCounter, count_steps

SIZES = (1000, 4000)
ALLOWED = 1.25
"""An index of four times as many rows is a level deeper at most."""
FEW_STEPS = 5000
"""A page does so many; what goes through a table of the larger tracker does ten times as many."""
OF_THE_BACKLOG = {"backlog of a destination"}
"""What counts what waits, and grows with it."""


@pytest.fixture(scope="module")
def counter() -> Iterator[StepCounter]:
    with count_steps() as counter:
        yield counter


@pytest.fixture(scope="module")
def nodes(
    counter: StepCounter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[GrownNode, GrownNode]]:
    small, large = (_grow(tmp_path_factory.mktemp("grown"), size) for size in SIZES)
    yield small, large
    for node in (small, large):
        node.tracker.close()


def _grow(folder: Path, size: int) -> GrownNode:
    url = f"sqlite:///{folder}/tracker.sqlite"
    grow_tracker(url, size)
    return GrownNode(url, folder, size)


def test_nothing_that_is_asked_again_and_again_grows_with_the_studies(
    counter: StepCounter, nodes: tuple[GrownNode, GrownNode]
) -> None:
    small, large = (
        {name: _count(counter, ask) for name, ask in node.list_questions().items()}
        for node in nodes
    )
    grown = {
        name: (small[name], large[name])
        for name in small.keys() - OF_THE_BACKLOG
        if large[name] > ALLOWED * small[name] + FEW_STEPS
    }
    assert not grown


def _count(counter: StepCounter, ask: object) -> int:
    assert callable(ask)
    ask()  # the first time makes what later ones find
    return min(counter.count(ask) for _ in range(2))
