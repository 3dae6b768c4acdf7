"""Images of one reading, read side by side while its steps wait for each in turn.

The steps stay what they are: each has one image, whose outcome it returns or raises, and between
them the run looks whether it is still the latest. What is read before its step has begun is in the
reading's cache by then.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class SideBySide(Generic[Answer]):
    """Jobs in threads, known by name; each is waited for once.

    Parameters
    ----------
    at_once
        How many run at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="image")
        self._begun: dict[str, Future[Answer]] = {}

    def begin(self, name: str, job: Callable[[], Answer]) -> None:
        """Have a job run when its turn comes."""
        self._begun[name] = self._pool.submit(job)

    def finish(self, name: str, job: Callable[[], Answer]) -> Answer:
        """Return what a job that was begun returns, or raise what it raises.

        One that was not begun, or was waited for before, runs now: a step that met an outage is
        tried again.
        """
        future = self._begun.pop(name, None)
        return job() if future is None else future.result()

    def close(self) -> None:
        """Drop what has not begun, and wait for what has: its files must not change any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def run_all(jobs: Sequence[Callable[[], Answer]], at_once: int) -> list[Answer]:
    """Run jobs side by side; return their answers in order, or raise the first one's error."""
    if at_once == 1 or len(jobs) < 2:
        return [job() for job in jobs]
    with ThreadPoolExecutor(min(at_once, len(jobs)), thread_name_prefix="image") as pool:
        return list(pool.map(lambda job: job(), jobs))
