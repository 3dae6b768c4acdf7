"""A step that is repeated in a thread of its own, as long as a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeat_in_thread(step: Callable[[], None], name: str, every_seconds: float) -> Iterator[None]:
    """Take a step at once and then from time to time, in a thread, while the block runs.

    Parameters
    ----------
    step
        What is repeated; it raises nothing, because that would end the thread.
    name
        Of the thread.
    every_seconds
        Pause between two steps, and how long the block waits at its end for a step under way.
    """
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            step()
            stop.wait(every_seconds)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(every_seconds)
