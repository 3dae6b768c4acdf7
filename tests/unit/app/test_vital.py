"""A process without one of its threads says so, and ends."""

import threading

import pytest

from secondread.app.vital import THREAD_LOST_EXIT, VitalThreads
from secondread.watch.health import ReadinessCheck, summarize_readiness


def test_a_process_whose_threads_run_is_ready_and_goes_on() -> None:
    vital = VitalThreads({"heartbeat": lambda: True, "engine": lambda: True})

    assert vital.check() == ReadinessCheck("threads", ok=True, detail="2 run")
    vital.end_if_lost()


def test_a_process_that_lost_one_is_not_ready_and_ends_with_a_status_of_its_own() -> None:
    vital = VitalThreads({"heartbeat": lambda: False, "engine": lambda: True})

    status, body = summarize_readiness([vital.check()])
    assert (status, body["checks"]) == (
        503,
        {"threads": {"ok": False, "detail": "lost: heartbeat"}},
    )
    with pytest.raises(SystemExit) as ended:
        vital.wait(threading.Event())
    assert ended.value.code == THREAD_LOST_EXIT


def test_waiting_ends_when_the_process_is_asked_to_stop() -> None:
    stop = threading.Event()
    stop.set()

    VitalThreads({"heartbeat": lambda: False}).wait(stop)
