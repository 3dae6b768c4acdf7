"""Whether a process lives, and whether the node can accept and store: pure logic and its routes.

``/healthz`` shows that the process answers at all. ``/readyz`` answers 503 as soon as one check
fails, and lists every check, so that a load balancer and a person read the same thing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from secondread.accept.archive import Archive
from secondread.clock import Clock
from secondread.errors import TransientError
from secondread.settings import Settings
from secondread.track.summaries import ProcessSummary
from secondread.track.tracker import Tracker
from secondread.watch.words import format_bytes

RECEIVER_KIND = "receive"
"""Kind of the receiver in its heartbeat."""

_MISSED_BEATS = 3


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """One condition for the node to accept and store."""

    name: str
    ok: bool
    detail: str


def is_silent(process: ProcessSummary, now: datetime, heartbeat_seconds: float) -> bool:
    """Whether a process has missed three heartbeats."""
    return now - process.beat_at > timedelta(seconds=_MISSED_BEATS * heartbeat_seconds)


def check_receiver(
    processes: Sequence[ProcessSummary], now: datetime, heartbeat_seconds: float
) -> ReadinessCheck:
    """Check that a receiver has sent a heartbeat lately."""
    receivers = [process for process in processes if process.kind == RECEIVER_KIND]
    living = [receiver for receiver in receivers if not is_silent(receiver, now, heartbeat_seconds)]
    if living:
        return ReadinessCheck("receiver", ok=True, detail=f"{len(living)} running")
    if not receivers:
        return ReadinessCheck("receiver", ok=False, detail="none is running")
    latest = max(process.beat_at for process in receivers)
    age = (now - latest).total_seconds()
    return ReadinessCheck("receiver", ok=False, detail=f"silent for {age:.0f} s")


def check_disk(free_bytes: int, minimum_bytes: int) -> ReadinessCheck:
    """Check that instances are not refused for want of space."""
    detail = f"{format_bytes(free_bytes)} free, {format_bytes(minimum_bytes)} is the minimum"
    return ReadinessCheck("disk", ok=free_bytes >= minimum_bytes, detail=detail)


def check_readiness(
    tracker: Tracker, archive: Archive, settings: Settings, now: datetime
) -> tuple[ReadinessCheck, ...]:
    """Check everything that readiness depends on."""
    beat = settings.work.heartbeat_seconds
    try:
        tracker.ping()
        database = ReadinessCheck("database", ok=True, detail="answers")
        receiver = check_receiver(tracker.node_queries.list_processes(), now, beat)
    except TransientError as error:
        database = ReadinessCheck("database", ok=False, detail=str(error))
        receiver = ReadinessCheck("receiver", ok=False, detail="unknown without the database")
    try:
        disk = check_disk(archive.measure_free_bytes(), settings.receive.minimum_free_bytes)
    except OSError as error:
        disk = ReadinessCheck("disk", ok=False, detail=f"the archive is gone: {error.strerror}")
    return database, receiver, disk


def summarize_readiness(checks: Sequence[ReadinessCheck]) -> tuple[int, dict[str, object]]:
    """Return HTTP status and JSON body for the checks."""
    ready = all(check.ok for check in checks)
    body = {
        "ready": ready,
        "checks": {check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
    }
    return (200 if ready else 503), body


def make_health_routes(
    tracker: Tracker,
    archive: Archive,
    settings: Settings,
    clock: Clock,
    check_process: Callable[[], ReadinessCheck] | None = None,
) -> list[Route]:
    """Return the routes ``/healthz`` and ``/readyz`` of a node, and of the process that answers."""

    # Not in the pool of threads, which requests that wait for the database can fill.
    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    probe = _ReadinessProbe(
        lambda: check_readiness(tracker, archive, settings, clock()), check_process
    )
    return [Route("/healthz", healthz), Route("/readyz", probe.readyz)]


LONGEST_WAIT_SECONDS = 3.0
"""How long ``/readyz`` waits for a check; a database that hangs would hold it for longer."""

MOST_WAITING = 64
"""How many may wait for one check; it is open to all."""


class _ReadinessProbe:
    """Answers ``/readyz``: callers at the same time share one check, and none waits for long.

    Parameters
    ----------
    check
        Checks everything that readiness depends on; may block.
    check_process
        Checks the process that answers, if there is anything to check; does not block.
    """

    def __init__(
        self,
        check: Callable[[], Sequence[ReadinessCheck]],
        check_process: Callable[[], ReadinessCheck] | None,
    ) -> None:
        self._check, self._check_process = check, check_process
        self._running: asyncio.Task[Sequence[ReadinessCheck]] | None = None
        self._waiting = 0

    async def readyz(self, _: Request) -> Response:
        """Answer one request."""
        checks = await self._wait_for_checks()
        own = () if self._check_process is None else (self._check_process(),)
        status, body = summarize_readiness((*checks, *own))
        return JSONResponse(body, status)

    async def _wait_for_checks(self) -> Sequence[ReadinessCheck]:
        if self._waiting >= MOST_WAITING:
            return (ReadinessCheck("node", ok=False, detail="too many ask"),)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(run_in_threadpool(self._check))
        self._waiting += 1
        try:
            return await asyncio.wait_for(asyncio.shield(self._running), LONGEST_WAIT_SECONDS)
        except TimeoutError:
            detail = f"no answer within {LONGEST_WAIT_SECONDS:.0f} s"
            return (ReadinessCheck("node", ok=False, detail=detail),)
        finally:
            self._waiting -= 1
