"""The one place that lets requests through to routes: by the caller's role, and by their origin.

`ROUTE_ROLES` names every route of the web server. One that it does not name cannot be served.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from secondread.audit import AuditEvent, AuditKind, Record, record_nothing
from secondread.log import get_logger
from secondread.settings import Role
from secondread.uids import quote_uid
from secondread.watch.callers import BEARER, Callers, PageCaller, Way

log = get_logger(__name__)

ROUTE_ROLES: Mapping[str, Role | None] = {
    # Load balancers ask without a token, and learn nothing of a patient.
    "healthz": None,
    "readyz": None,
    "static": None,
    "show_login": None,
    "login": None,
    "follow_link": None,
    "metrics": Role.METRICS,
    "logout": Role.METRICS,
    "studies": Role.LOOK,
    "show_search": Role.LOOK,
    "search": Role.LOOK,
    "study": Role.LOOK,
    "timeline": Role.LOOK,
    "document": Role.LOOK,
    "picture": Role.LOOK,
    "download": Role.LOOK,
    "refusals": Role.LOOK,
    "missing": Role.LOOK,
    "missing_json": Role.LOOK,
    "destinations": Role.LOOK,
    "node": Role.LOOK,
    "settings": Role.LOOK,
    "agreement": Role.LOOK,
    "verdicts_csv": Role.LOOK,
    "judge": Role.ACT,
    "assess": Role.ACT,
    "change_look": Role.LOOK,
    "patient": Role.LOOK,
    "patient_identity": Role.LOOK,
    "read_again": Role.ACT,
    "resend": Role.ACT,
    "ask_about_study": Role.ACT,
    "dismiss_study": Role.ACT,
    "ask_about_alarm": Role.ACT,
    "dismiss_alarm": Role.ACT,
    "ask_about_refusal": Role.ACT,
    "dismiss_refusal": Role.ACT,
    "add_treatment": Role.ACT,
    "end_treatment": Role.ACT,
    "remove_treatment": Role.ACT,
    "confirm_patient": Role.ACT,
    "merge_patients": Role.ACT,
    # To stop what leaves is no more than to have it wait.
    "pause": Role.ACT,
    "send_live": Role.ADMIN,
    "keep_in_shadow": Role.ADMIN,
}
"""The role that each route asks for, by the route's name; None: anybody may."""

MOST_RUNNING = 32
"""Requests at the same time, but for prompt ones; fewer than there are threads in the pool."""

MOST_WAITING = 128
"""Requests that wait for their turn; more are answered 503. Together with those that run, and with
those that wait for `/readyz`, fewer than there are connections: `/healthz` has one left."""

_PROMPT_ROUTES = frozenset({"healthz", "readyz", "static"})
"""What never waits for long by itself, and is answered however much else is asked."""

AUDITED_ROUTES: Mapping[str, AuditKind] = {
    "study": AuditKind.SEEN,
    "timeline": AuditKind.SEEN,
    "document": AuditKind.SEEN,
    "picture": AuditKind.SEEN,
    "download": AuditKind.EXPORTED,
}
"""What the audit trail says of a route that was let through; a search is recorded with its text."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Guards routes.

    Parameters
    ----------
    callers
        Finds out who calls.
    public_url
        How browsers reach the pages; empty if by the address that is listened on.
    roles
        The role that each route asks for.
    record
        Takes the events of the audit trail.
    """

    def __init__(
        self,
        callers: Callers,
        public_url: str,
        roles: Mapping[str, Role | None] = ROUTE_ROLES,
        record: Record = record_nothing,
    ) -> None:
        self._record = record
        self._callers = callers
        self._public_url = public_url
        self._roles = roles
        self._places = asyncio.Semaphore(MOST_RUNNING)
        self._waiting = 0

    def protect(self, routes: Sequence[BaseRoute]) -> list[BaseRoute]:
        """Return the routes, each behind this guard.

        Raises
        ------
        KeyError
            A route is not in the table of roles.
        TypeError
            It is of a kind that cannot be guarded.
        """
        for route in routes:
            if not isinstance(route, Route | Mount):
                raise TypeError(f"{type(route).__name__} cannot be guarded")
            name = route.name or ""
            route.app = _GuardedRoute(route.app, self, name, self._roles[name])
        return list(routes)

    async def admit(self, request: Request, role: Role | None) -> Response | None:
        """Let a request through, with its caller in `request.state.caller`; or answer it.

        Raises
        ------
        HTTPException
            401, 403: the caller is unknown, lacks the role, or another site sent the request.
        """
        caller = None if role is None else await self._callers.identify(request)
        request.state.caller = caller
        if request.method not in _SAFE_METHODS and (caller is None or caller.way is not Way.TOKEN):
            self._check_origin(request, caller)
        if role is None:
            return None
        if caller is None:
            return _ask_to_sign_in(request)
        if not caller.role.includes(role):
            log.warning("web_access_denied", caller=caller.name, role=caller.role, needed=role)
            denied = f"{request.url.path} needs the role {role}; the caller's is {caller.role}"
            self._note(AuditKind.ACCESS_DENIED, request, denied)
            words = f"This needs the role {role}; yours is {caller.role}."
            raise HTTPException(403, words)
        return None

    def note_access(self, request: Request, route: str) -> None:
        """Record in the audit trail what a caller is about to be shown."""
        kind = AUDITED_ROUTES.get(route)
        if kind is not None:
            self._note(kind, request)

    def _note(self, kind: AuditKind, request: Request, words: str = "") -> None:
        caller = get_caller(request)
        study_uid = quote_uid(str(request.path_params.get("study_uid", "")))
        name, address = "" if caller is None else caller.name, self._callers.find_address(request)
        now = self._callers.clock()
        self._record(AuditEvent(kind, now, name, address, study_uid, words=words))

    def _check_origin(self, request: Request, caller: PageCaller | None) -> None:
        """Refuse what another site's page has a browser send.

        The browser says itself whether a request comes from the page's own site, where it sends
        Sec-Fetch-Site (W3C Fetch Metadata: over TLS, and to loopback); else it names the page's
        origin. A token is not sent by browsers, so that this concerns cookies and proxies alone.
        """
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            is_own = site == "same-origin"
        else:
            origin = request.headers.get("origin", "").lower()
            own = f"{request.url.scheme}://{request.headers.get('host', '')}".lower()
            is_own = origin in {own, self._public_url} - {""}
        if not is_own:
            if caller is not None:  # a stranger's own forms are not worth a line each
                log.warning("web_foreign_form_refused", caller=caller.name)
                site_words = f"a form of another site was refused, for {request.url.path}"
                self._note(AuditKind.FOREIGN_FORM, request, site_words)
            words = "This form was not sent by a page of this node. Behind a proxy, web.public_url "
            raise HTTPException(403, words + "has to say how browsers reach it.")

    @asynccontextmanager
    async def take_turn(self) -> AsyncIterator[None]:
        """Wait until few enough requests are running.

        Raises
        ------
        HTTPException
            503: too many wait already.
        """
        if self._waiting >= MOST_WAITING:
            raise HTTPException(503, "Too much is asked at once.", {"Retry-After": "2"})
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


class _GuardedRoute:
    """What a route leads to, behind the guard."""

    def __init__(self, app: ASGIApp, guard: Guard, name: str, role: Role | None) -> None:
        self._app, self._guard, self._name, self._role = app, guard, name, role
        self._takes_turns = name not in _PROMPT_ROUTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        async with self._guard.take_turn() if self._takes_turns else nullcontext():
            request = Request(scope, receive)
            answer = await self._guard.admit(request, self._role)
            if answer is None:
                self._guard.note_access(request, self._name)
            await (answer or self._app)(scope, receive, send)


def _ask_to_sign_in(request: Request) -> Response:
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?to={quote(path)}", 303)
    raise HTTPException(401, "Please sign in.", BEARER)


def choose_target(text: str) -> str:
    """Return a path of this server to go to after signing in; the first page for all else.

    >>> choose_target("/studies/1.2?refresh=off"), choose_target("//evil.example/")
    ('/studies/1.2?refresh=off', '/')
    """
    parts = urlsplit(text)
    is_own = text.startswith("/") and not parts.scheme and not parts.netloc
    plain = text.isascii() and text.isprintable() and "\\" not in text and len(text) <= 300
    return text if is_own and plain and not text.startswith("//") else "/"


def get_caller(request: Request) -> PageCaller | None:
    """Return who sent a request that a guard let through; None on a route that is open to all."""
    caller: PageCaller | None = getattr(request.state, "caller", None)
    return caller
