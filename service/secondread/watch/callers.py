"""Who calls the web server: by a token, by a browser's session, or by the word of a proxy.

A caller's address is that of its connection. What a header says of address or user counts only
where the connection comes from a proxy of the settings.
"""

import asyncio
import hashlib
import ipaddress
import time
from dataclasses import dataclass
from enum import StrEnum

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from secondread.audit import AuditEvent, AuditKind, Record, record_nothing
from secondread.clock import Clock
from secondread.errors import TransientError
from secondread.log import get_logger
from secondread.settings import ProxySettings, Role, WebSettings
from secondread.track.access import Access, KnownCaller
from secondread.watch.attempts import Attempts

log = get_logger(__name__)

BEARER = {"WWW-Authenticate": "Bearer"}
"""The header that says what a caller without a browser has to send."""

_LONGEST_SECRET = 200

_MOST_KNOWN = 64
"""How many tokens are remembered for the time when the database is away."""


class Way(StrEnum):
    """How a caller is known."""

    TOKEN = "token"  # noqa: S105  (a word)
    SESSION = "session"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class PageCaller:
    """Somebody who calls, with what they may do."""

    name: str
    role: Role
    way: Way


class NoGroupError(HTTPException):
    """A proxy names a user who is in no group that may look."""

    def __init__(self, user: str) -> None:
        super().__init__(403, "You are signed in, but in no group that may look at these pages.")
        self.user = user


class Callers:
    """Finds out who sent a request, and signs people in and out.

    Parameters
    ----------
    access
        The tokens and sessions.
    web
        The settings of the web server.
    clock
        The present instant.
    record
        Takes the events of the audit trail.
    """

    def __init__(
        self, access: Access, web: WebSettings, clock: Clock, record: Record = record_nothing
    ) -> None:
        self._record = record
        self._access = access
        self._web = web
        self.clock = clock
        self._attempts = Attempts()
        self._turn = asyncio.Lock()
        self._last_known: dict[bytes, KnownCaller] = {}
        # Browsers send a cookie to every port of a host: the port tells two nodes apart. A name
        # with __Host- is taken from this host alone, and by TLS alone.
        prefix = "__Host-" if web.is_behind_tls else ""
        self.cookie = f"{prefix}secondread_{web.port}"

    def find_address(self, request: Request) -> str:
        """Return where a request comes from, by a trusted proxy's word if there is one."""
        return find_address(request, self._web.proxy)

    async def identify(self, request: Request) -> PageCaller | None:
        """Return who calls; None if nobody known.

        Raises
        ------
        HTTPException
            401: the token is none; 429: too many wrong ones; 400: the proxy's headers are not
            unique.
        """
        if "authorization" in request.headers:
            return await self._identify_by_token(request)
        by_proxy = self._identify_by_proxy(request)
        if by_proxy is not None:
            return by_proxy
        secret = request.cookies.get(self.cookie, "")
        if not 0 < len(secret) <= _LONGEST_SECRET:
            return None
        known = await run_in_threadpool(self._access.find_session, secret, self.clock())
        return None if known is None else PageCaller(known.name, known.role, Way.SESSION)

    def _identify_by_proxy(self, request: Request) -> PageCaller | None:
        try:
            return find_proxy_user(request, self._web.proxy)
        except NoGroupError as error:
            address, words = self.find_address(request), "in no group that may look"
            kind = AuditKind.ACCESS_DENIED
            self._record(AuditEvent(kind, self.clock(), error.user, address, words=words))
            raise

    async def _identify_by_token(self, request: Request) -> PageCaller:
        scheme, _, token = request.headers["authorization"].partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401, "A token is expected, as Bearer.", BEARER)
        known = await self._try(request, "bearer", token)
        if known is None:
            raise HTTPException(401, "This token is not in force.", BEARER)
        return PageCaller(known.name, known.role, Way.TOKEN)

    async def try_token(self, request: Request, token: str) -> KnownCaller | None:
        """Return whose token was typed; None if it is none, or opens no page.

        Raises
        ------
        HTTPException
            429: there were too many wrong ones.
        """
        known = await self._try(request, "token", token)
        return known if known is not None and known.role.includes(Role.LOOK) else None

    async def try_link(self, request: Request, code: str) -> KnownCaller | None:
        """Use a link up; return whom it signs in, or None.

        Raises
        ------
        HTTPException
            429: there were too many wrong ones.
        """
        return await self._try(request, "link", code)

    async def _try(self, request: Request, way: str, secret: str) -> KnownCaller | None:
        if way == "bearer" and _digest(secret) in self._last_known:
            # No guess: many at the same moment need not wait for each other.
            known = await run_in_threadpool(self._find_token, secret)
            if known is not None:
                return known
        # One guess after the other, so that each is counted before the next.
        async with self._turn:
            return await self._guess(request, way, secret)

    async def _guess(self, request: Request, way: str, secret: str) -> KnownCaller | None:
        address = find_address(request, self._web.proxy)
        wait = self._attempts.compute_wait(address, time.monotonic())
        if wait > 0:
            seconds = str(int(wait) + 1)
            words = f"Too many wrong ones. Please wait {seconds} s."
            raise HTTPException(429, words, {"Retry-After": seconds})
        find = self._take_link if way == "link" else self._find_token
        known = await run_in_threadpool(find, secret) if len(secret) <= _LONGEST_SECRET else None
        if known is None:
            self._attempts.fail(address, time.monotonic())
            log.warning("web_access_failed", way=way, address=address)
            self._record(AuditEvent(AuditKind.SIGN_IN_FAILED, self.clock(), "", address))
        else:
            self._attempts.succeed(address, time.monotonic())
            if way != "bearer":
                event = AuditEvent(AuditKind.SIGNED_IN, self.clock(), known.name, address)
                self._record(event)
        return known

    def _take_link(self, code: str) -> KnownCaller | None:
        return self._access.take_link(code, self.clock())

    def _find_token(self, token: str) -> KnownCaller | None:
        digest = _digest(token)
        try:
            known = self._access.find_token(token)
        except TransientError:
            # Without its database the node can still say by `/metrics` that it is away.
            remembered = self._last_known.get(digest)
            if remembered is None:
                raise
            return remembered
        self._last_known.pop(digest, None)
        if known is not None:
            self._last_known[digest] = known
            if len(self._last_known) > _MOST_KNOWN:
                self._last_known.pop(next(iter(self._last_known)), None)
        return known

    def sign_in(self, request: Request, known: KnownCaller, response: Response) -> None:
        """Open a session, and give its secret to the browser."""
        secret = self._access.open_session(known, self._web.session_lifetime, self.clock())
        response.set_cookie(
            self.cookie,
            secret,
            max_age=int(self._web.session_lifetime.total_seconds()),
            path="/",
            secure=self._web.is_behind_tls,
            httponly=True,
            samesite="strict",
        )
        address = find_address(request, self._web.proxy)
        log.info("web_signed_in", caller=known.name, role=known.role.value, address=address)

    def sign_out(self, request: Request, response: Response) -> None:
        """End the session of a browser."""
        self._access.close_session(request.cookies.get(self.cookie, "")[:_LONGEST_SECRET])
        caller: PageCaller | None = getattr(request.state, "caller", None)
        name, address = "" if caller is None else caller.name, self.find_address(request)
        self._record(AuditEvent(AuditKind.SIGNED_OUT, self.clock(), name, address))
        response.delete_cookie(
            self.cookie, path="/", secure=self._web.is_behind_tls, httponly=True, samesite="strict"
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def comes_from(request: Request, proxy: ProxySettings | None) -> bool:
    """Whether a request comes over a connection from a proxy of the settings."""
    if proxy is None or request.client is None:
        return False
    try:
        peer = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in ipaddress.ip_network(text, strict=False) for text in proxy.addresses)


def find_address(request: Request, proxy: ProxySettings | None) -> str:
    """Return the address of the caller: behind a proxy, the last one that the proxy names."""
    peer = request.client.host if request.client is not None else ""
    if not comes_from(request, proxy):
        return peer
    last = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return peer


def find_proxy_user(request: Request, proxy: ProxySettings | None) -> PageCaller | None:
    """Return the user that a trusted proxy names; None if it is none, or names nobody.

    Raises
    ------
    HTTPException
        400: a header is there twice, so that one of the two may be the caller's own; 403: the
        user is in no group that may look.
    """
    if proxy is None or not comes_from(request, proxy):
        return None
    users = request.headers.getlist(proxy.user_header)
    groups = request.headers.getlist(proxy.groups_header)
    if len(users) > 1 or len(groups) > 1:
        raise HTTPException(400, "The proxy in front passes a header of the caller's own on.")
    name = users[0].strip()[:80] if users else ""
    if not name:
        return None
    role = choose_role(proxy, groups[0] if groups else "")
    if role is None:
        raise NoGroupError(name)
    return PageCaller(name, role, Way.PROXY)


def choose_role(proxy: ProxySettings, groups: str) -> Role | None:
    """Return the highest role of a list of groups, separated by commas.

    >>> proxy = ProxySettings(addresses=("10.0.0.1",), look=("staff",), admin=("pacs admins",))
    >>> choose_role(proxy, "staff, pacs admins").value, choose_role(proxy, "visitors")
    ('admin', None)
    """
    mine = {group.strip() for group in groups.split(",")} - {""}
    for role, allowed in (
        (Role.ADMIN, proxy.admin),
        (Role.ACT, proxy.act),
        (Role.LOOK, proxy.look),
    ):
        if mine.intersection(allowed) or proxy.everyone is role:
            return role
    return None
