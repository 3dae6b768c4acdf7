"""Work on many items in several processes, each of which opens what it needs once."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

Opened = TypeVar("Opened")
Item = TypeVar("Item")
Result = TypeVar("Result")


def work_in_processes(
    items: Sequence[Item],
    open_worker: Callable[[], Opened],
    work: Callable[[Opened, Item], Result],
    processes: int,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in the order in which they are done.

    Parameters
    ----------
    items
        Travel to the processes, as the two functions do.
    open_worker
        Opens what `work` needs; is called once in each process.
    work
        Is called in this process where one is enough.

    Raises
    ------
    BrokenProcessPool
        A process was killed.
    """
    if processes == 1 or len(items) < 2:
        opened = open_worker() if items else None
        for item in items:
            yield item, work(opened, item)  # type: ignore[arg-type]
        return
    with ProcessPoolExecutor(
        min(processes, len(items)),
        # A forked child would share the parent's locks and threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_open,
        initargs=(open_worker,),
    ) as pool:
        waiting = {pool.submit(_work, work, item): item for item in items}
        try:
            for future in as_completed(waiting):
                # Results are large: nothing here holds one that was handed on.
                yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_opened: list[Any] = []
"""What this process has opened; a pool passes nothing else from its initializer to its tasks."""


def _open(open_worker: Callable[[], Any]) -> None:
    _opened[:] = [open_worker()]


def _work(work: Callable[[Any, Item], Result], item: Item) -> Result:
    return work(_opened[0], item)
