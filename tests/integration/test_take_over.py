"""Workers that are killed, stopped or cut off from their database, and readings that kill workers.

Real processes with real engines; only the detector is none.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from secondread.reasons import Outcome
from tests.peers.postgres_server import PostgresServer
from tests.worlds.worker_processes import Workers, until


class Cut:
    """The way to a database server, which can be cut."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server = str(server / ".s.PGSQL.5432")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._is_cut = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        self._is_cut = True
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._open):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_cut:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                self._open += [near, far]
                far.connect(self._server)
                for ends in ((near, far), (far, near)):
                    relay = threading.Thread(target=self._relay, args=ends, daemon=True)
                    relay.start()
                    self._threads.append(relay)

    @staticmethod
    def _relay(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def workers(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Workers]:
    made = Workers(tmp_path, postgres_server.create())
    yield made
    made.end_all()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.peer("postgres")
def test_what_three_workers_lose_is_read_once_by_those_that_live(
    workers: Workers, postgres_server: PostgresServer, tmp_path: Path, stack: ExitStack
) -> None:
    way = tmp_path / "way"
    way.mkdir()
    database = stack.enter_context(closing(Cut(postgres_server.folder, way)))
    studies = [f"1.2.3.{number}" for number in range(5)]
    (tmp_path / "hold").touch()
    workers.deliver(*studies)
    workers.start("killed")
    workers.start("stopped")
    workers.start("cut", workers.url.replace(str(postgres_server.folder), str(way)))
    until(lambda: workers.list_reading() == {"killed", "stopped", "cut"}, "three readings", 200)

    began = time.monotonic()
    workers.signal("killed", signal.SIGKILL)
    workers.signal("stopped", signal.SIGSTOP)
    until(
        lambda: workers.count_events()["cut", "worker_taken_over"] == 2,
        "the take-over of two workers",
        60,
    )
    database.cut()
    workers.signal("stopped", signal.SIGCONT)
    until(
        lambda: workers.count_events()["stopped", "worker_taken_over"] >= 1,
        "the take-over by the one that was stopped",
        60,
    )
    (tmp_path / "hold").unlink()
    time.sleep(3)
    database.mend()
    until(lambda: workers.list_outcomes().keys() == set(studies), "all results", 90)

    assert time.monotonic() - began < 90
    assert set(workers.list_outcomes().values()) == {Outcome.NO_FINDINGS}
    assert [revision.number for revision in workers.list_revisions()] == [1] * len(studies)
    events = workers.count_events()
    # Once for its stop; a machine that is slow enough may take it for dead again.
    assert events["stopped", "process_was_taken_for_dead"] >= 1
    assert sum(events[name, "study_read"] for name in workers.running) == len(studies)


# A worker takes seconds to start: what its deaths do is tested in `test_reading_runs`, how it tells
# them apart in `test_fault_record`, and here the whole, by `make soak`.
only_in_soak = pytest.mark.skipif(
    "SOAK_SEED" not in os.environ, reason="takes minutes: `make soak` runs it"
)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path, f"sqlite:///{tmp_path / 'tracker.sqlite'}", step_seconds=5)
    yield made
    made.end_all()


def restart_until_done(workers: Workers, studies: set[str], most: int) -> int:
    """Start the worker again whenever it dies; return how often that was."""
    deaths = 0
    workers.start("w0")
    deadline = time.monotonic() + 300
    while workers.list_outcomes().keys() != studies:
        assert time.monotonic() < deadline, "waited in vain"
        if workers.running["w0"].poll() is not None:
            deaths += 1
            assert deaths <= most
            workers.start("w0")
        time.sleep(0.1)
    return deaths


@only_in_soak
@pytest.mark.parametrize("how", ["crash", "hang"])
def test_a_study_that_kills_its_worker_three_times_fails_and_its_neighbour_is_read(
    alone: Workers, tmp_path: Path, how: str
) -> None:
    # It would do so again over its failed result.
    (tmp_path / "poison").write_text(f"1.2.66 {how}")
    alone.deliver("1.2.66", "1.2.7")

    deaths = restart_until_done(alone, {"1.2.66", "1.2.7"}, 6)

    assert alone.list_outcomes() == {"1.2.66": Outcome.FAILED, "1.2.7": Outcome.NO_FINDINGS}
    assert deaths == 6
    alarms = alone.world.node.tracker.node_queries.list_alarms()
    assert ("failed-result-not-made", "1.2.66") in {(a.kind, a.subject) for a in alarms}


@only_in_soak
def test_kills_from_outside_are_no_studys_fault(alone: Workers, tmp_path: Path) -> None:
    alone.step_seconds = 60
    (tmp_path / "hold").touch()
    alone.deliver("1.2.7")
    for number in range(5):
        alone.start("w0")
        until(lambda: alone.list_revisions() != [], "the claim")
        until(lambda n=number: alone.list_revisions()[0].run > n, "a run")  # type: ignore[misc]
        until(lambda: alone.list_reading() == {"w0"}, "a step")
        alone.signal("w0", signal.SIGKILL)
        alone.running["w0"].wait()
    (tmp_path / "hold").unlink()

    assert restart_until_done(alone, {"1.2.7"}, 0) == 0

    assert alone.list_outcomes() == {"1.2.7": Outcome.NO_FINDINGS}
    assert alone.list_revisions()[0].run == 6
