"""The web application: its routes, the headers that protect its pages, and its templates."""

import ipaddress

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secondread import __version__
from secondread.accept.archive import Archive
from secondread.clock import Clock
from secondread.errors import TransientError
from secondread.reasons import Outcome
from secondread.settings import Settings
from secondread.track.tracker import Tracker
from secondread.watch.gauges import NodeGauges, make_metrics_route
from secondread.watch.health import make_health_routes
from secondread.watch.pages import Pages
from secondread.watch.words import FILTERS

_OBJECT = "/studies/{study_uid}/objects/{number:int}"


def make_app(tracker: Tracker, archive: Archive, settings: Settings, clock: Clock) -> Starlette:
    """Return the web application: pages, health checks and metrics.

    Parameters
    ----------
    tracker
        What is asked.
    archive
        Where the outbox objects are stored.
    settings
        The node's settings.
    clock
        The present instant.
    """
    pages = Pages(tracker, archive, settings, clock, _make_environment())
    return Starlette(
        routes=[
            Route("/", pages.show_studies, name="studies"),
            Route("/search", pages.search, methods=["POST"], name="search"),
            Route("/studies/{study_uid}", pages.show_study, name="study"),
            Route("/studies/{study_uid}/timeline.png", pages.show_timeline, name="timeline"),
            Route(_OBJECT, pages.show_document, name="document"),
            Route(f"{_OBJECT}.png", pages.show_picture, name="picture"),
            Route(f"{_OBJECT}.dcm", pages.download, name="download"),
            Route("/refusals", pages.show_refusals, name="refusals"),
            Route("/destinations", pages.show_destinations, name="destinations"),
            Route("/node", pages.show_node, name="node"),
            *make_health_routes(tracker, archive, settings, clock),
            make_metrics_route(NodeGauges(tracker, archive, settings, clock)),
            Mount("/static", StaticFiles(packages=[("secondread.watch", "static")]), name="static"),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=list_allowed_hosts(settings.web.host),
                www_redirect=False,
            ),
        ],
        exception_handlers={
            HTTPException: pages.show_http_error,
            TransientError: pages.show_database_away,
        },
    )


HEADERS = {
    # Everything comes from this node; nothing may run, be framed, or be sent elsewhere.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware that adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def list_allowed_hosts(listen_host: str) -> list[str]:
    """Return the Host headers that are answered.

    A node that listens on loopback answers for loopback names only: otherwise a web page on the
    internet whose name is made to point at 127.0.0.1 could read the pages through the browser of
    whoever visits it. Elsewhere the access control in front decides.

    >>> "localhost" in list_allowed_hosts("127.0.0.1"), list_allowed_hosts("0.0.0.0")
    (True, ['*'])
    """
    try:
        is_loopback = ipaddress.ip_address(listen_host).is_loopback
    except ValueError:
        is_loopback = listen_host == "localhost"
    return ["localhost", "127.0.0.1", "::1", "[::1]", listen_host] if is_loopback else ["*"]


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("secondread.watch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals["version"] = __version__
    # A study that was not read must never look like one without findings.
    environment.globals["unread"] = {Outcome.FAILED, Outcome.NOT_ELIGIBLE}
    return environment
