"""HTTP/1.1 connections that cannot be held open for nothing.

uvicorn times idle connections between two requests only: one that sends half a request, or takes
no answer, stays for as long as its peer likes, and `limit_concurrency` counts such connections and
then refuses everybody, health checks too. Here every phase of a connection has an end, and where
all places are taken, one that waits for its peer gives way to the newcomer.
"""

import asyncio
import socket
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

LARGEST_HEADER_BYTES = 16 * 1024
LARGEST_BODY_BYTES = 64 * 1024
"""The forms of the pages are the only bodies that are read, and they are short."""

LONGEST_QUEUE = 256
"""Connections that the system holds until they are accepted. One that finds no room comes a second
later, when its caller's system tries again; a longer queue would make everybody wait in a flood."""

KEEP_ALIVE_SECONDS = 5
TICK_SECONDS = 0.5
"""How often the server renews the date that it answers with, and looks whether it is to stop."""
SHUTDOWN_SECONDS = 3
"""How long open requests may take when the server stops."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be, and how long each may keep the server waiting."""

    maximum_connections: int
    seconds: float
    """For a header to come, for a body to come, and for an answer to be taken: each."""


class LimitedConfig(uvicorn.Config):
    """The configuration of a server with limits.

    Parameters
    ----------
    application
        The ASGI application.
    host, port
        Where to listen.
    limits
        What its connections may take.
    """

    def __init__(
        self,
        application: ASGIApp,
        host: str,
        port: int,
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(
            application,
            host=host,
            port=port,
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            # A URL may hold what belongs in no log.
            access_log=False,
            # Whose headers are believed is a matter of `[web.proxy]`; uvicorn's default believes
            # every caller on this machine.
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=LARGEST_HEADER_BYTES,
            # How many are accepted in one round of the loop: fewer than there are places, so that
            # each newcomer is read from before it could give way.
            backlog=limits.maximum_connections // 8,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self.limits = limits


class LimitedServer(uvicorn.Server):
    """A server that accepts a few connections in each round, and lets many more wait."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        for listening in sockets or []:
            # asyncio has one number for both; this one is the system's alone (listen(2)).
            listening.listen(LONGEST_QUEUE)

    async def main_loop(self) -> None:
        """Do what has to be done from time to time, until the server is to stop.

        Ten times a second, as uvicorn does it by itself, is a fifth of what an idle node takes.
        """
        while not await self.on_tick(0):
            await asyncio.sleep(TICK_SECONDS)


class Phase(Enum):
    """What a connection waits for."""

    HEADER = auto()
    BODY = auto()
    ANSWER = auto()
    """This server; all others are the peer's."""
    IDLE = auto()
    """The next request."""
    CLOSING = auto()
    """That the peer takes the last of its answer."""


class LimitedProtocol(H11Protocol):
    """One connection, with an end to each of its phases."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        if not isinstance(config, LimitedConfig):
            raise TypeError("this protocol needs a LimitedConfig")
        self._limits = config.limits
        self._phase: Phase | None = None
        self.waiting_since = time.monotonic()
        self._body_bytes = 0
        self._requests = 0
        self._phase_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    def gives_way(self) -> bool:
        """Whether it waits for its peer, so that nothing of ours is lost if it ends."""
        return self._phase is not Phase.ANSWER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Take a place; where there is none, the connection that can best be spared ends."""
        super().connection_made(transport)
        self._enter(Phase.HEADER)
        if len(self.connections) > self._limits.maximum_connections:
            spared = _choose_to_end(self)
            # It is told in the next round of the loop; other newcomers of this round must not
            # choose it again.
            self.connections.discard(spared)
            spared.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place."""
        super().connection_lost(exc)
        for timer in (self._phase_timer, self._write_timer):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what came, and see what it was the end of."""
        super().data_received(data)
        if self.conn.their_state is h11.SEND_BODY:
            self._body_bytes += len(data)
            if self._body_bytes > LARGEST_BODY_BYTES:
                self.transport.abort()
                return
        self._update_phase()

    def on_response_complete(self) -> None:
        """Wait for what is left of the request, or for the next one."""
        self._requests += 1
        super().on_response_complete()
        self._update_phase()

    def pause_writing(self) -> None:
        """Wait until the peer has taken some of the answer, and not for ever."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._limits.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _update_phase(self) -> None:
        phase = self._find_phase()
        if phase is not self._phase:
            self._enter(phase)

    def _find_phase(self) -> Phase:
        if self.transport.is_closing():
            return Phase.CLOSING
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.BODY
        if self.conn.their_state is not h11.IDLE:
            return Phase.ANSWER
        has_begun = bool(self.conn.trailing_data[0])
        return Phase.HEADER if has_begun or not self._requests else Phase.IDLE

    def _enter(self, phase: Phase) -> None:
        if self._phase_timer is not None:
            self._phase_timer.cancel()
            self._phase_timer = None
        self._phase, self.waiting_since = phase, time.monotonic()
        if phase is not Phase.BODY:
            self._body_bytes = 0
        if phase is not Phase.ANSWER:
            # An idle connection is closed by uvicorn, which waits until the peer took everything.
            extra = KEEP_ALIVE_SECONDS if phase is Phase.IDLE else 0
            self._phase_timer = self.loop.call_later(self._limits.seconds + extra, self._end)

    def _end(self) -> None:
        """End a phase that took too long."""
        if self._phase is Phase.HEADER and self.conn.trailing_data[0]:
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
            self.transport.close()
            self._enter(Phase.CLOSING)
        else:
            self.transport.abort()


def _choose_to_end(newcomer: LimitedProtocol) -> LimitedProtocol:
    """Return the connection to end: one of the address that has most waiting, its oldest."""
    waiting = [
        other
        for other in newcomer.connections
        if isinstance(other, LimitedProtocol) and other is not newcomer and other.gives_way
    ]
    if not waiting:
        return newcomer
    counts = Counter(_get_address(other) for other in waiting)
    return max(waiting, key=lambda other: (counts[_get_address(other)], -other.waiting_since))


def _get_address(connection: LimitedProtocol) -> str:
    return connection.client[0] if connection.client is not None else ""
