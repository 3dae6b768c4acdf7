"""How much SQLite works for what is asked of it: the same on every machine, however busy.

SQLite runs a statement as a program of its own virtual machine; its instructions are counted. A
statement that goes through a whole table takes some for each row.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

_GRAIN = 20


class StepCounter:
    """Counts instructions of all connections that are opened while it is in force."""

    def __init__(self) -> None:
        self._grains = 0

    def count(self, question: Callable[[], object]) -> int:
        """Return how many instructions a question takes, to some twenty for each statement."""
        before = self._grains
        question()
        return _GRAIN * (self._grains - before)

    def _note(self) -> int:
        self._grains += 1
        return 0  # go on

    def watch(self, connection: object, _: object) -> None:
        """Count on a new connection as well."""
        if isinstance(connection, sqlite3.Connection):
            connection.set_progress_handler(self._note, _GRAIN)


@contextmanager
def count_steps() -> Iterator[StepCounter]:
    """Give a counter for the connections that are opened in the block."""
    counter = StepCounter()
    event.listen(Engine, "connect", counter.watch)
    try:
        yield counter
    finally:
        event.remove(Engine, "connect", counter.watch)
