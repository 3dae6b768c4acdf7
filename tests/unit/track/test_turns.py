"""The lock that is handed on in the order of asking."""

import threading
import time

import pytest

from secondread.track.turns import Turns


def wait_until_waiting(turns: Turns, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(turns._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_threads_get_in_in_the_order_in_which_they_asked() -> None:
    turns, order = Turns(), []

    def enter(number: int) -> None:
        with turns:
            order.append(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(8)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            wait_until_waiting(turns, number + 1)
    for thread in threads:
        thread.join(10)
    assert order == list(range(8))


def test_one_thread_at_a_time_is_in() -> None:
    turns, inside, most = Turns(), 0, 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(50):
            with turns:
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
    turns = Turns()
    with pytest.raises(RuntimeError), turns:
        raise RuntimeError
    with turns:
        pass


def test_a_waiter_that_is_interrupted_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: threading.Event, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    turns = Turns()
    with turns:
        monkeypatch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            turns.__enter__()
        monkeypatch.undo()
        assert not turns._waiting
    with turns:
        pass
