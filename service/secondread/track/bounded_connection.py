"""Connections to PostgreSQL that give up on a server which takes what it is sent and never answers.

The kernel of a server's machine acknowledges packets for a process that is stopped or hangs, so
that no time limit of TCP ends, and those of the server are the server's to keep.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready
from sqlalchemy import Dialect, Engine, event


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose statements fail when their answer takes too long."""

    answer_seconds: ClassVar[float]

    def wait(self, gen: PQGen[RV], *arguments: Any, **options: Any) -> RV:  # noqa: ANN401  (as the library calls it)
        """Wait for an answer; what waits for notifications, with no statement under way, may wait.

        Raises
        ------
        psycopg.OperationalError
            The server did not answer in time; the connection is closed.
        """
        return super().wait(self._bound(gen), *arguments, **options)

    def _bound(self, gen: PQGen[RV]) -> PQGen[RV]:
        """Hand a protocol's steps on; the library asks again several times a second."""
        deadline = time.monotonic() + self.answer_seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == Ready.NONE and time.monotonic() > deadline and self._is_asking():
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result

    def _is_asking(self) -> bool:
        return self.pgconn.transaction_status == TransactionStatus.ACTIVE


def make_bounded(seconds: float) -> type[BoundedConnection]:
    """Return the class of connections whose statements have that long."""

    class Bounded(BoundedConnection):
        answer_seconds = seconds

    return Bounded


def bound_answers(engines: Engine | type[Engine], seconds: float) -> None:
    """Have the connections of an engine, or of all engines of the process, fail on a silent server.

    Parameters
    ----------
    engines
        What makes connections; those to other databases than PostgreSQL are left alone.
    seconds
        How long the answer to a statement may take.
    """
    connect: Callable[..., psycopg.Connection[Any]] = make_bounded(seconds).connect

    def do_connect(
        dialect: Dialect, _: object, arguments: list[str], options: dict[str, Any]
    ) -> psycopg.Connection[Any] | None:
        return connect(*arguments, **options) if dialect.driver == "psycopg" else None

    event.listen(engines, "do_connect", do_connect)


@cache
def bound_all_answers(seconds: float) -> None:
    """Do so for the engines that a library makes for itself."""
    bound_answers(Engine, seconds)
