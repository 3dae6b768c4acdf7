"""Whether a process lives, and whether the node can accept and store: pure logic and its routes.

``/healthz`` says that the process answers at all. ``/readyz`` says 503 as soon as one check
fails, and names every check, so that a load balancer and a person read the same thing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from secondread.clock import Clock
from secondread.errors import TransientError
from secondread.settings import Settings
from secondread.track.summaries import ProcessSummary
from secondread.watch.sources import Archive, Tracker
from secondread.watch.words import size

RECEIVER_KIND = "receive"
"""Kind of the receiver in its heartbeat."""

_MISSED_BEATS = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be so, for the node to accept and store."""

    name: str
    ok: bool
    detail: str


def is_silent(process: ProcessSummary, now: datetime, heartbeat_seconds: float) -> bool:
    """Whether a process has missed three heartbeats."""
    return now - process.beat_at > timedelta(seconds=_MISSED_BEATS * heartbeat_seconds)


def receiver_check(
    processes: Sequence[ProcessSummary], now: datetime, heartbeat_seconds: float
) -> Check:
    """Check that a receiver has said lately that it lives."""
    receivers = [process for process in processes if process.kind == RECEIVER_KIND]
    living = [one for one in receivers if not is_silent(one, now, heartbeat_seconds)]
    if living:
        return Check("receiver", ok=True, detail=f"{len(living)} running")
    if not receivers:
        return Check("receiver", ok=False, detail="none is running")
    latest = max(process.beat_at for process in receivers)
    age = (now - latest).total_seconds()
    return Check("receiver", ok=False, detail=f"silent for {age:.0f} s")


def disk_check(free_bytes: int, minimum_bytes: int) -> Check:
    """Check that instances are not refused for want of space."""
    detail = f"{size(free_bytes)} free, {size(minimum_bytes)} is the minimum"
    return Check("disk", ok=free_bytes >= minimum_bytes, detail=detail)


def node_checks(
    tracker: Tracker, archive: Archive, settings: Settings, now: datetime
) -> tuple[Check, ...]:
    """Ask everything that readiness depends on."""
    beat = settings.work.heartbeat_seconds
    try:
        tracker.ping()
        database = Check("database", ok=True, detail="answers")
        receiver = receiver_check(tracker.queries.processes(), now, beat)
    except TransientError as error:
        database = Check("database", ok=False, detail=str(error))
        receiver = Check("receiver", ok=False, detail="unknown without the database")
    try:
        disk = disk_check(archive.free_bytes(), settings.receive.minimum_free_bytes)
    except OSError as error:
        disk = Check("disk", ok=False, detail=f"the archive is gone: {error.strerror}")
    return database, receiver, disk


def readiness(checks: Sequence[Check]) -> tuple[int, dict[str, object]]:
    """Return HTTP status and JSON body for the checks."""
    ready = all(check.ok for check in checks)
    body = {
        "ready": ready,
        "checks": {check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
    }
    return (200 if ready else 503), body


def health_routes(
    tracker: Tracker, archive: Archive, settings: Settings, clock: Clock
) -> list[Route]:
    """Return the routes ``/healthz`` and ``/readyz`` of a node."""

    def checks() -> Sequence[Check]:
        return node_checks(tracker, archive, settings, clock())

    return probe_routes(checks)


def probe_routes(checks: Callable[[], Sequence[Check]]) -> list[Route]:
    """Return ``/healthz``, and ``/readyz`` over the given checks, for any process."""

    def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(_: Request) -> Response:
        status, body = readiness(checks())
        return JSONResponse(body, status)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
