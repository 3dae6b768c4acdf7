"""The lock that is handed on in the order of asking."""

import threading
import time

import pytest

from secondread.track.database import FairLock


def wait_until_waiting(lock: FairLock, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(lock._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_threads_get_in_in_the_order_in_which_they_asked() -> None:
    lock, order = FairLock(), []

    def enter(number: int) -> None:
        with lock:
            order.append(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(8)]
    with lock:
        for number, thread in enumerate(threads):
            thread.start()
            wait_until_waiting(lock, number + 1)
    for thread in threads:
        thread.join(10)
    assert order == list(range(8))


def test_one_thread_at_a_time_is_in() -> None:
    lock, inside, most = FairLock(), 0, 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(50):
            with lock:
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1


def test_an_error_inside_hands_the_turn_on() -> None:
    lock = FairLock()
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError
    with lock:
        pass


def test_a_waiter_that_is_interrupted_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: threading.Event, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    lock = FairLock()
    with lock:
        monkeypatch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lock.__enter__()
        monkeypatch.undo()
        assert not lock._waiting
    with lock:
        pass
